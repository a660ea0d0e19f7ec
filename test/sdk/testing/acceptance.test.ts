import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import {
  type AcceptanceCase,
  type NotApplicable,
  type SinkTopic,
  sinkAcceptance,
  sourceAcceptance,
} from "@headrace/sdk/testing";
import { z } from "zod";
import { endLeaks } from "./list-client.ts";
import { openListServer } from "./list-server.ts";
import { listSink } from "./list-sink.ts";
import { listSource } from "./list-source.ts";

/** Of the cases that find a fault by waiting for nothing; all others have the time that they need on a busy machine. */
const PATIENCE_MS = 3_000;
const BY_WAITING = /did not end|tells that it tries|Timeout|connections of/;
const UNDESCRIBED = z.object({ url: z.string() });

interface Variant {
  readonly fault?: string;
  readonly patienceMs?: number;
  readonly poison?: "skips";
}

interface SourceVariant extends Variant {
  readonly removes?: boolean;
  /** Why nobody can take away what cannot be read. */
  readonly incurable?: string;
}

function sourceSuite({ fault, patienceMs, poison, removes = false, incurable }: SourceVariant) {
  return sourceAcceptance({
    definition: fault === "describes nothing" ? { ...listSource, config: UNDESCRIBED } : listSource,
    module: import.meta.resolve("./list-source.ts"),
    resumes: removes ? "acknowledgements" : "offsets",
    maxBatch: 4,
    items: 5,
    ...(patienceMs !== undefined && { patienceMs }),
    misconfigurations: [
      { change: { "batch.size": fault === "takes any size" ? "1" : "0" }, key: "batch.size", message: /at least 1/ },
    ],
    poisoned: { outcome: poison ?? "fails", tells: /item 3 cannot|"item":3/ },
    badOffsets: [{ partition: { list: "l" }, offset: { next: "x" } }],
    notApplicable: {
      ...(incurable !== undefined && { cure: incurable }),
      ...(removes && { exactlyOnce: "what Kafka has may be read again before it is removed" }),
    },
    async openSystem() {
      const server = await openListServer();
      let fed = 0;
      return {
        config: { url: server.url, removes: String(removes), ...(poison && { poison }), ...(fault && { fault }) },
        async feed(count) {
          const texts = Array.from({ length: count }, () => `item ${fed++}`);
          server.add(...texts);
          return texts;
        },
        identify: ({ value }) => String(value.value),
        poison: async () => server.add("bad"),
        ...(incurable === undefined && {
          async cure() {
            server.items.splice(0, server.items.length, ...server.items.filter(({ text }) => text !== "bad"));
          },
        }),
        outage: server.outage,
        ...(fault !== "is given no stall" && { stall: server.stall }),
        connections: server.connections,
        close: server.close,
      };
    },
  });
}

function sinkSuite({ fault, patienceMs, poison, once = false }: Variant & { readonly once?: boolean }) {
  return sinkAcceptance({
    definition: fault === "describes nothing" ? { ...listSink, config: UNDESCRIBED } : listSink,
    module: import.meta.resolve("./list-sink.ts"),
    repeats: once ? "absorbs" : "duplicates",
    ...(!once && { notApplicable: { exactlyOnce: "the list takes an item again" } }),
    items: 4,
    ...(patienceMs !== undefined && { patienceMs }),
    misconfigurations: [
      { change: { poison: fault === "takes any word" ? "skips" : "x" }, key: "poison", message: /one of/ },
    ],
    poisoned: { outcome: poison ?? "fails", tells: /record at 4|"offset":"4"/ },
    badOffsets: [{ topic: "topic", partition: 10, offset: 1n }],
    async openSystem() {
      const server = await openListServer();
      return {
        config: { url: server.url, once: String(once), ...(poison && { poison }), ...(fault && { fault }) },
        item: (n) => ({ value: { schema: null, value: n } }),
        poison: () => ({ value: { schema: null, value: "bad" } }),
        contents: async () => server.items.map(({ text }) => Number(text)),
        outage: server.outage,
        ...(fault !== "is given no stall" && { stall: server.stall }),
        connections: server.connections,
        close: server.close,
      };
    },
  });
}

/** Runs a case: null if it passes, what it says if it fails. */
async function failureOf({ run }: AcceptanceCase): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

after(endLeaks);

/** A fault, the name of the case that has to find it, and what that says. */
type Row = readonly [fault: string, finder: string, says: RegExp];

/** Wants each fault to be found by its case, and each case to find a fault. */
function findsFaults(rows: readonly Row[], suiteOf: (variant: Variant) => readonly AcceptanceCase[]): void {
  for (const [fault, finder, says] of rows) {
    it(`“${finder}” fails: ${fault}`, async () => {
      const found = suiteOf({ fault, ...(BY_WAITING.test(says.source) && { patienceMs: PATIENCE_MS }) }).find(
        ({ name }) => name === finder,
      );
      assert.ok(
        found !== undefined,
        `there are ${suiteOf({})
          .map(({ name }) => name)
          .join(" · ")}`,
      );
      assert.match((await failureOf(found)) ?? "it passed", says);
    });
  }
}

function eachCaseHas(rows: readonly Row[], suites: readonly (readonly AcceptanceCase[])[]): void {
  const names = new Set(suites.flat().map(({ name }) => name));
  const found = new Set(rows.map(([, finder]) => finder));
  assert.deepEqual(
    [...names].filter((name) => !found.has(name)),
    [],
  );
}

const CONFIG_ROWS: readonly Row[] = [
  ["describes nothing", "describes itself and each of its keys", /url has no description/],
  ["finds fault with all", "finds nothing wrong with a good configuration", /I do not like it/],
  [
    "is given no stall",
    "gives what the cases need, or says why they cannot apply",
    /what stall needs is not given: give it, or say in notApplicable\.stall why not/,
  ],
];
const SOURCE_ROWS: readonly Row[] = [
  ...CONFIG_ROWS,
  ["takes any size", "says at batch.size what is wrong with batch.size=1", /told instead: \[\]/],
  [
    "repeats one",
    "gives what was fed, every item once and in order, with offsets that can be stored",
    /each item once/,
  ],
  [
    "drops one",
    "gives what was fed, every item once and in order, with offsets that can be stored",
    /did not end within/,
  ],
  [
    "swaps",
    "gives what was fed, every item once and in order, with offsets that can be stored",
    /order in which they were fed/,
  ],
  ["nested offset", "gives what was fed, every item once and in order, with offsets that can be stored", /flat maps/],
  ["swaps", "keeps the order of each source partition", /order in which they were fed/],
  [
    "ignores the signal",
    "ends a poll soon after its signal aborts, when there is nothing to give",
    /signal has aborted did not end/,
  ],
  ["leaks listeners", "leaves no listeners on the signal that it polls with", /have left \d+ listeners/],
  ["leaks timers", "leaves nothing open", /Timeout/],
  ["leaks connections", "leaves nothing open", /connections of the system/],
  ["floods later", "gives at most 4 records at a time, for as long as Kafka takes none", /poll 3 gave/],
  ["offset too early", "goes on at the exact position after its process was killed, at any record", /each item once/],
  [
    "offset too late",
    "goes on at the exact position after its process was killed, at any record",
    /did not end within/,
  ],
  ["starts over", "gives nothing again that was stored, when more comes", /each item once/],
  [
    "offsets of its own run",
    "keeps to what it says of exactly-once delivery, killed again and again while items come",
    /place of an item has changed/,
  ],
  [
    "offset too early",
    "keeps to what it says of exactly-once delivery, killed again and again while items come",
    /each item once/,
  ],
  ["takes any offset", "refuses wrong offsets over REST", /accepted: /],
  ["refuses its own offsets", "accepts its own offsets and null over REST", /^no$/],
  [
    "passes over poison",
    "fails of what it cannot read, gives all before it, and all behind it once it is gone",
    /did not end within/,
  ],
  [
    "hangs at poison",
    "fails of what it cannot read, gives all before it, and all behind it once it is gone",
    /did not end within/,
  ],
  [
    "retries poison",
    "fails of what it cannot read, gives all before it, and all behind it once it is gone",
    /did not end within/,
  ],
  ["names nothing", "fails of what it cannot read, gives all before it, and all behind it once it is gone", /sorry/],
  [
    "drops neighbours",
    "fails of what it cannot read, gives all before it, and all behind it once it is gone",
    /before it is missing/,
  ],
  ["fails of an outage", "tries again by itself while the system is away, and goes on where it was", /ECONNREFUSED/],
  [
    "hides an outage",
    "tries again by itself while the system is away, and goes on where it was",
    /tells that it tries again/,
  ],
  [
    "forgets in an outage",
    "tries again by itself while the system is away, and goes on where it was",
    /each item once/,
  ],
  [
    "sleeps through a stop",
    "can be stopped while the system is away, and another goes on",
    /did not end within 3000 ms/,
  ],
  [
    "waits for answers",
    "can be stopped while the system does not answer, and another goes on",
    /did not end within 3000 ms/,
  ],
];
const SKIPPING_SOURCE_ROWS: readonly Row[] = [
  ["is silent about poison", "tells what it cannot read, and gives all before and behind it", /logged: /],
  ["drops neighbours", "tells what it cannot read, and gives all before and behind it", /did not end within/],
];
const REMOVING_SOURCE_ROWS: readonly Row[] = [
  [
    "removes what it has read",
    "gives again what was not acknowledged, after its process was killed at any record",
    /did not end within/,
  ],
];

describe("the acceptance suite of sources", { concurrency: 3 }, () => {
  for (const each of sourceSuite({})) it(`passes a source that is right: ${each.name}`, each.run);
  for (const each of sourceSuite({ removes: true }))
    it(`passes one that removes what Kafka has: ${each.name}`, each.run);
  for (const each of sourceSuite({ poison: "skips" }).filter(({ name }) => name.startsWith("tells")))
    it(`passes one that leaves out what it cannot read: ${each.name}`, each.run);
  findsFaults(SOURCE_ROWS, sourceSuite);
  findsFaults(SKIPPING_SOURCE_ROWS, (variant) => sourceSuite({ poison: "skips", ...variant }));
  findsFaults(REMOVING_SOURCE_ROWS, (variant) => sourceSuite({ removes: true, ...variant }));
  it("has no case that finds no fault", () => {
    const suites = [
      sourceSuite({ fault: "takes any size" }),
      sourceSuite({ fault: "takes any size", removes: true }),
      sourceSuite({ fault: "takes any size", poison: "skips" }),
    ];
    eachCaseHas([...SOURCE_ROWS, ...SKIPPING_SOURCE_ROWS, ...REMOVING_SOURCE_ROWS], suites);
  });
});

const SINK_ROWS: readonly Row[] = [
  ...CONFIG_ROWS,
  ["takes any word", "says at poison what is wrong with poison=skips", /told instead: \[\]/],
  ["swaps", "has delivered every record, in order, when offsets may be committed", /Expected values/],
  ["repeats one", "has delivered every record, in order, when offsets may be committed", /Expected values/],
  ["commits early", "has delivered every record, in order, when offsets may be committed", /Expected values/],
  [
    "writes when it closes",
    "loses nothing and keeps the order when its process is killed at any record",
    /an item is missing/,
  ],
  ["swaps", "loses nothing and keeps the order when its process is killed at any record", /out of order/],
  ["leaks timers", "leaves nothing open", /Timeout/],
  ["leaks connections", "leaves nothing open", /connections of the system/],
  ["takes any offset", "refuses wrong positions over REST", /Missing expected rejection/],
  ["refuses all offsets", "accepts new positions over REST", /^no$/],
  ["drops poison", "reports a record that cannot be taken, and delivers its neighbours", /Expected values/],
  ["names nothing", "reports a record that cannot be taken, and delivers its neighbours", /sorry/],
  ["drops neighbours", "reports a record that cannot be taken, and delivers its neighbours", /Expected values/],
  [
    "drops poison",
    "fails of a record that cannot be taken, where none can be reported, and loses none of its neighbours",
    /ended with null/,
  ],
  [
    "retries poison",
    "fails of a record that cannot be taken, where none can be reported, and loses none of its neighbours",
    /tried again for ever/,
  ],
  [
    "names nothing",
    "fails of a record that cannot be taken, where none can be reported, and loses none of its neighbours",
    /sorry/,
  ],
  [
    "fails of an outage",
    "asks for the batch again while the system is away, and delivers it then",
    /told as RetriableError/,
  ],
  [
    "hides an outage",
    "asks for the batch again while the system is away, and delivers it then",
    /told as RetriableError/,
  ],
  [
    "sleeps through a stop",
    "can be stopped while the system is away, and another goes on",
    /signal has aborted did not end/,
  ],
  [
    "commits early",
    "lets no offset be committed that the system has not confirmed, and delivers when it answers again",
    /not confirmed/,
  ],
  [
    "waits for answers",
    "can be stopped while the system does not answer, and writes nothing afterwards",
    /signal has aborted did not end/,
  ],
  [
    "writes after a stop",
    "can be stopped while the system does not answer, and writes nothing afterwards",
    /written after the stop/,
  ],
];
const SKIPPING_SINK_ROWS: readonly Row[] = [
  [
    "is silent about poison",
    "logs a record that cannot be taken, where none can be reported, and delivers its neighbours",
    /logged: /,
  ],
  [
    "drops neighbours",
    "logs a record that cannot be taken, where none can be reported, and delivers its neighbours",
    /Expected values/,
  ],
];
const ONCE_SINK_ROWS: readonly Row[] = [
  [
    "forgets its position",
    "has each record exactly once, though its process is killed between write and commit",
    /after a kill/,
  ],
];

describe("the acceptance suite of sinks", { concurrency: 3 }, () => {
  for (const each of sinkSuite({})) it(`passes a sink that is right: ${each.name}`, each.run);
  for (const each of sinkSuite({ once: true })) it(`passes one that keeps its position: ${each.name}`, each.run);
  for (const each of sinkSuite({ poison: "skips" }).filter(({ name }) => name.startsWith("logs")))
    it(`passes one that leaves out what it cannot take: ${each.name}`, each.run);
  findsFaults(SINK_ROWS, sinkSuite);
  findsFaults(SKIPPING_SINK_ROWS, (variant) => sinkSuite({ poison: "skips", ...variant }));
  findsFaults(ONCE_SINK_ROWS, (variant) => sinkSuite({ once: true, ...variant }));
  it("has no case that finds no fault", () => {
    const suites = [
      sinkSuite({ fault: "takes any word" }),
      sinkSuite({ once: true, fault: "takes any word" }),
      sinkSuite({ poison: "skips", fault: "takes any word" }),
    ];
    eachCaseHas([...SINK_ROWS, ...SKIPPING_SINK_ROWS, ...ONCE_SINK_ROWS], suites);
  });
});

describe("a case that cannot apply", () => {
  const suite = (reasons: NotApplicable<SinkTopic>) =>
    sinkAcceptance({
      definition: listSink,
      module: import.meta.resolve("./list-sink.ts"),
      repeats: "duplicates",
      misconfigurations: [],
      notApplicable: reasons,
      openSystem: async () => ({
        config: { url: "u" },
        item: () => ({ value: { schema: null, value: 1 } }),
        contents: async () => [],
        close: async () => {},
      }),
    });
  const reasons = {
    misconfigurations: "of no interest",
    exactlyOnce: "of no interest",
    poison: "of no interest",
    stall: "of no interest",
    badOffsets: "of no interest",
  };
  const declares = (cases: readonly AcceptanceCase[]) => cases.find(({ name }) => name.startsWith("gives what"));
  const aboutOutages = (cases: readonly AcceptanceCase[]) => cases.filter(({ name }) => name.includes("is away"));

  it("is left out for a reason", async () => {
    const cases = suite({ ...reasons, outage: "there is nothing that could be away" });
    assert.deepEqual(aboutOutages(cases), []);
    await declares(cases)?.run();
  });

  it("is a failure without a reason, or with none in words", async () => {
    for (const given of [reasons, { ...reasons, outage: "" }]) {
      const cases = suite(given);
      await assert.rejects(async () => await declares(cases)?.run(), /what outage needs is not given/);
    }
    const cases = aboutOutages(suite(reasons));
    assert.equal(cases.length, 2);
    for (const each of cases) await assert.rejects(each.run(), /what outage needs is not given/);
  });

  it("is a failure where it does apply, or does not exist", async () => {
    const given = { ...reasons, outage: "there is nothing that could be away" };
    const wrong = async (more: NotApplicable<SinkTopic>) => await declares(suite({ ...given, ...more }))?.run();
    await assert.rejects(
      wrong({ contents: "it forgets" }),
      /notApplicable\.contents is given, and so is what it needs/,
    );
    await assert.rejects(wrong(Object.fromEntries([["order", "any"]])), /notApplicable\.order has no case here/);
  });

  it("may be a part of one: what cannot be cured was told, and that is all", async () => {
    const poison = sourceSuite({ incurable: "it stays there" }).find(({ name }) => name.includes("once it is gone"));
    await poison?.run();
  });
});
