import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo } from "@headrace/contract";
import kafkajs, { type Admin } from "kafkajs";
import type { LocalKafka } from "#dev/kafka.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic, ownKafka, sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} = kafkajs;

/** What a shared broker cannot be: it makes no topics, compacts what has no policy of its own, knows rights, and goes away. */
const BROKER = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "allow.everyone.if.no.acl.found": "true",
  "auto.create.topics.enable": "false",
  "log.cleanup.policy": "compact",
  // Killed, it may come back under its id when its session is over.
  "broker.session.timeout.ms": "1500",
  "broker.heartbeat.interval.ms": "300",
};

describe("workers of a broker with settings of its own, beside a second cluster", { timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-broker-settings-"));
  const group = uniqueName("settings");
  const exactGroup = `${group}-eos`;
  let broker: LocalKafka;
  let other: Awaited<ReturnType<typeof sharedKafka>>;
  let worker: TestWorker;
  let exact: TestWorker;
  let admin: Admin;
  const readers: CommittedReader[] = [];

  before(async () => {
    [broker, other] = await Promise.all([ownKafka({ properties: BROKER, heap: "512m" }), sharedKafka()]);
    admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await Promise.all(
      ["configs", "offsets", "status"].map((kind) => createTopic(broker.bootstrap, `${group}-${kind}`)),
    );
    const common = { "headrace.metrics.listener": "", "headrace.executors.max": "1" };
    [worker, exact] = await Promise.all([
      startWorker({
        dir,
        properties: {
          ...groupProperties(broker.bootstrap, group),
          ...common,
          "session.timeout.ms": "6000",
          "heartbeat.interval.ms": "500",
          "headrace.request.timeout.ms": "12000",
        },
      }),
      startWorker({
        dir,
        properties: {
          ...groupProperties(broker.bootstrap, exactGroup),
          ...common,
          "exactly.once.source.support": "enabled",
        },
      }),
    ]);
  });
  after(async () => {
    await Promise.all([worker?.process.kill(), exact?.process.kill(), ...readers.map((reader) => reader.close())]);
    await admin?.disconnect();
    await broker?.stop();
    await other?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const put = async (of: TestWorker, name: string, config: Readonly<Record<string, string>>) => {
    const { status, body } = await rest(of.url, "PUT", `/connectors/${name}/config`, config);
    assert.ok(status < 300, JSON.stringify(body));
  };
  const statusOf = async (of: TestWorker, name: string) => {
    const { status, body } = await rest(of.url, "GET", `/connectors/${name}/status`);
    return status === 200 ? ConnectorStateInfo.parse(body) : null;
  };
  const reaches = (of: TestWorker, name: string, wanted: string) =>
    eventually(
      `${name} is ${wanted}`,
      async () => {
        const found = await statusOf(of, name);
        return found !== null && [found.connector, ...found.tasks].map(({ state }) => state).join(" ") === wanted;
      },
      90_000,
    );
  const remove = async (of: TestWorker, name: string) => {
    assert.equal((await rest(of.url, "DELETE", `/connectors/${name}`)).status, 204);
    await eventually(`${name} is gone`, async () => (await statusOf(of, name)) === null, 90_000);
  };
  const read = (bootstrap: string, topic: string): CommittedReader => {
    const reader = openCommittedReader(bootstrap, topic);
    readers.push(reader);
    return reader;
  };
  const createDeletingTopic = (topic: string) =>
    createTopic(broker.bootstrap, topic, { config: { "cleanup.policy": "delete" } });
  const policyOf = async (topic: string) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["cleanup.policy"] }],
    });
    return resources[0]?.configEntries[0]?.configValue;
  };

  it("take topics that were made by hand where compact is the broker's default", async () => {
    for (const kind of ["configs", "offsets", "status"]) assert.equal(await policyOf(`${group}-${kind}`), "compact");
    await createDeletingTopic(`${group}-t`);
    await put(worker, "gen", { "connector.class": "datagen", topic: `${group}-t`, "rate.per.second": "50" });
    await reaches(worker, "gen", "RUNNING RUNNING");
  });

  it("delete a source whose topic does not exist", async () => {
    for (const each of [worker, exact]) {
      const topic = `${group}-nowhere`;
      await put(each, "nowhere", { "connector.class": "datagen", topic, "rate.per.second": "1000" });
      await reaches(each, "nowhere", "RUNNING RUNNING");
    }
    for (const each of [worker, exact]) await remove(each, "nowhere");
    await reaches(worker, "gen", "RUNNING RUNNING");
  });

  it("fail tasks whose predecessors they may not fence, and run them once they may", async () => {
    const topic = `${exactGroup}-t`;
    await createDeletingTopic(topic);
    const config = { "connector.class": "datagen", topic, "rate.per.second": "20", streams: "2" };
    await put(exact, "fenced", { ...config, "tasks.max": "2" });
    await reaches(exact, "fenced", "RUNNING RUNNING RUNNING");
    const deny = {
      resourceType: AclResourceTypes.TRANSACTIONAL_ID,
      // The one task that is left has every right to its own.
      resourceName: `${exactGroup}-fenced-1`,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: "User:ANONYMOUS",
      host: "*",
      operation: AclOperationTypes.ALL,
      permissionType: AclPermissionTypes.DENY,
    };
    await admin.createAcls({ acl: [deny] });
    await eventually("the broker knows", async () => (await admin.describeAcls(deny)).resources.length > 0);
    await put(exact, "fenced", { ...config, "tasks.max": "1" });
    await reaches(exact, "fenced", "RUNNING FAILED");
    const trace = (await statusOf(exact, "fenced"))?.tasks[0]?.trace ?? "";
    assert.match(trace, /authorization failed/i);
    assert.match(trace, new RegExp(`${exactGroup}-fenced-1`));
    await admin.deleteAcls({ filters: [deny] });
    await eventually("the broker has forgotten", async () => (await admin.describeAcls(deny)).resources.length === 0);
    assert.equal((await rest(exact.url, "POST", "/connectors/fenced/tasks/0/restart")).status, 204);
    await reaches(exact, "fenced", "RUNNING RUNNING");
    await remove(exact, "fenced");
  });

  it("keep a source's offsets on another cluster, with a copy in their own topic", async () => {
    const file = join(dir, "lines.txt");
    writeFileSync(file, "one\ntwo\nthree\n");
    const topic = `${exactGroup}-elsewhere`;
    const own = `${exactGroup}-own-offsets`;
    const elsewhere = Object.fromEntries(
      ["producer", "consumer", "admin"].map((client) => [`${client}.override.bootstrap.servers`, other.bootstrap]),
    );
    const copied = read(broker.bootstrap, `${exactGroup}-offsets`);
    await put(exact, "away", {
      "connector.class": "FileStreamSource",
      file,
      topic,
      "offsets.storage.topic": own,
      ...elsewhere,
    });
    await reaches(exact, "away", "RUNNING RUNNING");
    const lines = read(other.bootstrap, topic);
    const stored = read(other.bootstrap, own);
    await eventually("the lines", () => lines.records.length === 3);
    const key = JSON.stringify(["away", { filename: file }]);
    const offset = JSON.stringify({ position: 14 });
    await eventually("the offset there", () => stored.records.at(-1)?.value === offset);
    assert.equal(stored.records.at(-1)?.key, key);
    await eventually("the offset here", () => copied.records.some((one) => one.key === key && one.value === offset));
    const { body } = await rest(exact.url, "GET", "/connectors/away/offsets");
    assert.deepEqual(body, { offsets: [{ partition: { filename: file }, offset: { position: 14 } }] });
    assert.equal((await rest(exact.url, "PUT", "/connectors/away/stop")).status, 204);
    await eventually("the reset", async () => {
      return (await rest(exact.url, "DELETE", "/connectors/away/offsets")).status === 200;
    });
    assert.deepEqual((await rest(exact.url, "GET", "/connectors/away/offsets")).body, { offsets: [] });
    await eventually("the reset there", () => stored.records.at(-1)?.value === null);
    await remove(exact, "away");
  });

  it("show, alter and reset where a sink reads on another cluster", async () => {
    const topic = `${group}-elsewhere`;
    const producer = new Kafka({ brokers: [other.bootstrap], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic, messages: ["a", "b", "c"].map((value) => ({ value })) });
    await producer.disconnect();
    const config = {
      "connector.class": "FileStreamSink",
      file: join(dir, "out.txt"),
      topics: topic,
      "consumer.override.bootstrap.servers": other.bootstrap,
      "admin.override.bootstrap.servers": other.bootstrap,
    };
    await put(worker, "far", config);
    const partition = { kafka_topic: topic, kafka_partition: 0 };
    const offsets = async () => (await rest(worker.url, "GET", "/connectors/far/offsets")).body;
    const shows = (offset: number) =>
      eventually(`offset ${offset}`, async () => {
        assert.deepEqual(await offsets(), { offsets: [{ partition, offset: { kafka_offset: offset } }] });
        return true;
      });
    await shows(3);
    assert.equal((await rest(worker.url, "PUT", "/connectors/far/stop")).status, 204);
    await eventually("the alteration", async () => {
      const body = { offsets: [{ partition, offset: { kafka_offset: 1 } }] };
      return (await rest(worker.url, "PATCH", "/connectors/far/offsets", body)).status === 200;
    });
    await shows(1);
    assert.equal((await rest(worker.url, "DELETE", "/connectors/far/offsets")).status, 200);
    assert.deepEqual(await offsets(), { offsets: [] });
    await remove(worker, "far");
  });

  it("tell while the brokers are away that and at what they are stuck, stop their work and take it up again", async () => {
    const health = (of: TestWorker) => rest(of.url, "GET", "/health");
    const together = (check: (of: TestWorker) => Promise<unknown>) => Promise.all([worker, exact].map(check));
    await broker.kill();
    try {
      await together(async (of) => {
        const { body } = await eventually(
          "unhealthy",
          async () => {
            const answer = await health(of);
            return answer.status === 500 && answer;
          },
          90_000,
        );
        assert.match(
          JSON.stringify(body),
          /Worker was unable to handle this request and may be unable to handle other requests\. The worker is currently \w+/,
        );
      });
      const request = await rest(worker.url, "PUT", "/connectors/gen/pause");
      assert.equal(request.status, 500);
      assert.match(
        JSON.stringify(request.body),
        /Request timed out\. The worker is currently writing the target state/,
      );
    } finally {
      // Whatever went wrong: who comes after this has a broker.
      broker = await broker.restart();
    }
    await together((of) => eventually("healthy", async () => (await health(of)).status === 200, 90_000));
    assert.equal((await rest(worker.url, "PUT", "/connectors/gen/resume")).status, 202);
    await reaches(worker, "gen", "RUNNING RUNNING");
  });

  it("name the write that cannot be done when the config topic is gone", async (t) => {
    await admin.deleteTopics({ topics: [`${group}-configs`] });
    const { status, body } = await rest(worker.url, "PUT", "/connectors/gen/config", {
      "connector.class": "datagen",
      topic: `${group}-t`,
    });
    assert.equal(status, 500);
    assert.match(
      JSON.stringify(body),
      /Request timed out\. The worker is currently writing a config for connector gen to the config topic, which began at/,
    );
    t.diagnostic(
      "interop | broker that compacts, knows rights, makes no topics, goes away | 2 workers, 2 clusters | offsets kept, failures told by stage",
    );
  });
});
