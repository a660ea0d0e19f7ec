import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type ForeignObject, foreignClusterOf, parseForeignApi } from "#operator/foreign/dialect.ts";
import { createStatusMemory } from "#operator/foreign/status-memory.ts";
import { type ClaimedStores, createClaimedStores } from "#operator/foreign/stores.ts";
import { formerCluster, openShard } from "#operator/shard.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

/** Clusters `a` of shop and `b` of bank; a connector that shop made on `a`. */
describe("claimed resources that several operators share", () => {
  const api = parseForeignApi("kafka.strimzi.io");
  assert.ok(api !== undefined);
  const apiVersion = `kafka.strimzi.io/${api.version}`;
  let kube: FakeKube;
  let uid: string;

  beforeEach(() => {
    kube = createFakeKube();
    uid = putConnect("a", "shop");
    putConnect("b", "bank");
    putConnector("a");
  });

  function open(team: string): ClaimedStores {
    assert.ok(api !== undefined);
    const everywhere = kube.store<ForeignObject>(api.connects);
    const shard = openShard<ForeignObject, ForeignObject>({
      connects: everywhere,
      connectors: kube.store<ForeignObject>(api.connectors),
      isOurs: ({ metadata }) => metadata.labels?.["team"] === team,
      isWatched: () => true,
      namedBy: (connector) => ({ namespace: "ns", name: foreignClusterOf(api, connector) ?? "" }),
      madeOn: formerCluster,
    });
    const now = () => Date.parse("2026-01-01T00:00:00Z");
    return createClaimedStores({ api, ...shard, everywhere, memory: createStatusMemory(), now });
  }

  function putConnect(name: string, team: string, managed = "true"): string {
    assert.ok(api !== undefined);
    const metadata = {
      ...{ namespace: "ns", name, labels: { team } },
      annotations: { "headrace.dev/managed": managed },
    };
    const put = kube.put<ForeignObject>(api.connects, { apiVersion, kind: "KafkaConnect", metadata, spec: {} });
    return put.metadata.uid ?? "";
  }

  function putConnector(cluster: string): void {
    assert.ok(api !== undefined);
    kube.put<ForeignObject>(api.connectors, {
      apiVersion,
      kind: "KafkaConnector",
      metadata: {
        ...{ namespace: "ns", name: "orders", labels: { "strimzi.io/cluster": cluster } },
        finalizers: ["headrace.dev/connector"],
      },
      spec: { class: "datagen", config: {} },
      status: { connectCluster: { name: "a", uid } },
    });
  }

  const seen = ({ connectors }: ClaimedStores) =>
    connectors.list().map(({ metadata }) => [metadata.labels?.["headrace.dev/cluster"], metadata.deletionTimestamp]);
  const at = (name: string) => ({ namespace: "ns", name });

  it("keep a connector where it runs when it is given the label of another operator's cluster", () => {
    const [shop, bank] = [open("shop"), open("bank")];
    assert.deepEqual([seen(shop), seen(bank)], [[["a", undefined]], []]);
    putConnector("b");
    assert.deepEqual([seen(shop), seen(bank)], [[["b", undefined]], []]);
    assert.deepEqual([shop.isOthers(at("b")), shop.isOthers(at("a")), bank.isOthers(at("a"))], [true, false, true]);
  });

  it("take it away when its cluster is not claimed for anybody any more, or is not there", () => {
    const shop = open("shop");
    putConnector("b");
    putConnect("b", "bank", "false");
    assert.deepEqual(seen(shop), [["b", "2026-01-01T00:00:00.000Z"]]);
    assert.equal(shop.isOthers(at("b")), false);
    putConnect("b", "bank");
    assert.deepEqual(seen(shop), [["b", undefined]]);
    putConnector("nowhere");
    assert.deepEqual(seen(shop), [["nowhere", "2026-01-01T00:00:00.000Z"]]);
  });
});
