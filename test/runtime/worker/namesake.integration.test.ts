import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import kafkajs, { type Producer } from "kafkajs";
import { createTopicAdmin, type TopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings } from "#support/topic-logs.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

/** A Connect cluster of one worker, with a sink that writes its own topic's lines into its own file. */
interface Cluster {
  readonly group: string;
  readonly topic: string;
  readonly file: string;
  sent: number;
  worker: TestWorker;
}

/** Both sinks are members of the consumer group that is named after the connector: nobody may take the other's member for its own. */
describe("sinks of one name in two Connect clusters of one Kafka", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-namesake-"));
  const sink = uniqueName("namesake");
  const consumerGroup = `connect-${sink}`;
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let admin: TopicAdmin;
  let producer: Producer;
  let one: Cluster;
  let two: Cluster;

  /** At the address of its former self, if there was one: then it does not wait for that one's session. */
  const start = (group: string, former?: TestWorker) =>
    startWorker({
      dir,
      properties: { ...groupProperties(kafka.bootstrap, group), "headrace.metrics.listener": "" },
      ...(former !== undefined && { port: Number(new URL(former.url).port) }),
    });

  async function open(): Promise<Cluster> {
    const group = uniqueName("cluster");
    const topic = `${group}-lines`;
    const file = join(dir, `${group}.txt`);
    const worker = await start(group);
    const signal = AbortSignal.timeout(60_000);
    await admin.createTopic({ topic, partitions: 1, replicationFactor: 1, configs: {} }, signal);
    const config = { "connector.class": "FileStreamSink", topics: topic, file };
    const { status, body } = await rest(worker.url, "PUT", `/connectors/${sink}/config`, config);
    assert.equal(status, 201, JSON.stringify(body));
    return { group, topic, file, sent: 0, worker };
  }

  const linesOf = ({ file }: Cluster) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);

  /** Sends ten lines more and waits for them. */
  async function moves(cluster: Cluster, timeoutMs?: number): Promise<void> {
    const messages = Array.from({ length: 10 }, (_, index) => ({ value: `line ${cluster.sent + index}` }));
    cluster.sent += messages.length;
    await producer.send({ topic: cluster.topic, messages });
    const last = `line ${cluster.sent - 1}`;
    await eventually(`${last} of ${cluster.topic}`, () => linesOf(cluster).includes(last), timeoutMs);
  }

  const memberIds = async () => {
    const { members } = await admin.describeGroup(consumerGroup, AbortSignal.timeout(60_000));
    return members.map(({ memberId }) => memberId);
  };

  before(async () => {
    kafka = await sharedKafka();
    admin = createTopicAdmin(kafkaSettings(kafka.bootstrap), createSilentLog());
    producer = new kafkajs.Kafka({ brokers: [kafka.bootstrap], logLevel: kafkajs.logLevel.NOTHING }).producer();
    await producer.connect();
    one = await open();
    await moves(one);
    two = await open();
    await moves(two);
    await moves(one);
  });
  after(async () => {
    await Promise.all([one?.worker.process.kill(), two?.worker.process.kill()]);
    await producer?.disconnect();
    admin?.close();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("a sink that starts after kill -9 removes its own dead member and leaves the other cluster's alone (invariant 3)", async () => {
    const before = await memberIds();
    assert.equal(before.length, 2);
    await one.worker.process.kill();
    one.worker = await start(one.group, one.worker);
    // Before the session of the dead member ends, which lasts 45 s.
    await moves(one, 40_000);
    await moves(two);
    const now = await memberIds();
    assert.equal(now.length, 2);
    assert.deepEqual(
      before.filter((id) => now.includes(id)).map((id) => id.includes(two.group)),
      [true],
    );
  });

  it("a sink whose member somebody removes joins again by itself", async () => {
    for (let round = 0; round < 3; round += 1) {
      const ids = await memberIds();
      for (const id of ids) await admin.removeGroupMember(consumerGroup, id, AbortSignal.timeout(60_000));
      await eventually("both have joined anew", async () => {
        const now = await memberIds();
        return now.length === 2 && ids.every((id) => !now.includes(id));
      });
      await Promise.all([moves(one), moves(two)]);
    }
  });
});
