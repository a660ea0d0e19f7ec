import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseWorkerConfig } from "@headrace/contract";
import { internalTopics } from "#runtime/internal-topics.ts";
import { workerClientConfig } from "#runtime/kafka/client-config.ts";
import { createTopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { createTopicLog } from "#runtime/kafka/topic-log.ts";
import { createConfigStore } from "#runtime/store/config-store.ts";
import { createOffsetStore } from "#runtime/store/offset-store.ts";
import { createStatusStore } from "#runtime/store/status-store.ts";
import type { ConfigChange, ConfigStore, OffsetStore, StatusEntry, StatusStore } from "#runtime/store/stores.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { kafkaSettings } from "#support/topic-logs.ts";

interface Stores {
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly offsets: OffsetStore;
}

const signal = AbortSignal.timeout(280_000);
const id = { connector: "c", task: 0 };
const status = (state: StatusEntry["state"], workerId: string, generation: number): StatusEntry => ({
  state,
  workerId,
  generation,
  trace: null,
  version: null,
});

describe("the stores of two workers on a real Kafka", () => {
  const group = uniqueName("stores");
  let bootstrap: string;
  let stopKafka: () => Promise<void>;
  let one: Stores;
  let two: Stores;

  function createWorker(): Stores {
    const properties = {
      "bootstrap.servers": bootstrap,
      "group.id": group,
      "key.converter": "string",
      "value.converter": "string",
      "config.storage.topic": `${group}-configs`,
      "config.storage.replication.factor": "1",
      "config.storage.segment.bytes": "1048577",
      "offset.storage.topic": `${group}-offsets`,
      "offset.storage.replication.factor": "1",
      "status.storage.topic": `${group}-status`,
      "status.storage.replication.factor": "1",
    };
    const parsed = parseWorkerConfig(properties);
    assert.equal(parsed.kind, "valid");
    const log = createSilentLog();
    const topics = internalTopics(parsed.config, properties);
    const open = (purpose: "configs" | "offsets" | "statuses", topic: keyof typeof topics) => {
      const { settings } = workerClientConfig(properties, purpose);
      return createTopicLog({ settings, topic: topics[topic], readCommitted: false, log });
    };
    return {
      configs: createConfigStore(open("configs", "config"), { log }),
      statuses: createStatusStore(open("statuses", "status"), { log }),
      offsets: createOffsetStore(open("offsets", "offset"), { log }),
    };
  }

  const all = ({ configs, statuses, offsets }: Stores) => [configs, statuses, offsets];

  before(async () => {
    ({ bootstrap, stop: stopKafka } = await sharedKafka());
    one = createWorker();
    two = createWorker();
    await Promise.all([...all(one), ...all(two)].map((store) => store.start(signal)));
  });
  after(async () => {
    await Promise.all([...all(one), ...all(two)].map((store) => store.stop()));
    await stopKafka();
  });

  it("make their topics as a JVM worker would", async () => {
    const admin = createTopicAdmin(kafkaSettings(bootstrap), createSilentLog());
    const found = await Promise.all(
      ["configs", "offsets", "status"].map(async (name) => [
        await admin.partitions(`${group}-${name}`, signal),
        await admin.topicConfig(`${group}-${name}`, "cleanup.policy", signal),
      ]),
    );
    assert.deepEqual(found, [
      [1, "compact"],
      [25, "compact"],
      [5, "compact"],
    ]);
    assert.equal(await admin.topicConfig(`${group}-configs`, "segment.bytes", signal), "1048577");
    admin.close();
  });

  it("have the same configuration at the same offset, and hear of each other's changes", async () => {
    const heard: ConfigChange[] = [];
    const unsubscribe = two.configs.onChange((change) => heard.push(change));
    await one.configs.putConnector("c", { name: "c" }, "PAUSED", signal);
    await one.configs.putTaskConfigs("c", [{ t: "0" }, { t: "1" }], signal);
    await two.configs.putTargetState("c", "STARTED", signal);
    await eventually("the change comes back", () => heard.some(({ kind }) => kind === "targetStateChanged"));
    await one.configs.readToEnd(signal);
    assert.deepEqual(two.configs.config(), one.configs.config());
    assert.equal(one.configs.config().offset, 6n);
    assert.deepEqual(
      heard.map(({ kind }) => kind),
      ["connectorUpdated", "tasksCommitted", "targetStateChanged"],
    );
    unsubscribe();
  });

  it("do not let a worker that was left behind write over a newer status", async () => {
    one.statuses.putTask(id, status("RUNNING", "one", 4), { safe: false });
    await one.statuses.flush(signal);
    await two.statuses.readToEnd(signal);
    two.statuses.putTask(id, status("RUNNING", "two", 5), { safe: false });
    await two.statuses.flush(signal);
    await one.statuses.readToEnd(signal);
    one.statuses.putTask(id, status("FAILED", "one", 4), { safe: true });
    await one.statuses.flush(signal);
    await two.statuses.readToEnd(signal);
    assert.deepEqual(two.statuses.task(id), status("RUNNING", "two", 5));
    two.statuses.putTask(id, status("FAILED", "two", 5), { safe: true });
    await eventually("the failure is seen", () => one.statuses.task(id)?.state === "FAILED");
  });

  it("see each other's active topics and removals", async () => {
    one.statuses.putConnector("c", status("RUNNING", "one", 1), { safe: false });
    one.statuses.putTopic("c", "lines", 0);
    await one.statuses.flush(signal);
    await two.statuses.readToEnd(signal);
    assert.deepEqual(two.statuses.topics("c"), ["lines"]);
    two.statuses.removeConnector("c", () => true);
    two.statuses.resetTopics("c");
    await two.statuses.flush(signal);
    await one.statuses.readToEnd(signal);
    assert.deepEqual([one.statuses.connectors(), one.statuses.topics("c"), one.statuses.tasks("c").size], [[], [], 0]);
  });

  it("find each other's offsets at once", async () => {
    const partition = (index: number) => ({ file: `f${index}`, shard: index });
    for (let round = 0; round < 5; round++) {
      const offsets = Array.from({ length: 40 }, (_, index) => ({
        partition: partition(index),
        offset: { at: round },
      }));
      await one.offsets.write("c", offsets, signal);
      const found = await two.offsets.read("c", [partition(0), partition(39), { file: "none" }], signal);
      assert.deepEqual(found, [{ at: round }, { at: round }, null]);
    }
    await two.offsets.write("c", [{ partition: partition(3), offset: null }], signal);
    assert.equal((await one.offsets.list("c", signal)).length, 39);
  });

  it("are all there for a worker that starts later", async () => {
    const late = createWorker();
    await Promise.all(all(late).map((store) => store.start(signal)));
    assert.deepEqual(late.configs.config(), one.configs.config());
    const offsets = await late.offsets.list("c", signal);
    assert.deepEqual(new Set(offsets.map(({ offset }) => offset["at"])), new Set([4]));
    await Promise.all(all(late).map((store) => store.stop()));
  });
});
