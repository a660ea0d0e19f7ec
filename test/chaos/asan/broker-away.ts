import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalKafka } from "#dev/kafka.ts";
import { ownKafka } from "#support/kafka.ts";
import {
  copyRecords,
  createTopic,
  expectEvent,
  nextEvent,
  openConsumer,
  openProducer,
  readTopic,
  record,
  textOf,
} from "../../native/clients.ts";

/** Longer than all time-outs of the clients' connections. */
const AWAY_MS = 60_000;
const COUNT = 500;

/** Run by `native.integration.test.ts` beside it, with the sanitizers' build of the addon. */
describe("a broker that is away for a minute", { timeout: 240_000 }, () => {
  let kafka: LocalKafka;
  const signal = AbortSignal.timeout(240_000);
  before(async () => {
    kafka = await ownKafka({ heap: "512m" });
  });
  // Clients that are left open keep the process alive.
  const clients: { close(signal: AbortSignal): Promise<unknown> }[] = [];
  after(async () => {
    await Promise.allSettled(clients.map((client) => client.close(AbortSignal.timeout(10_000))));
    await kafka.stop();
  });

  it("times out the messages of one producer; another, that waits, loses and repeats nothing", async () => {
    const [hasty, patient] = [await createTopic(kafka.bootstrap), await createTopic(kafka.bootstrap)];
    // It stays in its group meanwhile: what it has not committed would be read twice after that.
    const consumer = openConsumer(kafka.bootstrap, patient, { config: { "session.timeout.ms": "180000" } });
    clients.push(consumer);
    await expectEvent(consumer, "assigned", signal);
    consumer.acknowledge();
    const giving = openProducer(kafka.bootstrap, { config: { "message.timeout.ms": "10000" } });
    const waiting = openProducer(kafka.bootstrap, { stopOnFailure: true });
    clients.push(giving, waiting);
    for (const [producer, topic] of [
      [giving, hasty],
      [waiting, patient],
    ] as const) {
      await producer.send([record(topic, "0")], signal);
      await producer.flush(signal);
      assert.deepEqual(
        producer.takeSettled().flatMap(({ failures }) => failures),
        [],
      );
    }
    const numbered = (topic: string) => Array.from({ length: COUNT }, (_, index) => record(topic, `${index + 1}`));

    kafka.process.signal("SIGSTOP");
    const back = sleep(AWAY_MS, undefined, { signal }).finally(() => kafka.process.signal("SIGCONT"));
    await giving.send(numbered(hasty), signal);
    await waiting.send(numbered(patient), signal);
    await giving.flush(signal);
    const failures = giving.takeSettled().flatMap((batch) => batch.failures);
    assert.equal(failures.length, COUNT, "each message is reported once");
    assert.deepEqual([...new Set(failures.map(({ code }) => code))], ["_MSG_TIMED_OUT"]);
    await back;

    await waiting.flush(signal);
    assert.deepEqual(
      waiting.takeSettled().flatMap((batch) => batch.failures),
      [],
    );
    const expected = Array.from({ length: COUNT + 1 }, (_, index) => `${index}`);
    assert.deepEqual(textOf(await readTopic(kafka.bootstrap, patient, signal)), expected);
    const seen: (string | null)[] = [];
    while (seen.length < expected.length) {
      const event = await nextEvent(consumer, signal);
      if (event.kind === "batch") seen.push(...textOf(copyRecords(event.batch)));
      else if (event.kind !== "idle") consumer.acknowledge();
    }
    assert.deepEqual(seen, expected);
  });
});
