import assert from "node:assert/strict";
import { ConfigError } from "../errors.ts";
import { type AcceptanceCase, casesOf, needed } from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import { assertNoLeaks } from "./leaks.ts";
import type { SinkAcceptance, SinkSystem } from "./sink-acceptance.ts";
import { commit, commitWhatMay, distinct, range, type SinkBench, type SinkTools, sorted } from "./sink-bench.ts";
import { until, within } from "./waiting.ts";

type Position = NonNullable<SinkAcceptance["badOffsets"]>[number];

/** When a process is killed: as soon as some of the batch is in the system, or when all of it is taken and nothing is committed. */
type Moment = "while it writes" | "before the commit";

/** What a sink has to keep of order and completeness, kills included, and of what it holds and lets be altered. */
export function sinkDeliveryCases(options: SinkAcceptance, bench: SinkBench): readonly AcceptanceCase[] {
  const { definition, notApplicable: reasons } = options;
  const { items, patienceMs, withSystem } = bench;

  /** Runs up to item `end` in a process that is killed, and the rest in another one that goes on from what was committed. */
  async function killAt(tools: SinkTools, end: number, moment: Moment): Promise<readonly number[]> {
    const { process, run, records, contents } = tools;
    const first = await process();
    const kept = Math.floor(end / 2);
    if (kept > 0) await first.put(records(0, kept));
    const committed = kept > 0 ? await commitWhatMay(first, kept) : 0;
    const putting = first.put(records(kept, moment === "before the commit" ? end : items));
    if (moment === "before the commit") await putting;
    else {
      let done = false;
      const ended = putting
        .catch(() => {})
        .finally(() => {
          // It ends by the kill, or before.
          done = true;
        });
      await until(patienceMs, "records are written", async () => done || (await contents()).length >= end);
      await first.kill();
      await ended;
    }
    await first.kill();
    const again = await run();
    const from = Number(again.rewinds.at(-1)?.offset ?? committed);
    // In other batches than before, and beyond what was there.
    for (let at = from; at < 2 * items; at += 3) await again.put(records(at, Math.min(at + 3, 2 * items)));
    await commit(again, 2 * items);
    return await contents();
  }

  const delivery: readonly AcceptanceCase[] = [
    {
      name: "has delivered every record, in order, when offsets may be committed",
      run: () =>
        withSystem(async ({ run, records, contents }) => {
          const sink = await run();
          await sink.put([]);
          await sink.put(records(0, 1));
          await sink.put(records(1, items));
          await commit(sink, items);
          assert.deepEqual(await contents(), range(0, items));
          await sink.put(records(items, 2 * items));
          await sink.put([]);
          await commit(sink, 2 * items);
          assert.deepEqual(await contents(), range(0, 2 * items));
        }),
    },
    {
      name: "loses nothing and keeps the order when its process is killed at any record",
      async run() {
        for (let end = 1; end <= items; end += 1) {
          await withSystem(async (tools) => {
            const there = await killAt(tools, end, end % 2 === 0 ? "while it writes" : "before the commit");
            assert.deepEqual(
              sorted(distinct(there)),
              range(0, 2 * items),
              `an item is missing, after a kill at ${end}`,
            );
            assert.deepEqual(distinct(there), range(0, 2 * items), `out of order, after a kill at ${end}`);
          });
        }
      },
    },
  ];
  const exactlyOnce: AcceptanceCase = {
    name: "has each record exactly once, though its process is killed between write and commit",
    async run() {
      for (let end = 1; end <= items; end += 2) {
        for (const moment of ["while it writes", "before the commit"] as const) {
          await withSystem(async (tools) => {
            const there = await killAt(tools, end, moment);
            assert.deepEqual(sorted(there), range(0, 2 * items), `after a kill ${moment}, at ${end}`);
          });
        }
      }
    },
  };
  const nothingOpen: AcceptanceCase = {
    name: "leaves nothing open",
    run: () =>
      bench.withSystemAlone(async ({ system, run, records }) => {
        let at = 0;
        await assertNoLeaks(
          async () => {
            const sink = await run();
            await sink.put(records(at, at + 2));
            await commitWhatMay(sink, at + 2);
            at += 2;
            await within(patienceMs, "the stop", sink.close());
          },
          system.connections,
          patienceMs,
        );
      }),
  };
  const alter = async (system: SinkSystem, position: Position) =>
    needed("alterOffsets", await definition.alterOffsets?.(parseConfig(definition, system.config), [position]));
  const anyOffsets: AcceptanceCase = {
    name: "accepts new positions over REST",
    run: () =>
      withSystem(async ({ system }) => {
        await alter(system, { topic: "topic", partition: 0, offset: 3n });
        await alter(system, { topic: "topic", partition: 0, offset: null });
      }),
  };
  const badOffsets: AcceptanceCase = {
    name: "refuses wrong positions over REST",
    run: () =>
      withSystem(async ({ system }) => {
        for (const bad of needed("badOffsets", options.badOffsets))
          await assert.rejects(alter(system, bad), (error) => error instanceof ConfigError);
      }),
  };
  return [
    ...casesOf("contents", reasons, delivery),
    ...casesOf("exactlyOnce", reasons, [exactlyOnce]),
    nothingOpen,
    ...casesOf("alterOffsets", reasons, [anyOffsets, ...casesOf("badOffsets", reasons, [badOffsets])]),
  ];
}
