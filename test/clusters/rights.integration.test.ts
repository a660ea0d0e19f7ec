import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import { type KubernetesApi, openKubernetesApi } from "#dev/kubernetes-api.ts";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { AUTHORITY_LIFE_MS, firstAuthority, toSecretData } from "#operator/pki/authority.ts";
import { type CountingProxy, startCountingProxy } from "#support/counting-proxy.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { createNamespace } from "#support/kubernetes.ts";
import { type InstalledOperator, installOperator } from "#support/operator-installation.ts";
import { askApi, createViewer, peopleApi } from "#support/people.ts";
import { playNodes } from "#support/played-nodes.ts";

const DEADLINE_MS = 90_000;
const DAY_MS = 86_400_000;
/** Asked for by an admission plugin, in the name of who makes an object; no request of the operator's own. */
const ASKED_BY_ADMISSION = "update headrace.dev/kafkaconnects/finalizers";
/** Asked for when the subjects of a binding are changed; no request of the operator's own either. */
const ASKED_BY_BINDINGS = "bind rbac.authorization.k8s.io/clusterroles";
const RBAC = "rbac.authorization.k8s.io";
/** Nodes have it that nobody copies to pods. */
const RACK = { type: "topology-label", topologyKey: "example.com/rack" };

interface Resource {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string; readonly message?: string }[];
  };
}

/**
 * The operator with exactly the rights that it is shipped with, for some namespaces and for all, on an API server of its own, which checks owner
 * references as OpenShift's does. Each mode does everything that needs a right. The mode with one namespace has
 * `test/integration/operator.integration.test.ts`.
 */
describe("rights of the operator", () => {
  const signal = AbortSignal.timeout(580_000);
  let dir: string;
  let controlPlane: ControlPlane;
  let api: KubernetesApi;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-rights-"));
    const admissionPlugins = ["OwnerReferencesPermissionEnforcement"];
    controlPlane = await startControlPlane({ dir: join(dir, "control-plane"), admissionPlugins });
    api = openKubernetesApi(controlPlane.adminKubeconfig);
    await installCustomResources(controlPlane);
  });

  after(async () => {
    api?.close();
    await controlPlane?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  interface Running {
    /** The operator's own. */
    readonly namespace: string;
    readonly proxy: CountingProxy;
    readonly installed: InstalledOperator;
    readonly apiPort: number;
    /** `apiPort` is another one afterwards. `meanwhile`: while there is no operator. */
    restart(meanwhile?: () => Promise<void>): Promise<void>;
    stop(): Promise<void>;
  }

  async function start(watched: "*" | readonly string[], { rack = false } = {}): Promise<Running> {
    const namespace = await createNamespace(api);
    const { kubectl, adminKubeconfig } = controlPlane;
    const proxy = await startCountingProxy(loadConnection({ kubeconfig: adminKubeconfig, env: {} }));
    const place = { namespace, watched, rack, server: proxy.url, dir };
    const installed = await installOperator({ kubectl, kubeconfig: adminKubeconfig }, place);
    const { kubeconfig, rackBinding } = installed;
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_WATCH_NAMESPACES: watched === "*" ? "*" : watched.join(","),
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
      HEADRACE_API_HOST: "127.0.0.1",
      HEADRACE_API_PORT: "0",
      ...(rackBinding === undefined ? {} : { HEADRACE_RACK_BINDING: rackBinding }),
    });
    const connection = loadConnection({ kubeconfig, env: {} });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    async function run() {
      const stop = new AbortController();
      const listening = Promise.withResolvers<number>();
      const inputs = { config, connection, log, version: "test", host: "test", onApiListening: listening.resolve };
      const running = runOperator(inputs, stop.signal);
      running.catch(listening.reject);
      const apiPort = await listening.promise;
      return {
        apiPort,
        async stop() {
          stop.abort();
          await running;
        },
      };
    }
    let operator = await run();
    return {
      namespace,
      proxy,
      installed,
      apiPort: operator.apiPort,
      async restart(meanwhile) {
        await operator.stop();
        await meanwhile?.();
        operator = await run();
      },
      async stop() {
        await operator.stop();
        await proxy.close();
        await installed.remove();
      },
    };
  }

  const pathOf = (namespace: string, plural: string) => `/apis/headrace.dev/v1/namespaces/${namespace}/${plural}`;
  const call = <T>(method: "GET" | "POST" | "DELETE", path: string, body?: object) =>
    api.request<T>({ method, path, ...(body === undefined ? {} : { body }) }, signal);
  const patch = (path: string, body: object) =>
    api.request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" }, signal);

  async function until(namespace: string, plural: string, name: string, reason: string): Promise<void> {
    let last = "nothing";
    await eventually(
      `${plural}/${name} is ${reason}`,
      async () => {
        const { metadata, status } = await call<Resource>("GET", `${pathOf(namespace, plural)}/${name}`);
        const ready = status?.conditions?.find(({ type }) => type === "Ready");
        last = `${ready?.reason}: ${ready?.message}`;
        return status?.observedGeneration === metadata.generation && ready?.reason === reason;
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  const cluster = {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name: "a", annotations: { "headrace.dev/in-place-resizing": "true" } },
    spec: {
      replicas: 2,
      bootstrapServers: "kafka:9092",
      groupId: "a",
      configStorageTopic: "a-configs",
      offsetStorageTopic: "a-offsets",
      statusStorageTopic: "a-status",
      resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "256Mi" } },
      rack: RACK,
    },
  };
  const connector = {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: { name: "orders", labels: { "headrace.dev/cluster": "a" } },
    spec: { class: "datagen", tasksMax: 1, config: { topic: "orders" } },
  };

  /** CPU that the workers have asked for, as the API server has it. */
  async function cpuOf(namespace: string): Promise<string> {
    const path = "{.items[*].spec.containers[0].resources.requests.cpu}";
    return controlPlane.kubectl(["-n", namespace, "get", "pods", "-o", `jsonpath=${path}`]);
  }

  /** Whoever has a token and may see the cluster sees it. */
  async function ask({ namespace: home, apiPort }: Running, namespace: string): Promise<number> {
    const { kubectl } = controlPlane;
    const token = await createViewer(kubectl, namespace, "headrace.dev");
    const path = `/api/v1/namespaces/${namespace}/kafkaconnects/a/connectors`;
    return await askApi(await peopleApi(kubectl, home, apiPort), token, path, signal);
  }

  /** What the cluster's Warnings say. */
  async function warningsOf(namespace: string): Promise<readonly string[]> {
    const { status } = await call<Resource>("GET", `${pathOf(namespace, "kafkaconnects")}/a`);
    return (status?.conditions ?? []).flatMap(({ type, message }) => (type === "Warning" ? [message ?? ""] : []));
  }

  interface Review {
    readonly verb: string;
    readonly group?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly name?: string;
    readonly namespace?: string;
  }

  /** Whether the API server lets a ServiceAccount do this, as `kubectl auth can-i` asks it. */
  async function may(account: string, resourceAttributes: Review): Promise<boolean> {
    const user = `system:serviceaccount:${account}`;
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
    const { status } = await call<{ readonly status: { readonly allowed: boolean } }>(
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      { ...review, spec: { user, resourceAttributes } },
    );
    return status.allowed;
  }

  /** Takes the rule with this right, which is one of its own, from a role of the operator. */
  async function withdraw({ namespace }: Running, role: string, right: Review): Promise<void> {
    const path = `/apis/${RBAC}/v1/clusterroles/${role}-${namespace}`;
    const { resource, subresource } = right;
    const name = subresource === undefined ? resource : `${resource}/${subresource}`;
    const { rules } = await call<{ rules: readonly { resources: readonly string[] }[] }>("GET", path);
    const left = rules.filter(({ resources }) => !resources.includes(name));
    assert.equal(left.length, rules.length - 1);
    await patch(path, { rules: left });
    await eventually("the API server knows", async () => !(await may(`${namespace}:headrace-operator`, right)));
  }

  /** Everything that needs a right, in one namespace. */
  async function live(operator: Running, namespace: string): Promise<void> {
    const nodes = playNodes(api, namespace);
    try {
      const connect = `${pathOf(namespace, "kafkaconnects")}/a`;
      const orders = `${pathOf(namespace, "kafkaconnectors")}/orders`;
      await call("POST", pathOf(namespace, "kafkaconnects"), cluster);
      await until(namespace, "kafkaconnects", "a", "Ready");
      const [warning] = await warningsOf(namespace);
      assert.match(warning ?? "", /^spec\.rack\.topologyKey example\.com\/rack is not applied: /);
      operator.proxy.conflictOnce("patch headrace.dev/kafkaconnectors");
      await call("POST", pathOf(namespace, "kafkaconnectors"), connector);
      await until(namespace, "kafkaconnectors", "orders", "Running");
      // Twice, so that the same Event is told again.
      for (const cpu of ["110m", "120m"]) {
        await patch(connect, { spec: { resources: { requests: { cpu } } } });
        const wanted = `${cpu} ${cpu}`;
        await eventually(`the workers have ${wanted}`, async () => (await cpuOf(namespace)) === wanted, DEADLINE_MS);
        await until(namespace, "kafkaconnects", "a", "Ready");
      }
      for (const interval of [1000, 2000]) {
        await patch(connect, { spec: { config: { "offset.flush.interval.ms": interval } } });
        await until(namespace, "kafkaconnects", "a", "Ready");
      }
      assert.equal(await ask(operator, namespace), 200);
      await call("DELETE", orders);
      await eventually("the connector is gone", async () => {
        const left = await controlPlane.kubectl(["-n", namespace, "get", "kctr", "-o", "name"]);
        return left === "";
      });
      await call("DELETE", connect);
      await eventually("the workers are gone", async () => (await cpuOf(namespace)) === "", DEADLINE_MS);
    } finally {
      await nodes.stop();
    }
  }

  /** Gives the API for people an authority that ends in a month: the operator then tells of a new one as soon as it looks, at its start. */
  async function ageAuthority({ namespace, restart }: Running): Promise<void> {
    const nowMs = Date.now() - AUTHORITY_LIFE_MS + 30 * DAY_MS;
    const aged = await firstAuthority({ commonName: `headrace-operator.${namespace}`, nowMs });
    await patch(`/api/v1/namespaces/${namespace}/secrets/headrace-operator-ca`, { data: toSecretData(aged) });
    await restart();
  }

  const without = (set: ReadonlySet<string>, ...others: readonly ReadonlySet<string>[]) =>
    [...set].filter((one) => !others.some((other) => other.has(one))).toSorted();

  it("for some namespaces are what it uses there, in its own namespace, and nowhere else", async () => {
    const watched = [await createNamespace(api), await createNamespace(api)] as const;
    const operator = await start(watched);
    const { proxy, installed, namespace } = operator;
    try {
      await live(operator, watched[0]);
      await call("POST", pathOf(watched[1], "kafkaconnectors"), connector);
      await until(watched[1], "kafkaconnectors", "orders", "ClusterNotFound");
      await ageAuthority(operator);
    } finally {
      await operator.stop();
    }
    assert.deepEqual([...proxy.denied], []);
    assert.deepEqual(without(installed.inWatched, proxy.usedIn(watched[0]), new Set([ASKED_BY_ADMISSION])), []);
    assert.deepEqual(without(proxy.usedIn(watched[0]), installed.inWatched), []);
    assert.deepEqual(without(proxy.usedIn(watched[1]), installed.inWatched), []);
    assert.deepEqual(without(proxy.usedIn(namespace), installed.inOwn), []);
    assert.deepEqual(without(installed.inOwn, proxy.usedIn(namespace)), []);
    assert.deepEqual([...proxy.usedIn(null)].toSorted(), [...installed.inNone].toSorted());
  });

  it("for all namespaces are what it uses", async () => {
    const namespace = await createNamespace(api);
    const operator = await start("*");
    const { proxy, installed } = operator;
    try {
      await live(operator, namespace);
    } finally {
      await operator.stop();
    }
    const granted = new Set([...installed.inWatched, ...installed.inOwn, ...installed.inNone]);
    assert.deepEqual([...proxy.denied], []);
    assert.deepEqual(without(granted, proxy.used, new Set([ASKED_BY_ADMISSION])), []);
    assert.deepEqual(without(proxy.used, granted), []);
  });

  it("to finalizers of KafkaConnects are needed where owner references are checked", async () => {
    const watched = await createNamespace(api);
    const operator = await start([watched]);
    try {
      const right = { verb: "update", group: "headrace.dev", resource: "kafkaconnects", subresource: "finalizers" };
      await withdraw(operator, "headrace-operator", { ...right, namespace: watched });
      await call("POST", pathOf(watched, "kafkaconnects"), cluster);
      await eventually("objects of the cluster are refused", () => operator.proxy.denied.size > 0, DEADLINE_MS);
    } finally {
      await operator.stop();
    }
  });

  for (const where of ["some namespaces", "all namespaces"])
    it(`let workers read nodes, for ${where}, while their cluster asks for a label of them, and nobody else`, async () => {
      const [one, other] = [await createNamespace(api), await createNamespace(api)];
      const operator = await start(where === "all namespaces" ? "*" : [one, other], { rack: true });
      const { proxy, installed } = operator;
      const nodes = [one, other].map((namespace) => playNodes(api, namespace));
      const pathIn = (namespace: string) => `${pathOf(namespace, "kafkaconnects")}/a`;
      const read = { verb: "get", resource: "nodes" };
      async function readers(): Promise<readonly string[]> {
        const known = [one, other].map(async (namespace) =>
          (await may(`${namespace}:a-connect`, read)) ? [namespace] : [],
        );
        return (await Promise.all(known)).flat();
      }
      const untilReaders = (...wanted: readonly string[]) =>
        eventually(
          `workers in ${wanted.join(" and ") || "no namespace"} may read nodes`,
          async () => isDeepStrictEqual(await readers(), wanted),
          DEADLINE_MS,
        );
      try {
        for (const namespace of [one, other]) {
          assert.ok(!(await readers()).includes(namespace));
          await call("POST", pathOf(namespace, "kafkaconnects"), cluster);
          await until(namespace, "kafkaconnects", "a", "Ready");
          assert.deepEqual(await warningsOf(namespace), []);
        }
        await untilReaders(one, other);
        assert.equal(await may(`${one}:a-connect`, { verb: "list", resource: "nodes" }), false);
        assert.equal(await may(`${operator.namespace}:headrace-operator`, read), false);

        await call("DELETE", pathIn(one));
        await untilReaders(other);
        await patch(pathIn(other), { spec: { rack: null } });
        await untilReaders();
        await patch(pathIn(other), { spec: { rack: RACK } });
        await untilReaders(other);
        await operator.restart(async () => void (await call("DELETE", pathIn(other))));
        await untilReaders();
      } finally {
        await Promise.all(nodes.map((played) => played.stop()));
        await operator.stop();
      }
      const granted = new Set([...installed.inWatched, ...installed.inOwn, ...installed.inNone]);
      assert.deepEqual([...proxy.denied], []);
      assert.deepEqual(without(proxy.used, granted), []);
      const ofRoles = [...proxy.usedIn(null)].filter((right) => right.includes(` ${RBAC}/`));
      assert.deepEqual(ofRoles, without(installed.forRacks, new Set([ASKED_BY_BINDINGS])));
    });

  it("to bind the workers' role are needed to let workers read nodes", async () => {
    const watched = await createNamespace(api);
    const operator = await start([watched], { rack: true });
    const name = operator.installed.rackBinding ?? assert.fail();
    try {
      await withdraw(operator, "headrace-operator-rack", { verb: "bind", group: RBAC, resource: "clusterroles", name });
      await call("POST", pathOf(watched, "kafkaconnects"), cluster);
      await until(watched, "kafkaconnects", "a", "Refused");
    } finally {
      await operator.stop();
    }
    assert.deepEqual([...operator.proxy.denied], [`patch ${RBAC}/clusterrolebindings`]);
  });
});
