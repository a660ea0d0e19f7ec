import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { ownGroup } from "#support/own-group.ts";
import { type PlayedNodes, playNodes } from "#support/played-nodes.ts";

interface Resource {
  readonly metadata: { readonly generation: number; readonly uid: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string }[];
  };
}

interface Leases {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly holderIdentity?: string };
  }[];
}

interface RunningOperator {
  readonly metrics: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Two operators on a real API server, with played nodes. */
describe("operators that share a namespace by labels", () => {
  const signal = AbortSignal.timeout(580_000);
  let kubernetes: TestKubernetes;
  let namespace: string;
  let nodes: PlayedNodes;
  let running: RunningOperator[];

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
  });

  after(() => kubernetes.stop());

  beforeEach(async () => {
    namespace = await kubernetes.createNamespace();
    nodes = playNodes(kubernetes.api, namespace);
    running = [];
  });

  afterEach(async () => {
    for (const operator of running) await operator.stop();
    await nodes.stop();
  });

  async function startOperator(team: string, lease = team): Promise<RunningOperator> {
    const { kubeconfig } = kubernetes;
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_LEASE_NAME: lease,
      HEADRACE_RESOURCE_SELECTOR: `team=${team}`,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
    });
    const connection = loadConnection({ kubeconfig, env: {} });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    const stop = new AbortController();
    const { promise: port, resolve: onListening, reject } = Promise.withResolvers<number>();
    const inputs = { config, connection, log, version: "test", host: team, onListening };
    const ended = runOperator(inputs, stop.signal);
    ended.catch(reject);
    const url = `http://127.0.0.1:${await port}/metrics`;
    const operator = {
      metrics: async () => await (await fetch(url, { signal })).text(),
      stop: async () => {
        stop.abort();
        await ended;
      },
    };
    running.push(operator);
    return operator;
  }

  const pathOf = (plural: string, name = "") =>
    `/apis/headrace.dev/v1/namespaces/${namespace}/${plural}/${name}`.replace(/\/$/, "");
  const read = (plural: string, name: string) =>
    kubernetes.api.request<Resource>({ path: pathOf(plural, name) }, signal);

  /** A KafkaConnect of a team with a KafkaConnector on it. */
  async function create(name: string, team: string): Promise<void> {
    const apiVersion = "headrace.dev/v1";
    const connect = {
      apiVersion,
      kind: "KafkaConnect",
      metadata: { name, labels: { team } },
      spec: {
        replicas: 1,
        bootstrapServers: "kafka:9092",
        ...ownGroup(name),
      },
    };
    const connector = {
      apiVersion,
      kind: "KafkaConnector",
      metadata: { name: `${name}-orders`, labels: { "headrace.dev/cluster": name } },
      spec: { class: "datagen", tasksMax: 1, config: { topic: "orders" } },
    };
    await kubernetes.api.request({ method: "POST", path: pathOf("kafkaconnects"), body: connect }, signal);
    await kubernetes.api.request({ method: "POST", path: pathOf("kafkaconnectors"), body: connector }, signal);
  }

  async function until(plural: string, name: string, reason: string): Promise<void> {
    let last = "nothing";
    await eventually(`${name} is ${reason}`, async () => {
      const { metadata, status } = await read(plural, name);
      last = JSON.stringify(status?.conditions);
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return status?.observedGeneration === metadata.generation && ready?.reason === reason;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  async function untilRunning(name: string): Promise<void> {
    await until("kafkaconnects", name, "Ready");
    await until("kafkaconnectors", `${name}-orders`, "Running");
  }

  /** How many resources of a kind an operator counts as its own. */
  async function countOf(operator: RunningOperator, kind: string, team: string): Promise<number> {
    const series = `strimzi_resources{kind="${kind}",namespace="${namespace}",selector="team=${team}"}`;
    const line = (await operator.metrics()).split("\n").find((one) => one.startsWith(series));
    return line === undefined ? 0 : Number(line.slice(series.length));
  }

  it("work on what is theirs, and leave the rest alone", async () => {
    const shop = await startOperator("shop");
    await create("a", "shop");
    await create("b", "bank");
    await untilRunning("a");
    assert.equal((await read("kafkaconnects", "b")).status?.conditions, undefined);
    assert.equal((await read("kafkaconnectors", "b-orders")).status?.conditions, undefined);
    const made = await kubernetes.kubectl(["-n", namespace, "get", "statefulsets,services,configmaps", "-o", "name"]);
    assert.doesNotMatch(made, /b-connect/);

    const bank = await startOperator("bank");
    await untilRunning("b");
    for (const kind of ["KafkaConnect", "KafkaConnector"]) {
      assert.deepEqual([await countOf(shop, kind, "shop"), await countOf(bank, kind, "bank")], [1, 1]);
      assert.deepEqual([await countOf(shop, kind, "bank"), await countOf(bank, kind, "shop")], [0, 0]);
    }
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    const { items } = await kubernetes.api.request<Leases>({ path }, signal);
    const holders = items.map(({ spec }) => spec.holderIdentity?.split("_")[0]).toSorted();
    assert.deepEqual(holders, ["bank", "shop"]);
  });

  it("hand a cluster with its connectors over when its label changes, while they run", async () => {
    const [shop, bank] = [await startOperator("shop"), await startOperator("bank")];
    await create("a", "shop");
    await untilRunning("a");
    const pod = () =>
      kubernetes.kubectl(["-n", namespace, "get", "pod", "a-connect-0", "-o", "jsonpath={.metadata.uid}"]);
    const before = await pod();
    await kubernetes.kubectl(["-n", namespace, "label", "--overwrite", "kc", "a", "team=bank"]);
    await eventually("the other operator has it", async () => (await countOf(bank, "KafkaConnector", "bank")) === 1);
    await eventually("the first one does not", async () => (await countOf(shop, "KafkaConnector", "shop")) === 0);

    const config = () => nodes.cluster("a").connectors.get("a-orders")?.config["topic"];
    await kubernetes.kubectl([
      ...["-n", namespace, "patch", "kctr", "a-orders", "--type=merge", "-p"],
      '{"spec":{"config":{"topic":"others"}}}',
    ]);
    await eventually("the change is made", () => config() === "others");
    await untilRunning("a");
    assert.equal(await pod(), before);
    const { calls } = nodes.cluster("a");
    assert.equal(calls.filter(({ method, path }) => method === "POST" && path === "/connectors").length, 1);
    assert.deepEqual(
      calls.filter(({ method }) => method === "DELETE"),
      [],
    );
  });

  it("do not both work when the selector of a Deployment is changed: the new pod waits for the old one", async () => {
    const old = await startOperator("shop", "release");
    await create("a", "shop");
    await untilRunning("a");
    await startOperator("bank", "release");
    await create("b", "bank");
    const holders = async () => {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
      const { items } = await kubernetes.api.request<Leases>({ path }, signal);
      return items.map(({ spec }) => spec.holderIdentity?.split("_")[0]);
    };
    assert.deepEqual(await holders(), ["shop"]);
    await old.stop();
    await untilRunning("b");
    assert.deepEqual(await holders(), ["bank"]);
  });

  it("let a connector go whose cluster is gone", async () => {
    await startOperator("shop");
    await startOperator("bank");
    await create("a", "shop");
    await untilRunning("a");
    await kubernetes.kubectl(["-n", namespace, "delete", "kc", "a", "--timeout=120s"]);
    await kubernetes.kubectl(["-n", namespace, "delete", "kctr", "a-orders", "--timeout=120s"]);
  });
});
