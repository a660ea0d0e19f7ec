import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTopicCreation } from "#runtime/task/topic-creation.ts";

const config = {
  "topic.creation.groups": "compacted, wide",
  "topic.creation.default.partitions": "3",
  "topic.creation.default.replication.factor": "-1",
  "topic.creation.default.retention.ms": "1000",
  "topic.creation.compacted.include": "state-.*, other",
  "topic.creation.compacted.exclude": "state-x",
  "topic.creation.compacted.cleanup.policy": "compact",
  "topic.creation.wide.include": "state-.*",
  "topic.creation.wide.partitions": "12",
};

describe("parseTopicCreation", () => {
  const settingsOf = parseTopicCreation(config);
  const rows: readonly [string, object][] = [
    ["plain", { partitions: 3, replicationFactor: -1, configs: { "retention.ms": "1000" } }],
    [
      "state-a",
      { partitions: 3, replicationFactor: -1, configs: { "retention.ms": "1000", "cleanup.policy": "compact" } },
    ],
    ["state-x", { partitions: 12, replicationFactor: -1, configs: { "retention.ms": "1000" } }],
    ["my-other", { partitions: 3, replicationFactor: -1, configs: { "retention.ms": "1000" } }],
  ];
  for (const [topic, settings] of rows)
    it(`finds the group of ${topic}`, () => assert.deepEqual(settingsOf?.(topic), settings));

  it("is null without settings", () => assert.equal(parseTopicCreation({ name: "c" }), null));

  it("names what is missing or wrong", () => {
    const rows: readonly [object, RegExp][] = [
      [
        { "topic.creation.default.partitions": "1" },
        /Missing required configuration "topic.creation.default.replication.factor"/,
      ],
      [{ ...config, "topic.creation.default.partitions": "0" }, /Value must be at least 1, or -1/],
      [
        { ...config, "topic.creation.wide.include": "" },
        /Missing required configuration "topic.creation.wide.include"/,
      ],
      [{ ...config, "topic.creation.wide.include": "(" }, /Invalid regex/],
    ];
    for (const [given, message] of rows) assert.throws(() => parseTopicCreation({ ...given }), message);
  });
});
