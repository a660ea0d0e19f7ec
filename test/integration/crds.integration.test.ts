import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { installCustomResources } from "#support/custom-resources.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const CONNECT = {
  replicas: 1,
  bootstrapServers: "kafka:9092",
  groupId: "a",
  configStorageTopic: "a-configs",
  offsetStorageTopic: "a-offsets",
  statusStorageTopic: "a-status",
};

const CONNECTOR = { class: "datagen" };

describe("custom resource definitions on a real API server", () => {
  let kubernetes: TestKubernetes;
  let namespace: string;
  const signal = AbortSignal.timeout(180_000);

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    namespace = await kubernetes.createNamespace();
  });

  after(() => kubernetes.stop());

  function path(kind: string, name = ""): string {
    const plural = kind === "KafkaConnect" ? "kafkaconnects" : "kafkaconnectors";
    return `/apis/headrace.dev/v1/namespaces/${namespace}/${plural}${name === "" ? "" : `/${name}`}`;
  }

  /** Sends a resource as `kubectl apply --dry-run=server` would; throws with the API server's words. */
  function check(kind: string, spec: unknown, name = "a"): Promise<{ readonly spec: Record<string, unknown> }> {
    const body = { apiVersion: "headrace.dev/v1", kind, metadata: { name }, spec };
    return kubernetes.api.request(
      { method: "POST", path: `${path(kind)}?dryRun=All&fieldValidation=Strict`, body },
      signal,
    );
  }

  const good: readonly [string, string, object][] = [
    ["the smallest KafkaConnect", "KafkaConnect", CONNECT],
    ["zero replicas", "KafkaConnect", { ...CONNECT, replicas: 0 }],
    ["several brokers, IPv6 and spaces", "KafkaConnect", { ...CONNECT, bootstrapServers: "a:1, b.c:9092 ,[::1]:9092" }],
    [
      "scalars of each kind in config",
      "KafkaConnect",
      { ...CONNECT, config: { a: "x", b: 1, c: 1.5, d: true, e: -1 } },
    ],
    [
      "resources, probes and a template",
      "KafkaConnect",
      {
        ...CONNECT,
        resources: { limits: { memory: "1Gi", cpu: 2 }, requests: { cpu: "100m" } },
        livenessProbe: { initialDelaySeconds: 0, timeoutSeconds: 1 },
        template: {
          pod: {
            metadata: { labels: { team: "a" } },
            securityContext: { fsGroup: 1 },
            tolerations: [{ key: "a", operator: "Exists" }],
            affinity: { nodeAffinity: {} },
            volumes: [{ name: "v", secret: { secretName: "s" } }],
          },
          connectContainer: {
            env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
            volumeMounts: [{ name: "v", mountPath: "/mnt/v", readOnly: true }],
          },
          podDisruptionBudget: { maxUnavailable: 2 },
        },
      },
    ],
    [
      "JVM settings of a Strimzi resource",
      "KafkaConnect",
      { ...CONNECT, jvmOptions: { "-Xmx": "1g" }, logging: { type: "inline" } },
    ],
    ["the smallest KafkaConnector", "KafkaConnector", CONNECTOR],
    [
      "a stopped KafkaConnector",
      "KafkaConnector",
      { ...CONNECTOR, tasksMax: 3, state: "stopped", deletionPolicy: "Orphan" },
    ],
  ];
  for (const [what, kind, spec] of good) {
    it(`accepts ${what}`, async () => {
      await check(kind, spec);
    });
  }

  const bad: readonly [string, string, object, RegExp][] = [
    [
      "no bootstrapServers",
      "KafkaConnect",
      { ...CONNECT, bootstrapServers: undefined },
      /spec\.bootstrapServers: Required/,
    ],
    ["no groupId", "KafkaConnect", { ...CONNECT, groupId: undefined }, /spec\.groupId: Required/],
    [
      "brokers without a port",
      "KafkaConnect",
      { ...CONNECT, bootstrapServers: "kafka" },
      /spec\.bootstrapServers: .*list of host:port, for instance/,
    ],
    [
      "a URL as broker",
      "KafkaConnect",
      { ...CONNECT, bootstrapServers: "http://kafka:9092" },
      /spec\.bootstrapServers: .*list of host:port/,
    ],
    ["negative replicas", "KafkaConnect", { ...CONNECT, replicas: -1 }, /spec\.replicas: .*greater than or equal to 0/],
    ["a text as replicas", "KafkaConnect", { ...CONNECT, replicas: "3" }, /spec\.replicas: .*must be of type integer/],
    [
      "a topic with a space",
      "KafkaConnect",
      { ...CONNECT, statusStorageTopic: "a b" },
      /spec\.statusStorageTopic: .*must be a Kafka topic name/,
    ],
    [
      "one topic for two things",
      "KafkaConnect",
      { ...CONNECT, offsetStorageTopic: "a-configs" },
      /spec: .*must be three different topics/,
    ],
    ["a map in config", "KafkaConnect", { ...CONNECT, config: { a: { b: 1 } } }, /spec\.config\.a: Too many/],
    ["a list in config", "KafkaConnect", { ...CONNECT, config: { a: ["b"] } }, /spec\.config\.a: Too many/],
    [
      "an unknown field",
      "KafkaConnect",
      { ...CONNECT, bootstrapServer: "a:1" },
      /unknown field "spec\.bootstrapServer"/,
    ],
    [
      "a wrong quantity",
      "KafkaConnect",
      { ...CONNECT, resources: { limits: { memory: "1 GB" } } },
      /spec\.resources\.limits\.memory/,
    ],
    [
      "a volume mounted outside /mnt/",
      "KafkaConnect",
      { ...CONNECT, template: { connectContainer: { volumeMounts: [{ name: "v", mountPath: "/opt/v" }] } } },
      /volumeMounts\[0\]\.mountPath: .*must be under \/mnt\/, for instance/,
    ],
    [
      "an environment variable of the operator",
      "KafkaConnect",
      { ...CONNECT, template: { connectContainer: { env: [{ name: "POD_IP", value: "x" }] } } },
      /env\[0\]\.name: .*set by the operator: choose another name/,
    ],
    ["no class", "KafkaConnector", {}, /spec\.class: Required/],
    ["an empty class", "KafkaConnector", { class: "" }, /spec\.class: .*at least 1 char/],
    ["no tasks", "KafkaConnector", { ...CONNECTOR, tasksMax: 0 }, /spec\.tasksMax: .*greater than or equal to 1/],
    [
      "an unknown state",
      "KafkaConnector",
      { ...CONNECTOR, state: "off" },
      /spec\.state: .*supported values: "running", "paused", "stopped"/,
    ],
    [
      "an unknown deletionPolicy",
      "KafkaConnector",
      { ...CONNECTOR, deletionPolicy: "Keep" },
      /spec\.deletionPolicy: .*"Delete", "Orphan"/,
    ],
    ["a map in config", "KafkaConnector", { ...CONNECTOR, config: { a: { b: 1 } } }, /spec\.config\.a: Too many/],
  ];
  for (const [what, kind, spec, message] of bad) {
    it(`refuses ${what} in a ${kind}`, async () => {
      await assert.rejects(check(kind, spec), message);
    });
  }

  for (const name of ["1a", "a.b", "a".repeat(45)]) {
    it(`refuses the name ${name} for a KafkaConnect`, async () => {
      await assert.rejects(
        check("KafkaConnect", CONNECT, name),
        /name of a KafkaConnect must have at most 44 characters/,
      );
    });
  }

  it("fills in defaults", async () => {
    const { replicas: _, ...withoutReplicas } = CONNECT;
    assert.equal((await check("KafkaConnect", withoutReplicas)).spec["replicas"], 1);
    assert.deepEqual((await check("KafkaConnector", CONNECTOR)).spec, {
      class: "datagen",
      state: "running",
      deletionPolicy: "Delete",
    });
  });

  it("lets group and topics change at zero replicas only", async () => {
    const body = { apiVersion: "headrace.dev/v1", kind: "KafkaConnect", metadata: { name: "fixed" }, spec: CONNECT };
    await kubernetes.api.request({ method: "POST", path: path("KafkaConnect"), body }, signal);
    const change = (spec: object) =>
      kubernetes.api.request(
        {
          method: "PATCH",
          path: path("KafkaConnect", "fixed"),
          body: { spec },
          contentType: "application/merge-patch+json",
        },
        signal,
      );
    for (const field of ["groupId", "configStorageTopic", "offsetStorageTopic", "statusStorageTopic"]) {
      const message = new RegExp(`spec\\.${field}: .*${field} can change only while replicas is 0: scale`);
      await assert.rejects(change({ [field]: "other" }), message);
      await assert.rejects(change({ [field]: "other", replicas: 0 }), message);
    }
    await change({ replicas: 0 });
    await change({ groupId: "other", statusStorageTopic: "other" });
  });

  it("serves short names, the category, the scale subresource and columns", async () => {
    const connector = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "shown", labels: { "headrace.dev/cluster": "my-connect" } },
      spec: CONNECTOR,
    };
    await kubernetes.api.request({ method: "POST", path: path("KafkaConnector"), body: connector }, signal);
    const status = {
      conditions: [{ type: "Ready", status: "False", reason: "TasksFailed", message: "One.", lastTransitionTime: "x" }],
      connectorStatus: {
        name: "shown",
        type: "source",
        connector: { state: "RUNNING", worker_id: "w" },
        tasks: [{ id: 0, state: "RUNNING", worker_id: "w" }],
      },
      tasks: "1/2",
      tasksMax: 2,
    };
    const contentType = "application/merge-patch+json";
    const statusPath = `${path("KafkaConnector", "shown")}/status`;
    await kubernetes.api.request({ method: "PATCH", path: statusPath, body: { status }, contentType }, signal);
    const columns = (await kubernetes.kubectl(["-n", namespace, "get", "kctr"]))
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(columns[0]?.slice(0, 7), ["NAME", "CLUSTER", "CLASS", "STATE", "TASKS", "READY", "REASON"]);
    assert.deepEqual(columns[1]?.slice(0, 7), [
      "shown",
      "my-connect",
      "datagen",
      "RUNNING",
      "1/2",
      "False",
      "TasksFailed",
    ]);
    await kubernetes.kubectl(["-n", namespace, "scale", "kctr", "shown", "--replicas=4"]);
    const scaled = await kubernetes.kubectl([
      "-n",
      namespace,
      "get",
      "headrace",
      "-o",
      "jsonpath={.items[*].spec.tasksMax}",
    ]);
    assert.match(scaled, /4/);
  });
});
