import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, DataError, defineSource, config as key, RetriableError, type SourceRecord } from "@headrace/sdk";
import { z } from "zod";
import { ask, leak } from "./list-client.ts";

interface Item {
  readonly id: number;
  readonly text: string;
}

const CONFIG = z.object({
  url: key.nonEmpty().describe("The list."),
  "batch.size": key.int({ min: 1 }).default(4).describe("Most records of a poll."),
  poison: key.oneOf("fails", "skips").default("fails").describe("What becomes of an item that is `bad`."),
  removes: key
    .boolean()
    .default(false)
    .describe("Takes items from the list when Kafka has them, instead of keeping offsets."),
  fault: z.string().optional().describe("What it does wrong."),
});

/** Longer than the patience of these tests. */
const TOO_LONG_MS = 8_000;
const PARTITION = { list: "l" };

/** A source that reads a list, right unless it is told to have a fault. */
export const listSource = defineSource({
  name: "list-source",
  version: "1",
  config: CONFIG,
  planTasks: () => [{}],
  async validate({ fault }): Promise<Record<string, string[]>> {
    return fault === "finds fault with all" ? { url: ["I do not like it"] } : {};
  },
  exactlyOnceSupport: ({ removes }) => (removes ? "UNSUPPORTED" : "SUPPORTED"),
  async openTask({ url, fault, removes, poison, "batch.size": size }, context) {
    const stored = fault === "starts over" || removes ? null : await context.offset(PARTITION);
    let next = Number(stored?.["next"] ?? 0);
    let polls = 0;
    let away = 0;
    await leak(fault, url);

    async function list(signal: AbortSignal): Promise<readonly Item[]> {
      try {
        const answer = await ask(`${url}/?from=${next}`, fault === "waits for answers" ? {} : { signal });
        away = 0;
        return answer as readonly Item[];
      } catch (cause) {
        if (signal.aborted) return [];
        if (fault === "fails of an outage") throw cause;
        if (fault === "hides an outage") return [];
        if (fault === "forgets in an outage") next = 0;
        away += 1;
        if (fault === "sleeps through a stop" && away > 1) await sleep(TOO_LONG_MS);
        throw new RetriableError("the list is away", { cause });
      }
    }

    function toRecord({ id, text }: Item): SourceRecord {
      const shift = fault === "offset too early" ? 0 : fault === "offset too late" ? 2 : 1;
      const nested: object = { [Symbol.toStringTag]: "none" };
      const more =
        fault === "offsets of its own run" ? { polls } : fault === "nested offset" ? { nested: nested as never } : {};
      return {
        topic: "t",
        value: { schema: null, value: text },
        sourcePartition: PARTITION,
        sourceOffset: { next: id + shift, ...more },
      };
    }

    /** Up to the first item that cannot be read, which fails when it is the first. */
    function readable(items: readonly Item[]): readonly Item[] {
      const bad = items.findIndex(({ text }) => text === "bad");
      if (bad < 0) return items;
      if (poison === "skips") {
        if (fault !== "is silent about poison") context.log.warn({ item: items[bad]?.id }, "item left out");
        return fault === "drops neighbours" ? items.slice(bad + 1) : items.filter(({ text }) => text !== "bad");
      }
      if (fault === "passes over poison") return items.filter(({ text }) => text !== "bad");
      if (bad > 0 && fault !== "drops neighbours") return items.slice(0, bad);
      if (fault === "hangs at poison") return [];
      if (fault === "retries poison") throw new RetriableError(`item ${items[bad]?.id} cannot be read`);
      throw new DataError(fault === "names nothing" ? "sorry" : `item ${items[bad]?.id} cannot be read`);
    }

    return {
      async poll(signal) {
        polls += 1;
        if (fault === "leaks listeners") signal.addEventListener("abort", () => {});
        const all = await list(signal);
        const limit = fault === "floods later" && polls > 2 ? all.length : size;
        const items = readable(all.slice(0, limit));
        if (all.length === 0)
          await sleep(
            fault === "ignores the signal" ? TOO_LONG_MS : 10,
            undefined,
            fault === "ignores the signal" ? {} : { signal },
          ).catch(() => {});
        next = (items.at(-1)?.id ?? next - 1) + 1;
        if (fault === "removes what it has read")
          for (const { id } of items) await ask(`${url}/?id=${id}`, { method: "DELETE" });
        const records = items.map(toRecord);
        if (fault === "swaps") return records.toReversed();
        if (fault === "drops one") return records.filter(({ value }) => value.value !== "item 3");
        return fault === "repeats one" && records[0] !== undefined ? [records[0], ...records].slice(0, size) : records;
      },
      ...(removes && {
        async committed(records) {
          for (const { record } of records)
            await ask(`${url}/?id=${Number(record.sourceOffset["next"]) - 1}`, { method: "DELETE" });
        },
      }),
      close() {},
    };
  },
  alterOffsets({ fault }, offsets) {
    if (fault === "takes any offset") return true;
    if (fault === "refuses its own offsets") throw new ConfigError("no");
    if (offsets.some(({ offset }) => offset !== null && typeof offset["next"] !== "number"))
      throw new ConfigError('An offset is {"next":<number>}');
    return true;
  },
});
