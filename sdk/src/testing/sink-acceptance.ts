import assert from "node:assert/strict";
import { ConfigError, RetriableError } from "../errors.ts";
import type { SchemaAndValue } from "../schema.ts";
import type { SinkDefinition, SinkRecord } from "../sink.ts";
import type { RawConfig } from "../source.ts";
import { type AcceptanceCase, assertNoLeaks, configCases, type Misconfiguration, type Outage } from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import { openSinkRun, type SinkRun, sinkRecord } from "./sink-run.ts";
import { until, within } from "./waiting.ts";

/** The system that a sink writes to, in a test: a new and empty one for each case. */
export interface SinkSystem {
  readonly config: RawConfig;
  /** The key and value of item `n`, counted from 0. */
  item(n: number): { readonly key?: SchemaAndValue; readonly value: SchemaAndValue };
  /** The numbers of the items that are there, in the order in which they came; what came twice stands twice, if the system can hold that. */
  contents(): Promise<readonly number[]>;
  /** Takes the system away; not given: there is none that could be away. */
  readonly outage?: Outage;
  /** The system takes requests and does not answer them; not given: it cannot do that. */
  readonly stall?: Outage;
  /** An item that the system, or the connector, cannot take for what it is. */
  poison?(): { readonly key?: SchemaAndValue; readonly value: SchemaAndValue };
  close(): Promise<void>;
}

export interface SinkAcceptance {
  readonly definition: SinkDefinition;
  openSystem(): Promise<SinkSystem>;
  readonly misconfigurations: readonly Misconfiguration[];
  /** What delivering a record again does: it is there twice, or once. */
  readonly repeats: "duplicates" | "absorbs";
  /** What becomes of an item that cannot be taken where records cannot be reported: the task fails, or it is logged. Not given: no such thing. */
  readonly poisoned?: "fails" | "skips";
  /** Offsets that `alterOffsets` has to refuse; not given: none. */
  readonly badOffsets?: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint | null;
  }[];
  /** Items of the cases that kill at each of them; not given: 8. */
  readonly items?: number;
}

/** Longest that a put may take to end after its signal has aborted. */
const STOP_MS = 15_000;
const OUTAGE_MS = 60_000;

/** The acceptance suite of sinks. Cases are independent of one another and may run at the same time. */
export function sinkAcceptance(options: SinkAcceptance): readonly AcceptanceCase[] {
  const { definition, openSystem } = options;
  const items = options.items ?? 8;

  async function withSystem(use: (tools: Tools) => Promise<void>): Promise<void> {
    const system = await openSystem();
    const open: SinkRun[] = [];
    const tools: Tools = {
      system,
      async run(errantRecords = false) {
        const run = await openSinkRun(definition, { config: system.config, errantRecords });
        open.push(run);
        return run;
      },
      records: (from, to) =>
        Array.from({ length: to - from }, (_, index) =>
          sinkRecord({ offset: BigInt(from + index), timestamp: 1_700_000_000_000, ...system.item(from + index) }),
        ),
    };
    try {
      await use(tools);
    } finally {
      for (const run of open) await run.close();
      await system.close();
    }
  }

  const cases: AcceptanceCase[] = [
    ...configCases(definition, options.misconfigurations, (use) => withSystem(({ system }) => use(system.config))),
    {
      name: "has delivered every record, in order, when offsets may be committed",
      run: () =>
        withSystem(async ({ system, run, records }) => {
          const sink = await run();
          await sink.put([]);
          await sink.put(records(0, 1));
          await sink.put(records(1, items));
          await commit(sink, items);
          assert.deepEqual(await system.contents(), range(0, items));
          await sink.put(records(items, 2 * items));
          await sink.put([]);
          await commit(sink, 2 * items);
          assert.deepEqual(await system.contents(), range(0, 2 * items));
        }),
    },
    {
      name: "loses nothing when it is killed at any record",
      run: async () => {
        for (let kept = 0; kept < items; kept += 1) {
          await withSystem(async ({ system, run, records }) => {
            const first = await run();
            await first.put(records(0, kept + 1));
            await first.close();
            const again = await run();
            // Kafka starts from what was committed: nothing, unless the task asks for another position.
            const from = Number(again.rewinds.at(-1)?.offset ?? 0n);
            if (from < items) await again.put(records(from, items));
            await commit(again, items);
            const there = await system.contents();
            assert.deepEqual([...new Set(there)].toSorted(byNumber), range(0, items), "an item is missing");
            if (options.repeats === "absorbs") assert.deepEqual(there.toSorted(byNumber), range(0, items));
            assert.deepEqual(there.slice(-items).toSorted(byNumber), range(0, items), "the last round is complete");
          });
        }
      },
    },
    {
      name: "leaves nothing open",
      run: () =>
        withSystem(async ({ run, records }) => {
          await assertNoLeaks(async () => {
            const sink = await run();
            await sink.put(records(0, 1));
            await sink.close();
          });
        }),
    },
  ];

  if (definition.alterOffsets !== undefined) {
    cases.push({
      name: "accepts new positions over REST, and refuses wrong ones",
      run: () =>
        withSystem(async ({ system }) => {
          const config = parseConfig(definition, system.config);
          await definition.alterOffsets?.(config, [{ topic: "topic", partition: 0, offset: 3n }]);
          await definition.alterOffsets?.(config, [{ topic: "topic", partition: 0, offset: null }]);
          for (const bad of options.badOffsets ?? []) {
            await assert.rejects(
              async () => await definition.alterOffsets?.(config, [bad]),
              (error) => error instanceof ConfigError,
            );
          }
        }),
    });
  }

  const { poisoned } = options;
  if (poisoned !== undefined) {
    const withPoison = ({ system, records }: Tools): readonly SinkRecord[] => {
      assert.ok(system.poison !== undefined, "the system needs `poison`");
      const bad = sinkRecord({ offset: BigInt(items), ...system.poison() });
      return [...records(0, items), bad, ...records(items + 1, 2 * items)];
    };
    cases.push({
      name: "reports a record that cannot be taken, and delivers its neighbours",
      run: () =>
        withSystem(async (tools) => {
          const sink = await tools.run(true);
          await sink.put(withPoison(tools));
          await commit(sink, 2 * items);
          assert.deepEqual(
            sink.errants.map(({ record }) => record.offset),
            [BigInt(items)],
          );
          const wanted = [...range(0, items), ...range(items + 1, 2 * items)];
          assert.deepEqual([...new Set(await tools.system.contents())], wanted);
        }),
    });
    cases.push({
      name:
        poisoned === "fails"
          ? "fails of a record that cannot be taken, where none can be reported"
          : "logs a record that cannot be taken, where none can be reported",
      run: () =>
        withSystem(async (tools) => {
          const sink = await tools.run();
          const deliver = async () => {
            await sink.put(withPoison(tools));
            await commit(sink, 2 * items);
          };
          if (poisoned === "skips") {
            await deliver();
            assert.ok(sink.log.lines.some((line) => /^(warn|error)/.test(line)));
            return;
          }
          await assert.rejects(deliver(), (error) => error instanceof Error && !(error instanceof RetriableError));
        }),
    });
  }

  cases.push({
    name: "asks for the batch again while the system is away, and delivers it then",
    run: () =>
      withSystem(async ({ system, run, records }) => {
        const { outage } = system;
        if (outage === undefined) return;
        const sink = await run();
        await sink.put(records(0, 1));
        await commit(sink, 1);
        await outage.begin();
        const batch = records(1, items);
        await assert.rejects(
          async () => {
            await sink.put(batch);
            await commit(sink, items);
          },
          RetriableError,
          "the outage has to be told as RetriableError",
        );
        await outage.end();
        await until(OUTAGE_MS, "the batch is taken", async () => {
          try {
            await sink.put(batch);
            await commit(sink, items);
            return true;
          } catch (error) {
            if (error instanceof RetriableError) return false;
            throw error;
          }
        });
        assert.deepEqual([...new Set(await system.contents())], range(0, items));
      }),
  });
  cases.push({
    name: "lets no offset be committed that the system has not confirmed, and can be stopped while it waits",
    run: () =>
      withSystem(async ({ system, run, records }) => {
        const { stall } = system;
        if (stall === undefined) return;
        const sink = await run();
        await sink.put(records(0, 1));
        await commit(sink, 1);
        await stall.begin();
        let committed = false;
        const delivering = (async () => {
          await sink.put(records(1, items));
          await commit(sink, items);
          committed = true;
        })().catch(() => {}); // However it ends, it must not have committed.
        await Promise.race([delivering, new Promise((resolve) => setTimeout(resolve, 500))]);
        assert.equal(committed, false, "committed what the system has not confirmed");
        sink.stop();
        await within(STOP_MS, "a put whose signal has aborted", delivering);
        assert.equal(committed, false);
        await stall.end();
      }),
  });
  return cases;
}

interface Tools {
  readonly system: SinkSystem;
  run(errantRecords?: boolean): Promise<SinkRun>;
  records(from: number, to: number): readonly SinkRecord[];
}

/** Asks for a commit of all up to `end`, and wants it granted. */
async function commit(sink: SinkRun, end: number): Promise<void> {
  const position = { topic: "topic", partition: 0, offset: BigInt(end) };
  assert.deepEqual(await sink.commit([position]), [position], "the sink has not let the offset be committed");
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const byNumber = (a: number, b: number): number => a - b;
