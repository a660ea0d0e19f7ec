import assert from "node:assert/strict";
import { RetriableError } from "../errors.ts";
import type { SinkRecord } from "../sink.ts";
import { type AcceptanceCase, casesOf, needed } from "./acceptance.ts";
import { assertDefinite } from "./definite-error.ts";
import type { SinkAcceptance } from "./sink-acceptance.ts";
import { commit, distinct, range, type SinkBench, type SinkTools, sorted } from "./sink-bench.ts";
import type { SinkRun } from "./sink-run.ts";
import { rest, until, within } from "./waiting.ts";

/** What a sink has to keep when an item cannot be taken, and when the system is away or does not answer. */
export function sinkTroubleCases(options: SinkAcceptance, bench: SinkBench): readonly AcceptanceCase[] {
  const { notApplicable: reasons } = options;
  return [
    ...casesOf("poison", reasons, poisonCases(options, bench)),
    ...casesOf("outage", reasons, outageCases(bench)),
    ...casesOf("stall", reasons, stallCases(options, bench)),
  ];
}

function poisonCases({ poisoned }: SinkAcceptance, bench: SinkBench): readonly AcceptanceCase[] {
  if (poisoned === undefined) return []; // Which cases there are is not known; that it is missing is told elsewhere.
  const { items, withSystem } = bench;
  const good = [...range(0, items), ...range(items + 1, 2 * items)];

  function withPoison({ system, records }: SinkTools): readonly SinkRecord[] {
    const bad = sinkRecordLike(records(items, items + 1), needed("poison", system.poison?.()));
    return [...records(0, items), ...bad, ...records(items + 1, 2 * items)];
  }

  const reports: AcceptanceCase = {
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
        for (const { error } of sink.errants) assert.match(String(error), poisoned.tells);
        assert.deepEqual(distinct(await tools.contents()), good);
      }),
  };
  if (poisoned.outcome === "skips") {
    const skips: AcceptanceCase = {
      name: "logs a record that cannot be taken, where none can be reported, and delivers its neighbours",
      run: () =>
        withSystem(async (tools) => {
          const sink = await tools.run();
          await sink.put(withPoison(tools));
          await commit(sink, 2 * items);
          const told = sink.log.lines.filter((line) => /^(warn|error)/.test(line));
          assert.ok(
            told.some((line) => poisoned.tells.test(line)),
            `logged: ${told.join(" | ")}`,
          );
          assert.deepEqual(distinct(await tools.contents()), good);
        }),
    };
    return [reports, skips];
  }
  const fails: AcceptanceCase = {
    name: "fails of a record that cannot be taken, where none can be reported, and loses none of its neighbours",
    run: () =>
      withSystem(async (tools) => {
        const records = withPoison(tools);
        const sink = await tools.run();
        const failure = await failureOf(async () => {
          await sink.put(records);
          await commit(sink, 2 * items);
        });
        assertDefinite(failure, poisoned.tells);
        await sink.close();
        // As somebody does who has read the message: the record is passed over.
        const again = await tools.run();
        await again.put(records.filter(({ offset }) => offset !== BigInt(items)));
        await commit(again, 2 * items);
        assert.deepEqual(sorted(distinct(await tools.contents())), good);
      }),
  };
  return [reports, fails];
}

function outageCases(bench: SinkBench): readonly AcceptanceCase[] {
  const { items, patienceMs, withSystem } = bench;
  return [
    {
      name: "asks for the batch again while the system is away, and delivers it then",
      run: () =>
        withSystem(async ({ system, run, records, contents }) => {
          const outage = needed("outage", system.outage);
          const sink = await run();
          await deliver(sink, records(0, 1), 1);
          await outage.begin();
          for (let attempt = 0; attempt < 2; attempt += 1) {
            const failure = await failureOf(() => deliver(sink, records(1, items), items));
            assert.ok(
              failure instanceof RetriableError,
              `the outage has to be told as RetriableError, not: ${failure}`,
            );
          }
          await outage.end();
          await redeliver(sink, records(1, items), { items, patienceMs });
          assert.deepEqual(distinct(await contents()), range(0, items));
        }),
    },
    {
      name: "can be stopped while the system is away, and another goes on",
      run: () =>
        withSystem(async ({ system, run, records, contents }) => {
          const outage = needed("outage", system.outage);
          const sink = await run();
          await deliver(sink, records(0, 1), 1);
          await outage.begin();
          const delivering = failureOf(() => deliver(sink, records(1, items), items));
          await Promise.race([delivering, rest()]);
          sink.stop();
          await within(patienceMs, "a put whose signal has aborted", delivering);
          await within(patienceMs, "the stop", sink.close());
          await outage.end();
          assert.deepEqual(await contents(), [0], "written after the stop");
          await redeliver(await run(), records(1, items), { items, patienceMs });
          assert.deepEqual(distinct(await contents()), range(0, items));
        }),
    },
  ];
}

function stallCases({ repeats }: SinkAcceptance, bench: SinkBench): readonly AcceptanceCase[] {
  const { items, patienceMs, withSystem } = bench;

  /** Delivers into a system that does not answer, until a request waits there. */
  async function deliverStalled({ system, run, records }: SinkTools) {
    const stall = needed("stall", system.stall);
    const sink = await run();
    await deliver(sink, records(0, 1), 1);
    await stall.begin();
    let ended = false;
    const delivering = failureOf(() => deliver(sink, records(1, items), items)).finally(() => {
      ended = true;
    });
    await until(patienceMs, "a request waits", async () => ended || (await stall.waiting()) === true);
    return { sink, delivering, stall };
  }

  return [
    {
      name: "lets no offset be committed that the system has not confirmed, and delivers when it answers again",
      run: () =>
        withSystem(async (tools) => {
          const { sink, delivering, stall } = await deliverStalled(tools);
          const outcome = await Promise.race([delivering, rest()]);
          assert.notEqual(outcome, null, "committed what the system has not confirmed");
          await stall.end();
          // What has failed of it comes again, and so does what the system has dropped.
          if ((await within(6 * patienceMs, "a put", delivering)) !== null)
            await redeliver(sink, tools.records(1, items), { items, patienceMs });
          assert.deepEqual(distinct(await tools.contents()), range(0, items));
        }),
    },
    {
      name: "can be stopped while the system does not answer, and writes nothing afterwards",
      run: () =>
        withSystem(async (tools) => {
          const { system, contents, run, records } = tools;
          const { sink, delivering, stall } = await deliverStalled(tools);
          sink.stop();
          await within(patienceMs, "a put whose signal has aborted", delivering);
          await within(patienceMs, "the stop", sink.close());
          const there = await contents();
          await rest(); // The system hears that nobody waits for its answer.
          await stall.end();
          if (system.connections !== undefined)
            await until(
              patienceMs,
              "the system has no connection left",
              async () => (await system.connections?.()) === 0,
            );
          await rest();
          assert.deepEqual(await contents(), there, "written after the stop");
          await redeliver(await run(), records(1, items), { items, patienceMs });
          const all = await contents();
          assert.deepEqual(distinct(all), range(0, items));
          if (repeats === "absorbs") assert.deepEqual(all, range(0, items));
        }),
    },
  ];
}

async function deliver(sink: SinkRun, batch: readonly SinkRecord[], end: number): Promise<void> {
  await sink.put(batch);
  await commit(sink, end);
}

/** Delivers until it is taken, as a worker does. */
async function redeliver(
  sink: SinkRun,
  batch: readonly SinkRecord[],
  { items, patienceMs }: { readonly items: number; readonly patienceMs: number },
): Promise<void> {
  await until(3 * patienceMs, "the batch is taken", async () => {
    const failure = await failureOf(() => deliver(sink, batch, items));
    if (failure === null) return true;
    if (failure instanceof RetriableError) return false;
    throw failure;
  });
}

/** What it throws; null if nothing. */
async function failureOf(use: () => Promise<void>): Promise<unknown> {
  try {
    await use();
    return null;
  } catch (error) {
    return error ?? new Error("threw nothing");
  }
}

function sinkRecordLike(
  records: readonly SinkRecord[],
  parts: Partial<Pick<SinkRecord, "key" | "value">>,
): readonly SinkRecord[] {
  return records.map((record) => ({ ...record, ...parts }));
}
