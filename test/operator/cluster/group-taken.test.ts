import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { brokersOf } from "#operator/cluster/bootstrap.ts";
import { describeHolder, holderOf, sharedBy } from "#operator/cluster/group-taken.ts";
import { createNeighbours } from "#operator/cluster/neighbours.ts";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { createFakeKube } from "#support/fake-kube.ts";

/** With a group and topics of its own, unless told otherwise. */
function cluster(name: string, spec: Partial<KafkaConnectSpec> = {}, metadata: object = {}): KafkaConnect {
  const own = {
    groupId: name,
    configStorageTopic: `${name}-configs`,
    offsetStorageTopic: `${name}-offsets`,
    statusStorageTopic: `${name}-status`,
  };
  return kafkaConnect(
    { ...own, ...spec },
    { metadata: { namespace: "ns", name, uid: name, generation: 1, ...metadata } },
  );
}

const at = (second: number) => ({ creationTimestamp: `2026-01-01T00:00:0${second}Z` });

describe("brokersOf", () => {
  const table: readonly [string, string, readonly string[]][] = [
    ["completes the name of a Service", "kafka:9092", ["kafka.ns.svc:9092"]],
    ["knows it with its namespace", "kafka.ns:9092", ["kafka.ns.svc:9092"]],
    ["and in full", "kafka.ns.svc.cluster.local.:9092, KAFKA.ns.svc:9093", ["kafka.ns.svc:9092", "kafka.ns.svc:9093"]],
    [
      "leaves domains and addresses as they are",
      "b1.kafka.example.com:9092,10.0.0.1:9092",
      ["b1.kafka.example.com:9092", "10.0.0.1:9092"],
    ],
    ["takes the protocol off", "SASL_SSL://[::1]:9092", ["[::1]:9092"]],
    ["finds none in what is no list", "", []],
  ];
  for (const [what, servers, brokers] of table) {
    it(what, () => assert.deepEqual([...brokersOf(servers, "ns")], brokers));
  }
});

describe("sharedBy", () => {
  const other = cluster("other");
  const table: readonly [string, KafkaConnect, ReturnType<typeof sharedBy>][] = [
    ["nothing of clusters with names of their own", cluster("one"), null],
    [
      "a group",
      cluster("one", { groupId: "other" }),
      { field: "groupId", value: "other", broker: "my-kafka.ns.svc:9092" },
    ],
    [
      "a topic, also one that is for something else there",
      cluster("one", { statusStorageTopic: "other-configs" }),
      { field: "statusStorageTopic", value: "other-configs", broker: "my-kafka.ns.svc:9092" },
    ],
    [
      "a group by one common broker",
      cluster("one", { groupId: "other", bootstrapServers: "elsewhere:9092,my-kafka.ns.svc:9092" }),
      { field: "groupId", value: "other", broker: "my-kafka.ns.svc:9092" },
    ],
    ["nothing of two Kafkas", cluster("one", { groupId: "other", bootstrapServers: "elsewhere:9092" }), null],
    ["nothing of Services of two namespaces", cluster("one", { groupId: "other" }, { namespace: "shop" }), null],
    [
      "a group across namespaces",
      cluster("one", { groupId: "other", bootstrapServers: "my-kafka.ns:9092" }, { namespace: "shop" }),
      { field: "groupId", value: "other", broker: "my-kafka.ns.svc:9092" },
    ],
  ];
  for (const [what, one, shared] of table) it(`finds ${what}`, () => assert.deepEqual(sharedBy(one, other), shared));

  it("finds nothing of resources that cannot be read", () => {
    const broken = { groupId: "", configStorageTopic: "", offsetStorageTopic: "", statusStorageTopic: "" };
    assert.equal(sharedBy(cluster("one", broken), cluster("other", broken)), null);
  });
});

describe("holderOf", () => {
  const shared = { groupId: "g" };
  const [first, second, third] = [1, 2, 3].map((n) => cluster(`c${n}`, shared, at(n)));

  it("is the oldest, and the oldest has none", () => {
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const all = [third, first, second];
    assert.equal(holderOf(third, all)?.by.metadata.name, "c1");
    assert.equal(holderOf(second, all)?.by.metadata.name, "c1");
    assert.equal(holderOf(first, all), null);
    assert.equal(holderOf(third, [third, cluster("c0", {}, at(0))]), null);
  });

  it("is the same one of two of one age, whoever asks", () => {
    const [one, other] = [cluster("b", shared, at(1)), cluster("a", shared, at(1))];
    const all = [one, other];
    assert.equal(holderOf(one, all)?.by.metadata.name, "a");
    assert.equal(holderOf(other, all), null);
  });

  it("is told with what it has and what to do", () => {
    const holder = holderOf(cluster("young", shared, at(2)), [cluster("old", shared, at(1))]);
    assert.ok(holder !== null);
    assert.equal(
      describeHolder(holder),
      "The group g of Kafka at my-kafka.ns.svc:9092 belongs to KafkaConnect ns/old of headrace.dev/v1, which is older. Nothing is made for this one. Give it another spec.groupId, or delete the other.",
    );
  });
});

describe("neighbours", () => {
  it("tell of those that come, change and go, and not of a new status", () => {
    const kube = createFakeKube();
    const neighbours = createNeighbours();
    const told: string[] = [];
    neighbours.onChange((changed) => void told.push(changed.map(({ metadata }) => metadata.name).join()));
    kube.put(KafkaConnects, cluster("a"));
    const unfollow = neighbours.follow(kube.store(KafkaConnects));
    assert.deepEqual(told.splice(0), ["a"]);
    kube.put(KafkaConnects, cluster("b"));
    assert.deepEqual(told.splice(0), ["b"]);
    kube.put(KafkaConnects, cluster("b", { groupId: "c" }));
    assert.deepEqual(told.splice(0), ["b,b"]);
    kube.put(KafkaConnects, { ...cluster("b", { groupId: "c" }), status: { replicas: 1 } });
    assert.deepEqual(told.splice(0), []);
    kube.remove(KafkaConnects, { namespace: "ns", name: "b" });
    assert.deepEqual(told.splice(0), ["b"]);
    assert.deepEqual(
      neighbours.list().map(({ metadata }) => metadata.name),
      ["a"],
    );
    unfollow();
    assert.deepEqual(told, ["a"]);
    assert.deepEqual(neighbours.list(), []);
  });
});
