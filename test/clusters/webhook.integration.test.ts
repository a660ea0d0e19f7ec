import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { parseConfig } from "#operator/config.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources, installForeignResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { applyOperatorManifest, operatorKubeconfig } from "#support/operator-rights.ts";

const FOREIGN = "kafka.strimzi.io";

interface Pod {
  readonly metadata: { readonly uid: string };
}

/**
 * The operator with its own rights on a real API server, its webhook, kubectl, and a real worker. There is no node: the test starts
 * the worker of the one pod and gives the pod its status.
 */
describe("the admission webhook", () => {
  const signal = AbortSignal.timeout(580_000);
  const ip = `127.${randomInt(30, 90)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  const stop = new AbortController();
  let kubernetes: TestKubernetes;
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  let namespace: string;
  /** Nobody watches it. */
  let elsewhere: string;
  let running: Promise<void> = Promise.resolve();
  let worker: LocalProcess | null = null;
  let port = 0;

  before(async () => {
    [kubernetes, kafka] = await Promise.all([testKubernetes(), sharedKafka()]);
    await installCustomResources(kubernetes);
    await installForeignResources(kubernetes, FOREIGN);
    dir = await mkdtemp(join(tmpdir(), "headrace-webhook-"));
    namespace = await kubernetes.createNamespace();
    elsewhere = await kubernetes.createNamespace();
    await applyOperatorManifest(kubernetes, namespace, { file: "operator-rbac.yaml" });
    await applyOperatorManifest(kubernetes, namespace, { file: "operator-rbac-foreign.yaml" });
    const kubeconfig = await operatorKubeconfig(kubernetes, namespace, { dir });
    port = await startOperator(kubeconfig);
    await applyOperatorManifest(kubernetes, namespace, { file: "operator-webhook.yaml", change: forThisTest });
    await startCluster();
  });

  after(async () => {
    stop.abort();
    await running;
    await worker?.stop(20_000);
    const name = `headrace-operator-${namespace}`;
    await kubernetes.kubectl(["delete", "validatingwebhookconfiguration", name, "--ignore-not-found"]);
    await kubernetes.kubectl([
      "delete",
      "clusterrole,clusterrolebinding",
      name,
      `headrace-operator-webhook-${namespace}`,
      `headrace-operator-foreign-${namespace}`,
    ]);
    await kafka.stop();
    await kubernetes.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /**
   * The API server asks this process, about these namespaces only, about a foreign group as well, and waits longer: the machine may be
   * busy.
   */
  function forThisTest(manifest: string): string {
    const names = `values: [${namespace}, ${elsewhere}]`;
    const selector = `namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, ${names} }] }`;
    return manifest
      .replace("apiGroups: [headrace.dev]", `apiGroups: [headrace.dev, ${FOREIGN}]`)
      .replace("timeoutSeconds: 5", "timeoutSeconds: 10")
      .replace("resourceNames: [headrace-operator]", `resourceNames: [headrace-operator-${namespace}]`)
      .replace(
        /clientConfig:\n( +)service:\n +name: .*\n +namespace: .*\n/,
        `clientConfig:\n$1url: https://127.0.0.1:${port}/\n    ${selector}\n`,
      );
  }

  async function startOperator(kubeconfig: string): Promise<number> {
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_WATCH_NAMESPACES: namespace,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
      HEADRACE_FOREIGN_APIS: FOREIGN,
      HEADRACE_WEBHOOK: "true",
      HEADRACE_WEBHOOK_CONFIGURATION: `headrace-operator-${namespace}`,
      HEADRACE_WEBHOOK_HOST: "127.0.0.1",
      HEADRACE_WEBHOOK_PORT: "0",
    });
    const connection = loadConnection({ kubeconfig, env: {} });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    const { promise, resolve } = Promise.withResolvers<number>();
    const inputs = { config, connection, log, version: "test", host: "test", onWebhookListening: resolve };
    running = runOperator(inputs, stop.signal);
    return await Promise.race([promise, running.then(() => Promise.reject(new Error("the operator ended")))]);
  }

  const get = <T>(path: string) => kubernetes.api.request<T>({ path }, signal);
  const apply = (object: object, ...options: readonly string[]) =>
    kubernetes.kubectl(["apply", "-n", namespace, ...options, "-f", "-"], { input: JSON.stringify(object) });

  async function startCluster(): Promise<void> {
    const group = uniqueName("webhook");
    const config = {
      "config.storage.replication.factor": 1,
      "offset.storage.replication.factor": 1,
      "status.storage.replication.factor": 1,
    };
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "a" },
      spec: {
        replicas: 1,
        bootstrapServers: kafka.bootstrap,
        groupId: group,
        configStorageTopic: `${group}-configs`,
        offsetStorageTopic: `${group}-offsets`,
        statusStorageTopic: `${group}-status`,
        config,
      },
    });
    const podPath = `/api/v1/namespaces/${namespace}/pods/a-connect-0`;
    const pod = await eventually("the pod is there", () => get<Pod>(podPath).catch(() => undefined), 60_000);
    const resource = await get<KafkaConnect>(`/apis/headrace.dev/v1/namespaces/${namespace}/kafkaconnects/a`);
    const properties = join(dir, "worker.properties");
    await writeFile(properties, renderWorkerProperties(resource).text.replaceAll("/opt/headrace/rest", dir));
    const secret = `/api/v1/namespaces/${namespace}/secrets/a-connect-tls`;
    const { data } = await get<{ readonly data: Readonly<Record<string, string>> }>(secret);
    await mkdir(join(dir, "certificates"));
    for (const key of ["keystore.pem", "ca.crt"]) {
      await writeFile(join(dir, "certificates", key), Buffer.from(data[key] ?? "", "base64"));
    }
    const started = await startProcess({
      name: "worker",
      command: process.execPath,
      args: ["--conditions=source", join(repoRoot, "runtime/src/main.ts"), "distributed", properties],
      logFile: join(dir, "worker.log"),
      env: { POD_IP: ip, POD_UID: pod.metadata.uid, POD_NAME: "a-connect-0", TOPIC: "orders" },
    });
    worker = started;
    await eventually(
      "the worker is ready at its probe's address",
      async () => {
        if (!started.running()) throw new Error(`the worker ended:\n${logTail(started.logFile, 60)}`);
        return fetch(`http://${ip}:9404/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
          ({ ok }) => ok,
          () => false,
        );
      },
      60_000,
    );
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] };
    const contentType = "application/merge-patch+json";
    await kubernetes.api.request({ method: "PATCH", path: `${podPath}/status`, body: { status }, contentType }, signal);
    const condition = ["--for=condition=Ready", "kafkaconnect/a", "--timeout=180s"];
    await kubernetes.kubectl(["wait", "-n", namespace, ...condition]);
  }

  const connector = (config: object, spec: object = {}, cluster = "a") => ({
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: { name: "orders", labels: { "headrace.dev/cluster": cluster } },
    spec: { class: "datagen", tasksMax: 1, config, ...spec },
  });

  const DRY = "--dry-run=server";
  /** Turns warnings of the API server into failures that tell them. */
  const STRICT = "--warnings-as-errors";
  /** What kubectl says to a dry run; asked again while the machine is too busy for the worker to answer in time. */
  const dryRun = async (object: object): Promise<string> => {
    let said = "";
    await eventually("the configuration is checked", async () => {
      said = await apply(object, DRY, STRICT).catch(String);
      return !said.includes("The configuration was not checked");
    });
    return said;
  };
  const exists = async () =>
    (await kubernetes.kubectl(["get", "-n", namespace, "kafkaconnectors", "-o", "name"])) !== "";

  it("makes kubectl apply --dry-run=server tell what is wrong with each field, in the plugin's words", async () => {
    const said = await eventually("the API server asks the webhook", async () => {
      const text = await dryRun(connector({ "rate.per.second": "fast" }));
      return !text.endsWith("(server dry run)\n") && text;
    });
    assert.match(said, /The KafkaConnector "orders" is invalid/);
    assert.match(said, /\* spec\.config\.topic: Missing required configuration "topic"/);
    assert.match(said, /\* spec\.config\.rate\.per\.second: .*fast/);
    assert.equal(await exists(), false);
    assert.match(await dryRun(connector({ topic: "a" }, { class: "dategen" })), /spec\.class: .*"dategen".*datagen/);
    assert.equal(
      await dryRun(connector({ topic: "orders" })),
      "kafkaconnector.headrace.dev/orders created (server dry run)\n",
    );
    assert.equal(await exists(), false);
  });

  it("is no obstacle where nobody can tell yet", async () => {
    await assert.rejects(apply(connector({}, {}, "b"), DRY, STRICT), /Warning: KafkaConnect .*\/b does not exist/);
    await apply(connector({}, {}, "b"), DRY);
    assert.match(
      await dryRun(connector({}, { config: { topic: "a", name: "b" } })),
      /name in spec\.config is not applied/,
    );
  });

  it("takes placeholders for what they are", async () => {
    assert.match(await dryRun(connector({ topic: "$" + "{env:TOPIC}" })), /created \(server dry run\)/);
    const secret = connector({ topic: ["$", `{secrets:${namespace}/later:topic}`].join("") });
    await assert.rejects(apply(secret, DRY, STRICT), /Warning: .*The configuration was not checked/);
    await apply(secret, DRY);
    assert.match(
      await dryRun(connector({ topic: "a", "rate.per.second": "$" + "{env:TOPIC}" })),
      /Warning: spec\.config\.rate\.per\.second: /,
    );
  });

  it("keeps a running connector from a bad change, and lets everything else pass", async () => {
    await apply(connector({ topic: "orders" }), STRICT);
    await kubernetes.kubectl([
      "wait",
      "-n",
      namespace,
      "--for=condition=Ready",
      "kafkaconnector/orders",
      "--timeout=180s",
    ]);
    await assert.rejects(
      apply(connector({ topic: "orders", "rate.per.second": "-1" })),
      /spec\.config\.rate\.per\.second/,
    );
    await kubernetes.kubectl(["annotate", "-n", namespace, "kafkaconnector/orders", "headrace.dev/restart=true"]);
    await kubernetes.kubectl(["delete", "-n", namespace, "kafkaconnector/orders", "--timeout=180s"]);
    assert.equal(await exists(), false);
  });

  it("checks a KafkaConnect as far as its own fields go", async () => {
    const cluster = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "other" },
      spec: {
        replicas: 1,
        bootstrapServers: kafka.bootstrap,
        groupId: "other",
        configStorageTopic: "other-configs",
        offsetStorageTopic: "other-offsets",
        statusStorageTopic: "other-status",
        jvmOptions: {},
      },
    };
    await assert.rejects(
      apply(cluster, DRY, STRICT),
      /Warning: Not used, since they are for runtime: Jvm only: spec\.jvmOptions/,
    );
  });

  it("checks resources of another group on clusters that are claimed, and no others", async () => {
    const foreign = (config: object, annotations: object) => ({
      apiVersion: `${FOREIGN}/v1`,
      kind: "KafkaConnect",
      metadata: { name: "theirs", annotations },
      spec: {
        replicas: 0,
        bootstrapServers: kafka.bootstrap,
        groupId: "theirs",
        configStorageTopic: "theirs-configs",
        offsetStorageTopic: "theirs-offsets",
        statusStorageTopic: "theirs-status",
        config,
      },
    });
    const claimed = { "headrace.dev/managed": "true" };
    const bad = { "offset.flush.interval.ms": { not: "a scalar" } };
    await apply(foreign(bad, {}), DRY, STRICT);
    await assert.rejects(apply(foreign(bad, claimed), DRY), /spec\.config.*offset\.flush\.interval\.ms/);
    const connectorOf = (config: object) => ({
      apiVersion: `${FOREIGN}/v1`,
      kind: "KafkaConnector",
      metadata: { name: "orders", labels: { "strimzi.io/cluster": "theirs" } },
      spec: { class: "datagen", tasksMax: 1, config },
    });
    await apply(connectorOf({ topic: { not: "a scalar" } }), DRY, STRICT);
    await apply(foreign({}, claimed));
    const refused = await eventually("the operator has seen the cluster", async () => {
      const said = await apply(connectorOf({ topic: { not: "a scalar" } }), DRY).then(() => "accepted", String);
      return said !== "accepted" && said;
    });
    assert.match(refused, /spec\.config\.?.*topic/);
    await assert.rejects(apply(connectorOf({ topic: "a" }), DRY, STRICT), /theirs has 0 replicas/);
  });

  it("warns of a resource in a namespace that nobody watches", async () => {
    const resource = {
      ...connector({ topic: "orders" }),
      metadata: { ...connector({}).metadata, namespace: elsewhere },
    };
    const dry = ["apply", "-n", elsewhere, DRY, STRICT, "-f", "-"];
    const said = await kubernetes.kubectl(dry, { input: JSON.stringify(resource) }).then(() => "accepted", String);
    assert.match(said, new RegExp(`does not watch namespace ${elsewhere}: nothing comes of the KafkaConnector`));
  });

  it("answers nobody who does not know the path that the API server was told", async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { method: "POST", rejectUnauthorized: false };
      request(`https://127.0.0.1:${port}/validate/x`, options, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end("{}");
    });
    assert.equal(status, 404);
  });

  it("lets changes pass with a warning when the worker hangs", async () => {
    worker?.signal("SIGSTOP");
    try {
      await assert.rejects(apply(connector({}), DRY, STRICT), /Warning: .*The configuration was not checked/);
    } finally {
      worker?.signal("SIGCONT");
    }
  });
});
