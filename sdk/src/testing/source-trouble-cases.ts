import assert from "node:assert/strict";
import type { SourceRecord } from "../source.ts";
import { type AcceptanceCase, casesOf, needed } from "./acceptance.ts";
import { assertDefinite } from "./definite-error.ts";
import { createMemoryOffsets } from "./memory-offsets.ts";
import type { SourceAcceptance } from "./source-acceptance.ts";
import { type RunReader, type SourceBench, type SourceTools, takeThose } from "./source-bench.ts";
import { rest, until, within } from "./waiting.ts";

/** What a source has to keep when an item cannot be read, and when the system is away or does not answer. */
export function sourceTroubleCases(options: SourceAcceptance, bench: SourceBench): readonly AcceptanceCase[] {
  const { notApplicable: reasons } = options;
  return [
    ...casesOf("poison", reasons, poisonCases(options, bench)),
    ...casesOf("outage", reasons, outageCases(options, bench)),
    ...casesOf("stall", reasons, [stallCase(bench)]),
  ];
}

function poisonCases(options: SourceAcceptance, bench: SourceBench): readonly AcceptanceCase[] {
  const { poisoned, notApplicable: reasons } = options;
  const { patienceMs, withSystem } = bench;
  if (poisoned === undefined) return []; // Which cases there are is not known; that it is missing is told elsewhere.
  if (poisoned.outcome === "skips") {
    return [
      {
        name: "tells what it cannot read, and gives all before and behind it",
        run: () =>
          withSystem(async ({ system, run, assertGiven }) => {
            const { source, fed } = await feedPoison({ system, run });
            const records = await source.next(fed.length);
            assertGiven(records, fed);
            await source.acknowledge(records);
            const told = () => source.run.log.lines.filter((line) => /^(warn|error)/.test(line));
            assert.ok(
              told().some((line) => poisoned.tells.test(line)),
              `logged: ${told().join(" | ")}`,
            );
          }),
      },
    ];
  }
  return [
    {
      name: "fails of what it cannot read, gives all before it, and all behind it once it is gone",
      run: () =>
        withSystem(async ({ system, run, identify, assertGiven }) => {
          const stored = createMemoryOffsets();
          const { source, fed, before } = await feedPoison({ system, run }, stored);
          const given: SourceRecord[] = [];
          const failure = await takeUntilItFails(source, given, fed.length + 1);
          assertDefinite(failure, poisoned.tells);
          const names = new Set(given.map(identify));
          assert.deepEqual(
            before.filter((each) => !names.has(each)),
            [],
            "what came before it is missing",
          );
          await source.acknowledge(given);
          await within(patienceMs, "the stop", source.run.close());
          if (reasons?.cure !== undefined) return; // It stays: that it was told is all.
          await needed("cure", system.cure?.());
          const again = await run(stored);
          if (options.resumes === "offsets" && options.gives === undefined) {
            const rest = await again.next(fed.length - given.length);
            return assertGiven([...given, ...rest], fed);
          }
          await takeThose(
            again,
            fed.filter((each) => !names.has(each)),
            identify,
          );
        }),
    },
  ];
}

async function feedPoison(
  { system, run }: Pick<SourceTools, "system" | "run">,
  stored?: Parameters<SourceTools["run"]>[0],
): Promise<{ readonly source: RunReader; readonly fed: readonly string[]; readonly before: readonly string[] }> {
  const before = await system.feed(3);
  await needed("poison", system.poison?.());
  const behind = await system.feed(3);
  return { source: await run(stored), fed: [...before, ...behind], before };
}

/** What it throws; null if it gave so many records without. */
async function takeUntilItFails(source: RunReader, given: SourceRecord[], limit: number): Promise<unknown> {
  try {
    while (given.length < limit) given.push(...(await source.run.take(1)));
    return null;
  } catch (error) {
    return error;
  }
}

function outageCases(options: SourceAcceptance, bench: SourceBench): readonly AcceptanceCase[] {
  const { items, patienceMs, withSystem } = bench;
  return [
    {
      name: "tries again by itself while the system is away, and goes on where it was",
      run: () =>
        withSystem(async ({ system, run, identify, assertGiven }) => {
          const outage = needed("outage", system.outage);
          const source = await run();
          const fed = await system.feed(items);
          const before = await source.next(items);
          await source.acknowledge(before);
          await outage.begin();
          const retries = source.run.retries();
          const next = source.next(items, 6 * patienceMs);
          await whileTaking(
            next,
            until(patienceMs, "the source tells that it tries again", () => source.run.retries() > retries),
          );
          await outage.end();
          const later = await system.feed(items);
          const after = [...(await next)];
          if (options.resumes === "offsets" && options.gives !== "rounds")
            return assertGiven([...before, ...after], [...fed, ...later]);
          const names = new Set(after.map(identify));
          await takeThose(
            source,
            later.filter((each) => !names.has(each)),
            identify,
          );
        }),
    },
    {
      name: "can be stopped while the system is away, and another goes on",
      run: () =>
        withSystem(async (tools) => {
          const outage = needed("outage", tools.system.outage);
          const source = await opened(tools);
          await outage.begin();
          const retries = source.run.retries();
          const taking = source.run.take(Number.MAX_SAFE_INTEGER, 6 * patienceMs);
          await whileTaking(
            taking,
            until(patienceMs, "the source tells that it tries again", () => source.run.retries() > retries),
          );
          await rest(); // It tries again.
          await stopAndSucceed(tools, { source, patienceMs, end: () => outage.end() });
        }),
    },
  ];
}

function stallCase({ patienceMs, withSystem }: SourceBench): AcceptanceCase {
  return {
    name: "can be stopped while the system does not answer, and another goes on",
    run: () =>
      withSystem(async (tools) => {
        const stall = needed("stall", tools.system.stall);
        const source = await opened(tools);
        await stall.begin();
        const taking = source.run.take(Number.MAX_SAFE_INTEGER, 6 * patienceMs);
        await whileTaking(
          taking,
          until(patienceMs, "a request waits", async () => await stall.waiting()),
        );
        await stopAndSucceed(tools, { source, patienceMs, end: () => stall.end() });
      }),
  };
}

/** Stops it, and wants another one to read what comes then. */
async function stopAndSucceed(
  { system, run, identify }: SourceTools,
  { source, patienceMs, end }: { readonly source: RunReader; readonly patienceMs: number; end(): Promise<void> },
): Promise<void> {
  await within(patienceMs, "the stop", source.run.close());
  await end();
  if (system.connections !== undefined)
    await until(patienceMs, "the system has no connection left", async () => (await system.connections?.()) === 0);
  const [wanted] = await system.feed(1);
  const again = await run();
  await takeThose(again, wanted === undefined ? [] : [wanted], identify);
}

/** A source that has read something. */
async function opened({ system, run }: SourceTools): Promise<RunReader> {
  const source = await run();
  await system.feed(1);
  await source.acknowledge(await source.run.take(1));
  return source;
}

/** Waits while records are taken; what fails the taking fails the wait, afterwards it may end as it likes. */
async function whileTaking(taking: Promise<unknown>, wait: Promise<void>): Promise<void> {
  taking.catch(() => {}); // Told by the race, or by whoever awaits it.
  await Promise.race([wait, taking.then(() => wait)]);
}
