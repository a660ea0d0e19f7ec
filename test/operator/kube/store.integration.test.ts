import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type Connection, loadConnection } from "#operator/kube/config.ts";
import { createListWatch } from "#operator/kube/list-watch.ts";
import { type ConfigMap, ConfigMaps } from "#operator/kube/resources.ts";
import { createStore, type RunningStore } from "#operator/kube/store.ts";
import { createLog } from "#operator/log.ts";
import { type CuttingProxy, openCuttingProxy } from "#support/cutting-proxy.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const SELECTOR = "test=store";
const SILENCE_MS = 1_500;
const log = createLog("silent");

describe("store over a bad connection", () => {
  let kubernetes: TestKubernetes;
  let connection: Connection;
  let direct: TestClient;
  let proxy: CuttingProxy;
  let proxied: TestClient;
  let namespace: string;
  let store: RunningStore<ConfigMap>;
  let running: Promise<void>;
  let stop: AbortController;
  let told: string[];
  const signal = new AbortController().signal;

  before(async () => {
    kubernetes = await testKubernetes();
    connection = loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} });
    direct = openTestClient(connection);
  });

  after(async () => {
    direct?.close();
    await kubernetes?.stop();
  });

  beforeEach(async () => {
    namespace = await kubernetes.createNamespace();
    proxy = await openCuttingProxy(connection);
    proxied = openTestClient(proxy.connection);
    stop = new AbortController();
    told = [];
    for (const name of ["a", "b", "c", "d", "e", "f", "g"]) await write(name, "0");
    store = createStore({
      sources: [createListWatch(proxied.api, ConfigMaps, { namespace, labelSelector: SELECTOR })],
      log,
      watcher: { log, random: Math.random, pageSize: 3, silenceMs: SILENCE_MS },
    });
    store.onChange(() => {
      throw new Error("a listener that fails");
    });
    store.onChange(({ previous, current }) => {
      told.push(`${previous?.data?.["value"] ?? "-"}>${current?.data?.["value"] ?? "-"}`);
    });
    running = store.run(stop.signal);
    await store.whenSynced(AbortSignal.timeout(120_000));
    await eventually("a watch is open", () => proxy.openWatches() === 1);
  });

  afterEach(async () => {
    stop.abort();
    await running;
    proxied.close();
    await proxy.close();
  });

  async function write(name: string, value: string): Promise<void> {
    const metadata = { name, namespace, labels: { test: "store" } };
    await direct.client.apply(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { value } }, signal);
  }

  async function remove(name: string): Promise<void> {
    await direct.client.delete(ConfigMaps, { namespace, name }, {}, signal);
  }

  function versions(objects: readonly ConfigMap[]): string[] {
    return objects.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).sort();
  }

  /** Changes of every sort, then waits until the store has all of them. */
  async function changeAndCompare(): Promise<void> {
    await write("a", "1");
    await remove("b");
    await write("new", "1");
    await remove("c");
    await write("c", "again");
    await inStep();
  }

  async function inStep(): Promise<void> {
    const truth = versions(await direct.client.list(ConfigMaps, namespace, SELECTOR, signal));
    await eventually("the store equals the API's list", () => {
      const now = versions(store.list());
      return now.length === truth.length && now.every((version, i) => version === truth[i]);
    });
  }

  it("follows changes, without managed fields, and survives listeners that fail", async () => {
    await changeAndCompare();
    assert.equal(store.get({ namespace, name: "b" }), undefined);
    assert.equal(store.get({ namespace, name: "c" })?.data?.["value"], "again");
    assert.deepEqual(
      store.list().filter(({ metadata }) => "managedFields" in metadata),
      [],
    );
    assert.deepEqual(told.slice(0, 7), Array(7).fill("->0"));
    assert.deepEqual(told.slice(7), ["0>1", "0>-", "->1", "0>-", "->again"]);
    assert.equal(proxy.seen("list"), 3, "three pages for seven objects");
  });

  it("survives a connection that is cut in the middle of a line", async () => {
    for (let round = 0; round < 3; round += 1) {
      await eventually("a watch is open", () => proxy.openWatches() === 1);
      proxy.spoilNextLine({ kind: "cut" });
      await write("a", `cut ${round}`);
      await inStep();
    }
    await changeAndCompare();
    assert.equal(proxy.seen("list"), 3, "no new list was needed");
  });

  it("survives resets while objects change and go", async () => {
    proxy.reset();
    await changeAndCompare();
    assert.equal(proxy.seen("list"), 3, "no new list was needed");
  });

  it("survives silence", async () => {
    proxy.silence();
    await changeAndCompare();
    assert.ok(proxy.seen("watch") >= 2);
  });

  it("survives garbage in the stream", async () => {
    const lines = [
      "<html>",
      '{"type":"ADDED"}',
      '{"type":"ADDED","object":{"metadata":{}}}',
      '{"type":"NEWS","object":{}}',
    ];
    for (const by of lines) {
      await eventually("a watch is open", () => proxy.openWatches() === 1);
      proxy.spoilNextLine({ kind: "replace", by });
      await write("a", by);
      await inStep();
    }
    await changeAndCompare();
  });

  it("lists anew when a watch is refused with 410, and tells what went meanwhile", async () => {
    const body = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version: 1 (2000)" };
    proxy.answerNext(1, (kind) => kind === "watch", { status: 410, body });
    proxy.silence();
    await changeAndCompare();
    assert.equal(proxy.seen("list"), 6);
    assert.ok(told.includes("0>-"));
  });

  it("lists anew after an ERROR event with 410", async () => {
    const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
    proxy.spoilNextLine({ kind: "replace", by: JSON.stringify({ type: "ERROR", object: expired }) });
    await changeAndCompare();
    assert.ok(proxy.seen("list") > 3);
  });

  it("lists in one piece when a list grows too old between its pages", async () => {
    const body = { kind: "Status", code: 410, reason: "Expired", message: "continue token too old" };
    const watchGone = (kind: string) => kind === "watch";
    proxy.answerNext(1, watchGone, { status: 410, body });
    proxy.answerNext(1, (kind, url) => kind === "list" && url.searchParams.has("continue"), { status: 410, body });
    proxy.reset();
    await changeAndCompare();
    assert.equal(proxy.seen("list"), 3 + 3, "a first page, a second that had expired, then all");
  });

  it("survives an overloaded API server", async () => {
    proxy.answerNext(2, (kind) => kind === "watch", { status: 429, retryAfter: 1 });
    proxy.answerNext(1, (kind) => kind === "watch", { status: 410 });
    proxy.answerNext(1, (kind) => kind === "list", { status: 429, retryAfter: 1 });
    proxy.reset();
    await changeAndCompare();
  });

  it("survives an API server that answers nonsense", async () => {
    proxy.answerNext(1, (kind) => kind === "watch", { status: 500, body: "panic" });
    proxy.answerNext(1, (kind) => kind === "watch", { status: 200, body: "" });
    proxy.answerNext(1, (kind) => kind === "watch", { status: 410 });
    proxy.answerNext(1, (kind) => kind === "list", { status: 503 });
    proxy.answerNext(1, (kind) => kind === "list", { status: 200, body: "<html>not an API</html>" });
    proxy.answerNext(1, (kind) => kind === "list", { status: 200, body: { items: [] } });
    proxy.reset();
    await changeAndCompare();
  });
});
