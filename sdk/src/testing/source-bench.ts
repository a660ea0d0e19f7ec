import assert from "node:assert/strict";
import type { SourceRecord } from "../source.ts";
import { withCleanup } from "./cleanup.ts";
import { openSourceProcess } from "./connector-process.ts";
import { beside } from "./leaks.ts";
import { createMemoryOffsets, keyOf, type MemoryOffsets } from "./memory-offsets.ts";
import type { SourceAcceptance, SourceSystem } from "./source-acceptance.ts";
import { openSourceRun, type SourceRun } from "./source-run.ts";

/** Takes items, and tells that Kafka has them. */
export interface Reader {
  /** The next items: as many as asked for, or what came beyond them. */
  next(count: number, timeoutMs?: number): Promise<readonly SourceRecord[]>;
  acknowledge(records: readonly SourceRecord[]): Promise<void>;
}

export interface RunReader extends Reader {
  readonly run: SourceRun;
}

export interface ProcessReader extends Reader {
  /** Ends the process as `kill -9` does. */
  kill(): Promise<void>;
}

/** A system of one case, and what is opened on it; all of it is closed at the end. */
export interface SourceTools {
  readonly system: SourceSystem;
  /** Opens the source in this process. */
  run(offsets?: MemoryOffsets): Promise<RunReader>;
  /** Opens it in a process of its own. */
  process(offsets: MemoryOffsets): Promise<ProcessReader>;
  readonly identify: (record: SourceRecord) => string;
  /** Wants what was given to be what was fed: each item once, and in order within each source partition. */
  assertGiven(records: readonly SourceRecord[], fed: readonly string[], when?: string): void;
}

/** Where the cases of sources stand. */
export interface SourceBench {
  readonly items: number;
  readonly patienceMs: number;
  withSystem(use: (tools: SourceTools) => Promise<void>): Promise<void>;
  /** As `withSystem`, also beside a case that looks for leaks: for that case itself. */
  withSystemAlone(use: (tools: SourceTools) => Promise<void>): Promise<void>;
}

export function createSourceBench(options: SourceAcceptance): SourceBench {
  const { definition, module, openSystem, notApplicable } = options;
  const patienceMs = options.patienceMs ?? 20_000;
  const ordered = notApplicable?.order === undefined;

  async function withSystemAlone(use: (tools: SourceTools) => Promise<void>): Promise<void> {
    const system = await openSystem();
    const ends: (() => Promise<void>)[] = [];
    const identify = (record: SourceRecord) => system.identify(record);
    const reading = {
      identify,
      patienceMs,
      repeating: options.gives === "rounds",
      endless: options.gives === "endless",
    };
    const tools: SourceTools = {
      system,
      identify,
      async run(offsets) {
        const run = await openSourceRun(definition, { config: system.config, patienceMs, ...(offsets && { offsets }) });
        ends.push(() => run.close());
        return { ...createReader(run, reading), run };
      },
      async process(offsets) {
        const process = await openSourceProcess({ module, name: definition.name, config: system.config }, offsets);
        ends.push(process.kill);
        return { ...createReader(process, reading), kill: process.kill };
      },
      assertGiven(records, fed, when = "") {
        assert.deepEqual(records.map(identify).toSorted(), fed.toSorted(), `not each item once ${when}`);
        if (!ordered) return;
        for (const own of byPartition(records).values()) {
          const given = own.map(identify);
          const known = new Set(given);
          assert.deepEqual(
            given,
            fed.filter((each) => known.has(each)),
            `not in the order in which they were fed ${when}`,
          );
        }
      },
    };
    await withCleanup(
      () => use(tools),
      () => [...ends, () => system.close()],
    );
  }

  return {
    items: options.items ?? 12,
    patienceMs,
    withSystem: (use) => beside(() => withSystemAlone(use)),
    withSystemAlone,
  };
}

interface Taking {
  take(count: number, timeoutMs: number): Promise<readonly SourceRecord[]>;
  acknowledge(records: readonly SourceRecord[]): Promise<void>;
}

interface Reading {
  readonly identify: (record: SourceRecord) => string;
  readonly patienceMs: number;
  /** What comes again is passed over. */
  readonly repeating: boolean;
  /** What comes beyond what was asked for is kept for the next time. */
  readonly endless: boolean;
}

function createReader(source: Taking, { identify, patienceMs, repeating, endless }: Reading): Reader {
  const known = new Set<string>();
  let ahead: readonly SourceRecord[] = [];
  return {
    async next(count, timeoutMs = patienceMs) {
      const deadline = performance.now() + timeoutMs;
      const records: SourceRecord[] = [...ahead];
      while (records.length < count) {
        const left = Math.max(1, deadline - performance.now());
        const more = await source.take(repeating ? 1 : count - records.length, left);
        records.push(...(repeating ? more.filter((record) => isNew(known, identify(record))) : more));
      }
      ahead = endless ? records.splice(count) : [];
      return records;
    },
    acknowledge: (records) => source.acknowledge(records),
  };
}

function isNew(known: Set<string>, name: string): boolean {
  if (known.has(name)) return false;
  known.add(name);
  return true;
}

/** Records by their source partition, in order. */
function byPartition(records: readonly SourceRecord[]): ReadonlyMap<string, readonly SourceRecord[]> {
  return Map.groupBy(records, ({ sourcePartition }) => keyOf(sourcePartition));
}

/** What is stored when so much was acknowledged. */
export function offsetsAfter(records: readonly SourceRecord[]): MemoryOffsets {
  const offsets = createMemoryOffsets();
  for (const { sourcePartition, sourceOffset } of records) offsets.write(sourcePartition, sourceOffset);
  return offsets;
}

/** Takes until all of these have come, among what comes again, and tells that Kafka has them. */
export async function takeThose(
  source: RunReader,
  wanted: readonly string[],
  identify: (record: SourceRecord) => string,
): Promise<void> {
  const missing = new Set(wanted);
  while (missing.size > 0) {
    const records = await source.run.take(1);
    for (const record of records) missing.delete(identify(record));
    await source.acknowledge(records);
  }
}
