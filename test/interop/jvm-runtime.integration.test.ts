import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { CONTAINER_MARK } from "#dev/agent/container-process.ts";
import { type LocalPostgres, startPostgres } from "#dev/postgres.ts";
import { markedProcesses, sendSignal } from "#dev/process-table.ts";
import { debeziumArchive } from "#dev/setup/debezium.ts";
import { jmxExporterJar } from "#dev/setup/jmx-exporter.ts";
import { down, type Stack, up } from "#dev/stack.ts";
import { decode } from "#operator/pki/authority.ts";
import { createAuthority, issueCertificate } from "#operator/pki/certificate.ts";
import { createWorkerFetch } from "#operator/worker/fetch.ts";
import { type WorkerTls, workerServerName } from "#operator/worker/trust.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";

const DEADLINE_MS = 180_000;
const TOPIC = "db.public.orders";

const Resource = z.object({
  metadata: z.object({ uid: z.string(), generation: z.number().optional() }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .optional(),
      topics: z.array(z.string()).optional(),
      connectorStatus: z
        .looseObject({ tasks: z.array(z.looseObject({ worker_id: z.string() })).optional() })
        .optional(),
    })
    .optional(),
});

/** As in Strimzi's examples, one of them. */
const RULES = `lowercaseOutputName: true
rules:
  - pattern: "kafka.connect<type=connect-worker-metrics><>([^:]+):"
    name: "kafka_connect_worker_$1"
`;

const Change = z.looseObject({ id: z.number() });

/** Apache Kafka Connect in pods of the operator, with Debezium's connector fetched by `spec.build`, on a real PostgreSQL. */
describe("runtime Jvm: change capture from PostgreSQL", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-jvm-"));
  let postgres: LocalPostgres;
  let stack: Stack;
  let registry: Server;
  let reader: CommittedReader;
  let artifact: { readonly type: "tgz"; readonly url: string; readonly sha512sum: string };
  let agent: { readonly type: "jar"; readonly url: string; readonly sha512sum: string };

  before(async () => {
    delete process.env["HEADRACE_KUBECONFIG"];
    const archive = readFileSync(await debeziumArchive());
    const jar = readFileSync(await jmxExporterJar());
    registry = createServer(({ url = "" }, response) => response.end(url.endsWith(".jar") ? jar : archive));
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    const address = registry.address();
    const port = typeof address === "object" ? address?.port : "";
    const sumOf = (bytes: Buffer) => createHash("sha512").update(bytes).digest("hex");
    const base = `http://127.0.0.1:${port}`;
    artifact = { type: "tgz", url: `${base}/debezium.tar.gz`, sha512sum: sumOf(archive) };
    agent = { type: "jar", url: `${base}/jmx_prometheus_javaagent-1.jar`, sha512sum: sumOf(jar) };
    [stack, postgres] = await Promise.all([
      up({ dir: join(dir, "stack"), restartBackOffMs: 500 }),
      startPostgres({ dir }),
    ]);
    await postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)");
  });

  after(async () => {
    await reader?.close();
    await down({ dir: join(dir, "stack") });
    await postgres.stop();
    await new Promise((resolve) => registry.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });

  async function get(kind: string, name: string) {
    return Resource.parse(JSON.parse(await stack.kubectl(["get", kind, name, "-o", "json"])));
  }

  async function until(kind: string, name: string, wanted: RegExp): Promise<void> {
    let last = "nothing";
    await eventually(
      `${kind} ${name} is ${wanted}`,
      async () => {
        const { metadata, status } = await get(kind, name);
        const ready = status?.conditions?.find(({ type }) => type === "Ready");
        last = `${ready?.status} ${ready?.reason}: ${ready?.message}`;
        return status?.observedGeneration === metadata.generation && wanted.test(last);
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  const apply = (resource: object) => stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify(resource) });

  const cluster = (plugin: object) =>
    apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "java" },
      spec: {
        runtime: "Jvm",
        image: "apache/kafka:dev",
        replicas: 2,
        bootstrapServers: stack.bootstrap,
        groupId: "java",
        configStorageTopic: "java-configs",
        offsetStorageTopic: "java-offsets",
        statusStorageTopic: "java-status",
        jvmOptions: { "-Xmx": "384m", javaSystemProperties: [{ name: "headrace.test", value: "yes" }] },
        config: {
          "config.storage.replication.factor": 1,
          "offset.storage.replication.factor": 1,
          "status.storage.replication.factor": 1,
          "offset.flush.interval.ms": 1000,
          "session.timeout.ms": 12000,
          "heartbeat.interval.ms": 1000,
          "value.converter.schemas.enable": false,
          "key.converter.schemas.enable": false,
        },
        metricsConfig: {
          type: "jmxPrometheusExporter",
          valueFrom: { configMapKeyRef: { name: "connect-metrics", key: "metrics-config.yml" } },
        },
        build: {
          plugins: [
            { name: "debezium-postgres", artifacts: [plugin] },
            { name: "jmx-exporter", artifacts: [agent] },
          ],
        },
      },
    });

  const insert = (from: number, to: number) =>
    postgres.sql(`INSERT INTO orders SELECT id, 'order ' || id FROM generate_series(${from}, ${to - 1}) AS id`);

  function captured(): readonly number[] {
    return reader.values().map((value) => {
      return Change.parse(z.looseObject({ after: z.unknown() }).parse(JSON.parse(value ?? "")).after).id;
    });
  }

  async function untilCaptured(count: number): Promise<readonly number[]> {
    return await eventually(
      `${count} orders are in Kafka`,
      () => {
        const ids = captured();
        return new Set(ids).size >= count ? ids : undefined;
      },
      DEADLINE_MS,
    );
  }

  it("starts with the connector that it fetched, and captures what is there and what comes", async () => {
    await insert(0, 500);
    await cluster(artifact);
    await until(
      "kc",
      "java",
      /^False MissingReference: ConfigMap connect-metrics with the key metrics-config\.yml does not/,
    );
    await apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "connect-metrics" },
      data: { "metrics-config.yml": RULES },
    });
    await until("kc", "java", /^True Ready/);
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "orders", labels: { "headrace.dev/cluster": "java" } },
      spec: {
        class: "io.debezium.connector.postgresql.PostgresConnector",
        tasksMax: 1,
        config: {
          "database.hostname": "127.0.0.1",
          "database.port": postgres.port,
          "database.user": "headrace",
          "database.password": "unused",
          "database.dbname": "postgres",
          "topic.prefix": "db",
          "plugin.name": "pgoutput",
          "table.include.list": "public.orders",
        },
      },
    });
    await until("kctr", "orders", /^True Running/);
    await insert(500, 1_000);
    await eventually(
      "the topic is there",
      async () => (await get("kctr", "orders")).status?.topics?.includes(TOPIC),
      DEADLINE_MS,
    );
    reader = openCommittedReader(stack.bootstrap, TOPIC);
    const ids = await untilCaptured(1_000);
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      Array.from({ length: 1_000 }, (_, id) => id),
      "each once",
    );
  });

  const addresses = async () =>
    (
      await stack.kubectl([
        "get",
        "pods",
        "-l",
        "headrace.dev/name=java-connect",
        "-o",
        "jsonpath={.items[*].status.podIP}",
      ])
    )
      .trim()
      .split(" ");

  /** What a caller with the workers' own certificate has. */
  async function workerTls(): Promise<WorkerTls> {
    const { metadata, data } = z
      .object({ metadata: z.object({ namespace: z.string() }), data: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await stack.kubectl(["get", "secret", "java-connect-tls", "-o", "json"])));
    const servername = workerServerName({ namespace: metadata.namespace, name: "java" });
    return { ca: [decode(data["ca.crt"])], cert: decode(data["tls.crt"]), key: decode(data["tls.key"]), servername };
  }

  it("serves its metrics on the port of Headrace's workers, by the rules of a ConfigMap", async () => {
    for (const ip of await addresses()) {
      const answer = await fetch(`http://${ip}:9404/metrics`, { signal: AbortSignal.timeout(60_000) });
      assert.match(await answer.text(), /^kafka_connect_worker_task_count\{?.*\d/m);
    }
  });

  const call = createWorkerFetch();
  const request = { method: "GET", headers: {} };
  const inTime = () => AbortSignal.timeout(60_000);

  it("answers nobody on REST who has no certificate of its authority, and its workers forward to one another", async () => {
    const tls = await workerTls();
    const ips = await addresses();
    assert.equal(ips.length, 2);
    const stranger = await createAuthority({ commonName: "stranger", validMs: 3_600_000 }, Date.now());
    const theirs = await issueCertificate(
      stranger,
      { commonName: "stranger", names: [], usages: ["client"], validMs: 3_600_000 },
      Date.now(),
    );
    const path = "/connectors/orders/config";
    for (const ip of ips) {
      const url = `https://${ip}:8083${path}`;
      const config = await call(url, { ...request, tls }, inTime());
      assert.equal(config.status, 200);
      // Only the leader writes; the other one hands it over.
      const headers = { "content-type": "application/json" };
      const put = await call(url, { method: "PUT", headers, body: await config.text(), tls }, inTime());
      assert.equal(put.status, 200, await put.text());
      const refused = /certificate|reset|hang up|closed|EPIPE/i;
      await assert.rejects(call(url, { ...request, tls: { ...tls, cert: "", key: "" } }, inTime()), refused);
      const foreign = { ...tls, cert: theirs.certificate, key: theirs.key };
      await assert.rejects(call(url, { ...request, tls: foreign }, inTime()), refused);
      await assert.rejects(call(`http://${ip}:8083${path}`, request, inTime()), /reset|hang up|Parse Error|closed/i);
    }
  });

  it("loses nothing when the worker with the task is killed", async () => {
    const { status } = await get("kctr", "orders");
    const [pod = ""] = status?.connectorStatus?.tasks?.[0]?.worker_id.split(".") ?? [];
    const uid = await stack.kubectl(["get", "pod", pod, "-o", "jsonpath={.metadata.uid}"]);
    assert.match(uid, /^[-0-9a-f]{36}$/);
    await insert(1_000, 1_500);
    const pids = markedProcesses(CONTAINER_MARK, (value) => value.includes(uid));
    assert.ok(pids.length > 0);
    for (const pid of pids) sendSignal(pid, "SIGKILL");
    await insert(1_500, 2_000);
    const ids = await untilCaptured(2_000);
    assert.equal(new Set(ids).size, 2_000);
    await until("kctr", "orders", /^True Running/);
    await until("kc", "java", /^True Ready/);
  });

  it("touches no worker for a plugin with another checksum", async () => {
    const uids = () =>
      stack.kubectl(["get", "pods", "-l", "headrace.dev/name=java-connect", "-o", "jsonpath={.items[*].metadata.uid}"]);
    const before = await uids();
    await cluster({ ...artifact, sha512sum: "0".repeat(128) });
    await until("kc", "java", /^False PreflightFailed: .*has the SHA-512 sum [0-9a-f]{128}, not 0{128}/);
    assert.equal(await uids(), before);
    await cluster(artifact);
    await until("kc", "java", /^True Ready/);
    assert.equal(await uids(), before);
  });

  it("rolls to trust a new authority, and nobody is locked out", async () => {
    const { ca } = await workerTls();
    await stack.kubectl(["annotate", "secret", "java-connect-ca", "headrace.dev/renew=now"]);
    const marks = "jsonpath={range .items[*]}{.metadata.annotations.headrace\\.dev/rest-certificates}{'\\n'}{end}";
    await eventually(
      "both pods know both authorities",
      async () => {
        const lines = await stack.kubectl(["get", "pods", "-l", "headrace.dev/name=java-connect", "-o", marks]);
        const known = lines.split("\n").filter((line) => line !== "");
        return known.length === 2 && known.every((mark) => mark.split(" ").length === 3);
      },
      2 * DEADLINE_MS,
    );
    await until("kc", "java", /^True Ready/);
    await until("kctr", "orders", /^True Running/);
    const tls = await workerTls();
    assert.notDeepEqual(tls.ca, ca);
    for (const ip of await addresses()) {
      assert.equal((await call(`https://${ip}:8083/`, { ...request, tls }, inTime())).status, 200);
    }
    await insert(2_000, 2_100);
    assert.equal(new Set(await untilCaptured(2_100)).size, 2_100);
  });
});
