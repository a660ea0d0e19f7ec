import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaConnectorStatus, KafkaConnectStatus } from "@headrace/contract";
import { parse } from "yaml";
import { z } from "zod";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { type CountingProxy, startCountingProxy } from "#support/counting-proxy.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeConnect, type FakeConnect } from "#support/fake-connect.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { type InstalledOperator, installOperator } from "#support/operator-installation.ts";
import { askApi, createViewer, peopleApi } from "#support/people.ts";

/** What comes by push is there before a silent stream would be opened anew (10 s), and long before all is looked at again. */
const PUSHED_MS = 9_000;

/** Far less than the minute after which all clusters are looked at again. */
const NOTICED_MS = 20_000;

/** Rights that only other tests need: each with the reason. */
const NOT_USED_HERE: Readonly<Record<string, string>> = {
  "update headrace.dev/kafkaconnects/finalizers":
    "asked for by an admission plugin, where it is on: test/clusters/rights.integration.test.ts",
};

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
    readonly status?: { readonly podIP?: string };
  }[];
}

interface Resource<S> {
  readonly metadata: { readonly generation: number; readonly finalizers?: readonly string[] };
  readonly spec: unknown;
  readonly status?: S;
}

/**
 * The whole operator, with the rights of its own ServiceAccount, on a real API server, controller manager and scheduler. There is
 * no node: the test gives pods their status, and fake workers listen at their addresses.
 */
describe("operator on a real API server", () => {
  const signal = AbortSignal.timeout(580_000);
  let kubernetes: TestKubernetes;
  let proxy: CountingProxy;
  let dir: string;
  let namespace: string;
  let connect: FakeConnect;
  let installed: InstalledOperator;
  let apiPort: Promise<number>;
  let stopOperator: () => Promise<void>;
  let over: AbortController;
  let nodes: Promise<void>;

  before(async () => {
    kubernetes = await testKubernetes();
    proxy = await startCountingProxy(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    await installCustomResources(kubernetes);
    dir = await mkdtemp(join(tmpdir(), "headrace-operator-"));
  });

  after(async () => {
    await proxy.close();
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    namespace = await kubernetes.createNamespace();
    const place = { namespace, watched: [namespace], server: proxy.url, dir };
    installed = await installOperator(kubernetes, place);
    connect = createFakeConnect({ atPodAddress: true });
    over = new AbortController();
    nodes = playNode(over.signal);
    startOperator();
  });

  afterEach(async () => {
    await stopOperator();
    over.abort();
    await nodes;
    await connect.close();
    await installed.remove();
  });

  function startOperator(): void {
    const { kubeconfig } = installed;
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
      HEADRACE_API_HOST: "127.0.0.1",
      HEADRACE_API_PORT: "0",
    });
    const { promise, resolve: onApiListening, reject } = Promise.withResolvers<number>();
    apiPort = promise;
    apiPort.catch(() => undefined);
    const connection = loadConnection({ kubeconfig, env: {} });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    const stop = new AbortController();
    const inputs = { config, connection, log, version: "test", host: "test", onApiListening };
    const running = runOperator(inputs, stop.signal);
    running.catch(reject);
    stopOperator = async () => {
      stop.abort();
      await running;
    };
  }

  /** What the kubelet would mount: workers ask the operator for its certificate. */
  async function workerTls() {
    const path = `/api/v1/namespaces/${namespace}/secrets/a-connect-tls`;
    const { data } = await request<{ data: Record<string, string> }>("GET", path);
    const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    return { cert: text("tls.crt"), key: text("tls.key"), ca: text("ca.crt"), requestCert: true };
  }

  /** Stands for the nodes: gives each new pod an address and a worker, and makes it ready. */
  async function playNode(stopped: AbortSignal): Promise<void> {
    const subnet = `127.${randomInt(100, 250)}.${randomInt(1, 250)}`;
    const known = new Map<string, string>();
    while (!stopped.aborted) {
      const { items } = await request<Listed>("GET", `/api/v1/namespaces/${namespace}/pods`);
      const present = new Set(items.map(({ metadata }) => metadata.uid));
      for (const [uid, ip] of known) {
        if (present.has(uid)) continue;
        known.delete(uid);
        await connect.killWorker(ip);
      }
      for (const { metadata } of items) {
        if (known.has(metadata.uid)) continue;
        if (metadata.name.includes("-preflight-")) {
          const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`;
          await patch(path, { status: { phase: "Succeeded" } }).catch(() => undefined);
          continue;
        }
        const ip = `${subnet}.${known.size + randomInt(1, 200)}`;
        if ([...known.values()].includes(ip)) continue;
        known.set(metadata.uid, ip);
        await connect.addWorker(ip, await workerTls());
        const conditions = [{ type: "Ready", status: "True" }];
        const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
        await patch(`/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, { status });
      }
      const members = [...known.values()].map((ip) => ({
        memberId: `member-${ip}`,
        url: `http://${ip}:8083/`,
        draining: connect.calls.some((call) => call.ip === ip && call.path === "/headrace/drain"),
        assignment: { connectors: [], tasks: [] },
      }));
      connect.group = { ...connect.group, members };
      await sleep(50, undefined, { signal: stopped }).catch(() => undefined);
    }
  }

  function request<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
    return kubernetes.api.request<T>({ method, path, ...(body === undefined ? {} : { body }) }, signal);
  }

  function patch(path: string, body: object): Promise<unknown> {
    const contentType = "application/merge-patch+json";
    return kubernetes.api.request({ method: "PATCH", path, body, contentType }, signal);
  }

  function pathOf(plural: string, name?: string): string {
    const base = `/apis/headrace.dev/v1/namespaces/${namespace}/${plural}`;
    return name === undefined ? base : `${base}/${name}`;
  }

  async function createCluster(replicas: number): Promise<void> {
    const spec = {
      replicas,
      bootstrapServers: "kafka:9092",
      groupId: "a",
      configStorageTopic: "a-configs",
      offsetStorageTopic: "a-offsets",
      statusStorageTopic: "a-status",
    };
    const body = { apiVersion: "headrace.dev/v1", kind: "KafkaConnect", metadata: { name: "a" }, spec };
    await request("POST", pathOf("kafkaconnects"), body);
  }

  async function createConnector(spec: object = {}, labels: object = { "headrace.dev/cluster": "a" }): Promise<void> {
    const body = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "orders", labels },
      spec: { class: "datagen", tasksMax: 2, config: { topic: "orders" }, ...spec },
    };
    await request("POST", pathOf("kafkaconnectors"), body);
  }

  async function readyAs<S extends KafkaConnectStatus | KafkaConnectorStatus>(
    plural: string,
    name: string,
    reason: string,
  ): Promise<Resource<S>> {
    let last = "nothing";
    return eventually(`${plural}/${name} is ${reason}`, async () => {
      const resource = await request<Resource<S>>("GET", pathOf(plural, name));
      const condition = resource.status?.conditions?.find(({ type }) => type === "Ready");
      last = `${condition?.reason}: ${condition?.message}`;
      const current = resource.status?.observedGeneration === resource.metadata.generation;
      return current && condition?.reason === reason ? resource : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  const cluster = (reason: string) => readyAs<KafkaConnectStatus>("kafkaconnects", "a", reason);
  const connector = (reason: string) => readyAs<KafkaConnectorStatus>("kafkaconnectors", "orders", reason);

  async function revisions(): Promise<readonly string[]> {
    const template = "{.items[*].metadata.annotations.headrace\\.dev/revision}";
    return (await kubernetes.kubectl(["-n", namespace, "get", "pods", "-o", `jsonpath=${template}`])).split(" ");
  }

  it("makes workers, scales them, rolls them, and goes without a trace", async () => {
    await createCluster(2);
    const { status, spec } = await cluster("Ready");
    assert.equal(status?.replicas, 2);
    assert.equal(status?.url, `https://a-connect-api.${namespace}.svc:8083`);

    await kubernetes.kubectl(["-n", namespace, "scale", "kc", "a", "--replicas=3"]);
    const scaled = await cluster("Ready");
    assert.equal(scaled.status?.replicas, 3);

    const [before] = await revisions();
    await patch(pathOf("kafkaconnects", "a"), { spec: { config: { "offset.flush.interval.ms": 1000 } } });
    await eventually("every pod is new", async () => {
      const found = await revisions();
      return found.length === 3 && !found.includes(before ?? "");
    });
    await cluster("Ready");

    await kubernetes.kubectl(["-n", namespace, "scale", "kc", "a", "--replicas=1"]);
    await cluster("Ready");
    await eventually("the first pod is left", async () => {
      const { items } = await request<Listed>("GET", `/api/v1/namespaces/${namespace}/pods`);
      return items.map(({ metadata }) => metadata.name).join() === "a-connect-0";
    });
    assert.notDeepEqual(spec, undefined);

    await request("DELETE", pathOf("kafkaconnects", "a"));
    await eventually(
      "nothing is left",
      async () => {
        const kinds = "statefulsets,pods,services,configmaps,serviceaccounts,poddisruptionbudgets";
        const left = await kubernetes.kubectl(["-n", namespace, "get", kinds, "-o", "name"]);
        return !left.includes("a-connect");
      },
      120_000,
    );
  });

  it("never writes a spec", async () => {
    await createCluster(1);
    await createConnector();
    await cluster("Ready");
    await connector("Running");
    for (const [plural, name] of [
      ["kafkaconnects", "a"],
      ["kafkaconnectors", "orders"],
    ] as const) {
      const found = await kubernetes.kubectl([
        "-n",
        namespace,
        "get",
        plural,
        name,
        "-o",
        "yaml",
        "--show-managed-fields",
      ]);
      const managed = z
        .object({
          metadata: z.object({
            generation: z.number(),
            managedFields: z.array(z.looseObject({ manager: z.string(), fieldsV1: z.looseObject({}) })),
          }),
        })
        .parse(parse(found));
      assert.equal(managed.metadata.generation, 1);
      const ours = managed.metadata.managedFields.filter(({ manager }) => manager === "headrace");
      assert.ok(ours.length > 0);
      for (const { fieldsV1 } of ours) assert.equal(fieldsV1["f:spec"], undefined);
    }
  });

  it("runs a connector through its life", async () => {
    await createCluster(2);
    await cluster("Ready");
    proxy.conflictOnce("patch headrace.dev/kafkaconnectors");
    await createConnector();
    const { status, metadata } = await connector("Running");
    assert.equal(status?.connectorStatus?.connector.state, "RUNNING");
    assert.deepEqual([status?.tasks, status?.tasksMax], ["2/2", 2]);
    assert.deepEqual(metadata.finalizers, ["headrace.dev/connector"]);

    await patch(pathOf("kafkaconnectors", "orders"), { spec: { state: "paused" } });
    await connector("Paused");
    await patch(pathOf("kafkaconnectors", "orders"), { spec: { state: "stopped" } });
    await connector("Stopped");
    await patch(pathOf("kafkaconnectors", "orders"), { spec: { state: "running" } });
    await connector("Running");

    const failedAt = performance.now();
    connect.setState("orders", 1, "FAILED", "db:5432 refused the connection");
    const failed = await connector("TasksFailed");
    assert.ok(performance.now() - failedAt < PUSHED_MS);
    assert.equal(failed.status?.tasks, "1/2");

    await kubernetes.kubectl(["-n", namespace, "annotate", "kctr", "orders", "strimzi.io/restart=includeTasks"]);
    await connector("Running");

    await kubernetes.kubectl(["-n", namespace, "delete", "kctr", "orders", "--timeout=120s"]);
    assert.equal(connect.connectors.has("orders"), false);
  });

  it("says what is wrong with a connector, and recovers by itself", async () => {
    await createConnector({ class: "dategen", config: { topic: null } }, {});
    const found = async (reason: string, message: RegExp) => {
      const text = (await connector(reason)).status?.conditions?.find(({ type }) => type === "Ready")?.message;
      assert.match(text ?? "", message);
    };
    await found("MissingClusterLabel", /set it to the name of a KafkaConnect/);
    await patch(pathOf("kafkaconnectors", "orders"), { metadata: { labels: { "headrace.dev/cluster": "a" } } });
    await found("ClusterNotFound", /KafkaConnect a,.* does not exist in namespace/);
    await createCluster(0);
    await found("ClusterScaledToZero", /scale it up/);
    await kubernetes.kubectl(["-n", namespace, "scale", "kc", "a", "--replicas=1"]);
    await found("UnknownClass", /no connector plugin "dategen"/);
    await patch(pathOf("kafkaconnectors", "orders"), { spec: { class: "datagen", config: null } });
    await found("InvalidConfig", /^A setting is wrong: topic: Missing required/);
    await patch(pathOf("kafkaconnectors", "orders"), { spec: { config: { topic: "orders" } } });
    await found("Running", /are running/);
  });

  it("goes on where another operator stopped", async () => {
    await createCluster(1);
    await createConnector();
    await connector("Running");
    await stopOperator();
    await patch(pathOf("kafkaconnectors", "orders"), { spec: { config: { topic: "other" } } });
    startOperator();
    const topic = () => connect.connectors.get("orders")?.config["topic"];
    await eventually("the new configuration is there", () => topic() === "other");
    await connector("Running");
    const creations = connect.calls.filter(({ method, path }) => method === "POST" && path === "/connectors");
    assert.equal(creations.length, 1);
  });

  it("sets log levels as soon as the ConfigMap that has them is another one", async () => {
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const data = (level: string) => ({ data: { levels: `rootLogger.level=${level}\n` } });
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "levels" }, ...data("INFO") };
    await request("POST", path, body);
    await createCluster(1);
    const logging = { type: "external", valueFrom: { configMapKeyRef: { name: "levels", key: "levels" } } };
    await patch(pathOf("kafkaconnects", "a"), { spec: { logging } });
    await cluster("Ready");
    const { items } = await request<Listed>("GET", `/api/v1/namespaces/${namespace}/pods`);
    const root = () => connect.logLevels(items[0]?.status?.podIP ?? "")["root"];
    for (const level of ["DEBUG", "WARN"]) {
      await patch(`${path}/levels`, data(level));
      await eventually(`the worker logs at ${level}`, () => root() === level, NOTICED_MS);
    }
  });

  it("answers who has a token of the API server and the right to see the cluster", async () => {
    await createCluster(1);
    await cluster("Ready");
    const { kubectl } = kubernetes;
    const token = await createViewer(kubectl, namespace, "headrace.dev");
    const api = await peopleApi(kubectl, namespace, await apiPort);
    const path = `/api/v1/namespaces/${namespace}/kafkaconnects/a/connectors`;
    assert.equal(await askApi(api, token, path, signal), 200);
  });

  it("resizes running workers in place, as often as it is told to", async () => {
    await createCluster(1);
    await cluster("Ready");
    await patch(pathOf("kafkaconnects", "a"), {
      metadata: { annotations: { "headrace.dev/in-place-resizing": "true" } },
    });
    const uids = async () => {
      const { items } = await request<Listed>("GET", `/api/v1/namespaces/${namespace}/pods`);
      return items.map(({ metadata }) => metadata.uid);
    };
    await patch(pathOf("kafkaconnects", "a"), { spec: { resources: { requests: { cpu: "100m" } } } });
    const cpu = () => {
      const path = "{.items[*].spec.containers[0].resources.requests.cpu}";
      return kubernetes.kubectl(["-n", namespace, "get", "pods", "-o", `jsonpath=${path}`]);
    };
    await eventually("the workers ask for CPU", async () => (await cpu()) === "100m");
    await cluster("Ready");
    const before = await uids();
    for (const wanted of ["110m", "120m"]) {
      await patch(pathOf("kafkaconnects", "a"), { spec: { resources: { requests: { cpu: wanted } } } });
      await eventually(`they ask for ${wanted}`, async () => (await cpu()) === wanted);
    }
    assert.deepEqual(await uids(), before);
    await eventually("the Event counts", async () => {
      const path = "{.items[?(@.reason=='Resized')].count}";
      return (await kubernetes.kubectl(["-n", namespace, "get", "events", "-o", `jsonpath=${path}`])) === "2";
    });
  });

  it("has in all of this used every right that it has, and no other", async () => {
    const declared = new Set([...installed.inWatched, ...installed.inOwn, ...installed.inNone]);
    assert.deepEqual([...proxy.denied], []);
    assert.deepEqual(
      [...proxy.used].filter((right) => !declared.has(right)),
      [],
    );
    const unused = [...declared].filter((right) => !proxy.used.has(right) && !(right in NOT_USED_HERE));
    assert.deepEqual(unused, []);
  });
});
