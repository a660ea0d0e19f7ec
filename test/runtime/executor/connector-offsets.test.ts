import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { defineSink, defineSource } from "@headrace/sdk";
import { z } from "zod";
import { ConnectError } from "#runtime/errors.ts";
import type { SinkGroup } from "#runtime/executor/clients.ts";
import {
  alterSinkOffsets,
  alterSourceOffsets,
  listSinkOffsets,
  type OffsetsEnvironment,
  sinkProgress,
} from "#runtime/executor/connector-offsets.ts";

const signal = AbortSignal.timeout(60_000);
const at = (topic: string, partition: number) => ({ topic, partition });

describe("offsets of a connector, in an executor", () => {
  let calls: string[];
  let members: string[];
  let committed: { topic: string; partition: number; offset: bigint }[];
  let hook: ((offsets: readonly unknown[]) => boolean) | undefined;
  let kind: "source" | "sink";

  beforeEach(() => {
    calls = [];
    members = [];
    committed = [{ ...at("t", 0), offset: 4n }];
    hook = () => true;
    kind = "sink";
  });

  const plugin = () => {
    const config = z.object({ secret: z.string() });
    const alterOffsets = ({ secret }: { secret: string }, offsets: readonly unknown[]) => {
      calls.push(`asked with ${secret}`);
      return hook?.(offsets) ?? false;
    };
    const common = { name: "p", version: "1", config, ...(hook === undefined ? {} : { alterOffsets }) };
    const openTask = () => Promise.reject(new Error("no tasks here"));
    return kind === "sink"
      ? defineSink({ ...common, openTask })
      : defineSource({ ...common, planTasks: () => [{}], openTask });
  };
  const group = (connectorConfig: StringMap): SinkGroup => ({
    groupId: connectorConfig["group"] ?? "connect-c",
    admin: {
      clusterId: async () => "kafka",
      createTopic: async () => "exists",
      partitions: async (topic) => (topic === "t" ? 2 : null),
      topics: async () => [],
      topicConfig: async () => null,
      offsets: async () => new Map([[0, 12n]]),
      groupOffsets: async (name) => (name === "connect-c" ? committed : []),
      describeGroup: async () => ({
        state: "Stable",
        members: members.map((clientId) => ({ memberId: clientId, clientId, clientHost: "h" })),
      }),
      removeGroupMember: async () => {},
      fenceProducer: async () => {},
      close: () => {},
    },
    alter: async (name, offsets) => {
      calls.push(`${name}: ${offsets.map(({ topic, partition, offset }) => `${topic}-${partition}=${offset}`).join()}`);
    },
    remove: async (name, partitions) => {
      calls.push(`${name}: without ${partitions.map(({ topic, partition }) => `${topic}-${partition}`).join()}`);
    },
    removeGroup: async (name) => void calls.push(`${name}: gone`),
    close: () => void calls.push("closed"),
  });
  const environment = (): OffsetsEnvironment => ({
    worker: {},
    resolver: {
      resolve: async (config) => ({ ...config, secret: config["secret"]?.replace("raw", "resolved") ?? "" }),
    },
    plugins: { connector: () => plugin() },
    clients: { openSinkGroup: ({ connectorConfig }) => group(connectorConfig) },
  });
  const owner = { connector: "c", config: { "connector.class": "p", secret: "raw" } };

  it("lists what the sink's group has committed", async () => {
    assert.deepEqual(await listSinkOffsets(environment(), owner, signal), committed);
    const other = { ...owner, config: { ...owner.config, group: "other" } };
    assert.deepEqual(await listSinkOffsets(environment(), other, signal), []);
    assert.deepEqual(calls, ["closed", "closed"]);
  });

  it("tells where the partitions of the sink's group end, as far as they are there", async () => {
    assert.deepEqual(await sinkProgress(environment(), owner, signal), {
      group: "connect-c",
      partitions: committed.map((each) => ({ ...each, end: each.topic === "t" && each.partition === 0 ? 12n : null })),
    });
    assert.deepEqual(calls, ["closed"]);
  });

  it("asks the sink, then changes its group", async () => {
    const offsets = [
      { ...at("t", 0), offset: 9n },
      { ...at("t", 1), offset: null },
    ];
    assert.equal(await alterSinkOffsets(environment(), { ...owner, offsets }, signal), true);
    assert.deepEqual(calls, ["asked with resolved", "connect-c: t-0=9", "connect-c: without t-1", "closed"]);
  });

  it("asks the sink to forget everything, then removes the group", async () => {
    let asked: readonly unknown[] = [];
    hook = (offsets) => {
      asked = offsets;
      return false;
    };
    assert.equal(await alterSinkOffsets(environment(), { ...owner, offsets: null }, signal), false);
    assert.deepEqual(asked, [{ ...at("t", 0), offset: null }]);
    assert.deepEqual(calls, ["asked with resolved", "connect-c: gone", "closed"]);
  });

  it("counts a connector without an opinion as one that may keep offsets elsewhere", async () => {
    hook = undefined;
    assert.equal(await alterSinkOffsets(environment(), { ...owner, offsets: null }, signal), false);
    kind = "source";
    assert.equal(await alterSourceOffsets(environment(), { ...owner, offsets: [] }, signal), false);
  });

  for (const [fact, offsets, message] of [
    ["a partition that is not there", [{ ...at("t", 2), offset: 1n }], /Topic 't' has no partition 2/],
    ["a negative partition", [{ ...at("t", -1), offset: 1n }], /Topic 't' has no partition -1/],
    ["a topic that is not there", [{ ...at("u", 0), offset: null }], /Topic 'u' has no partition 0/],
  ] as const) {
    it(`refuses ${fact} before anybody is told`, async () => {
      await assert.rejects(alterSinkOffsets(environment(), { ...owner, offsets }, signal), message);
      assert.deepEqual(calls, ["closed"]);
    });
  }

  it("tells nobody while the group has members", async () => {
    members = ["connector-consumer-c-0"];
    await assert.rejects(
      alterSinkOffsets(environment(), { ...owner, offsets: null }, signal),
      (error) => error instanceof ConnectError && error.code === "conflict" && /consumer-c-0/.test(error.message),
    );
    assert.deepEqual(calls, ["closed"]);
  });

  it("changes nothing if the connector refuses", async () => {
    hook = () => {
      throw new Error("no such table");
    };
    await assert.rejects(alterSinkOffsets(environment(), { ...owner, offsets: null }, signal), /no such table/);
    assert.deepEqual(calls, ["asked with resolved", "closed"]);
  });

  it("asks a source with its resolved configuration", async () => {
    kind = "source";
    const offsets = [{ partition: { table: "t" }, offset: null }];
    assert.equal(await alterSourceOffsets(environment(), { ...owner, offsets }, signal), true);
    assert.deepEqual(calls, ["asked with resolved"]);
  });
});
