import assert from "node:assert/strict";
import { ConfigError } from "../errors.ts";
import type { SourceRecord } from "../source.ts";
import { type AcceptanceCase, casesOf, needed } from "./acceptance.ts";
import { parseConfig } from "./config.ts";
import { createMemoryOffsets, keyOf } from "./memory-offsets.ts";
import type { SourceAcceptance, SourceSystem } from "./source-acceptance.ts";
import { offsetsAfter, type SourceBench, type SourceTools, takeThose } from "./source-bench.ts";

type Position = NonNullable<SourceAcceptance["badOffsets"]>[number];

/** What a source has to keep of its position, when its process is killed and when somebody alters it. */
export function sourceResumeCases(options: SourceAcceptance, bench: SourceBench): readonly AcceptanceCase[] {
  const { definition, gives, notApplicable: reasons } = options;
  const { items, withSystem } = bench;

  const exactly: AcceptanceCase = {
    name: "goes on at the exact position after its process was killed, at any record",
    run: () =>
      withSystem(async ({ system, process, identify, assertGiven }) => {
        const stored = createMemoryOffsets();
        let open = await system.feed(items);
        while (open.length > 0) {
          const source = await process(stored);
          const rest = await source.next(open.length);
          assertGiven(rest, open, `with ${items - open.length} stored`);
          const [first] = rest;
          assert.ok(first !== undefined);
          await source.acknowledge([first]);
          await source.kill();
          open = open.filter((each) => each !== identify(first));
        }
      }),
  };
  const nothingAgain: AcceptanceCase = {
    name: "gives nothing again that was stored, when more comes",
    run: () =>
      withSystem(async ({ system, run, assertGiven }) => {
        const stored = createMemoryOffsets();
        const first = await run(stored);
        const fed = await system.feed(items);
        await first.acknowledge(await first.next(fed.length));
        await first.run.close();
        const again = await run(stored);
        const more = await system.feed(items);
        assertGiven(await again.next(items), more);
      }),
  };
  const unacknowledged: AcceptanceCase = {
    name: "gives again what was not acknowledged, after its process was killed at any record",
    async run() {
      for (let kept = 0; kept < items; kept += 1) {
        await withSystem(async ({ system, process, run, identify, assertGiven }) => {
          const first = await process(createMemoryOffsets());
          const fed = await system.feed(items);
          const all = await first.next(items);
          assertGiven(all, fed);
          await first.acknowledge(all.slice(0, kept));
          await first.kill();
          const again = await run();
          await takeThose(again, all.slice(options.resumes === "anew" ? 0 : kept).map(identify), identify);
        });
      }
    },
  };

  const exactlyOnce: AcceptanceCase = {
    name: "keeps to what it says of exactly-once delivery, killed again and again while items come",
    run: () =>
      withSystem(async (tools) => {
        assert.equal(options.resumes, "offsets", "exactly-once delivery needs offsets that say where to go on");
        await commitExactlyOnce(tools, items);
      }),
  };
  const alter = async ({ config }: SourceSystem, position: Position) =>
    needed("alterOffsets", await definition.alterOffsets?.(parseConfig(definition, config), [position]));
  const ownOffsets: AcceptanceCase = {
    name: "accepts its own offsets and null over REST",
    run: () =>
      withSystem(async ({ system, run }) => {
        const source = await run();
        await system.feed(items);
        for (const { sourcePartition: partition, sourceOffset: offset } of (await source.next(items)).slice(0, 3)) {
          await alter(system, { partition, offset });
          await alter(system, { partition, offset: null });
        }
      }),
  };
  const badOffsets: AcceptanceCase = {
    name: "refuses wrong offsets over REST",
    run: () =>
      withSystem(async ({ system }) => {
        for (const bad of needed("badOffsets", options.badOffsets)) {
          await assert.rejects(
            alter(system, bad),
            (error) => error instanceof ConfigError,
            `accepted: ${keyOf(bad.partition)} ${bad.offset === null ? "null" : keyOf(bad.offset)}`,
          );
        }
      }),
  };

  return [
    ...(options.resumes === "offsets" ? [exactly] : [unacknowledged]),
    // In rounds everything comes again.
    ...(options.resumes === "offsets" && gives !== "rounds" ? [nothingAgain] : []),
    ...casesOf("exactlyOnce", reasons, [exactlyOnce]),
    ...casesOf("alterOffsets", reasons, [ownOffsets, ...casesOf("badOffsets", reasons, [badOffsets])]),
  ];
}

/** What is committed in transactions, a part of a batch with its offsets at a time, until all that was fed is there. */
async function commitExactlyOnce(tools: SourceTools, items: number): Promise<void> {
  const { system, process, identify, assertGiven } = tools;
  const committed: SourceRecord[] = [];
  const offsets = new Map<string, string>();
  const fed = [...(await system.feed(items))];
  for (let round = 0; committed.length < fed.length; round += 1) {
    const source = await process(offsetsAfter(committed));
    if (round === 1) fed.push(...(await system.feed(items)));
    const records = await source.next(fed.length - committed.length);
    // A record that was lost with its transaction comes again with the same place.
    for (const record of records) {
      const offset = keyOf(system.placeOf?.(record.sourceOffset) ?? record.sourceOffset);
      assert.equal(offset, offsets.get(identify(record)) ?? offset, "the place of an item has changed");
      offsets.set(identify(record), offset);
    }
    const part = records.slice(0, Math.ceil(items / 3));
    committed.push(...part);
    await source.acknowledge(part);
    await source.kill();
  }
  assertGiven(committed, fed);
}
