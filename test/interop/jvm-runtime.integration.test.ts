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
import { down, type Stack, up } from "#dev/stack.ts";
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

const Change = z.looseObject({ id: z.number() });

/** Apache Kafka Connect in pods of the operator, with Debezium's connector fetched by `spec.build`, on a real PostgreSQL. */
describe("runtime Jvm: change capture from PostgreSQL", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-jvm-"));
  let postgres: LocalPostgres;
  let stack: Stack;
  let registry: Server;
  let reader: CommittedReader;
  let artifact: { readonly type: "tgz"; readonly url: string; readonly sha512sum: string };

  before(async () => {
    delete process.env["HEADRACE_KUBECONFIG"];
    const archive = readFileSync(await debeziumArchive());
    registry = createServer((_request, response) => response.end(archive));
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    const address = registry.address();
    const port = typeof address === "object" ? address?.port : "";
    const sha512sum = createHash("sha512").update(archive).digest("hex");
    artifact = { type: "tgz", url: `http://127.0.0.1:${port}/debezium.tar.gz`, sha512sum };
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
        build: { plugins: [{ name: "debezium-postgres", artifacts: [plugin] }] },
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

  it("loses nothing when the worker with the task is killed", async () => {
    const { status } = await get("kctr", "orders");
    const ip = status?.connectorStatus?.tasks?.[0]?.worker_id.split(":")[0] ?? "";
    const filter = `jsonpath={.items[?(@.status.podIP=="${ip}")].metadata.uid}`;
    const uid = await stack.kubectl(["get", "pods", "-o", filter]);
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
});
