import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CONTAINER_MARK } from "#dev/agent/container-process.ts";
import { markedProcesses } from "#dev/process-table.ts";
import { opentelemetryAgent } from "#dev/setup/opentelemetry.ts";
import { jmxSecretName } from "#operator/cluster/jmx-access.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Secrets } from "#operator/kube/resources.ts";
import { decode } from "#operator/pki/authority.ts";
import { createCanaries } from "#support/canaries.ts";
import { usesTopic } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import {
  connectorOf,
  connectSpec,
  NAMESPACE,
  type OperatedStack,
  startOperatedStack,
} from "#support/operated-stack.ts";

const CLUSTER = "options";
const TOPIC = "lines-of-a-secret";
const DEBEZIUM = { class: "io.debezium.connector.postgresql.PostgresConnector", version: "3.6.1.Final" };
const FILE_SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const FILE_SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector";
const JMX_CLIENT = fileURLToPath(new URL("JmxClient.java", import.meta.url));
/** Maven fetches itself, too, and the agent changes each class that is loaded. */
const FETCH_MS = 540_000;
const PATIENCE_MS = 180_000;
const inTime = () => AbortSignal.timeout(60_000);

/** `runtime: Jvm` with everything that a Java virtual machine alone can use: JMX with a password, an agent, Java's metrics, Maven's artifacts. */
describe("options of a JVM worker", () => {
  const traces: Buffer[] = [];
  let receiver: Server;
  let address: string;
  let agent: { readonly type: "jar"; readonly url: string; readonly sha512sum: string };
  let on: OperatedStack;

  before(async () => {
    const jar = readFileSync(await opentelemetryAgent());
    receiver = createServer(async (request, response) => {
      if (request.method === "GET") return response.end(jar);
      traces.push(await buffer(request));
      return response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const bound = receiver.address();
    address = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : ""}`;
    const sha512sum = createHash("sha512").update(jar).digest("hex");
    agent = { type: "jar", url: `${address}/opentelemetry-javaagent.jar`, sha512sum };
    on = await startOperatedStack({ name: "jvm-options" });
  });

  after(async () => {
    await on?.stop();
    receiver?.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });

  const maven = (group: string, artifact: string, version: string) => ({
    name: artifact,
    artifacts: [{ type: "maven", group, artifact, version }],
  });
  const podIp = async () => (await on.pods(CLUSTER))[0]?.status?.podIP ?? "";
  const create = (name: string, spec: object) => on.create(KafkaConnectors, connectorOf(CLUSTER, name, spec));

  it("comes up with plugins that Maven has fetched with what they need, and asks one of them", async () => {
    const access = "/var/run/secrets/kubernetes.io/serviceaccount";
    await on.create(KafkaConnects, {
      metadata: { name: CLUSTER },
      spec: {
        ...connectSpec(CLUSTER, on.stack.bootstrap, {
          "session.timeout.ms": 12_000,
          "heartbeat.interval.ms": 1_000,
          // Java looks into each class of a large jar otherwise, an agent's, too.
          "plugin.discovery": "service_load",
          "config.providers": "secrets",
          "config.providers.secrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
        }),
        runtime: "Jvm",
        image: "apache/kafka:dev",
        jvmOptions: { "-Xmx": "384m" },
        jmxOptions: { authentication: { type: "password" } },
        tracing: { type: "opentelemetry" },
        metricsConfig: { type: "strimziMetricsReporter" },
        build: {
          plugins: [
            maven("io.debezium", "debezium-connector-postgres", DEBEZIUM.version),
            maven("io.strimzi", "client-metrics-reporter", "0.3.0"),
            maven("io.strimzi", "kafka-kubernetes-config-provider", "1.2.2"),
            { name: "tracing", artifacts: [agent] },
          ],
        },
        template: {
          jmxSecret: { metadata: { labels: { team: "monitoring" } } },
          connectContainer: {
            env: [
              { name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: address },
              { name: "OTEL_BSP_SCHEDULE_DELAY", value: "500" },
              // Containers of the local node have no file system of their own, where the provider looks for these files in a cluster.
              { name: "KUBERNETES_AUTH_SERVICEACCOUNT_TOKEN", value: `${access}/token` },
              { name: "KUBERNETES_CERTS_CA_FILE", value: `${access}/ca.crt` },
              { name: "KUBERNETES_NAMESPACE", value: NAMESPACE },
            ],
          },
        },
      },
    });
    const isFetched = async () => (await on.pods(CLUSTER))[0]?.status?.phase === "Running";
    await eventually("the artifacts are fetched", isFetched, FETCH_MS);
    const isReady = async () => (await on.get(KafkaConnects, CLUSTER)).status?.replicas === 1;
    await eventually("the worker is ready", isReady, FETCH_MS);
    const { status } = await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    assert.equal(status?.conditions?.find(({ type }) => type === "Warning")?.message, undefined);
    await on.seen(KafkaConnects, CLUSTER, "has the plugin", (connect) =>
      (connect.status?.connectorPlugins ?? []).some(
        (plugin) => plugin.class === DEBEZIUM.class && plugin.version === DEBEZIUM.version,
      ),
    );
    await create("orders", { class: DEBEZIUM.class, tasksMax: 1, config: { "plugin.name": "no such plugin" } });
    const wrong = /^False \w+: .*plugin\.name/;
    await on.until(KafkaConnectors, "orders", wrong, { condition: "ConfigValid" });
    await on.remove(KafkaConnectors, "orders");
  });

  it("runs a connector with a Secret's value, which Strimzi's provider reads by the worker's rights", async () => {
    await on.create(Secrets, { metadata: { name: "names" }, stringData: { topic: TOPIC } });
    const file = join(on.dir, "lines.txt");
    writeFileSync(file, "one\ntwo\nthree\n");
    const config = { file, topic: `$${"{secrets:names:topic}"}` };
    await create("source", { class: FILE_SOURCE, tasksMax: 1, config });
    await on.until(KafkaConnectors, "source", /^True Running/);
    await usesTopic(on, "source", TOPIC);
    assert.doesNotMatch((await on.rest(CLUSTER, "GET", "/connectors/source/config")).text, new RegExp(TOPIC));
    const out = join(on.dir, "out.txt");
    writeFileSync(out, "");
    await create("sink", {
      class: FILE_SINK,
      tasksMax: 1,
      config: { file: out, topics: TOPIC },
    });
    await eventually("the lines come out", () => readFileSync(out, "utf8") === "one\ntwo\nthree\n", PATIENCE_MS);
  });

  const ask = async (credentials: Readonly<Record<string, string>>) => {
    const args = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", JMX_CLIENT, await podIp(), "9999"];
    const env = { ...process.env, ...credentials };
    return (await promisify(execFile)("java", args, { env, timeout: PATIENCE_MS })).stdout.trim();
  };

  it("lets a client of JMX in with the password of its Secret, and nobody else", async () => {
    const { data, metadata } = await on.get(Secrets, jmxSecretName(CLUSTER));
    assert.equal(metadata.labels?.["team"], "monitoring");
    const user = { JMX_USERNAME: decode(data?.["jmx-username"]) };
    const password = decode(data?.["jmx-password"]);
    assert.equal(await ask({ ...user, JMX_PASSWORD: password }), "2.0");
    assert.match(await ask({ ...user, JMX_PASSWORD: `${password}x` }), /^refused: .*(Invalid|failed)/i);
    assert.match(await ask({}), /^refused: .*Credentials required/);
  });

  it("shows the password of JMX in no object, log, command line or environment", async () => {
    const canaries = createCanaries();
    canaries.add("the password of JMX", decode((await on.get(Secrets, jmxSecretName(CLUSTER))).data?.["jmx-password"]));
    const pods = await on.pods(CLUSTER);
    const connect = await on.get(KafkaConnects, CLUSTER);
    const maps = await on.kube.list(ConfigMaps, NAMESPACE, null, inTime());
    assert.deepEqual(canaries.findIn("an object", JSON.stringify([connect, pods, maps])), []);
    const uid = pods[0]?.metadata.uid ?? "none";
    const pids = markedProcesses(CONTAINER_MARK, (value) => value.includes(uid));
    assert.ok(pids.length > 0);
    for (const pid of pids) {
      for (const file of ["cmdline", "environ"]) {
        assert.deepEqual(canaries.findIn(file, readFileSync(`/proc/${pid}/${file}`)), []);
      }
    }
    assert.deepEqual(canaries.findBelow(on.stack.podLogDir), []);
    assert.deepEqual(canaries.findIn("the operator's log", readFileSync(join(on.stack.dir, "operator.log"))), []);
  });

  it("serves the metrics of the worker, and of its tasks' clients, a sink's lag among them", async () => {
    const scrape = async () => await (await fetch(`http://${await podIp()}:9404/metrics`, { signal: inTime() })).text();
    for (const metric of [
      /^kafka_connect_connect_worker_metrics_task_count 2\.0$/m,
      /^kafka_connect_source_task_metrics_source_record_poll\{connector="source",task="0"\} 3\.0$/m,
      /^kafka_producer_producer_metrics_\w+\{.*client_id="connector-producer-source-0"/m,
      /^kafka_consumer_consumer_fetch_manager_metrics_records_lag\{.*client_id="connector-consumer-sink-0".*\} 0\.0$/m,
    ]) {
      await eventually(`${metric} is served`, async () => metric.test(await scrape()), PATIENCE_MS);
    }
  });

  it("tells its traces under the name of its pods, records of its connectors among them", async () => {
    const has = (...texts: readonly string[]) =>
      traces.some((trace) => texts.every((text) => trace.includes(Buffer.from(text))));
    await eventually("a span of the topic", () => has(`${CLUSTER}-connect`, "service.name", TOPIC), PATIENCE_MS);
  });
});
