import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Utf8Text } from "@headrace/sdk";
import type { DeliveryFailure, OutboundRecord, RecordProducer, SettledBatch } from "#runtime/kafka/record-producer.ts";
import { type Batching, createSplittingProducer, SMALL_BATCH_BYTES } from "#runtime/kafka/splitting-producer.ts";
import { GUILTY, runFileSource, writeMixedFile } from "#support/file-run.ts";
import { endTasks } from "#support/task-run.ts";

/** Records that travel together at most, as Kafka's batches do. */
const TOGETHER = 7;
const MOST_OUTSTANDING = 400;

interface Waiting {
  readonly batch: number;
  readonly index: number;
  readonly value: string;
}

interface Open {
  readonly number: number;
  left: number;
  sealed: boolean;
  readonly failures: DeliveryFailure[];
}

/** A Kafka that acknowledges late. As librdkafka's, a client copies what is queued, and ends at what the broker refuses. */
function createKafka() {
  const log: string[] = [];
  let clients = 0;

  /** How many of the queue's first records travel together. A large one travels by itself in small batches. */
  function together(queue: readonly Waiting[], batching: Batching): number {
    if (batching === "single") return 1;
    const large = queue
      .slice(0, TOGETHER)
      .findIndex(({ value }) => batching === "small" && Buffer.byteLength(value) > SMALL_BATCH_BYTES);
    return large === -1 ? TOGETHER : Math.max(1, large);
  }

  function open(batching: Batching, stopOnFailure: boolean): RecordProducer {
    clients += 1;
    const queue: Waiting[] = [];
    const batches = new Map<number, Open>();
    const settled: SettledBatch[] = [];
    let sends = 0;
    let stopped = false;
    let closed = false;

    function decide({ batch, index }: Waiting, code: string | null): void {
      const one = batches.get(batch);
      assert.ok(one !== undefined);
      one.left -= 1;
      if (code !== null) one.failures.push({ index, code, message: code });
      settle(one);
    }

    function settle(one: Open): void {
      if (!one.sealed || one.left > 0) return;
      batches.delete(one.number);
      settled.push({
        batch: one.number,
        failures: one.failures.toSorted((a, b) => a.index - b.index),
        positions: null,
      });
    }

    /** One batch of Kafka's is answered. */
    function answer(): void {
      const some = queue.splice(0, together(queue, batching));
      const refused = some.some(({ value }) => value.startsWith(GUILTY));
      for (const one of some) {
        if (!refused) log.push(one.value);
        decide(one, refused ? "MSG_SIZE_TOO_LARGE" : null);
      }
      if (refused && stopOnFailure) stop();
    }

    function stop(): void {
      stopped = true;
      for (const one of queue.splice(0)) decide(one, "_PURGE_QUEUE");
    }

    async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
      for (let turn = 0; !holds(); turn += 1) {
        signal.throwIfAborted();
        await nextTurn();
        if (turn % 3 === 2 && queue.length > 0) answer();
      }
    }

    return {
      async send(records: readonly OutboundRecord[], signal: AbortSignal) {
        sends += 1;
        const one: Open = { number: sends, left: records.length, sealed: false, failures: [] };
        batches.set(one.number, one);
        let queued = 0;
        try {
          for (const [index, { value }] of records.entries()) {
            if (queue.length >= MOST_OUTSTANDING)
              await until(() => stopped || queue.length < MOST_OUTSTANDING / 2, signal);
            if (stopped || closed) throw new Error("the client has stopped");
            queue.push({ batch: one.number, index, value: value instanceof Utf8Text ? value.value : String(value) });
            queued += 1;
          }
        } finally {
          for (let index = queued; index < records.length; index += 1) {
            one.left -= 1;
            one.failures.push({ index, code: "_PURGE_QUEUE", message: "not queued" });
          }
          one.sealed = true;
          settle(one);
        }
        return one.number;
      },
      takeSettled: () => settled.splice(0),
      settled: (signal) =>
        until(() => {
          if (settled.length > 0) return true;
          if (stopped && batches.size === 0) throw new Error("the client has stopped");
          return false;
        }, signal),
      outstanding: () => queue.length,
      flush: (signal) => until(() => queue.length === 0, signal),
      async close() {
        closed = true;
        stop();
      },
    };
  }

  return { log, open, clients: () => clients };
}

describe("a file on its way to a Kafka that refuses some of it", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-file-to-kafka-"));
  });
  afterEach(endTasks);
  after(() => rm(dir, { recursive: true, force: true }));

  it("arrives whole and in order, but for the lines that were refused", async () => {
    const file = join(dir, "mixed.txt");
    const { size, lines } = await writeMixedFile(file, 3_000);
    const kafka = createKafka();
    await runFileSource({ file, topic: "t", size }, async (options) =>
      createSplittingProducer({
        ...options,
        open: (batching, { stopOnFailure }) => kafka.open(batching, stopOnFailure),
        maxRecordBytes: 10_000_000,
      }),
    );
    const expected = lines.filter((line) => !line.startsWith(GUILTY));
    const wrong = expected.findIndex((line, index) => kafka.log[index] !== line);
    assert.equal(wrong, -1, `line ${wrong} is ${kafka.log[wrong]?.slice(0, 60)}, not ${expected[wrong]?.slice(0, 60)}`);
    assert.equal(kafka.log.length, expected.length);
    assert.ok(expected.length < lines.length && kafka.clients() > 2, "some were refused");
  });
});
