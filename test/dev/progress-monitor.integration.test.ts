import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { startProgressMonitor } from "#dev/progress-monitor.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic, sharedKafka, uniqueName } from "#support/kafka.ts";

describe("the progress monitor", () => {
  let broker: Awaited<ReturnType<typeof sharedKafka>>;
  before(async () => {
    broker = await sharedKafka();
  });
  after(() => broker.stop());

  it("waits for a topic that is made after it was asked to watch it", async () => {
    const topic = uniqueName("late");
    const { bootstrap } = broker;
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
    const starting = startProgressMonitor({ bootstrap, topics: [topic], files: [] });
    await sleep(500);
    await createTopic(bootstrap, topic);
    const monitor = await starting;
    const producer = kafka.producer();
    await producer.connect();
    await eventually("a record is seen", async () => {
      await producer.send({ topic, messages: [{ value: "x" }] });
      return monitor.firstProgress([topic], 0).get(topic) !== null;
    });
    await producer.disconnect();
    await monitor.stop();
  });
});
