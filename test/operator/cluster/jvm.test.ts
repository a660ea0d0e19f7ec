import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ExpandedConnectors, InstanceState, KafkaConnectSpec } from "@headrace/contract";
import { NO_CREDENTIALS } from "#operator/cluster/credentials.ts";
import { desire } from "#operator/cluster/desired.ts";
import { jmxExporter } from "#operator/cluster/jmx-exporter.ts";
import { toGroup } from "#operator/cluster/jvm-group.ts";
import { IMAGE_CHECK } from "#operator/cluster/jvm-preflight.ts";
import { jvmCommand, jvmEnvironment, jvmProbes } from "#operator/cluster/jvm-worker.ts";
import { type RulesFound, toMetricsRules } from "#operator/cluster/metrics-rules.ts";
import { buildNetworkPolicy } from "#operator/cluster/network-policy.ts";
import { buildPreflightPod } from "#operator/cluster/preflight.ts";
import { referencesOf } from "#operator/cluster/references.ts";
import { buildApiService, buildHeadlessService } from "#operator/cluster/service.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const jvm = (spec: Partial<KafkaConnectSpec> = {}) =>
  kafkaConnect({ runtime: "Jvm", image: "apache/kafka:4.3.1", ...spec });

const NOBODY = { secrets: [], configMaps: [] };

describe("runtime Jvm", () => {
  const variables = (spec: Partial<KafkaConnectSpec>) =>
    Object.fromEntries(jvmEnvironment(jvm(spec)).map(({ name, value }) => [name, value]));

  const table: readonly [string, Partial<KafkaConnectSpec>, string, string | undefined][] = [
    ["leaves the heap to the image", {}, "KAFKA_HEAP_OPTS", undefined],
    [
      "takes a share of the limit",
      { resources: { limits: { memory: "1Gi" } } },
      "KAFKA_HEAP_OPTS",
      "-XX:MaxRAMPercentage=75.0",
    ],
    [
      "takes the heap that is given",
      { jvmOptions: { "-Xms": "1g", "-Xmx": "2g" } },
      "KAFKA_HEAP_OPTS",
      "-Xms1g -Xmx2g",
    ],
    ["keeps JMX off", {}, "KAFKA_JMX_OPTS", undefined],
  ];
  for (const [what, spec, name, value] of table) {
    it(what, () => assert.equal(variables(spec)[name], value));
  }

  it("gives Java's workers no setting that only Headrace's know", () => {
    const { text } = renderWorkerProperties(
      jvm({ isolation: "Task", template: { pod: { terminationGracePeriodSeconds: 60 } } }),
    );
    assert.doesNotMatch(text, /^headrace/m);
    assert.match(text, /^plugin\.path=\/opt\/kafka\/plugins$/m);
  });

  it("is asked for its health inside the pod where its REST API wants certificates, and else by the kubelet", () => {
    const { readinessProbe, livenessProbe } = jvmProbes(jvm({ readinessProbe: { periodSeconds: 7 } }).spec);
    assert.match(JSON.stringify(readinessProbe), /"command":\["\/bin\/bash".*"periodSeconds":7/);
    assert.match(JSON.stringify(livenessProbe), /tcpSocket/);
    assert.deepEqual(variables({})["HEADRACE_LOOPBACK"], "127.0.0.1");
    const open = { rest: { security: "Open" } } as const;
    assert.match(JSON.stringify(jvmProbes(jvm(open).spec).readinessProbe), /"httpGet":\{"path":"\/health"/);
    assert.equal(variables(open)["HEADRACE_LOOPBACK"], undefined);
  });

  it("has the certificates that it is started with in its revision, for it reads them once", () => {
    const surroundings = { credentials: NO_CREDENTIALS, operator: null, named: NOBODY, loggingText: null };
    const [first, second] = ["A B", "C B"].map((certificates) => desire(jvm(), "w", { ...surroundings, certificates }));
    assert.equal(first?.template.metadata?.annotations?.["headrace.dev/rest-certificates"], "A B");
    assert.notEqual(first?.revision, second?.revision);
  });

  const WITH_PASSWORD = { jmxOptions: { authentication: { type: "password" } } } as const;

  it("asks for the password of a Secret, which no command and no variable has in it", () => {
    const connect = jvm(WITH_PASSWORD);
    const surroundings = { credentials: NO_CREDENTIALS, operator: null, named: NOBODY, loggingText: null };
    const { template, revision } = desire(connect, "w", { ...surroundings, jmxHash: "one" });
    assert.notEqual(revision, desire(connect, "w", { ...surroundings, jmxHash: "two" }).revision);
    assert.match(variables(WITH_PASSWORD)["KAFKA_JMX_OPTS"] ?? "", /authenticate=true .*password\.file=\/tmp\/\S+ /);
    assert.match(variables({ jmxOptions: {} })["KAFKA_JMX_OPTS"] ?? "", /authenticate=false/);
    const secret = template.spec?.volumes?.find(({ name }) => name === "headrace-jmx")?.secret;
    assert.equal(secret?.secretName, "my-connect-kafka-connect-jmx");
    assert.deepEqual(jvmCommand(connect.spec).slice(-2), jvmCommand(jvm({ jmxOptions: {} }).spec));
  });

  it("lets JMX in where it is on, and only there", () => {
    const open = (connect: KafkaConnect) =>
      [buildNetworkPolicy(connect, null), buildHeadlessService(connect), buildApiService(connect)].map(({ spec }) =>
        /"port":9999/.test(JSON.stringify(spec)),
      );
    assert.deepEqual(open(jvm({ jmxOptions: {} })), [true, true, true]);
    assert.deepEqual(open(jvm()), [false, false, false]);
    assert.deepEqual(open(jvm(WITH_PASSWORD)), [true, true, true]);
    assert.deepEqual(open(kafkaConnect({ jmxOptions: {} })), [false, false, false]);
  });

  const AGENT = {
    type: "maven",
    group: "io.prometheus.jmx",
    artifact: "jmx_prometheus_javaagent",
    version: "1.0.1",
  } as const;
  const withMetrics = (artifact: NonNullable<KafkaConnectSpec["build"]>["plugins"][number]["artifacts"][number]) =>
    jvm({
      jvmOptions: { javaSystemProperties: [{ name: "a", value: "b" }] },
      metricsConfig: {
        type: "jmxPrometheusExporter",
        valueFrom: { configMapKeyRef: { name: "metrics", key: "connect.yaml" } },
      },
      build: { plugins: [{ name: "jmx-exporter", artifacts: [artifact] }] },
    });

  it("starts the JMX exporter that is fetched, with the rules that are named", () => {
    const connect = withMetrics(AGENT);
    const { template } = desire(connect, "w");
    const [container] = template.spec?.containers ?? [];
    const options = container?.env?.find(({ name }) => name === "KAFKA_OPTS")?.value ?? "";
    assert.match(
      options,
      /^-javaagent:(\/opt\/headrace\/artifacts\/plugins\/jmx-exporter\/[0-9a-f]{8})\/jmx_prometheus_javaagent-1\.0\.1\.jar=\$\(POD_IP\):9404:\/opt\/headrace\/config\/metrics-rules\.yaml -Da=b$/,
    );
    const [, directory = "none"] = /-javaagent:(.*)\/jmx_/.exec(options) ?? [];
    assert.ok(JSON.stringify(template.spec?.initContainers).includes(directory), "it is fetched to there");
    assert.deepEqual(referencesOf(connect).configMaps, ["metrics"]);
  });

  const withRules = (found: Partial<RulesFound>) => {
    const connect = withMetrics(AGENT);
    const exporter = jmxExporter(connect.spec);
    assert.ok(exporter !== null);
    const metricsRules = toMetricsRules(exporter, { given: null, running: null, hasWorkers: false, ...found });
    const surroundings = { credentials: NO_CREDENTIALS, operator: null, named: NOBODY, loggingText: null };
    return desire(connect, "w", { ...surroundings, metricsRules });
  };
  const RULES = "rules:\n- pattern: .*\n";

  it("has the rules in its revision, so that a change is a roll and nothing is taken up unasked", () => {
    const [first, second] = [withRules({ given: RULES }), withRules({ given: `${RULES}- pattern: b\n` })];
    assert.equal(first.configMap.data?.["metrics-rules.yaml"], RULES);
    assert.equal(first.configMap.immutable, true);
    assert.notEqual(first.revision, second.revision);
    const names = first.template.spec?.volumes?.flatMap(({ configMap }) => configMap?.name ?? []);
    assert.deepEqual(names, [first.configMap.metadata.name]);
    assert.deepEqual([first.missing, withRules({ given: "" }).missing], [[], []]);
  });

  const told = "ConfigMap metrics with the key connect.yaml";
  const broken: readonly [string, string | null, RegExp][] = [
    ["missing", null, / does not exist/],
    ["no YAML", "rules: [", / has no rules of the JMX exporter: .+/],
    ["no mapping", "- a", / has no rules of the JMX exporter: it is no YAML mapping/],
  ];
  for (const [what, given, problem] of broken) {
    it(`goes on with the rules that its workers have while the user's are ${what}`, () => {
      const now = withRules({ given, running: RULES, hasWorkers: true });
      assert.equal(now.revision, withRules({ given: RULES }).revision);
      assert.deepEqual(now.missing, []);
      const [warning = "", ...more] = now.warnings;
      assert.ok(warning.startsWith(`spec.metricsConfig is as it was: ${told}`));
      assert.match(warning, problem);
      assert.deepEqual(more, []);
    });

    it(`waits for the rules, without which a new worker would not start, while they are ${what}`, () => {
      const { missing } = withRules({ given });
      assert.equal(missing.length, 1);
      assert.match(missing.join(), problem);
    });

    it(`lets workers that have none go on without the exporter while the rules are ${what}`, () => {
      const { missing, warnings, template, configMap } = withRules({ given, hasWorkers: true });
      assert.deepEqual(missing, []);
      assert.match(warnings.join(), /^spec\.metricsConfig is not applied: ConfigMap metrics/);
      assert.doesNotMatch(JSON.stringify([template, configMap]), /-javaagent:|metrics-rules/);
    });
  }

  it("knows the exporter's jar by its name, and says so where there is none", () => {
    const url = "https://example.com/jmx_prometheus_javaagent-1.0.1.jar";
    const files = [
      { type: "jar", url } as const,
      { type: "other", url: "https://example.com/x", fileName: "jmx_prometheus_javaagent-1.0.1.jar" } as const,
    ];
    for (const file of files) assert.notEqual(jmxExporter(withMetrics(file).spec), null);
    const none = withMetrics({ type: "zip", url });
    assert.equal(jmxExporter(none.spec), null);
    const { warnings, missing, template } = desire(none, "w");
    assert.match(
      warnings.join(),
      /spec\.metricsConfig is not applied: spec\.build has no artifact jmx_prometheus_javaagent/,
    );
    assert.deepEqual(missing, []);
    assert.doesNotMatch(JSON.stringify(template), /-javaagent:/);
  });

  const withBuild = (
    name: string,
    artifacts: NonNullable<KafkaConnectSpec["build"]>["plugins"][number]["artifacts"],
    spec: Partial<KafkaConnectSpec>,
  ) => jvm({ ...spec, build: { plugins: [{ name, artifacts }] } });

  for (const [what, artifact] of [
    [
      "Maven's",
      {
        type: "maven",
        group: "io.opentelemetry.javaagent",
        artifact: "opentelemetry-javaagent",
        version: "2.33.1",
      } as const,
    ],
    ["the project's", { type: "jar", url: "https://example.com/v2.33.1/opentelemetry-javaagent.jar" } as const],
  ] as const) {
    it(`starts OpenTelemetry's agent where it is fetched, ${what}, to tell traces and nothing else`, () => {
      const connect = withBuild("tracing", [artifact], { tracing: { type: "opentelemetry" } });
      const told = variables(connect.spec);
      assert.match(
        told["KAFKA_OPTS"] ?? "",
        /^-javaagent:\/opt\/headrace\/artifacts\/plugins\/tracing\/[0-9a-f]{8}\/opentelemetry-javaagent[^/]*\.jar$/,
      );
      assert.deepEqual(
        Object.entries(told).filter(([name]) => name.startsWith("OTEL_")),
        [
          ["OTEL_SERVICE_NAME", "my-connect-connect"],
          ["OTEL_TRACES_EXPORTER", "otlp"],
          ["OTEL_METRICS_EXPORTER", "none"],
          ["OTEL_LOGS_EXPORTER", "none"],
          ["OTEL_INSTRUMENTATION_KAFKA_CLIENTS_METRICS_ENABLED", "false"],
        ],
      );
      assert.deepEqual(desire(connect, "w").warnings, []);
    });
  }

  const REPORTER = {
    type: "maven",
    group: "io.strimzi",
    artifact: "client-metrics-reporter",
    version: "0.3.0",
  } as const;
  const propertiesOf = (connect: KafkaConnect) => renderWorkerProperties(connect).text.split("\n");

  it("loads the metrics reporter that is fetched, for the worker and the clients of its tasks", () => {
    const values = { allowList: ["kafka_connect_.*", "kafka_producer_.*"] };
    const metricsConfig = { type: "strimziMetricsReporter", values } as const;
    const config = { "metric.reporters": "mine, other", "producer.metric.reporters": "" };
    const connect = withBuild("reporter", [REPORTER], { metricsConfig, config });
    assert.match(
      variables(connect.spec)["CLASSPATH"] ?? "",
      /^\/opt\/headrace\/artifacts\/plugins\/reporter\/[0-9a-f]{8}\/\*$/,
    );
    const lines = propertiesOf(connect);
    const reporter = "io.strimzi.kafka.metrics.prometheus.ClientMetricsReporter";
    for (const line of [
      `metric.reporters=mine,other,${reporter}`,
      `producer.metric.reporters=${reporter}`,
      `consumer.metric.reporters=org.apache.kafka.common.metrics.JmxReporter,${reporter}`,
      "admin.prometheus.metrics.reporter.listener=http://$" + "{env:POD_IP}:9404",
      "prometheus.metrics.reporter.allowlist=kafka_connect_.*,kafka_producer_.*",
      "consumer.prometheus.metrics.reporter.allowlist=kafka_connect_.*,kafka_producer_.*",
    ]) {
      assert.ok(lines.includes(line), line);
    }
    assert.deepEqual(desire(connect, "w").warnings, []);
  });

  it("finds all jars of the reporter where each has a checksum of its own, and has a list of its own to allow", () => {
    const jars = ["client-metrics-reporter-0.3.0.jar", "prometheus-metrics-model-1.3.6.jar"].map(
      (file) => ({ type: "jar", url: `https://example.com/${file}` }) as const,
    );
    const connect = withBuild("reporter", jars, { metricsConfig: { type: "strimziMetricsReporter" } });
    assert.equal(variables(connect.spec)["CLASSPATH"]?.split(":").length, 2);
    assert.ok(propertiesOf(connect).some((line) => line.startsWith("prometheus.metrics.reporter.allowlist=kafka_")));
  });

  const unfetched: readonly [string, Partial<KafkaConnectSpec>, RegExp][] = [
    [
      "the metrics reporter",
      { metricsConfig: { type: "strimziMetricsReporter" } },
      /^spec\.metricsConfig is not applied: spec\.build has no artifact client-metrics-reporter, of type maven, or a file client-metrics-reporter-….jar\.$/,
    ],
    [
      "OpenTelemetry's agent",
      { tracing: { type: "opentelemetry" } },
      /^spec\.tracing is not applied: spec\.build has no artifact opentelemetry-javaagent,/,
    ],
  ];
  for (const [what, spec, warning] of unfetched) {
    it(`says that nothing fetches ${what}, and goes on without`, () => {
      const connect = withBuild("other", [AGENT], spec);
      const { warnings, missing, template, configMap } = desire(connect, "w");
      assert.match(warnings.join(), warning);
      assert.deepEqual(missing, []);
      assert.doesNotMatch(JSON.stringify([template, configMap]), /-javaagent:|OTEL_|CLASSPATH|metric\.reporters/);
    });
  }

  it("says whose variable takes the place of what is asked for", () => {
    const env = ["KAFKA_OPTS", "CLASSPATH"].map((name) => ({ name, value: "x" }));
    const agent = { type: "jar", url: "https://example.com/opentelemetry-javaagent.jar" } as const;
    const connect = withBuild("both", [REPORTER, agent], {
      tracing: { type: "opentelemetry" },
      metricsConfig: { type: "strimziMetricsReporter" },
      template: { connectContainer: { env } },
    });
    assert.match(
      desire(connect, "w").warnings.join(),
      /spec\.tracing \(KAFKA_OPTS\), spec\.metricsConfig \(CLASSPATH\)/,
    );
  });

  it("says what it cannot do", () => {
    const { warnings } = desire(
      jvm({
        isolation: "Task",
        jmxOptions: {},
        template: { jmxSecret: { metadata: { labels: { a: "b" } } } },
        rest: { tokens: [{ name: "a", role: "read", secretKeyRef: { name: "s", key: "k" } }] },
      }),
      "w",
    );
    assert.deepEqual(warnings, [
      "Without effect here: spec.template.jmxSecret.",
      "Not applied, since Java's workers have nothing like it: spec.isolation, spec.rest.tokens.",
    ]);
  });

  const preflight = (spec: Partial<KafkaConnectSpec> = {}) => {
    const connect = jvm({
      build: { plugins: [{ name: "p", artifacts: [{ type: "jar", url: "https://example.com/p.jar" }] }] },
      ...spec,
    });
    const { initContainers = [], containers = [] } =
      buildPreflightPod(connect, desire(connect, "worker:1").template, "worker:1").spec ?? {};
    return [...initContainers, ...containers].map(({ name, image, command = [] }) => ({ name, image, command }));
  };

  it("tries plugins, the image and then Kafka before a roll", () => {
    const [fetch, image, kafka, ...more] = preflight(WITH_PASSWORD);
    assert.equal(fetch?.name, "fetch-artifacts");
    assert.deepEqual(image, { name: "check-image", image: "apache/kafka:4.3.1", command: IMAGE_CHECK });
    assert.deepEqual(kafka, {
      name: "my-connect-connect",
      image: "worker:1",
      command: [
        ...["headrace-worker", "check-kafka", "/opt/headrace/config/worker.properties"],
        // Where files have to be; all others may be in the image of Java's workers.
        ...["/opt/headrace/config", "/var/run/secrets/kubernetes.io/serviceaccount"],
        ...["/opt/headrace/rest/certificates", "/opt/headrace/jmx"],
      ],
    });
    assert.deepEqual(more, []);
  });

  for (const spec of [
    { jvmOptions: { javaSystemProperties: [{ name: "javax.net.ssl.trustStore", value: "/mnt/trust" }] } },
    { jvmOptions: { javaSystemProperties: [{ name: "https.proxyHost", value: "proxy" }] } },
    { template: { connectContainer: { env: [{ name: "KAFKA_OPTS", value: "-Djava.security.krb5.conf=/mnt/krb5" }] } } },
  ]) {
    it(`leaves out Kafka where only Java knows how to get there: ${JSON.stringify(spec)}`, () => {
      assert.deepEqual(preflight(spec).at(-1)?.command, IMAGE_CHECK);
    });
  }
});

describe("toGroup", () => {
  const workers = ["10.0.0.1", "10.0.0.2"].map((ip, ordinal) => ({ ip, pod: `c-connect-${ordinal}` }));

  function cluster(tasks: readonly [InstanceState, number][], count = tasks.length): ExpandedConnectors {
    const at = (worker: number) => `10.0.0.${worker}:8083`;
    return {
      a: {
        info: {
          name: "a",
          config: {},
          type: "source",
          tasks: Array.from({ length: count }, (_, task) => ({ connector: "a", task })),
        },
        status: {
          name: "a",
          type: "source",
          connector: { state: "RUNNING", worker_id: at(1) },
          tasks: tasks.map(([state, worker], id) => ({ id, state, worker_id: at(worker) })),
        },
      },
    };
  }

  const table: readonly [string, ExpandedConnectors, boolean][] = [
    ["nothing", {}, true],
    [
      "tasks spread evenly",
      cluster([
        ["RUNNING", 1],
        ["RUNNING", 2],
      ]),
      true,
    ],
    [
      "a failed task that is somewhere",
      cluster([
        ["FAILED", 1],
        ["RUNNING", 2],
      ]),
      true,
    ],
    [
      "a task on its way",
      cluster([
        ["UNASSIGNED", 1],
        ["RUNNING", 2],
      ]),
      false,
    ],
    [
      "a task on a worker that is gone",
      cluster([
        ["RUNNING", 1],
        ["RUNNING", 3],
      ]),
      false,
    ],
    [
      "all tasks on one worker",
      cluster([
        ["RUNNING", 1],
        ["RUNNING", 1],
      ]),
      false,
    ],
    ["a task that nobody has told of", cluster([["RUNNING", 1]], 2), false],
  ];
  for (const [what, expanded, balanced] of table) {
    it(`calls ${what} ${balanced ? "balanced" : "not balanced"}`, () =>
      assert.equal(toGroup(expanded, workers).balanced, balanced));
  }

  it("knows workers by the names of their pods, too", () => {
    const [a] = Object.values(cluster([["RUNNING", 2]]));
    assert.ok(a?.status !== undefined);
    const status = {
      ...a.status,
      connector: { ...a.status.connector, worker_id: "c-connect-0.c-connect.ns.svc:8083" },
      tasks: a.status.tasks.map((task) => ({ ...task, worker_id: "c-connect-1.c-connect.ns.svc:8083" })),
    };
    const { members, balanced } = toGroup({ a: { ...a, status } }, workers);
    assert.deepEqual(
      members.map(({ assignment }) => [assignment.connectors.length, assignment.tasks.length]),
      [
        [1, 0],
        [0, 1],
      ],
    );
    assert.equal(balanced, true);
  });

  it("knows who does what", () => {
    const [first, second] = toGroup(
      cluster([
        ["RUNNING", 1],
        ["RUNNING", 2],
      ]),
      workers,
    ).members;
    assert.deepEqual(first?.assignment, { connectors: ["a"], tasks: [{ connector: "a", task: 0 }] });
    assert.deepEqual(second?.assignment, { connectors: [], tasks: [{ connector: "a", task: 1 }] });
  });
});
