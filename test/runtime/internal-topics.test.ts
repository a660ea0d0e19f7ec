import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkerConfig } from "@headrace/contract";
import { internalTopics } from "#runtime/internal-topics.ts";

const PROPERTIES = {
  "bootstrap.servers": "localhost:9092",
  "group.id": "g",
  "config.storage.topic": "c",
  "offset.storage.topic": "o",
  "status.storage.topic": "s",
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
};

function topicsOf(more: Readonly<Record<string, string>> = {}) {
  const properties = { ...PROPERTIES, ...more };
  const parsed = parseWorkerConfig(properties);
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return internalTopics(parsed.config, properties);
}

describe("the worker's topics", () => {
  it("have Connect's partitions and replication by default", () => {
    const { config, offset, status } = topicsOf();
    assert.deepEqual(
      [config, offset, status].map(({ topic, partitions, replicationFactor, singlePartition, configs }) => [
        topic,
        partitions,
        replicationFactor,
        singlePartition,
        configs,
      ]),
      [
        ["c", 1, 3, true, {}],
        ["o", 25, 3, false, {}],
        ["s", 5, 3, false, {}],
      ],
    );
  });

  it("leave it to the broker with -1", () => {
    const { config, offset, status } = topicsOf({
      "config.storage.replication.factor": "-1",
      "offset.storage.replication.factor": "-1",
      "offset.storage.partitions": "-1",
      "status.storage.replication.factor": "-1",
      "status.storage.partitions": "-1",
    });
    assert.deepEqual(
      [config, offset, status].map(({ partitions, replicationFactor }) => [partitions, replicationFactor]),
      [
        [1, -1],
        [-1, -1],
        [-1, -1],
      ],
    );
  });

  it("are created with every other setting of their prefix, and are always compacted", () => {
    const { config, offset, status } = topicsOf({
      "config.storage.min.insync.replicas": "2",
      "config.storage.cleanup.policy": "delete",
      "config.storage.partitions": "7",
      "offset.storage.segment.bytes": "1048576",
      "offset.storage.file.filename": "/tmp/offsets",
      "status.storage.cleanup.policy": "delete",
    });
    assert.deepEqual(
      [config, offset, status].map(({ configs }) => configs),
      [{ "min.insync.replicas": "2" }, { "segment.bytes": "1048576" }, {}],
    );
    assert.equal(config.partitions, 1);
  });
});
