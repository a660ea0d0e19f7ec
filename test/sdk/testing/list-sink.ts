import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, defineSink, config as key, RetriableError, type SinkRecord } from "@headrace/sdk";
import { z } from "zod";
import { ask, leak } from "./list-client.ts";

const CONFIG = z.object({
  url: key.nonEmpty().describe("The list."),
  poison: key.oneOf("fails", "skips").default("fails").describe("What becomes of a record that is `bad`."),
  once: key.boolean().default(false).describe("The list keeps the position, so that each record is there once."),
  fault: z.string().optional().describe("What it does wrong."),
});

/** Longer than the patience of these tests. */
const TOO_LONG_MS = 8_000;

/** A sink that adds to a list, right unless it is told to have a fault. */
export const listSink = defineSink({
  name: "list-sink",
  version: "1",
  config: CONFIG,
  async validate({ fault }): Promise<Record<string, string[]>> {
    return fault === "finds fault with all" ? { url: ["I do not like it"] } : {};
  },
  async openTask({ url, poison, once, fault }, context) {
    const kept: SinkRecord[] = [];
    await leak(fault, url);

    async function add(records: readonly SinkRecord[], signal: AbortSignal | null): Promise<void> {
      const [first] = records;
      if (first === undefined) return;
      const place = once && fault !== "forgets its position" ? `?offset=${first.offset}` : "";
      const body = records.map(({ value }) => String(value.value)).join("\n");
      try {
        await ask(`${url}/${place}`, { method: "POST", body, ...(signal && { signal }) });
      } catch (cause) {
        if (fault === "fails of an outage") throw cause;
        if (fault === "hides an outage") return;
        if (fault === "sleeps through a stop") await sleep(TOO_LONG_MS);
        throw new RetriableError("the list is away", { cause });
      }
    }

    async function refuse(record: SinkRecord): Promise<void> {
      if (fault === "drops poison") return;
      const error = new Error(fault === "names nothing" ? "sorry" : `the record at ${record.offset} is bad`);
      if (context.errantRecords !== null) return await context.errantRecords.report(record, error);
      if (fault === "retries poison") throw new RetriableError(error.message);
      if (poison === "fails") throw error;
      if (fault !== "is silent about poison") context.log.warn({ offset: record.offset }, "record left out");
    }

    async function deliver(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
      const bad = records.findIndex(({ value }) => value.value === "bad");
      if (bad < 0 || fault === "adds anything") return await write(records, signal);
      await write(records.slice(0, bad), signal);
      for (const record of records.slice(bad, bad + 1)) await refuse(record);
      if (fault !== "drops neighbours") await write(records.slice(bad + 1), signal);
    }

    async function write(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
      if (fault === "commits early") return void add(records, signal).catch(() => {});
      if (fault === "waits for answers") return await add(records, null);
      if (fault !== "writes after a stop") return await add(records, signal);
      const adding = add(records, null);
      await Promise.race([
        adding,
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ]);
    }

    return {
      async open(partitions) {
        const [partition] = partitions;
        if (!once || partition === undefined || fault === "forgets its position") return;
        context.rewind({ ...partition, offset: BigInt(Number(await ask(`${url}/position`))) });
      },
      async put(records, signal) {
        if (fault === "swaps") return await deliver(records.toReversed(), signal);
        if (fault === "repeats one") return await deliver([...records.slice(0, 1), ...records], signal);
        if (fault !== "writes when it closes") return await deliver(records, signal);
        kept.push(...records);
      },
      async close() {
        if (fault === "writes when it closes") await add(kept, null);
      },
    };
  },
  alterOffsets({ fault }, offsets) {
    if (fault === "refuses all offsets") throw new ConfigError("no");
    if (fault !== "takes any offset" && offsets.some(({ partition }) => partition > 9))
      throw new ConfigError("no such partition");
    return true;
  },
});
