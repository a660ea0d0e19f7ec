import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { KubeObject, ResourceType } from "#operator/kube/client.ts";
import { type Connection, loadConnection } from "#operator/kube/config.ts";
import { createListWatch } from "#operator/kube/list-watch.ts";
import { ConfigMaps } from "#operator/kube/resources.ts";
import { createStore, type RunningStore } from "#operator/kube/store.ts";
import { WATCHER_DEFAULTS } from "#operator/kube/watcher.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const ABSENT: ResourceType = { group: "nowhere.example", version: "v1", plural: "things", kind: "Thing" };

interface Line {
  readonly level: string;
  readonly namespace: string;
  readonly code: string;
  readonly msg: string;
}

/** Stores of somebody who may see one namespace and not another. */
describe("a store whose lists are refused", () => {
  const signal = AbortSignal.timeout(280_000);
  let kubernetes: TestKubernetes;
  let client: TestClient;
  let seen: string;
  let hidden: string;
  let user: string;
  let lines: Line[];
  let stop: AbortController;
  let running: Promise<void>;

  before(async () => {
    kubernetes = await testKubernetes();
    const connection = loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} });
    [seen, hidden] = [await kubernetes.createNamespace(), await kubernetes.createNamespace()];
    user = `user-of-${seen}`;
    client = openTestClient(as(user, connection));
    await allow(seen);
  });

  after(async () => {
    client?.close();
    await kubernetes?.stop();
  });

  beforeEach(() => {
    stop = new AbortController();
    lines = [];
  });

  afterEach(async () => {
    stop.abort();
    await running;
  });

  function as(name: string, connection: Connection): Connection {
    const credentials = async () => {
      const { headers, ...rest } = await connection.credentials();
      return { ...rest, headers: { ...headers, "Impersonate-User": name } };
    };
    return { ...connection, credentials };
  }

  /** Lets the user read ConfigMaps. */
  async function allow(namespace: string): Promise<void> {
    const may = ["--verb=get,list,watch", "--resource=configmaps"];
    await kubernetes.kubectl(["-n", namespace, "create", "role", "reader", ...may]);
    const whom = ["--role=reader", `--user=${user}`];
    await kubernetes.kubectl(["-n", namespace, "create", "rolebinding", "reader", ...whom]);
  }

  const write = (namespace: string, name: string) =>
    kubernetes.kubectl(["-n", namespace, "create", "configmap", name, "--from-literal=a=b"]);

  function run<T extends KubeObject>(type: ResourceType<T>, namespaces: readonly string[]): RunningStore<T> {
    const log = createLog("debug", { write: (line) => void lines.push(JSON.parse(line)) });
    const store = createStore({
      sources: namespaces.map((namespace) =>
        createListWatch(client.api, type, { namespace, labelSelector: null }, { metadataOnly: true }),
      ),
      log,
      watcher: { ...WATCHER_DEFAULTS, log },
    });
    running = store.run(stop.signal);
    return store;
  }

  const told = (level: string) => lines.filter((line) => line.level === level);

  it("follows the other namespaces, tells of the one that is refused once, and follows it when it may", async () => {
    const store = run(ConfigMaps, [seen, hidden]);
    await store.whenAnswered(signal);
    await eventually("the one namespace is there", () => store.synced(seen));
    assert.deepEqual([store.synced(), store.synced(hidden), store.synced("not-followed")], [false, false, true]);
    await write(seen, "news");
    await eventually("its news are", () => store.get({ namespace: seen, name: "news" }) !== undefined);
    await eventually("it was asked again and again", () => told("debug").length >= 2);
    assert.deepEqual(
      told("warn").map(({ namespace, code, msg }) => [namespace, code, msg]),
      [[hidden, "forbidden", "not allowed to list and watch: changes there go unnoticed until it is"]],
    );
    await write(hidden, "secret");
    await allow(hidden);
    await store.whenSynced(signal);
    assert.notEqual(store.get({ namespace: hidden, name: "secret" }), undefined);
    assert.deepEqual([store.synced(), store.synced(hidden)], [true, true]);
    assert.equal(told("warn").length, 1);
  });

  it("is no reason to wait for resources that are not installed", async () => {
    const store = run(ABSENT, [seen]);
    await store.whenAnswered(signal);
    assert.equal(store.synced(), false);
    await eventually("it was asked again", () => told("debug").length >= 1);
    // Who may not list what is not there is told so first.
    assert.equal(told("warn").length, 1);
  });
});
