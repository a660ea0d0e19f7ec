import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo } from "@headrace/contract";
import { Kafka, logLevel } from "kafkajs";
import { repoRoot } from "#dev/cache.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

describe("a worker with connectors that misbehave", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-misbehaving-"));
  const plugins = join(dir, "plugins");
  const group = uniqueName("misbehaving");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let worker: TestWorker;
  /** A request whose answer is looked at later. */
  let hanging: ReturnType<typeof rest> | undefined;

  const start = (more: Readonly<Record<string, string>>) =>
    startWorker({
      dir,
      properties: {
        ...groupProperties(kafka.bootstrap, group),
        "plugin.path": plugins,
        "headrace.plugin.load.timeout.ms": "60000",
        "headrace.task.blocked.timeout.ms": "6000",
        "headrace.request.timeout.ms": "20000",
        "headrace.executors.max": "1",
        "headrace.metrics.listener": "",
        "task.shutdown.graceful.timeout.ms": "500",
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        ...more,
      },
    });

  before(async () => {
    kafka = await sharedKafka();
    for (const name of ["misbehaving", "late", "slow-to-load"]) {
      cpSync(join(repoRoot, "test/fixtures/plugins", name), join(plugins, name), { recursive: true });
    }
    worker = await start({ "topic.creation.enable": "false" });
  });
  after(async () => {
    await worker.process.kill();
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const ask = (method: string, path: string, body?: unknown) => rest(worker.url, method, path, body);
  const put = (name: string, config: Readonly<Record<string, string>>) =>
    ask("PUT", `/connectors/${name}/config`, config);
  const create = async (name: string, config: Readonly<Record<string, string>>) => {
    const { status, body } = await put(name, config);
    assert.ok(status < 300, JSON.stringify(body));
  };
  const misbehaving = (how: Readonly<Record<string, string>>) => ({ "connector.class": "misbehaving", ...how });
  const datagen = (topic: string, more: Readonly<Record<string, string>> = {}) => ({
    "connector.class": "datagen",
    topic,
    "rate.per.second": "20",
    ...more,
  });
  const statusOf = async (name: string) => {
    const { status, body } = await ask("GET", `/connectors/${name}/status`);
    return status === 200 ? ConnectorStateInfo.parse(body) : null;
  };
  const reaches = (name: string, wanted: string) =>
    eventually(`${name} is ${wanted}`, async () => {
      const found = await statusOf(name);
      return found !== null && [found.connector, ...found.tasks].map(({ state }) => state).join(" ") === wanted;
    });
  const remove = async (name: string) => {
    assert.equal((await ask("DELETE", `/connectors/${name}`)).status, 204);
    await eventually(`${name} is gone`, async () => (await statusOf(name)) === null);
  };
  const partitionsOf = async (topic: string): Promise<number> => {
    const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      return await eventually(`topic ${topic}`, async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        const count = topics[0]?.partitions.length ?? 0;
        return count > 0 && count;
      });
    } finally {
      await admin.disconnect();
    }
  };

  it("serves others while a validation and a configuration definition hold up their process", async () => {
    const flag = join(dir, "block-config");
    writeFileSync(flag, "");
    const stuck = [ask("GET", "/connector-plugins/misbehaving/config"), put("stuck", misbehaving({}))];
    await create("first", datagen(`${group}-first`));
    await reaches("first", "RUNNING RUNNING");
    for (const { status, body } of await Promise.all(stuck)) {
      assert.equal(status, 500);
      assert.match(JSON.stringify(body), /event loop blocked for more than 6000 ms/);
    }
    rmSync(flag);
    assert.equal((await ask("GET", "/connector-plugins/misbehaving/config")).status, 200);
  });

  it("runs others while a validation and a connector's start hang, and deletes the connector", async () => {
    hanging = put("stuck", misbehaving({ hang: "validate" }));
    await create("starts", misbehaving({ hang: "open" }));
    await create("second", datagen(`${group}-second`));
    await reaches("second", "RUNNING RUNNING");
    await remove("starts");
    await reaches("second", "RUNNING RUNNING");
    await remove("second");
  });

  for (const how of ["hang", "fail"]) {
    it(`stops a connector whose end does not come or fails (${how}), its task's as well`, async () => {
      await create("stops", misbehaving({ [how]: "close,closeTask" }));
      await reaches("stops", "RUNNING RUNNING");
      assert.equal((await ask("PUT", "/connectors/stops/stop")).status, 204);
      await reaches("stops", "STOPPED");
      await reaches("first", "RUNNING RUNNING");
      await remove("stops");
    });
  }

  it("restarts a connector whose placeholder cannot be resolved any more once its configuration has none", async () => {
    const file = join(dir, "topic.properties");
    writeFileSync(file, `topic=${group}-placeholder\n`);
    await create("reads", datagen(`\${file:${file}:topic}`));
    await reaches("reads", "RUNNING RUNNING");
    rmSync(file);
    await ask("POST", "/connectors/reads/tasks/0/restart");
    await reaches("reads", "RUNNING FAILED");
    await create("reads", datagen(`${group}-plain`));
    await reaches("reads", "RUNNING RUNNING");
    await remove("reads");
  });

  it("gives up the validation that hangs when its time is over, and says so", async () => {
    const answer = await hanging;
    assert.equal(answer?.status, 500);
    assert.match(
      JSON.stringify(answer?.body),
      /Request timed out\. The worker is currently validating the configuration of connector stuck, which began at/,
    );
  });

  it("comes back while a connector blocks and one takes its time to load, and with another topic.creation.enable", async () => {
    const wide = { "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1" };
    await create("before", datagen(`${group}-before`, wide));
    assert.equal(await partitionsOf(`${group}-before`), 1, "made by the broker");
    await create("starts", misbehaving({ hang: "open" }));
    await create("blocks", misbehaving({ block: "poll" }));
    await create("slow", { "connector.class": "slow-to-load", topic: `${group}-slow` });
    await reaches("slow", "RUNNING RUNNING");
    await worker.process.stop(60_000);
    worker = await start({ "topic.creation.enable": "true" });
    await reaches("first", "RUNNING RUNNING");
    await reaches("slow", "RUNNING RUNNING");
    // It was not started before its package was known.
    assert.doesNotMatch(readFileSync(worker.process.logFile, "utf8"), /Failed to find any class/);
    await create("after", datagen(`${group}-after`, wide));
    assert.equal(await partitionsOf(`${group}-after`), 3, "made by the connector");
    for (const name of ["starts", "blocks"]) await remove(name);
  });

  it("starts what failed without its plugin by itself, once the package can be loaded after all", async () => {
    const flag = join(dir, "late-hangs");
    await create("late", { "connector.class": "late", topic: `${group}-late` });
    await reaches("late", "RUNNING RUNNING");
    await worker.process.stop(60_000);
    writeFileSync(flag, "");
    worker = await start({ "headrace.plugin.load.timeout.ms": "6000", "headrace.plugin.scan.interval.ms": "2000" });
    await reaches("late", "FAILED FAILED");
    await reaches("first", "RUNNING RUNNING");
    rmSync(flag);
    await reaches("late", "RUNNING RUNNING");
  });
});
