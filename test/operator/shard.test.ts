import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { clusterKeyOf } from "@headrace/contract";
import { type KafkaConnect, type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { formerCluster, openShard, type ShardStores } from "#operator/shard.ts";
import { kafkaConnect, kafkaConnector } from "#support/connect-objects.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

describe("a shard", () => {
  let kube: FakeKube;
  let shard: ShardStores<KafkaConnect, KafkaConnector>;
  let told: string[];

  beforeEach(() => {
    kube = createFakeKube();
    shard = openShard({
      connects: kube.store(KafkaConnects),
      connectors: kube.store(KafkaConnectors),
      isOurs: ({ metadata }) => metadata.labels?.["shard"] === "ours",
      isWatched: (namespace) => namespace === "ns",
      namedBy: ({ metadata }) => clusterKeyOf(metadata),
      madeOn: formerCluster,
    });
    told = [];
    shard.connectors.onChange(({ previous, current }) => {
      const kind = previous === undefined ? "added" : current === undefined ? "removed" : "changed";
      told.push(`${kind} ${(current ?? previous)?.metadata.name}`);
    });
  });

  const putConnect = (name: string, label: string) =>
    kube.put(KafkaConnects, kafkaConnect({}, { metadata: { namespace: "ns", name, labels: { shard: label } } }));

  function putConnector(name: string, cluster: string, more: Parameters<typeof kafkaConnector>[1] = {}): void {
    const metadata = { name, labels: { "headrace.dev/cluster": cluster }, ...more.metadata };
    kube.put(KafkaConnectors, kafkaConnector({}, { ...more, metadata }));
  }

  const names = (objects: readonly { readonly metadata: { readonly name: string } }[]) =>
    objects.map(({ metadata }) => metadata.name);

  it("has the clusters with the labels, and the connectors on them, whichever comes first", () => {
    putConnector("early", "ours");
    putConnect("ours", "ours");
    putConnect("theirs", "theirs");
    putConnector("late", "ours");
    putConnector("foreign", "theirs");
    putConnector("nowhere", "none");
    assert.deepEqual(names(shard.connects.list()), ["ours"]);
    assert.deepEqual(names(shard.connectors.list()), ["early", "late"]);
    assert.deepEqual(told, ["added early", "added late"]);
    assert.equal(shard.connects.get({ namespace: "ns", name: "theirs" }), undefined);
    assert.equal(shard.connectors.get({ namespace: "ns", name: "foreign" }), undefined);
  });

  it("gives and gets them when labels change", () => {
    putConnect("a", "theirs");
    putConnector("orders", "a");
    assert.deepEqual(told, []);
    putConnect("a", "ours");
    putConnect("a", "theirs");
    assert.deepEqual(told, ["added orders", "removed orders"]);
  });

  it("keeps what was made on a cluster of its own until that is gone, and takes nothing that was made elsewhere", () => {
    const uids = Object.fromEntries(
      ["ours", "theirs"].map((name) => [name, putConnect(name, name).metadata.uid ?? ""]),
    );
    const madeOn = (name: string) => ({ status: { connectCluster: { name, uid: uids[name] ?? "" } } });
    putConnector("leaving", "theirs", madeOn("ours"));
    putConnector("coming", "ours", madeOn("theirs"));
    assert.deepEqual(names(shard.connectors.list()), ["leaving"]);
    kube.remove(KafkaConnects, { namespace: "ns", name: "theirs" });
    assert.deepEqual(names(shard.connectors.list()).toSorted(), ["coming", "leaving"]);
    putConnect("theirs", "theirs");
    kube.remove(KafkaConnects, { namespace: "ns", name: "ours" });
    assert.deepEqual(names(shard.connectors.list()), []);
  });

  it("lets go of what is on no cluster any more", () => {
    const held = { finalizers: ["headrace.dev/connector"] };
    putConnector("kept", "none", { metadata: held });
    putConnector("deleted", "none", { metadata: { ...held, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    const others = { finalizers: ["example.com/x"], deletionTimestamp: "2026-01-01T00:00:00Z" };
    putConnector("somebody-elses", "none", { metadata: others });
    assert.deepEqual(names(shard.connectors.list()), ["deleted"]);
  });

  it("leaves those alone whose cluster would be where it does not look", () => {
    const deleted = { finalizers: ["headrace.dev/connector"], deletionTimestamp: "2026-01-01T00:00:00Z" };
    const labels = (namespace: string) => ({
      "headrace.dev/cluster": "c",
      "headrace.dev/cluster-namespace": namespace,
    });
    const madeIn = (namespace: string) => ({ status: { connectCluster: { namespace, name: "c", uid: "u" } } });
    putConnector("named-there", "c", { metadata: { ...deleted, labels: labels("elsewhere") } });
    putConnector("made-there", "c", { metadata: deleted, ...madeIn("elsewhere") });
    putConnector("made-here-named-there", "c", {
      metadata: { ...deleted, labels: labels("elsewhere") },
      ...madeIn("ns"),
    });
    putConnector("here", "c", { metadata: { ...deleted, labels: labels("ns") }, ...madeIn("ns") });
    assert.deepEqual(names(shard.connectors.list()), ["here"]);
  });
});
