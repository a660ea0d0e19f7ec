import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources, installForeignResources } from "#support/custom-resources.ts";
import { type CuttingProxy, openCuttingProxy } from "#support/cutting-proxy.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { ownGroup } from "#support/own-group.ts";
import { type PlayedNodes, playNodes } from "#support/played-nodes.ts";

interface Resource {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string; readonly message?: string }[];
  };
}

const OURS = "headrace.dev";
const STRIMZI = "kafka.strimzi.io";
/** So many answers of the kind take seconds, since each is waited for longer, and less than the time for which the operator waits. */
const FAILURES = 5;

/** The operator on a real API server that fails at some things, with played nodes. */
describe("an API server that fails at first", () => {
  const signal = AbortSignal.timeout(580_000);
  let kubernetes: TestKubernetes;
  let proxy: CuttingProxy;
  let namespace: string;
  let nodes: PlayedNodes;
  let stopOperator: () => Promise<void>;

  before(async () => {
    // All namespaces are watched here: those of other files are not for this operator.
    delete process.env["HEADRACE_KUBECONFIG"];
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    await installForeignResources(kubernetes, STRIMZI);
  });

  after(() => kubernetes.stop());

  beforeEach(async () => {
    namespace = await kubernetes.createNamespace();
    nodes = playNodes(kubernetes.api, namespace);
    proxy = await openCuttingProxy(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    stopOperator = async () => undefined;
  });

  afterEach(async () => {
    await stopOperator();
    await proxy.close();
    await nodes.stop();
  });

  /** Answers where its port for probes is. */
  function startOperator(env: Readonly<Record<string, string>>): Promise<string> {
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubernetes.kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
      ...env,
    });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    const stop = new AbortController();
    const { promise: url, resolve } = Promise.withResolvers<string>();
    const onListening = (port: number) => resolve(`http://127.0.0.1:${port}`);
    const inputs = { config, connection: proxy.connection, log, version: "test", host: "test", onListening };
    const running = runOperator(inputs, stop.signal);
    running.catch(() => undefined);
    stopOperator = async () => {
      stop.abort();
      await running;
    };
    return url;
  }

  function failLists(plural: string, group = "", count = FAILURES): void {
    const start = group === "" ? "/api/v1/" : `/apis/${group}/`;
    const matches = (kind: string, { pathname }: URL) =>
      kind === "list" && pathname.startsWith(start) && pathname.endsWith(`/${plural}`);
    proxy.answerNext(count, matches, { status: 500 });
  }

  const pathOf = (group: string, plural: string, where: string, name = "") =>
    `/apis/${group}/v1/namespaces/${where}/${plural}/${name}`.replace(/\/$/, "");

  async function createConnect(group: string, name: string, metadata: object, spec: object = {}): Promise<void> {
    const body = {
      apiVersion: `${group}/v1`,
      kind: "KafkaConnect",
      metadata: { name, ...metadata },
      spec: { replicas: 1, bootstrapServers: "kafka:9092", ...ownGroup(name), ...spec },
    };
    await kubernetes.api.request({ method: "POST", path: pathOf(group, "kafkaconnects", namespace), body }, signal);
  }

  function readyAs(path: string, reason: string): Promise<string> {
    let last = "nothing";
    return eventually(`${path} is ${reason}`, async () => {
      const { metadata, status } = await kubernetes.api.request<Resource>({ path }, signal);
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      last = `${ready?.reason}: ${ready?.message}`;
      const isCurrent = status?.observedGeneration === metadata.generation;
      return isCurrent && ready?.reason === reason ? (ready.message ?? "") : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  it("does not make the operator give a group away before it knows who is older", async () => {
    const shared = { groupId: "shared" };
    await createConnect(STRIMZI, "older", { annotations: { "headrace.dev/managed": "true" } }, shared);
    await createConnect(OURS, "younger", {}, shared);
    failLists("kafkaconnects", STRIMZI);
    void startOperator({ HEADRACE_FOREIGN_APIS: STRIMZI });
    const message = await readyAs(pathOf(OURS, "kafkaconnects", namespace, "younger"), "GroupTaken");
    assert.match(message, new RegExp(`belongs to KafkaConnect ${namespace}/older of ${STRIMZI}/v1`));
    await readyAs(pathOf(STRIMZI, "kafkaconnects", namespace, "older"), "Ready");
    const sets = await kubernetes.kubectl(["-n", namespace, "get", "statefulsets", "-o", "name"]);
    assert.equal(sets.trim(), "statefulset.apps/older-connect");
  });

  it("does not make the operator stop connectors before it knows the labels of their namespace", async () => {
    const tenant = await kubernetes.createNamespace();
    await kubernetes.kubectl(["label", "namespace", tenant, `tenant-of=${namespace}`]);
    const all = { HEADRACE_WATCH_NAMESPACES: "*" };
    const allowedNamespaces = { from: "Selector", selector: { matchLabels: { "tenant-of": namespace } } };
    await createConnect(OURS, "host", {}, { allowedNamespaces });
    const connector = {
      apiVersion: `${OURS}/v1`,
      kind: "KafkaConnector",
      metadata: {
        name: "guest",
        labels: { "headrace.dev/cluster": "host", "headrace.dev/cluster-namespace": namespace },
      },
      spec: { class: "datagen", tasksMax: 1, config: { topic: "first" } },
    };
    const path = pathOf(OURS, "kafkaconnectors", tenant);
    await kubernetes.api.request({ method: "POST", path, body: connector }, signal);
    void startOperator(all);
    await readyAs(`${path}/guest`, "Running");

    // Its labels are followed, too.
    await kubernetes.kubectl(["label", "namespace", tenant, "tenant-of-"]);
    await readyAs(`${path}/guest`, "NamespaceNotAllowed");
    await kubernetes.kubectl(["label", "namespace", tenant, `tenant-of=${namespace}`]);
    await readyAs(`${path}/guest`, "Running");

    await stopOperator();
    const stops = () => nodes.cluster("host").calls.filter((call) => call.path.endsWith("/stop")).length;
    const before = stops();
    failLists("namespaces");
    void startOperator(all);
    const change = ["--type=merge", "-p", JSON.stringify({ spec: { config: { topic: "second" } } })];
    await kubernetes.kubectl(["-n", tenant, "patch", `kafkaconnectors.${OURS}`, "guest", ...change]);
    await readyAs(`${path}/guest`, "Running");
    assert.equal(nodes.cluster("host").connectors.get("guest")?.config["topic"], "second");
    assert.equal(stops(), before);
    await kubernetes.kubectl(["-n", tenant, "delete", `kafkaconnectors.${OURS}`, "guest", "--timeout=120s"]);
  });

  it("does not keep the operator from its work for ever where it does not list namespaces", async () => {
    failLists("namespaces", "", Number.POSITIVE_INFINITY);
    const url = await startOperator({ HEADRACE_WATCH_NAMESPACES: "*" });
    await eventually("it says for what it waits", async () => {
      const answer = await fetch(`${url}/readyz`, { signal });
      return answer.status === 503 && (await answer.text()) === "waiting for namespaces\n";
    });
    await createConnect(OURS, "patient", {});
    await readyAs(pathOf(OURS, "kafkaconnects", namespace, "patient"), "Ready");
    assert.equal((await fetch(`${url}/readyz`, { signal })).status, 200);
  });

  it("is told in the status if it fails for long, as where somebody's webhook does not answer", async () => {
    const name = `nobody-${namespace}`;
    const webhook = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name },
      webhooks: [
        {
          name: "nobody.headrace.dev",
          // Nothing listens at this port.
          clientConfig: { url: "https://127.0.0.1:1/" },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["services"], operations: ["CREATE"] }],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
        },
      ],
    };
    await kubernetes.kubectl(["apply", "-f", "-"], { input: JSON.stringify(webhook) });
    try {
      void startOperator({});
      await createConnect(OURS, "a", {});
      const path = pathOf(OURS, "kafkaconnects", namespace, "a");
      const message = await readyAs(path, "RequestFailed");
      assert.match(
        message,
        /^The API server fails, which is tried again: .*failed calling webhook "nobody\.headrace\./,
      );
      await kubernetes.kubectl(["delete", "validatingwebhookconfiguration", name]);
      await readyAs(path, "Ready");
    } finally {
      await kubernetes.kubectl(["delete", "--ignore-not-found", "validatingwebhookconfiguration", name]);
    }
  });
});
