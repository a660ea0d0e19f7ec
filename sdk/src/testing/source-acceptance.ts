import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { ConfigError, RetriableError } from "../errors.ts";
import type { OffsetMap, RawConfig, SourceDefinition, SourceRecord } from "../source.ts";
import { type AcceptanceCase, assertNoLeaks, configCases, type Misconfiguration, type Outage } from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import { createLogRecorder, createMetricRecorder } from "./contexts.ts";
import { createMemoryOffsets, keyOf, type MemoryOffsets } from "./memory-offsets.ts";
import { openSourceRun, type SourceRun } from "./source-run.ts";
import { within } from "./waiting.ts";

/** The system that a source reads from, in a test: a new and empty one for each case. */
export interface SourceSystem {
  /** A configuration that reads it; with several source partitions if the connector knows them. */
  readonly config: RawConfig;
  /** Puts so many more items there; resolves when they are on their way, or there. */
  feed(count: number): Promise<void>;
  /** What tells items apart; the same item in each run. Not given: topic, key and value. */
  identify?(record: SourceRecord): string;
  /** Takes the system away; not given: there is none that could be away. */
  readonly outage?: Outage;
  /** Puts something there that cannot be read. */
  poison?(): Promise<void>;
  close(): Promise<void>;
}

export interface SourceAcceptance {
  readonly definition: SourceDefinition;
  openSystem(): Promise<SourceSystem>;
  readonly misconfigurations: readonly Misconfiguration[];
  /**
   * `offsets`: a task goes on behind the stored offset, exactly. `acknowledgements`: the system gives again what `committed` was not told
   * of.
   */
  readonly resumes: "offsets" | "acknowledgements";
  /** The most that one poll may give: what the connector holds in memory while Kafka takes nothing. */
  readonly maxBatch: number;
  /** What becomes of an item that cannot be read: the task fails, or says so in the log and goes on. Not given: there is no such thing. */
  readonly poisoned?: "fails" | "skips";
  /** Offsets that `alterOffsets` has to refuse with ConfigError. */
  readonly badOffsets?: readonly { readonly partition: OffsetMap; readonly offset: OffsetMap | null }[];
  /** Items of the cases that kill at each of them; not given: 12. */
  readonly items?: number;
  /** Longest wait for records that are there; not given: 20,000. */
  readonly patienceMs?: number;
}

/** Longest that a poll may take to end after its signal has aborted. */
const STOP_MS = 15_000;
/** Polls of the case that looks for what each of them leaves behind. */
const POLLS = 40;
const POLLING_MS = 500;

/** The acceptance suite of sources. Cases are independent of one another and may run at the same time. */
export function sourceAcceptance(options: SourceAcceptance): readonly AcceptanceCase[] {
  const { definition, openSystem } = options;
  const items = options.items ?? 12;
  const patienceMs = options.patienceMs ?? 20_000;

  /** Opens a system for one case, and closes whatever was opened on it. */
  async function withSystem(use: (tools: Tools) => Promise<void>): Promise<void> {
    const system = await openSystem();
    const open: SourceRun[] = [];
    const identify = system.identify?.bind(system) ?? describe;
    const tools: Tools = {
      system,
      identify,
      async run(offsets) {
        const run = await openSourceRun(definition, {
          config: system.config,
          patienceMs,
          ...(offsets && { offsets }),
        });
        open.push(run);
        return run;
      },
    };
    try {
      await use(tools);
    } finally {
      for (const run of open) await run.close();
      await system.close();
    }
  }

  /** All of a fresh system's items, read once without a fault. */
  async function readAll({ system, run }: Tools): Promise<readonly SourceRecord[]> {
    const first = await run();
    await system.feed(items);
    const records = await first.take(items);
    await first.close();
    return records;
  }

  const cases: AcceptanceCase[] = [
    ...configCases(definition, options.misconfigurations, (use) => withSystem(({ system }) => use(system.config))),
    {
      name: "gives every item once and in order, with offsets that can be stored",
      run: () =>
        withSystem(async ({ system, run, identify }) => {
          const source = await run();
          const seen: string[] = [];
          for (const count of [1, items - 1, items]) {
            await system.feed(count);
            const records = await source.take(count);
            await source.acknowledge(records);
            seen.push(...records.map(identify));
          }
          assert.equal(new Set(seen).size, 2 * items, "an item came twice, or two look alike");
          assert.equal(seen.length, 2 * items);
        }),
    },
    {
      name: "ends a poll soon after its signal aborts, whatever it waits for",
      run: () =>
        withSystem(async ({ system }) => {
          await withTask(definition, system.config, async (poll) => {
            const stop = new AbortController();
            const polling = pollUntilAborted(poll, stop.signal);
            setTimeout(() => stop.abort(), 50);
            await within(STOP_MS, "a poll whose signal has aborted", polling);
          });
        }),
    },
    {
      name: "leaves no listeners on the signal that it polls with",
      run: () =>
        withSystem(async ({ system }) => {
          await system.feed(items);
          await withTask(definition, system.config, async (poll) => {
            const stop = new AbortController();
            await poll(stop.signal);
            const before = getEventListeners(stop.signal, "abort").length;
            const deadline = performance.now() + POLLING_MS;
            let polls = 0;
            for (; polls < POLLS && (polls < 3 || performance.now() < deadline); polls += 1) await poll(stop.signal);
            const after = getEventListeners(stop.signal, "abort").length;
            assert.ok(after <= before + 1, `${polls} polls have left ${after - before} listeners`);
          });
        }),
    },
    {
      name: "leaves nothing open",
      run: () =>
        withSystem(async ({ system, run }) => {
          await system.feed(1);
          await assertNoLeaks(async () => {
            const source = await run();
            await source.close();
          });
        }),
    },
    {
      name: `gives at most ${options.maxBatch} records at a time`,
      run: () =>
        withSystem(async ({ system, run }) => {
          const source = await run();
          await system.feed(options.maxBatch + items);
          const first = await source.take(1);
          assert.ok(first.length <= options.maxBatch, `one poll gave ${first.length}`);
        }),
    },
  ];

  if (options.resumes === "offsets") {
    cases.push(
      {
        name: "goes on at the exact position after a kill at any record",
        run: () =>
          withSystem(async (tools) => {
            const all = await readAll(tools);
            for (let kept = 0; kept <= items; kept += 1) {
              const offsets = offsetsAfter(all.slice(0, kept));
              const again = await tools.run(offsets);
              const rest = kept === items ? [] : await again.take(items - kept);
              assert.deepEqual(rest.map(tools.identify).toSorted(), all.slice(kept).map(tools.identify).toSorted());
              assertOrder(rest, all, tools.identify);
              await again.close();
            }
          }),
      },
      {
        name: "gives nothing again that was stored, when more comes",
        run: () =>
          withSystem(async (tools) => {
            const all = await readAll(tools);
            const again = await tools.run(offsetsAfter(all));
            await tools.system.feed(items);
            const more = await again.take(items);
            const known = new Set(all.map(tools.identify));
            assert.deepEqual(
              more.filter((record) => known.has(tools.identify(record))),
              [],
            );
          }),
      },
    );
  } else {
    cases.push({
      name: "gives again what was not acknowledged, after a kill at any record",
      run: async () => {
        for (let kept = 0; kept <= items; kept += 1) {
          await withSystem(async ({ system, run, identify }) => {
            const first = await run();
            await system.feed(items);
            const all = await first.take(items);
            await first.acknowledge(all.slice(0, kept));
            await first.close();
            const wanted = all.slice(kept).map(identify);
            if (wanted.length === 0) return;
            const again = await run();
            const seen = new Set<string>();
            while (!wanted.every((each) => seen.has(each))) {
              const records = await again.take(1);
              for (const record of records) seen.add(identify(record));
              await again.acknowledge(records);
            }
          });
        }
      },
    });
  }

  cases.push({
    name: "keeps to what it says of exactly-once delivery",
    run: () =>
      withSystem(async (tools) => {
        const config = parseConfig(definition, tools.system.config);
        if (definition.exactlyOnceSupport?.(config) !== "SUPPORTED") return;
        assert.equal(options.resumes, "offsets", "exactly-once delivery needs offsets that say where to go on");
        const trail = (records: readonly SourceRecord[]) =>
          records.map((record) => `${tools.identify(record)} ${keyOf(record.sourceOffset)}`).toSorted();
        const all = await readAll(tools);
        const middle = Math.floor(items / 2);
        const again = await tools.run(offsetsAfter(all.slice(0, middle)));
        assert.deepEqual(trail(await again.take(items - middle)), trail(all.slice(middle)));
      }),
  });

  if (definition.alterOffsets !== undefined) {
    cases.push({
      name: "accepts its own offsets and null over REST, and refuses others",
      run: () =>
        withSystem(async (tools) => {
          const config = parseConfig(definition, tools.system.config);
          const all = await readAll(tools);
          for (const { sourcePartition: partition, sourceOffset: offset } of all.slice(0, 3)) {
            await definition.alterOffsets?.(config, [{ partition, offset }]);
            await definition.alterOffsets?.(config, [{ partition, offset: null }]);
          }
          for (const bad of options.badOffsets ?? []) {
            await assert.rejects(
              async () => await definition.alterOffsets?.(config, [bad]),
              (error) => error instanceof ConfigError,
              `accepted: ${keyOf(bad.partition)} ${bad.offset === null ? "null" : keyOf(bad.offset)}`,
            );
          }
        }),
    });
  }

  const { poisoned } = options;
  if (poisoned !== undefined) {
    cases.push({
      name:
        poisoned === "fails"
          ? "fails of what it cannot read, and not before"
          : "tells what it cannot read, and goes on",
      run: () =>
        withSystem(async ({ system, run }) => {
          const source = await run();
          assert.ok(system.poison !== undefined, "the system needs `poison`");
          await system.feed(2);
          await source.acknowledge(await source.take(2));
          await system.poison();
          await system.feed(2);
          if (poisoned === "fails") {
            await assert.rejects(
              source.take(1),
              (error) => error instanceof Error && !(error instanceof RetriableError),
            );
            return;
          }
          await source.acknowledge(await source.take(2));
          assert.ok(
            source.log.lines.some((line) => line.startsWith("warn") || line.startsWith("error")),
            "nothing was logged",
          );
        }),
    });
  }

  cases.push({
    name: "goes on by itself when the system has been away, and can be stopped meanwhile",
    run: () =>
      withSystem(async ({ system, run, identify }) => {
        const { outage } = system;
        if (outage === undefined) return;
        const source = await run();
        await system.feed(items);
        const before = await source.take(items);
        await source.acknowledge(before);
        await outage.begin();
        const retriesBefore = source.retries();
        const waiting = source.take(1, 3 * patienceMs);
        await Promise.race([waiting.then(() => {}), new Promise((resolve) => setTimeout(resolve, 1_500))]);
        await outage.end();
        await system.feed(items);
        const seen = (await waiting).map(identify);
        while (seen.length < items) seen.push(...(await source.take(1, 3 * patienceMs)).map(identify));
        const known = new Set(before.map(identify));
        if (options.resumes === "offsets") {
          assert.deepEqual(
            seen.filter((each) => known.has(each)),
            [],
          );
        }
        assert.ok(source.retries() >= retriesBefore);
      }),
  });
  return cases;
}

interface Tools {
  readonly system: SourceSystem;
  readonly identify: (record: SourceRecord) => string;
  run(offsets?: MemoryOffsets): Promise<SourceRun>;
}

/** What is stored when so much was acknowledged. */
function offsetsAfter(records: readonly SourceRecord[]): MemoryOffsets {
  const offsets = createMemoryOffsets();
  for (const { sourcePartition, sourceOffset } of records) offsets.write(sourcePartition, sourceOffset);
  return offsets;
}

/** Within each source partition, records come in the order in which they came the first time. */
function assertOrder(
  records: readonly SourceRecord[],
  all: readonly SourceRecord[],
  identify: (record: SourceRecord) => string,
): void {
  const partitions = new Set(all.map((record) => keyOf(record.sourcePartition)));
  const known = new Set(records.map(identify));
  for (const partition of partitions) {
    const of = (list: readonly SourceRecord[]) =>
      list.filter((record) => keyOf(record.sourcePartition) === partition).map(identify);
    assert.deepEqual(
      of(records),
      of(all).filter((each) => known.has(each)),
    );
  }
}

/** One task alone, polled by hand. */
async function withTask(
  definition: SourceDefinition,
  raw: RawConfig,
  use: (poll: (signal: AbortSignal) => Promise<readonly SourceRecord[]>) => Promise<void>,
): Promise<void> {
  const log = createLogRecorder();
  const opening = new AbortController();
  const config = parseConfig(definition, raw);
  const context = { connector: "test", log, requestTaskReconfiguration: () => {} };
  const instance = await definition.open?.(config, context, opening.signal);
  const [overlay = {}] = await definition.planTasks(config, 1, opening.signal);
  const task = await definition.openTask(
    parseConfig(definition, { ...raw, ...overlay }),
    { connector: "test", task: 0, log, metrics: createMetricRecorder(), offset: async () => null, transactions: null },
    opening.signal,
  );
  try {
    await use((signal) => task.poll(signal));
  } finally {
    opening.abort();
    await task.close();
    await instance?.close();
  }
}

async function pollUntilAborted(
  poll: (signal: AbortSignal) => Promise<readonly SourceRecord[]>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await poll(signal);
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function describe({ topic, key, value }: SourceRecord): string {
  return JSON.stringify([topic, key?.value ?? null, value.value], (_, item: unknown) =>
    typeof item === "bigint" ? `${item}n` : item,
  );
}
