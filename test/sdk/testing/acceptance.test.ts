import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defineSink, defineSource, RetriableError, type SinkRecord, STRING_SCHEMA } from "@headrace/sdk";
import { type AcceptanceCase, sinkAcceptance, sourceAcceptance } from "@headrace/sdk/testing";
import { z } from "zod";

/** A source that reads a list, with one of these faults, or none. */
type SourceFault =
  | "offset too early"
  | "offset too late"
  | "ignores the signal"
  | "leaks listeners"
  | "floods"
  | "takes any offset";

function listSource(fault: SourceFault | null) {
  const list: string[] = [];
  const definition = defineSource({
    name: "list",
    version: "1",
    config: z.object({ topic: z.string().describe("Topic.") }),
    planTasks: () => [{}],
    exactlyOnceSupport: () => "SUPPORTED",
    async openTask({ topic }, context) {
      const partition = { list: "l" };
      let next = Number((await context.offset(partition))?.["next"] ?? 0);
      return {
        async poll(signal) {
          if (fault === "leaks listeners") signal.addEventListener("abort", () => {});
          if (fault === "ignores the signal" && next >= list.length) await sleep(20_000, undefined, { ref: false });
          if (next >= list.length) await sleep(10, undefined, { signal }).catch(() => {});
          const batch = list.slice(next, fault === "floods" ? undefined : next + 4);
          const from = next;
          next += batch.length;
          const shift = fault === "offset too early" ? 0 : fault === "offset too late" ? 2 : 1;
          return batch.map((value, index) => ({
            topic,
            value: { schema: STRING_SCHEMA, value },
            sourcePartition: partition,
            sourceOffset: { next: from + index + shift },
          }));
        },
        close() {},
      };
    },
    alterOffsets(_, offsets) {
      const bad = offsets.some(({ offset }) => offset !== null && typeof offset["next"] !== "number");
      if (bad && fault !== "takes any offset") throw new (class extends Error {})("not a ConfigError");
      return true;
    },
  });
  return sourceAcceptance({
    definition,
    resumes: "offsets",
    maxBatch: 4,
    misconfigurations: [],
    items: 6,
    patienceMs: 300,
    badOffsets: fault === "takes any offset" ? [{ partition: { list: "l" }, offset: { next: "x" } }] : [],
    openSystem: async () => {
      list.length = 0;
      return {
        config: { topic: "t" },
        async feed(count) {
          for (let left = count; left > 0; left -= 1) list.push(`item ${list.length}`);
        },
        close: async () => {},
      };
    },
  });
}

/** A sink that writes to a list, with one of these faults, or none. */
type SinkFault = "commits early" | "loses on kill" | "fails of an outage" | "drops poison" | "swaps";

function listSink(fault: SinkFault | null) {
  let there: number[] = [];
  let away = false;
  let answering = Promise.resolve();
  const bell = new EventEmitter();
  const definition = defineSink({
    name: "list",
    version: "1",
    config: z.object({}),
    async openTask(_, context) {
      let waiting: SinkRecord[] = [];
      const deliver = async (records: readonly SinkRecord[], signal: AbortSignal) => {
        if (away) throw fault === "fails of an outage" ? new Error("away") : new RetriableError("away");
        if (fault !== "commits early") await Promise.race([answering, aborted(signal)]);
        for (const record of records) {
          const { value } = record.value;
          if (typeof value === "string" && value !== "bad") there.push(Number(value));
          else if (fault !== "drops poison") {
            if (context.errantRecords === null) throw new Error("bad");
            await context.errantRecords.report(record, new Error("bad"));
          }
        }
      };
      return {
        async put(records, signal) {
          const ordered = fault === "swaps" ? records.toReversed() : records;
          if (fault === "loses on kill") waiting.push(...ordered);
          else await deliver(ordered, signal);
        },
        async flush(signal) {
          if (fault === "loses on kill") setImmediate(() => waiting.splice(0));
          signal.throwIfAborted();
        },
        close() {
          waiting = [];
        },
      };
    },
  });
  return sinkAcceptance({
    definition,
    repeats: "duplicates",
    misconfigurations: [],
    poisoned: "fails",
    items: 4,
    openSystem: async () => {
      there = [];
      const released = Promise.withResolvers<void>();
      return {
        config: {},
        item: (n) => ({ value: { schema: STRING_SCHEMA, value: `${n}` } }),
        contents: async () => there,
        poison: () => ({ value: { schema: STRING_SCHEMA, value: "bad" } }),
        outage: {
          async begin() {
            away = true;
          },
          async end() {
            away = false;
          },
        },
        stall: {
          async begin() {
            answering = released.promise;
          },
          async end() {
            answering = Promise.resolve();
            released.resolve();
          },
        },
        async close() {
          bell.removeAllListeners();
        },
      };
    },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

/** Names of the cases that fail. Each fault is looked for by the cases made for it, which keeps this quick. */
async function failures(cases: readonly AcceptanceCase[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

describe("the acceptance suite of sources", () => {
  const rows: readonly (readonly [SourceFault, RegExp])[] = [
    ["offset too early", /exact position/],
    ["offset too late", /exact position/],
    ["ignores the signal", /ends a poll soon/],
    ["leaks listeners", /no listeners/],
    ["floods", /at most 4/],
    ["takes any offset", /refuses others/],
  ];
  it("passes a source that is right", async () => assert.deepEqual(await failures(listSource(null)), []));
  for (const [fault, expected] of rows) {
    it(`finds a source that has this fault: ${fault}`, async () => {
      const cases = listSource(fault).filter(({ name }) => expected.test(name));
      assert.deepEqual(
        await failures(cases),
        cases.map(({ name }) => name),
      );
    });
  }
});

describe("the acceptance suite of sinks", () => {
  const rows: readonly (readonly [SinkFault, RegExp])[] = [
    ["commits early", /not confirmed/],
    ["loses on kill", /every record, in order|loses nothing/],
    ["fails of an outage", /batch again/],
    ["drops poison", /^reports a record/],
    ["swaps", /every record, in order/],
  ];
  it("passes a sink that is right", async () => assert.deepEqual(await failures(listSink(null)), []));
  for (const [fault, expected] of rows) {
    it(`finds a sink that has this fault: ${fault}`, async () => {
      const cases = listSink(fault).filter(({ name }) => expected.test(name));
      assert.deepEqual(
        await failures(cases),
        cases.map(({ name }) => name),
      );
    });
  }
});
