import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { RawConfig, SourceDefinition, SourceRecord } from "../source.ts";
import { type AcceptanceCase, casesOf } from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import { createLogRecorder, createMetricRecorder } from "./contexts.ts";
import { assertNoLeaks } from "./leaks.ts";
import { createMemoryOffsets } from "./memory-offsets.ts";
import type { SourceAcceptance } from "./source-acceptance.ts";
import type { SourceBench } from "./source-bench.ts";
import { soon, within } from "./waiting.ts";

/** Polls of the case that looks for what each of them leaves behind. */
const POLLS = 40;
const POLLING_MS = 500;
/** A worker gives a task five seconds to stop, and a poll is only the beginning of that. */
const PROMPT_MS = 2_000;

/** What a source has to keep while all is well: completeness, order, bounds, and that it ends and leaves nothing. */
export function sourceFlowCases(options: SourceAcceptance, bench: SourceBench): readonly AcceptanceCase[] {
  const { definition, maxBatch, notApplicable: reasons } = options;
  const { items, patienceMs, withSystem } = bench;
  const order: AcceptanceCase = {
    // Its sources' own words: with `order` not applicable, the first case compares no order.
    name: "keeps the order of each source partition",
    run: () =>
      withSystem(async ({ system, run, assertGiven }) => {
        const fed = await system.feed(2 * items);
        assertGiven(await (await run()).next(2 * items), fed);
      }),
  };
  const bound: AcceptanceCase = {
    name: `gives at most ${maxBatch} records at a time, for as long as Kafka takes none`,
    run: () =>
      withSystem(async ({ system }) => {
        const wanted = 3 * maxBatch + items;
        await system.feed(wanted);
        await withTask(definition, system.config, async (poll) => {
          const reading = readAll(poll, { wanted, maxBatch });
          await within(3 * patienceMs, `${wanted} records`, reading);
        });
      }),
  };
  return [
    {
      name: "gives what was fed, every item once and in order, with offsets that can be stored",
      run: () =>
        withSystem(async ({ system, run, assertGiven }) => {
          const source = await run();
          const fed: string[] = [];
          const given: SourceRecord[] = [];
          const offsets = createMemoryOffsets();
          for (const count of [1, items - 1, items, 1]) {
            fed.push(...(await system.feed(count)));
            const records = await source.next(count);
            for (const { sourcePartition, sourceOffset } of records) offsets.write(sourcePartition, sourceOffset);
            await source.acknowledge(records);
            given.push(...records);
          }
          assertGiven(given, fed);
        }),
    },
    ...casesOf("order", reasons, [order]),
    {
      name: "ends a poll soon after its signal aborts, when there is nothing to give",
      run: () =>
        withSystem(async ({ system }) => {
          // The first poll may be the one that connects; later ones have nothing to do but to wait.
          for (const afterMs of [0, 50, POLLING_MS]) {
            await withTask(definition, system.config, async (poll) => {
              const stop = new AbortController();
              const polling = pollUntilAborted(poll, stop.signal);
              await Promise.race([polling, sleep(afterMs)]);
              stop.abort();
              await soon(PROMPT_MS, "a poll whose signal has aborted", polling);
            });
          }
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
        bench.withSystemAlone(async ({ system, run }) => {
          await assertNoLeaks(
            async () => {
              const source = await run();
              await system.feed(1);
              const records = await source.run.take(1);
              await source.acknowledge(records);
              await within(patienceMs, "the stop", source.run.close());
            },
            system.connections,
            patienceMs,
          );
        }),
    },
    ...casesOf("maxBatch", reasons, [bound]),
  ];
}

type Poll = (signal: AbortSignal) => Promise<readonly SourceRecord[]>;

async function readAll(poll: Poll, { wanted, maxBatch }: { readonly wanted: number; readonly maxBatch: number }) {
  const { signal } = new AbortController();
  for (let given = 0, polls = 1; given < wanted; polls += 1) {
    const batch = await poll(signal);
    assert.ok(batch.length <= maxBatch, `poll ${polls} gave ${batch.length}, after ${given}`);
    given += batch.length;
    if (batch.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** One task alone, polled by hand. */
async function withTask(
  definition: SourceDefinition,
  raw: RawConfig,
  use: (poll: Poll) => Promise<void>,
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

async function pollUntilAborted(poll: Poll, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await poll(signal);
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
