import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
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
      {
        ...CONNECT,
        version: "4.3.1",
        jvmOptions: {
          "-Xmx": "1g",
          "-Xms": "512m",
          "-XX": { UseG1GC: "true" },
          gcLoggingEnabled: false,
          javaSystemProperties: [{ name: "a", value: "b" }],
        },
        jmxOptions: { authentication: { type: "password" } },
        tracing: { type: "opentelemetry" },
        clientRackInitImage: "a/b:c",
      },
    ],
    [
      "logging and metrics of a Strimzi resource",
      "KafkaConnect",
      {
        ...CONNECT,
        logging: { type: "external", valueFrom: { configMapKeyRef: { name: "a", key: "log4j2.properties" } } },
        metricsConfig: {
          type: "jmxPrometheusExporter",
          valueFrom: { configMapKeyRef: { name: "a", key: "rules.yaml", optional: true } },
        },
      },
    ],
    [
      "inline logging and the metrics reporter",
      "KafkaConnect",
      {
        ...CONNECT,
        logging: { type: "inline", loggers: { "rootLogger.level": "INFO" } },
        metricsConfig: { type: "strimziMetricsReporter", values: { allowList: ["kafka_connect.*"] } },
      },
    ],
    [
      "TLS with certificates and patterns, and a client certificate",
      "KafkaConnect",
      {
        ...CONNECT,
        tls: {
          trustedCertificates: [
            { secretName: "ca", certificate: "ca.crt" },
            { secretName: "more", pattern: "*.crt" },
          ],
        },
        authentication: {
          type: "tls",
          certificateAndKey: { secretName: "user", certificate: "user.crt", key: "user.key" },
        },
      },
    ],
    ["TLS with public authorities", "KafkaConnect", { ...CONNECT, tls: {} }],
    ...["scram-sha-256", "scram-sha-512", "plain"].map((type): [string, string, object] => [
      `authentication by ${type}`,
      "KafkaConnect",
      {
        ...CONNECT,
        authentication: { type, username: "u.v", passwordSecret: { secretName: "user", password: "password" } },
      },
    ]),
    [
      "authentication by OAUTHBEARER",
      "KafkaConnect",
      { ...CONNECT, authentication: { type: "custom", sasl: true, config: { "sasl.mechanism": "OAUTHBEARER" } } },
    ],
    ["racks from a label", "KafkaConnect", { ...CONNECT, rack: { topologyKey: "topology.kubernetes.io/zone" } }],
    [
      "racks from a variable",
      "KafkaConnect",
      { ...CONNECT, rack: { type: "environment-variable", envVarName: "RACK" } },
    ],
    [
      "plugins from an image and from an archive",
      "KafkaConnect",
      {
        ...CONNECT,
        plugins: [
          { name: "jdbc", artifacts: [{ type: "image", reference: "a/b@sha256:c", pullPolicy: "IfNotPresent" }] },
          {
            name: "x_y",
            artifacts: [{ type: "npm", url: "https://r/x.tgz", integrity: `sha512-${"A".repeat(86)}==` }],
          },
        ],
      },
    ],
    [
      "a JVM cluster with a build",
      "KafkaConnect",
      {
        ...CONNECT,
        runtime: "Jvm",
        image: "apache/kafka:4.3.1",
        build: {
          output: { type: "docker", image: "r/i", pushSecret: "s", additionalBuildOptions: ["--tls-verify=false"] },
          plugins: [
            {
              name: "pg",
              artifacts: [
                { type: "tgz", url: "https://r/x.tgz", sha512sum: "a".repeat(128) },
                { type: "other", url: "https://r/x", fileName: "x.bin", insecure: true },
                {
                  type: "maven",
                  group: "g",
                  artifact: "a",
                  version: "1",
                  repository: "https://m",
                  includeScope: "runtime",
                  mirrors: [{ url: "https://n" }],
                },
              ],
            },
          ],
          resources: { limits: { cpu: 1 } },
        },
      },
    ],
    [
      "isolation, tenants and an open REST API",
      "KafkaConnect",
      {
        ...CONNECT,
        runtime: "Headrace",
        isolation: "Connector",
        allowedNamespaces: {
          from: "Selector",
          selector: {
            matchLabels: { team: "a" },
            matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["a", "b"] }],
          },
        },
        rest: {
          security: "Closed",
          tokens: [{ name: "ui", role: "read", secretKeyRef: { name: "ui", key: "token" } }],
          allowFrom: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: "ui" } } }],
        },
      },
    ],
    [
      "templates for every object",
      "KafkaConnect",
      {
        ...CONNECT,
        template: {
          pod: {
            imagePullSecrets: [{ name: "pull" }],
            terminationGracePeriodSeconds: 60,
            topologySpreadConstraints: [{ maxSkew: 1 }],
            priorityClassName: "high",
            schedulerName: "mine",
            hostAliases: [{ ip: "10.0.0.1", hostnames: ["a"] }],
            dnsPolicy: "ClusterFirst",
            dnsConfig: { searches: ["a"] },
            enableServiceLinks: false,
            hostUsers: false,
            tmpDirSizeLimit: "128Mi",
            volumes: [
              { name: "a", configMap: { name: "a" } },
              { name: "b", emptyDir: {} },
              { name: "c", persistentVolumeClaim: { claimName: "c" } },
              { name: "d", csi: { driver: "d" } },
              { name: "e", image: { reference: "e" } },
              { name: "f", projected: { sources: [] } },
            ],
            templatedVolumes: [{ name: "g", secret: { secretName: "{nodePodName}" } }],
          },
          initContainer: { env: [{ name: "A", value: "b" }] },
          statefulSet: { metadata: { annotations: { a: "b" } } },
          podSet: { metadata: { labels: { a: "b" } } },
          apiService: {
            metadata: { labels: { a: "b" } },
            ipFamilyPolicy: "PreferDualStack",
            ipFamilies: ["IPv4", "IPv6"],
          },
          headlessService: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv6"] },
          serviceAccount: { metadata: { annotations: { a: "b" } } },
          networkPolicy: { metadata: { labels: { a: "b" } } },
          clusterRoleBinding: { metadata: {} },
          jmxSecret: { metadata: {} },
          buildPod: { imagePullSecrets: [{ name: "a" }] },
          buildContainer: { securityContext: {} },
          buildConfig: { pullSecret: "a" },
          buildServiceAccount: { metadata: {} },
        },
      },
    ],
    ["the smallest KafkaConnector", "KafkaConnector", CONNECTOR],
    [
      "a stopped KafkaConnector",
      "KafkaConnector",
      { ...CONNECTOR, tasksMax: 3, state: "stopped", deletionPolicy: "Orphan" },
    ],
    [
      "a KafkaConnector with all that there is",
      "KafkaConnector",
      {
        ...CONNECTOR,
        name: "Orders -> S3, übermorgen/alt",
        version: "[1.0,2.0)",
        managementPolicy: "Observe",
        resetOffsetsOnDelete: true,
        autoRestart: { maxRestarts: 5, backoff: { initialSeconds: 2, maxSeconds: 60 }, resetAfterSeconds: 300 },
        startFrom: { offsets: [{ partition: { file: "a" }, offset: { position: 7 } }] },
        listOffsets: { toConfigMap: { name: "a" } },
        alterOffsets: { fromConfigMap: { name: "a" } },
        resources: { limits: { memory: "256Mi" } },
      },
    ],
    [
      "automatic restarts with the defaults, offsets from a ConfigMap",
      "KafkaConnector",
      { ...CONNECTOR, autoRestart: {}, startFrom: { configMapKeyRef: { name: "a", key: "offsets.json" } } },
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
    [
      "a trusted certificate by key and by pattern",
      "KafkaConnect",
      { ...CONNECT, tls: { trustedCertificates: [{ secretName: "a", certificate: "b", pattern: "c" }] } },
      /trustedCertificates\[0\]: .*give either certificate or pattern/,
    ],
    [
      "a trusted certificate without a key",
      "KafkaConnect",
      { ...CONNECT, tls: { trustedCertificates: [{ secretName: "a" }] } },
      /trustedCertificates\[0\]: .*give either certificate or pattern/,
    ],
    [
      "authentication by oauth",
      "KafkaConnect",
      { ...CONNECT, authentication: { type: "oauth" } },
      /spec\.authentication\.type: .*supported values: "tls", "scram-sha-256"/,
    ],
    [
      "authentication by tls without a certificate",
      "KafkaConnect",
      { ...CONNECT, authentication: { type: "tls" } },
      /spec\.authentication: .*certificateAndKey is required when type is tls/,
    ],
    [
      "SCRAM without a password",
      "KafkaConnect",
      { ...CONNECT, authentication: { type: "scram-sha-512", username: "a" } },
      /passwordSecret is required when type is scram-sha-256 or scram-sha-512 or plain/,
    ],
    [
      "a user name for a client certificate",
      "KafkaConnect",
      {
        ...CONNECT,
        authentication: {
          type: "tls",
          certificateAndKey: { secretName: "a", certificate: "b", key: "c" },
          username: "a",
        },
      },
      /username can be given only when type is scram-sha-256/,
    ],
    ["a rack without a label", "KafkaConnect", { ...CONNECT, rack: {} }, /spec\.rack: .*topologyKey is required.*zone/],
    [
      "a rack without a variable",
      "KafkaConnect",
      { ...CONNECT, rack: { type: "environment-variable" } },
      /spec\.rack: .*envVarName is required/,
    ],
    [
      "external logging without a ConfigMap",
      "KafkaConnect",
      { ...CONNECT, logging: { type: "external" } },
      /spec\.logging: .*valueFrom is required when type is external/,
    ],
    [
      "metrics rules without a ConfigMap",
      "KafkaConnect",
      { ...CONNECT, metricsConfig: { type: "jmxPrometheusExporter" } },
      /spec\.metricsConfig: .*valueFrom is required/,
    ],
    [
      "a heap that is no size",
      "KafkaConnect",
      { ...CONNECT, jvmOptions: { "-Xmx": "1 GB" } },
      /spec\.jvmOptions\.-Xmx: .*should match/,
    ],
    [
      "a JVM without an image",
      "KafkaConnect",
      { ...CONNECT, runtime: "Jvm" },
      /spec\.runtime: .*image is required with runtime: Jvm/,
    ],
    ["an unknown runtime", "KafkaConnect", { ...CONNECT, runtime: "Go" }, /spec\.runtime: .*"Headrace", "Jvm"/],
    [
      "an image plugin without an image",
      "KafkaConnect",
      { ...CONNECT, plugins: [{ name: "a", artifacts: [{ type: "image" }] }] },
      /artifacts\[0\]: .*reference is required when type is image/,
    ],
    [
      "an npm plugin without its hash",
      "KafkaConnect",
      { ...CONNECT, plugins: [{ name: "a", artifacts: [{ type: "npm", url: "https://r/x.tgz" }] }] },
      /artifacts\[0\]: .*integrity is required when type is npm/,
    ],
    [
      "a name for a plugin that is no directory",
      "KafkaConnect",
      { ...CONNECT, plugins: [{ name: "../a", artifacts: [{ type: "image", reference: "a" }] }] },
      /spec\.plugins\[0\]\.name: .*should match/,
    ],
    [
      "two plugins of one name",
      "KafkaConnect",
      {
        ...CONNECT,
        plugins: ["a", "b"].map((reference) => ({ name: "x", artifacts: [{ type: "image", reference }] })),
      },
      /spec\.plugins\[1\]: Duplicate value/,
    ],
    [
      "a Maven artifact without a version",
      "KafkaConnect",
      { ...CONNECT, build: { plugins: [{ name: "a", artifacts: [{ type: "maven", group: "g", artifact: "a" }] }] } },
      /artifacts\[0\]: .*version is required when type is maven/,
    ],
    [
      "a checksum that is none",
      "KafkaConnect",
      { ...CONNECT, build: { plugins: [{ name: "a", artifacts: [{ type: "jar", url: "u", sha512sum: "1" }] }] } },
      /sha512sum: .*should match/,
    ],
    [
      "namespaces by a selector without one",
      "KafkaConnect",
      { ...CONNECT, allowedNamespaces: { from: "Selector" } },
      /spec\.allowedNamespaces: .*selector is required/,
    ],
    [
      "a token without a role",
      "KafkaConnect",
      { ...CONNECT, rest: { tokens: [{ name: "a", secretKeyRef: { name: "a", key: "b" } }] } },
      /spec\.rest\.tokens\[0\]\.role: Required/,
    ],
    [
      "a volume from two sources",
      "KafkaConnect",
      { ...CONNECT, template: { pod: { volumes: [{ name: "a", emptyDir: {}, secret: {} }] } } },
      /volumes\[0\]: .*exactly one of secret, configMap/,
    ],
    [
      "a volume with a name of the operator",
      "KafkaConnect",
      { ...CONNECT, template: { pod: { volumes: [{ name: "headrace-config", emptyDir: {} }] } } },
      /volumes\[0\]\.name: .*choose another name/,
    ],
    [
      "a variable with two values",
      "KafkaConnect",
      { ...CONNECT, template: { connectContainer: { env: [{ name: "A", value: "b", valueFrom: {} }] } } },
      /env\[0\]: .*either value or valueFrom/,
    ],
    ["no class", "KafkaConnector", {}, /spec\.class: Required/],
    ["a name with a line break", "KafkaConnector", { ...CONNECTOR, name: "a\nb" }, /spec\.name: .*control characters/],
    [
      "offsets that begin nowhere",
      "KafkaConnector",
      { ...CONNECTOR, startFrom: {} },
      /spec\.startFrom: .*either offsets or configMapKeyRef/,
    ],
    [
      "a first pause longer than the longest",
      "KafkaConnector",
      { ...CONNECTOR, autoRestart: { backoff: { initialSeconds: 9, maxSeconds: 3 } } },
      /spec\.autoRestart\.backoff: .*must not be more than maxSeconds/,
    ],
    [
      "offsets that are reset under a connector that stays",
      "KafkaConnector",
      { ...CONNECTOR, deletionPolicy: "Orphan", resetOffsetsOnDelete: true },
      /spec\.resetOffsetsOnDelete: .*needs deletionPolicy: Delete/,
    ],
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

  for (const [file, kind, base] of [
    ["kafka-connect.md", "KafkaConnect", CONNECT],
    ["kafka-connector.md", "KafkaConnector", CONNECTOR],
  ] as const) {
    it(`accepts every example of docs/${file}`, async () => {
      const text = await readFile(new URL(`../../docs/${file}`, import.meta.url), "utf8");
      const examples = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, example = ""]) => example);
      assert.ok(examples.length > 5);
      for (const example of examples) {
        const { spec }: { spec: object } = parse(example);
        await check(kind, { ...base, ...spec }).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${example}`);
        });
      }
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

  it("keeps the name of a connector as it is", async () => {
    const body = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "named" },
      spec: { ...CONNECTOR, name: "A b" },
    };
    await kubernetes.api.request({ method: "POST", path: path("KafkaConnector"), body }, signal);
    const change = (spec: object) =>
      kubernetes.api.request(
        {
          method: "PATCH",
          path: path("KafkaConnector", "named"),
          body: { spec },
          contentType: "application/merge-patch+json",
        },
        signal,
      );
    for (const name of ["other", null]) {
      await assert.rejects(change({ name }), /spec\.name: .*name cannot change: delete this KafkaConnector/);
    }
    await change({ tasksMax: 2 });
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
    const columns = (await kubernetes.kubectl(["-n", namespace, "get", "kctr", "shown"]))
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
