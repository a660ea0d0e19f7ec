import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NotReady } from "@headrace/sdk";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { setUpSink } from "#support/sink-run.ts";
import { endTasks, runTask } from "#support/task-run.ts";
import { createTopic, openConsumer, openProducer, record } from "../../native/clients.ts";

const PATIENCE_MS = 120_000;
const RECORDS = 40;

/** Sinks of one group on a real Kafka, whose records wait for a schema. */
describe("a sink that waits for a schema", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  const signal = AbortSignal.timeout(600_000);
  before(async () => {
    kafka = await sharedKafka();
  });
  afterEach(endTasks);
  after(() => kafka.stop());

  async function fill(topic: string, partitions: number): Promise<void> {
    const producer = openProducer(kafka.bootstrap);
    const records = Array.from({ length: RECORDS }, (_, index) =>
      record(topic, String(index), { partition: index % partitions }),
    );
    await producer.send(records, signal);
    await producer.flush(signal);
    await producer.close();
  }

  /** A sink whose first record waits until `know`; `pollMs` is its max.poll.interval.ms. */
  function start(topic: string, group: string, { pollMs, known = false }: { pollMs: number; known?: boolean }) {
    const fetched = Promise.withResolvers<void>();
    const state = { known, asked: false };
    const consumer = openConsumer(kafka.bootstrap, topic, {
      config: { "group.id": group, "session.timeout.ms": "6000", "max.poll.interval.ms": String(pollMs) },
    });
    const sink = setUpSink({
      consumer,
      flushIntervalMs: 200,
      transforms: [
        {
          plugin: "fetching",
          when: null,
          apply(each) {
            state.asked = true;
            if (!state.known) throw new NotReady(fetched.promise);
            return each;
          },
        },
      ],
    });
    const puts = () =>
      sink.log.flatMap((each) => (each.startsWith("put ") ? each.slice("put ".length).split(" ") : []));
    return {
      sink,
      consumer,
      puts,
      run: runTask(sink.body),
      asked: () => eventually("a record is there", () => state.asked, PATIENCE_MS),
      know() {
        state.known = true;
        fetched.resolve();
      },
    };
  }

  it("keeps its partitions for longer than max.poll.interval.ms, and puts every record once", async () => {
    const topic = await createTopic(kafka.bootstrap);
    await fill(topic, 1);
    const waiting = start(topic, uniqueName("waiting"), { pollMs: 6_000 });
    await waiting.asked();
    const member = waiting.consumer.memberId();
    // Time itself is what this is about.
    await sleep(9_000);
    assert.deepEqual([waiting.consumer.memberId(), waiting.puts()], [member, []]);
    waiting.know();
    await eventually("all is put", () => waiting.puts().length >= RECORDS, PATIENCE_MS);
    const expected = Array.from({ length: RECORDS }, (_, offset) => `0:${offset}=${offset}`);
    assert.deepEqual(waiting.puts(), expected);
    assert.ok(!waiting.sink.log.some((each) => each.startsWith("lost")));
    await waiting.run.runner.stop(30_000);
    assert.deepEqual(waiting.puts(), expected);
  });

  it("gives partitions up while it waits, and never puts what the other one has put", async () => {
    const topic = await createTopic(kafka.bootstrap, { partitions: 2 });
    await fill(topic, 2);
    const group = uniqueName("waiting");
    const waiting = start(topic, group, { pollMs: 60_000 });
    await waiting.asked();
    const other = start(topic, group, { pollMs: 60_000, known: true });
    await eventually("the other one has put its share", () => other.puts().length >= RECORDS / 2, PATIENCE_MS);
    assert.deepEqual(waiting.puts(), []);
    waiting.know();
    const all = () => [...waiting.puts(), ...other.puts()];
    await eventually("all is put", () => new Set(all()).size === RECORDS, PATIENCE_MS);
    await Promise.all([waiting.run.runner.stop(30_000), other.run.runner.stop(30_000)]);
    assert.equal(all().length, RECORDS, "each record was put once");
  });
});
