import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type KafkaConnector, KafkaConnectors } from "#operator/kinds.ts";
import type { KubeObject, ResourceType } from "#operator/kube/client.ts";
import { type Connection, loadConnection } from "#operator/kube/config.ts";
import { isKubeError, KubeError } from "#operator/kube/errors.ts";
import { addFinalizer, hasFinalizer, removeFinalizer } from "#operator/kube/finalizer.ts";
import { type ConfigMap, ConfigMaps, Pods } from "#operator/kube/resources.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { type CuttingProxy, openCuttingProxy } from "#support/cutting-proxy.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const FINALIZER = "headrace.dev/test";

describe("Kubernetes client", () => {
  let kubernetes: TestKubernetes;
  let connection: Connection;
  let namespace: string;
  let direct: TestClient;
  let proxy: CuttingProxy;
  const signal = new AbortController().signal;

  before(async () => {
    kubernetes = await testKubernetes();
    connection = loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} });
    direct = openTestClient(connection);
    proxy = await openCuttingProxy(connection);
    namespace = await kubernetes.createNamespace();
    await installCustomResources(kubernetes);
  });

  after(async () => {
    await proxy?.close();
    direct?.close();
    await kubernetes?.stop();
  });

  function configMap(
    name: string,
    data: Record<string, string>,
    metadata: Partial<KubeObject["metadata"]> = {},
  ): ConfigMap {
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, ...metadata }, data };
  }

  const get = (name: string) => direct.client.get(ConfigMaps, { namespace, name }, signal);

  it("applies what is named and nothing else", async () => {
    const { client } = direct;
    const created = await client.apply(ConfigMaps, configMap("ssa", { a: "1", b: "1" }), signal);
    assert.deepEqual(await client.apply(ConfigMaps, configMap("ssa", { a: "1", b: "1" }), signal), created);
    await kubernetes.kubectl([
      "patch",
      "configmap",
      "ssa",
      "-n",
      namespace,
      "-p",
      '{"data":{"theirs":"x","a":"theirs"}}',
    ]);
    const after = await client.apply(ConfigMaps, configMap("ssa", { a: "2" }), signal);
    assert.deepEqual(after.data, { a: "2", theirs: "x" });
    assert.ok(!("managedFields" in after.metadata));
  });

  it("applies conditionally if a resource version is named", async () => {
    const { client } = direct;
    const old = await client.apply(ConfigMaps, configMap("conditional", { a: "1" }), signal);
    await client.apply(ConfigMaps, configMap("conditional", { a: "2" }), signal);
    const { resourceVersion = "" } = old.metadata;
    const late = client.apply(ConfigMaps, configMap("conditional", { a: "3" }, { resourceVersion }), signal);
    await assert.rejects(late, (error) => isKubeError(error, "conflict"));
  });

  it("applies the status of a resource and leaves its spec alone", async () => {
    const connector: KafkaConnector = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "status", namespace, labels: { "headrace.dev/cluster": "c" } },
      spec: {
        class: "file-source",
        tasksMax: 1,
        config: { file: "x", topic: "t" },
        state: "running",
        deletionPolicy: "Delete",
      },
    };
    await direct.client.create(KafkaConnectors, connector, signal);
    const { spec: _, ...rest } = connector;
    const type: ResourceType<Omit<KafkaConnector, "spec">> = KafkaConnectors;
    await direct.client.applyStatus(type, { ...rest, status: { observedGeneration: 1, topics: ["t"] } }, signal);
    const after = await direct.client.get(KafkaConnectors, { namespace, name: "status" }, signal);
    assert.ok(after !== null);
    assert.deepEqual(after.status?.topics, ["t"]);
    assert.deepEqual(after.spec.config, { file: "x", topic: "t" });
    assert.equal(after.metadata.generation, 1);
  });

  it("tells failures apart", async () => {
    const { client } = direct;
    assert.equal(await get("nobody"), null);
    await client.create(ConfigMaps, configMap("twice", {}), signal);
    const code = async (call: Promise<unknown>) => {
      const error = await call.then(
        () => assert.fail("should have been refused"),
        (cause: unknown) => cause,
      );
      assert.ok(error instanceof KubeError);
      return error.code;
    };
    assert.equal(await code(client.create(ConfigMaps, configMap("twice", {}), signal)), "already-exists");
    assert.equal(await code(client.create(ConfigMaps, configMap("Not_A_Name", {}), signal)), "invalid");
    assert.equal(await code(client.patch(ConfigMaps, { namespace, name: "nobody" }, {}, signal)), "not-found");
    const unknown = { group: "headrace.dev", version: "v1", plural: "nothings", kind: "Nothing" };
    assert.equal(await code(client.list(unknown, namespace, null, signal)), "not-found");
    const stranger = openTestClient({
      ...connection,
      credentials: async () => ({
        tls: (await connection.credentials()).tls,
        headers: { authorization: "Bearer wrong" },
      }),
    });
    try {
      assert.equal(await code(stranger.client.list(ConfigMaps, namespace, null, signal)), "unauthorized");
    } finally {
      stranger.close();
    }
    const weak = openTestClient({
      ...connection,
      credentials: async () => {
        const { tls, headers } = await connection.credentials();
        return { tls, headers: { ...headers, "impersonate-user": "nobody" } };
      },
    });
    try {
      assert.equal(await code(weak.client.list(ConfigMaps, namespace, null, signal)), "forbidden");
    } finally {
      weak.close();
    }
  });

  it("deletes the named object only, and what is gone is deleted", async () => {
    const { client } = direct;
    const { metadata } = await client.create(ConfigMaps, configMap("victim", {}), signal);
    const key = { namespace, name: "victim" };
    await client.delete(ConfigMaps, key, { uid: "00000000-0000-0000-0000-000000000000" }, signal);
    assert.ok(await get("victim"));
    await client.delete(ConfigMaps, key, { uid: metadata.uid ?? "", propagationPolicy: "Background" }, signal);
    assert.equal(await get("victim"), null);
    await client.delete(ConfigMaps, key, {}, signal);
  });

  it("resizes a container of a pod in place, and tells what cannot be", async () => {
    const { client } = direct;
    const resources = { requests: { cpu: "100m" }, limits: { memory: "64Mi" } };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "resized", namespace },
      spec: { containers: [{ name: "one", image: "i", resources }] },
    };
    await client.create(Pods, pod, signal);
    const key = { namespace, name: "resized" };
    const wanted = { requests: { cpu: "1", memory: "64Mi" }, limits: { memory: "128Mi" } };
    const after = await client.resize(key, { one: wanted }, signal);
    assert.deepEqual(after.spec?.containers[0]?.resources, wanted);
    const guaranteed = { requests: { cpu: "1", memory: "128Mi" }, limits: { cpu: "1", memory: "128Mi" } };
    await assert.rejects(client.resize(key, { one: guaranteed }, signal), (error) => isKubeError(error, "invalid"));
  });

  it("lists beyond one page, with kinds, by label", async () => {
    for (const name of ["l1", "l2"]) {
      await direct.client.create(ConfigMaps, configMap(name, {}, { labels: { list: "yes" } }), signal);
    }
    const found = await direct.client.list(ConfigMaps, namespace, "list=yes", signal);
    assert.deepEqual(
      found.map(({ kind, apiVersion, metadata }) => [apiVersion, kind, metadata.name]),
      [
        ["v1", "ConfigMap", "l1"],
        ["v1", "ConfigMap", "l2"],
      ],
    );
  });

  it("keeps the finalizers of others when its own come and go", async () => {
    const { client } = direct;
    const stale = await client.create(ConfigMaps, configMap("finalized", {}), signal);
    await client.patch(
      ConfigMaps,
      { namespace, name: "finalized" },
      { metadata: { finalizers: ["example.com/x"] } },
      signal,
    );
    const added = await addFinalizer(client, ConfigMaps, stale, FINALIZER, signal);
    assert.deepEqual(added?.metadata.finalizers, ["example.com/x", FINALIZER]);
    await client.delete(ConfigMaps, { namespace, name: "finalized" }, {}, signal);
    const removed = await removeFinalizer(client, ConfigMaps, stale, FINALIZER, signal);
    assert.ok(removed === null || !hasFinalizer(removed, FINALIZER));
    const left = await get("finalized");
    assert.deepEqual(left?.metadata.finalizers, ["example.com/x"]);
    assert.ok(left !== null);
    assert.equal(await addFinalizer(client, ConfigMaps, left, FINALIZER, signal), left, "not on what is being deleted");
    await removeFinalizer(client, ConfigMaps, left, "example.com/x", signal);
    assert.equal(await get("finalized"), null);
    assert.equal(await removeFinalizer(client, ConfigMaps, left, "example.com/x", signal), null);
  });

  it("waits as long as an overloaded server asks, within its deadline", async () => {
    const { client, close } = openTestClient(proxy.connection);
    try {
      const busy = { kind: "Status", code: 429, reason: "TooManyRequests", message: "busy" };
      proxy.answerNext(1, () => true, { status: 429, retryAfter: 1, body: busy });
      const startedAt = performance.now();
      await client.create(ConfigMaps, configMap("patient", {}), signal);
      assert.ok(performance.now() - startedAt >= 990);
      proxy.answerNext(1, () => true, { status: 429, retryAfter: 3_600, body: busy });
      const late = client.list(ConfigMaps, namespace, null, signal);
      await assert.rejects(
        late,
        (error) => isKubeError(error, "too-many-requests") && error.retryAfterMs === 3_600_000,
      );
    } finally {
      close();
    }
  });

  it("gives up on a silent server at its deadline, and at once when it is told to", async () => {
    const hasty = openTestClient(proxy.connection, { timeoutMs: 300 });
    const { client, close } = openTestClient(proxy.connection, { timeoutMs: 120_000 });
    try {
      proxy.answerNext(2, () => true, "hang");
      const slow = hasty.client.list(ConfigMaps, namespace, null, signal);
      await assert.rejects(slow, (error) => isKubeError(error, "timeout"));
      const stop = new AbortController();
      const before = proxy.seen("list");
      const stopped = client.list(ConfigMaps, namespace, null, stop.signal);
      await eventually("the request is out", () => proxy.seen("list") > before);
      stop.abort(new Error("stopped"));
      await assert.rejects(stopped, /stopped/);
    } finally {
      hasty.close();
      close();
    }
  });

  it("runs a bounded number of calls at a time", async () => {
    const { client, close } = openTestClient(proxy.connection, { maxConcurrentCalls: 2, timeoutMs: 120_000 });
    try {
      proxy.answerNext(2, (kind) => kind === "list", "hang");
      const before = proxy.seen("list");
      const stop = new AbortController();
      const calls = [1, 2, 3, 4].map(() =>
        client.list(ConfigMaps, namespace, null, stop.signal).catch(() => "stopped"),
      );
      await eventually("two are out", () => proxy.seen("list") === before + 2);
      await client.get(ConfigMaps, { namespace, name: "x" }, AbortSignal.timeout(100)).catch(() => undefined);
      assert.equal(proxy.seen("list"), before + 2);
      stop.abort();
      await Promise.all(calls);
      assert.ok(Array.isArray(await client.list(ConfigMaps, namespace, null, signal)), "the places are free again");
    } finally {
      close();
    }
  });

  it("reads and applies again when the connection broke, but creates only once", async () => {
    const { client, close } = openTestClient(proxy.connection);
    try {
      proxy.answerNext(1, () => true, "reset");
      assert.ok(Array.isArray(await client.list(ConfigMaps, namespace, null, signal)));
      proxy.answerNext(1, () => true, "reset");
      await client.apply(ConfigMaps, configMap("again", {}), signal);
      proxy.answerNext(1, () => true, "reset");
      const create = client.create(ConfigMaps, configMap("once", {}), signal);
      await assert.rejects(create, (error) => isKubeError(error, "unavailable"));
    } finally {
      close();
    }
  });

  it("writes nothing while fenced", async () => {
    const fenced = openTestClient(connection, {
      fence: () => {
        throw new KubeError("fenced", "not the leader");
      },
    });
    try {
      const write = fenced.client.apply(ConfigMaps, configMap("fenced", {}), signal);
      await assert.rejects(write, (error) => isKubeError(error, "fenced"));
      assert.equal(await fenced.client.get(ConfigMaps, { namespace, name: "fenced" }, signal), null);
    } finally {
      fenced.close();
    }
  });
});
