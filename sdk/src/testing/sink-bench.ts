import assert from "node:assert/strict";
import type { SinkRecord, TopicPartitionOffset } from "../sink.ts";
import { withCleanup } from "./cleanup.ts";
import { openSinkProcess, type SinkProcess } from "./connector-process.ts";
import { beside } from "./leaks.ts";
import type { SinkAcceptance, SinkSystem } from "./sink-acceptance.ts";
import { openSinkRun, type SinkRun, sinkRecord } from "./sink-run.ts";

/** A system of one case, and what is opened on it; all of it is closed at the end. */
export interface SinkTools {
  readonly system: SinkSystem;
  /** Opens the sink in this process. */
  run(errantRecords?: boolean): Promise<SinkRun>;
  /** Opens the sink in a process of its own. */
  process(): Promise<SinkProcess>;
  /** Items as records, by their numbers. */
  records(from: number, to: number): readonly SinkRecord[];
  /** What the system has. */
  contents(): Promise<readonly number[]>;
}

/** Where the cases of sinks stand. */
export interface SinkBench {
  readonly items: number;
  readonly patienceMs: number;
  withSystem(use: (tools: SinkTools) => Promise<void>): Promise<void>;
  /** As `withSystem`, also beside a case that looks for leaks: for that case itself. */
  withSystemAlone(use: (tools: SinkTools) => Promise<void>): Promise<void>;
}

export function createSinkBench(options: SinkAcceptance): SinkBench {
  const { definition, module, openSystem } = options;

  async function withSystemAlone(use: (tools: SinkTools) => Promise<void>): Promise<void> {
    const system = await openSystem();
    const open: SinkRun[] = [];
    const processes: SinkProcess[] = [];
    const processLog: string[] = [];
    const tools: SinkTools = {
      system,
      async run(errantRecords = false) {
        const run = await openSinkRun(definition, { config: system.config, errantRecords });
        open.push(run);
        return run;
      },
      async process() {
        const parts = { module, name: definition.name, config: system.config };
        const opened = await openSinkProcess(parts, (line) => processLog.push(line));
        processes.push(opened);
        return opened;
      },
      records: (from, to) =>
        Array.from({ length: to - from }, (_, index) =>
          sinkRecord({ offset: BigInt(from + index), timestamp: 1_700_000_000_000, ...system.item(from + index) }),
        ),
      async contents() {
        assert.ok(system.contents !== undefined, "the system needs `contents`");
        return await system.contents([...processLog, ...open.flatMap(({ log }) => log.lines)]);
      },
    };
    await withCleanup(
      () => use(tools),
      () => [...processes.map(({ kill }) => kill), ...open.map(({ close }) => close), () => system.close()],
    );
  }

  return {
    items: options.items ?? 8,
    patienceMs: options.patienceMs ?? 20_000,
    withSystem: (use) => beside(() => withSystemAlone(use)),
    withSystemAlone,
  };
}

/** Asks for a commit of all up to `end`, and wants it granted. */
export async function commit(sink: Pick<SinkRun, "commit">, end: number): Promise<void> {
  const position = { topic: "topic", partition: 0, offset: BigInt(end) };
  assert.deepEqual(await sink.commit([position]), [position], "the sink has not let the offset be committed");
}

/** Asks for a commit of all up to `end`; where Kafka goes on after it. */
export async function commitWhatMay(sink: Pick<SinkRun, "commit">, end: number): Promise<number> {
  const granted: readonly TopicPartitionOffset[] = await sink.commit([
    { topic: "topic", partition: 0, offset: BigInt(end) },
  ]);
  return Number(granted[0]?.offset ?? 0n);
}

/** Numbers from `from` to before `to`. */
export const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

/** In the order of their first coming, each once. */
export const distinct = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)];

export const sorted = (numbers: readonly number[]): readonly number[] => numbers.toSorted((a, b) => a - b);
