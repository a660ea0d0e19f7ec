import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { KafkaConnectSpec } from "@headrace/contract";
import { brokersOf } from "#operator/cluster/bootstrap.ts";
import { readClaim, toClaim, withClaim } from "#operator/cluster/claim.ts";
import { describeHolder, holderOf, type Party, sharedBy, toParty } from "#operator/cluster/group-taken.ts";
import { createNeighbours, type Neighbours } from "#operator/cluster/neighbours.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import { Pods, StatefulSets } from "#operator/kube/resources.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";
import { ownGroup } from "#support/own-group.ts";

/** With a group and topics of its own, unless told otherwise. */
function cluster(name: string, spec: Partial<KafkaConnectSpec> = {}, metadata: object = {}): KafkaConnect {
  const own = {
    ...ownGroup(name),
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

describe("readClaim", () => {
  it("reads what was written, and nothing of anything else", () => {
    const claim = toClaim(cluster("one"));
    assert.deepEqual(readClaim(withClaim(cluster("any"), claim)), claim);
    assert.equal(readClaim(cluster("any")), null);
    for (const text of ["{", "{}", "1"])
      assert.equal(readClaim(cluster("any", {}, { annotations: { "headrace.dev/holds": text } })), null);
  });
});

describe("holderOf", () => {
  const shared = { groupId: "g" };
  const asking = (name: string, second: number, spec: Partial<KafkaConnectSpec> = shared) =>
    toParty(cluster(name, spec, at(second)), []);
  const running = (name: string, second: number, spec: Partial<KafkaConnectSpec> = shared, has = spec) =>
    toParty(cluster(name, spec, at(second)), [toClaim(cluster(name, has))]);
  const whose = (own: Party, ...others: Party[]) => holderOf(own, others)?.title.match(/ns\/(\S+)/)?.[1] ?? null;

  it("is, of those that only ask, the oldest, and the oldest has none", () => {
    const [first, second, third] = [asking("c1", 1), asking("c2", 2), asking("c3", 3)];
    assert.equal(whose(third, second, first), "c1");
    assert.equal(whose(second, third, first), "c1");
    assert.equal(whose(first, third, second), null);
    assert.equal(whose(third, asking("c0", 0, {})), null);
  });

  it("is the same one of two of one age, whoever asks", () => {
    const [one, other] = [asking("b", 1), asking("a", 1)];
    assert.equal(whose(one, other), "a");
    assert.equal(whose(other, one), null);
  });

  const table: readonly [string, Party, Party][] = [
    ["came a moment ago, of two of one age", running("zeta", 1), asking("alpha", 1)],
    ["is older and was given the group later", running("young", 2), running("old", 1, shared, {})],
    [
      "is older and was given its broker later",
      running("young", 2, { ...shared, bootstrapServers: "b2:9092" }),
      running("old", 1, { ...shared, bootstrapServers: "b1:9092,b2:9092" }, { ...shared, bootstrapServers: "b1:9092" }),
    ],
    [
      "is older, for a topic",
      running("young", 2, { statusStorageTopic: "t" }),
      asking("old", 1, { configStorageTopic: "t" }),
    ],
  ];
  for (const [what, runs, asks] of table) {
    it(`is who has workers with it, not one that ${what}`, () => {
      assert.notEqual(whose(asks, runs), null);
      assert.equal(whose(runs, asks), null);
    });
  }

  it("is the older one of two that have workers with it", () => {
    const [old, young] = [running("old", 1), running("young", 2)];
    assert.equal(whose(young, old), "old");
    assert.equal(whose(old, young), null);
  });

  it("is not one that waits itself", () => {
    const topic = { configStorageTopic: "t" };
    const [first, second, third] = [asking("c1", 1), asking("c2", 2, { ...shared, ...topic }), asking("c3", 3, topic)];
    assert.equal(whose(second, first, third), "c1");
    assert.equal(whose(third, first, second), null);
    assert.equal(whose(third, second), "c2");
  });

  it("is told with what it has and what to do", () => {
    const young = asking("young", 2);
    const told = (other: Party, workers: number) => {
      const holder = holderOf(young, [other]);
      assert.ok(holder !== null);
      return describeHolder(holder, workers);
    };
    assert.equal(
      told(asking("old", 1), 0),
      "The group g of Kafka at my-kafka.ns.svc:9092 belongs to KafkaConnect ns/old of headrace.dev/v1, which is older. Nothing is made for this one. Set spec.replicas to 0, then give it another spec.groupId; or delete the other.",
    );
    assert.equal(
      told(running("old", 3), 2),
      "The group g of Kafka at my-kafka.ns.svc:9092 belongs to KafkaConnect ns/old of headrace.dev/v1, whose workers have it. Those of this one (2) run on as they are; there may only become fewer of them. Set spec.replicas to 0, then give it another spec.groupId; or delete the other.",
    );
  });
});

describe("neighbours", () => {
  let kube: FakeKube;
  let neighbours: Neighbours;

  beforeEach(() => {
    kube = createFakeKube();
    neighbours = createNeighbours({ statefulSets: kube.store(StatefulSets), pods: kube.store(Pods) });
    neighbours.follow(kube.store(KafkaConnects));
  });

  const shared = { groupId: "g" };

  /** Workers as they were made for `connect`. */
  function run(connect: KafkaConnect, replicas: number): void {
    const template = { metadata: { labels: {} }, spec: { containers: [] } };
    const set = withClaim(buildStatefulSet(connect, template, replicas), toClaim(connect));
    kube.put(StatefulSets, set);
    for (let ordinal = 0; ordinal < replicas; ordinal += 1)
      kube.put(Pods, workerPod(ordinal, { cluster: connect.metadata.name }));
  }

  function put(connect: KafkaConnect): KafkaConnect {
    kube.put(KafkaConnects, connect);
    return kube.find(KafkaConnects, keyOf(connect.metadata.name)) ?? assert.fail();
  }

  const keyOf = (name: string) => ({ namespace: "ns", name });
  const whose = (connect: KafkaConnect) => neighbours.holderOf(connect)?.title ?? null;
  const YOUNG = "KafkaConnect ns/young of headrace.dev/v1";

  it("know what a cluster's workers have, also while its spec asks for another group", () => {
    const [old, young] = [put(cluster("old", shared)), put(cluster("young", shared))];
    assert.deepEqual([whose(young), whose(old)], ["KafkaConnect ns/old of headrace.dev/v1", null]);
    run(young, 1);
    assert.deepEqual([whose(young), whose(old)], [null, YOUNG]);
    put(cluster("young"));
    assert.equal(whose(old), YOUNG);
    const set = kube.find(StatefulSets, keyOf("young-connect")) ?? assert.fail();
    kube.put(StatefulSets, { ...set, spec: { ...(set.spec ?? assert.fail()), replicas: 0 } });
    assert.equal(whose(old), YOUNG, "its pod is there");
    kube.remove(Pods, keyOf("young-connect-0"));
    assert.equal(whose(old), null);
  });

  it("keep for a cluster that is scaled to zero what it asks for", () => {
    const old = put(cluster("old", shared));
    run(put(cluster("young", shared)), 0);
    assert.equal(whose(old), YOUNG);
  });

  it("take workers from before it was written down to have what the spec says", () => {
    const [old, young] = [put(cluster("old", shared)), put(cluster("young", shared))];
    kube.put(StatefulSets, buildStatefulSet(young, { spec: { containers: [] } }, 1));
    assert.equal(whose(old), YOUNG);
  });

  it("wait for the last pod of one that is gone", () => {
    const [old, young] = [put(cluster("old", shared)), put(cluster("young", shared))];
    run(old, 1);
    kube.remove(KafkaConnects, keyOf("old"));
    assert.equal(whose(young), "the StatefulSet ns/old-connect");
    kube.remove(StatefulSets, keyOf("old-connect"));
    assert.equal(whose(young), "the StatefulSet ns/old-connect");
    kube.remove(Pods, keyOf("old-connect-0"));
    assert.equal(whose(young), null);
  });

  it("count what was reserved until it is there, or taken back", () => {
    const [old, young] = [put(cluster("old", shared)), put(cluster("young", shared))];
    const release = neighbours.reserve(young, toClaim(young));
    assert.equal(whose(old), YOUNG);
    release();
    assert.equal(whose(old), null);
    neighbours.reserve(young, toClaim(young));
    run(young, 1);
    assert.equal(whose(old), YOUNG);
  });

  it("are no rivals of themselves in another version of their API", () => {
    const one = put(cluster("one", shared));
    neighbours.follow(kube.store(KafkaConnects));
    run(one, 1);
    assert.equal(whose(one), null);
  });

  it("tell of those that come, change and go, and not of a new status", () => {
    neighbours = createNeighbours({ statefulSets: kube.store(StatefulSets), pods: kube.store(Pods) });
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
