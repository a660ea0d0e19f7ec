import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { ApiError, type ApiRequest } from "#dev/kubernetes-api.ts";
import { freePorts } from "#dev/process.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { type CuttingProxy, openCuttingProxy } from "#support/cutting-proxy.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { ownGroup } from "#support/own-group.ts";
import { type PlayedNodes, playNodes } from "#support/played-nodes.ts";

const CLUSTERS = Number(process.env["HEADRACE_SCALE_CLUSTERS"] ?? 20);
/** A multiple of 20. */
const CONNECTORS = Number(process.env["HEADRACE_SCALE_CONNECTORS"] ?? 1_000);
/** How long the API server is away. */
const AWAY_MS = Number(process.env["HEADRACE_SCALE_AWAY_MS"] ?? 60_000);
/** What the operator may take at most while connectors are made; the target is 192 MiB, and what is measured is printed. */
const MEMORY_LIMIT_MIB = 256;
/** Enough for a loaded machine; what is measured is printed. */
const PATIENCE_MS = 240_000;
/** How often the operator looks how far a connector has come; the first time, that is one more write of each status. */
const OFFSETS_EVERY_MS = 60_000;
/** Longer than any connector waits to be looked at again: 1.1 times that. */
const REST_MS = 70_000;
/** Names that a failure shows at most. */
const SHOWN = 5;

const ROOT = join(import.meta.dirname, "../..");
const MERGE_PATCH = "application/merge-patch+json";

interface Resource {
  readonly metadata: {
    readonly name: string;
    readonly generation: number;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly offsets?: object;
    readonly tasks?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

interface Listed {
  readonly items: readonly Resource[];
}

/**
 * One operator process, a thousand connectors over twenty clusters of fake workers, and a real API server behind a proxy that
 * makes trouble. The steps build on one another; each ends when everything is as wanted again.
 */
describe("operator at scale and in trouble", () => {
  const signal = AbortSignal.timeout(1_500_000);
  let kubernetes: TestKubernetes;
  let proxy: CuttingProxy;
  let nodes: PlayedNodes;
  let namespace: string;
  let dir: string;
  let url: string;
  let operator: ChildProcess;
  let peakMiB = 0;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    namespace = await kubernetes.createNamespace();
    dir = await mkdtemp(join(tmpdir(), "headrace-scale-"));
    proxy = await openCuttingProxy(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    nodes = playNodes(kubernetes.api, namespace, { intervalMs: 300 });
    await writeFile(join(dir, "kubeconfig"), kubeconfigFor(proxy.connection.server.href));
    await startOperator();
  });

  after(async () => {
    await stopOperator("SIGKILL");
    await proxy.close();
    await nodes.stop();
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** A step that failed in the midst of its trouble must not fail the others, too. */
  afterEach(() => {
    proxy.disturb(null);
    for (const workers of nodes.clusters()) {
      workers.freeze(false);
      workers.hang = null;
    }
  });

  async function startOperator(): Promise<void> {
    const [port] = await freePorts(1, "127.0.0.1");
    url = `http://127.0.0.1:${port}`;
    operator = spawn(join(ROOT, "src/bin.js"), [], {
      env: {
        PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
        HEADRACE_KUBECONFIG: join(dir, "kubeconfig"),
        HEADRACE_NAMESPACE: namespace,
        HEADRACE_HEALTH_HOST: "127.0.0.1",
        HEADRACE_HEALTH_PORT: String(port),
        HEADRACE_OFFSETS_INTERVAL_MS: String(OFFSETS_EVERY_MS),
        HEADRACE_LOG_LEVEL: process.env["HEADRACE_TEST_LOG"] ?? "silent",
      },
      stdio: ["ignore", "inherit", "inherit"],
    });
  }

  async function stopOperator(name: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (operator.exitCode !== null || operator.signalCode !== null) return;
    await noteMemory();
    operator.kill(name);
    await once(operator, "exit");
  }

  /** The most memory that an operator process has had so far. */
  async function noteMemory(): Promise<void> {
    const status = await readFile(`/proc/${operator.pid}/status`, "utf8").catch(() => "");
    peakMiB = Math.max(peakMiB, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024);
  }

  function figure(context: TestContext, what: string, value: string): void {
    context.diagnostic(`table | ${what} | ${value}`);
  }

  const pathOf = (plural: string, name = "") =>
    `/apis/headrace.dev/v1/namespaces/${namespace}/${plural}/${name}`.replace(/\/$/, "");
  /** The test's own requests go past the proxy; on a machine that is busy with all the rest they are repeated when they time out. */
  async function ask<T>(request: ApiRequest): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await kubernetes.api.request<T>(request, signal);
      } catch (error) {
        if (attempt > 1 && error instanceof ApiError && error.reason === "AlreadyExists")
          return await kubernetes.api.request<T>({ path: `${request.path}/${nameIn(request.body)}` }, signal);
        if (signal.aborted || attempt === 10 || (error instanceof ApiError && error.status < 429)) throw error;
      }
    }
  }
  const create = (plural: string, body: object) => ask({ method: "POST", path: pathOf(plural), body });
  const patch = (plural: string, name: string, body: object) =>
    ask({ method: "PATCH", path: pathOf(plural, name), body, contentType: MERGE_PATCH });
  const list = async (plural: string) => (await ask<Listed>({ path: pathOf(plural) })).items;

  const clusterName = (number: number) => `c${number}`;
  const connectorName = (number: number) => `k${number}`;
  const clusterOf = (number: number) => clusterName(number % CLUSTERS);

  function connect(name: string, spec: object = {}): object {
    return {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name },
      spec: {
        replicas: 1,
        bootstrapServers: "kafka:9092",
        ...ownGroup(name),
        rest: { security: "Open" },
        ...spec,
      },
    };
  }

  function connector(name: string, cluster: string): object {
    return {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name, labels: { "headrace.dev/cluster": cluster } },
      spec: { class: "datagen", tasksMax: 2, config: { topic: name, round: "0" } },
    };
  }

  function reasonOf({ metadata, status }: Resource): string {
    if (status?.observedGeneration !== metadata.generation) return "behind";
    return status.conditions?.find(({ type }) => type === "Ready")?.reason ?? "none";
  }

  /** Waits until all resources of a kind, or the named ones, are at rest with this reason; answers the time that it took. */
  async function allAre(plural: string, reason: string, names?: readonly string[]): Promise<number> {
    const startedAt = performance.now();
    const wanted = names === undefined ? undefined : new Set(names);
    let left = "";
    await eventually(
      `all ${plural} are ${reason}`,
      async () => {
        await noteMemory();
        const items = (await list(plural)).filter(({ metadata }) => wanted?.has(metadata.name) ?? true);
        const others = items.filter((item) => reasonOf(item) !== reason);
        left = others
          .slice(0, 3)
          .map((item) => `${item.metadata.name} ${reasonOf(item)}: ${JSON.stringify(item.status?.conditions?.at(-1))}`)
          .join("; ");
        const all = others.length === 0 && items.length >= (wanted?.size ?? 1);
        // Long lists keep the API server busy, which is what is measured here.
        if (!all) await sleep(others.length > 100 ? 1_000 : 300, undefined, { signal });
        return all;
      },
      PATIENCE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${left}`);
    });
    return performance.now() - startedAt;
  }

  async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>, width = 20): Promise<void> {
    const rest = items.values();
    await Promise.all(
      Array.from({ length: width }, async () => {
        for (const item of rest) await work(item);
      }),
    );
  }

  /** Gives connectors a new configuration and waits until their workers have it and they run. */
  async function reconfigure(numbers: readonly number[], round: string): Promise<number> {
    const startedAt = performance.now();
    await inParallel(numbers, (number) =>
      patch("kafkaconnectors", connectorName(number), { spec: { config: { round } } }),
    );
    await allAre("kafkaconnectors", "Running", numbers.map(connectorName));
    for (const number of numbers) {
      const running = nodes.cluster(clusterOf(number)).connectors.get(connectorName(number));
      assert.equal(running?.config["round"], round, connectorName(number));
    }
    return performance.now() - startedAt;
  }

  function range(from: number, to: number): readonly number[] {
    return Array.from({ length: to - from }, (_, index) => from + index);
  }

  /** How long it takes at most that connectors on other clusters than the first one follow a change. */
  async function othersFollow(round: string): Promise<number> {
    const numbers = range(0, CONNECTORS).filter((number) => number % CLUSTERS !== 0);
    return await reconfigure(numbers.slice(0, 10), round);
  }

  it("makes all clusters and all connectors", { timeout: 600_000 }, async (context) => {
    await inParallel(range(0, CLUSTERS), (number) => create("kafkaconnects", connect(clusterName(number))));
    figure(context, `${CLUSTERS} clusters made → all Ready`, seconds(await allAre("kafkaconnects", "Ready")));
    const startedAt = performance.now();
    await inParallel(range(0, CONNECTORS), (number) =>
      create("kafkaconnectors", connector(connectorName(number), clusterOf(number))),
    );
    figure(context, `${CONNECTORS} connectors applied, by`, seconds(performance.now() - startedAt));
    await allAre("kafkaconnectors", "Running");
    figure(context, `${CONNECTORS} connectors applied → all Running`, seconds(performance.now() - startedAt));
    const metrics = await metricsText();
    for (const name of ["cluster", "connector"]) {
      figure(
        context,
        `reconcile p50, p99 (${name})`,
        `${quantile(metrics, name, 0.5)}, ${quantile(metrics, name, 0.99)}`,
      );
    }
    figure(context, "operator memory, peak", `${peakMiB.toFixed(0)} MiB`);
    assert.ok(peakMiB > 0 && peakMiB < MEMORY_LIMIT_MIB, `peak of ${peakMiB} MiB`);
    await eventually("no connector waits for its turn", async () =>
      (await metricsText()).includes('workqueue_depth{name="connector"} 0\n'),
    );
  });

  it("comes to rest: nothing is written when nothing changes", { timeout: 600_000 }, async (context) => {
    const startedAt = performance.now();
    await eventually(
      "every status tells the offsets",
      async () => {
        const isTold = (await list("kafkaconnectors")).every(({ status }) => status?.offsets !== undefined);
        if (!isTold) await sleep(1_000, undefined, { signal });
        return isTold;
      },
      PATIENCE_MS,
    );
    figure(context, "all Running → every status tells the offsets", seconds(performance.now() - startedAt));
    const [before, seen] = [await versions(), proxy.seen("other")];
    await sleep(REST_MS, undefined, { signal });
    const after = await versions();
    const changed = [...after].flatMap(([name, version]) => (before.get(name) === version ? [] : [name]));
    assert.equal(after.size, before.size);
    assert.equal(changed.length, 0, `changed, for instance: ${changed.slice(0, SHOWN).join(", ")}`);
    figure(context, `API calls in ${REST_MS / 1000} s of rest`, String(proxy.seen("other") - seen));
  });

  it("gets through an API server that answers 429 and 5xx", { timeout: 300_000 }, async (context) => {
    let count = 0;
    proxy.disturb((kind) => {
      count += 1;
      if (kind === "watch" || count % 4 !== 0) return null;
      return count % 8 === 0 ? { status: 429, retryAfter: 1 } : { status: count % 3 === 0 ? 500 : 503 };
    });
    const numbers = range(0, CONNECTORS / 10);
    const what = `${numbers.length} changes, every 4th API call refused`;
    figure(context, what, seconds(await reconfigure(numbers, "refused")));
    proxy.disturb(null);
  });

  it("converges after the API server was away", { timeout: 400_000 }, async (context) => {
    proxy.disturb(() => "reset");
    proxy.reset();
    const failing = range(0, CONNECTORS / 20);
    const changing = range(CONNECTORS / 20, CONNECTORS / 10);
    for (const number of failing) {
      nodes.cluster(clusterOf(number)).setState(connectorName(number), 0, "FAILED", "while nobody looked");
    }
    await inParallel(changing, (number) =>
      patch("kafkaconnectors", connectorName(number), { spec: { config: { round: "away" } } }),
    );
    await sleep(AWAY_MS, undefined, { signal });
    assert.equal(operator.exitCode, null, "the process goes on");
    const backAt = performance.now();
    proxy.disturb(null);
    await allAre("kafkaconnectors", "TasksFailed", failing.map(connectorName));
    await reconfigure(changing, "away");
    figure(context, `API server back after ${AWAY_MS / 1000} s → all as it is`, seconds(performance.now() - backAt));
    for (const number of failing) nodes.cluster(clusterOf(number)).settle(connectorName(number));
    await allAre("kafkaconnectors", "Running");
  });

  it("lets a worker that hangs delay nobody else", { timeout: 300_000 }, async (context) => {
    const hung = nodes.cluster(clusterName(0));
    hung.freeze(true);
    const own = range(0, CONNECTORS)
      .filter((number) => number % CLUSTERS === 0)
      .map(connectorName);
    await inParallel(own, (name) => patch("kafkaconnectors", name, { spec: { config: { round: "hung" } } }));
    const calm = await othersFollow("beside a hung worker");
    figure(context, "10 changes on other clusters beside a worker that hangs", seconds(calm));
    await allAre("kafkaconnectors", "ClusterUnreachable", own);
    hung.freeze(false);
    figure(
      context,
      "the worker answers again → its connectors Running",
      seconds(await allAre("kafkaconnectors", "Running")),
    );
    for (const name of own) assert.equal(hung.connectors.get(name)?.config["round"], "hung");
  });

  it("lets connectors that hang delay no other, on their own cluster neither", {
    timeout: 300_000,
  }, async (context) => {
    const workers = nodes.cluster(clusterName(0));
    const own = range(0, CONNECTORS).filter((number) => number % CLUSTERS === 0);
    const [hanging, others] = [own.slice(0, 3).map(connectorName), own.slice(3, 13)];
    workers.hang = (body) => JSON.stringify(body ?? {}).includes('"hangs"');
    await inParallel(hanging, (name) => patch("kafkaconnectors", name, { spec: { config: { round: "hangs" } } }));
    await sleep(1_000, undefined, { signal });
    const took = await reconfigure(others, "beside hanging ones");
    figure(context, "10 changes beside 3 connectors that hang, same cluster", seconds(took));
    workers.hang = null;
    figure(context, "they hang no more → Running", seconds(await allAre("kafkaconnectors", "Running")));
  });

  it("tells of a Secret that is broken, and goes on when it is there", { timeout: 300_000 }, async (context) => {
    const authentication = {
      type: "scram-sha-512",
      username: "me",
      passwordSecret: { secretName: "broken", password: "password" },
    };
    await create("kafkaconnects", connect("secretive", { authentication, tls: {} }));
    const message = await eventually("the condition names the Secret", async () => {
      const [found] = (await list("kafkaconnects")).filter(({ metadata }) => metadata.name === "secretive");
      const ready = found?.status?.conditions?.find(({ type }) => type === "Ready");
      return ready?.status === "False" && ready.message?.includes("broken") && ready.message;
    });
    assert.match(message, /Secret/);
    figure(context, "10 changes beside a broken Secret", seconds(await othersFollow("beside a Secret")));
    await kubernetes.kubectl(["-n", namespace, "create", "secret", "generic", "broken", "--from-literal=password=x"]);
    figure(context, "the Secret is there → Ready", seconds(await allAre("kafkaconnects", "Ready", ["secretive"])));
    await ask({ method: "DELETE", path: pathOf("kafkaconnects", "secretive") });
  });

  it("goes on with a roll in whose middle its lease was lost", { timeout: 400_000 }, async (context) => {
    await patch("kafkaconnects", clusterName(1), { spec: { replicas: 3 } });
    await allAre("kafkaconnects", "Ready", [clusterName(1)]);
    const before = await revisions(clusterName(1));
    await patch("kafkaconnects", clusterName(1), { spec: { config: { "offset.flush.interval.ms": 1234 } } });
    await eventually(
      "one pod is new, another one old",
      async () => {
        const now = await revisions(clusterName(1));
        return now.some((one) => !before.includes(one)) && now.some((one) => before.includes(one));
      },
      PATIENCE_MS,
    );
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/headrace-operator`;
    const spec = {
      holderIdentity: "intruder",
      leaseDurationSeconds: 3,
      renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
    };
    await ask({ method: "PATCH", path, body: { spec }, contentType: MERGE_PATCH });
    const stolenAt = performance.now();
    await eventually("the operator leads no longer", async () => !(await leads()), 30_000);
    await sleep(1_000, undefined, { signal });
    const held = await revisions(clusterName(1));
    await eventually("it leads again", leads, 60_000);
    await allAre("kafkaconnects", "Ready", [clusterName(1)]);
    const after = await revisions(clusterName(1));
    assert.equal(after.length, 3);
    assert.equal(
      after.some((one) => before.includes(one)),
      false,
      "all pods are new",
    );
    assert.ok(held.length >= 2, "one pod at a time");
    figure(context, "lease stolen in the middle of a roll → roll over", seconds(performance.now() - stolenAt));
  });

  it("converges after being killed at any step, and makes nothing twice", { timeout: 600_000 }, async (context) => {
    const numbers = range(CONNECTORS / 10, (3 * CONNECTORS) / 10);
    const created = countCreations();
    await patch("kafkaconnects", clusterName(1), { spec: { config: { "offset.flush.interval.ms": 4321 } } });
    await inParallel(numbers, (number) =>
      patch("kafkaconnectors", connectorName(number), { spec: { config: { round: "killed" } } }),
    );
    for (const pauseMs of [50, 700, 1_500, 3_000]) {
      await sleep(pauseMs, undefined, { signal });
      await stopOperator("SIGKILL");
      await expireLease();
      await startOperator();
      await eventually("the next one leads", leads, 60_000);
    }
    const startedAt = performance.now();
    await reconfigure(numbers, "killed");
    await allAre("kafkaconnects", "Ready");
    await allAre("kafkaconnectors", "Running");
    figure(
      context,
      `killed 4 times in the midst of ${numbers.length} changes and a roll → all as wanted`,
      seconds(performance.now() - startedAt),
    );
    assert.equal(countCreations(), created, "no connector was made a second time");
  });

  it("takes all connectors away", { timeout: 300_000 }, async (context) => {
    const startedAt = performance.now();
    await ask({ method: "DELETE", path: pathOf("kafkaconnectors") });
    await eventually("no connector is left", async () => (await list("kafkaconnectors")).length === 0, PATIENCE_MS);
    for (const workers of nodes.clusters()) assert.equal(workers.connectors.size, 0);
    figure(context, `${CONNECTORS} connectors deleted → gone`, seconds(performance.now() - startedAt));
    await noteMemory();
    figure(context, "operator memory, peak of the whole run", `${peakMiB.toFixed(0)} MiB`);
  });

  /** Megabytes, with a thousand connectors: too long to be shown by an assertion. */
  async function metricsText(): Promise<string> {
    return await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then(
      (response) => response.text(),
      () => "",
    );
  }

  async function leads(): Promise<boolean> {
    return (await metricsText()).includes('leader_election_master_status{name="headrace-operator"} 1\n');
  }

  /** The version of each resource of both kinds, which any write changes. */
  async function versions(): Promise<ReadonlyMap<string, string>> {
    const plurals = ["kafkaconnects", "kafkaconnectors"];
    const lists = await Promise.all(plurals.map(async (plural) => ({ plural, items: await list(plural) })));
    return new Map(
      lists.flatMap(({ plural, items }) =>
        items.map(({ metadata }) => [`${plural}/${metadata.name}`, metadata.resourceVersion] as const),
      ),
    );
  }

  /** A dead holder's lease runs out by itself after 15 s; the test does not wait for that. */
  async function expireLease(): Promise<void> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/headrace-operator`;
    const body = { spec: { holderIdentity: "" } };
    await ask({ method: "PATCH", path, body, contentType: MERGE_PATCH });
  }

  async function revisions(cluster: string): Promise<readonly string[]> {
    const template = "{.items[*].metadata.annotations.headrace\\.dev/revision}";
    const selector = `headrace.dev/name=${cluster}-connect`;
    const found = await kubernetes.kubectl([
      "-n",
      namespace,
      "get",
      "pods",
      "-l",
      selector,
      "-o",
      `jsonpath=${template}`,
    ]);
    return found.split(" ").filter((one) => one !== "");
  }

  function countCreations(): number {
    return nodes
      .clusters()
      .flatMap(({ calls }) => calls.filter(({ method, path }) => method === "POST" && path === "/connectors")).length;
  }
});

function nameIn(body: unknown): string {
  return z.object({ metadata: z.object({ name: z.string() }) }).parse(body).metadata.name;
}

function kubeconfigFor(server: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "proxy", cluster: { server } }],
    users: [{ name: "nobody", user: {} }],
    contexts: [{ name: "proxy", context: { cluster: "proxy", user: "nobody" } }],
    "current-context": "proxy",
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The upper bound of the bucket in which a quantile of the reconciles' durations lies. */
function quantile(metrics: string, controller: string, share: number): string {
  const pattern = new RegExp(
    `^controller_runtime_reconcile_time_seconds_bucket\\{le="([^"]+)",controller="${controller}"\\} (\\d+)$`,
    "gm",
  );
  const buckets = [...metrics.matchAll(pattern)].map(([, bound = "", count]) => ({ bound, count: Number(count) }));
  const total = buckets.at(-1)?.count ?? 0;
  assert.ok(total > 0, `no reconciles of ${controller}`);
  const found = buckets.find(({ count }) => count >= total * share);
  return `≤ ${Number(found?.bound) * 1000} ms`;
}
