import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Secrets } from "#operator/kube/resources.ts";
import { changeOffsetsOfLines, request, usesTopic } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import { follow, type GrowingFile, growFile, numbersIn } from "#support/numbered-lines.ts";
import { connectorOf, connectSpec, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";
import { openToldStates, type ToldStates } from "#support/told-states.ts";

const CLUSTER = "java";
const TOPIC = "java-lines";
const FILE_SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const FILE_SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector";
const PASSWORD = "scram of java";
const PATIENCE_MS = 180_000;

/** `runtime: Jvm`: Apache Kafka Connect in a pod of the operator, on a Kafka that lets nobody in without TLS and a password. */
describe("the life of connectors on a JVM worker", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-jvm-kafka-"));
  let secured: SecuredKafka;
  let on: OperatedStack;
  let told: ToldStates;
  let lines: GrowingFile;
  let out: string;

  before(async () => {
    secured = await startSecuredKafka({ dir, plainUsers: {} });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = secured.kafka.bootstrap;
    [on] = await Promise.all([
      startOperatedStack({ name: "jvm-lifecycle" }),
      secured.setScramPassword("SCRAM-SHA-512", "java", PASSWORD),
    ]);
  });

  after(async () => {
    lines?.stop();
    await told?.close();
    await on?.stop();
    await secured?.kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const create = (name: string, spec: object) => on.create(KafkaConnectors, connectorOf(CLUSTER, name, spec));
  const until = (name: string, wanted: RegExp) => on.until(KafkaConnectors, name, wanted);

  it("comes up over TLS with SCRAM, and moves records in and out", async () => {
    await on.create(Secrets, {
      metadata: { name: "kafka-ca" },
      stringData: { "ca.crt": readFileSync(secured.certificates.ca, "utf8") },
    });
    await on.create(Secrets, { metadata: { name: "java-user" }, stringData: { password: PASSWORD } });
    await on.create(KafkaConnects, {
      metadata: { name: CLUSTER },
      spec: {
        ...connectSpec(CLUSTER, secured.saslSsl, { "session.timeout.ms": 12_000, "heartbeat.interval.ms": 1_000 }),
        runtime: "Jvm",
        image: "apache/kafka:dev",
        jvmOptions: { "-Xmx": "384m" },
        tls: { trustedCertificates: [{ secretName: "kafka-ca", certificate: "ca.crt" }] },
        authentication: {
          type: "scram-sha-512",
          username: "java",
          passwordSecret: { secretName: "java-user", password: "password" },
        },
      },
    });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    told = openToldStates(secured.kafka.bootstrap, `${CLUSTER}-status`);
    lines = growFile(join(on.dir, "lines.txt"), 20);
    out = join(on.dir, "out.txt");
    await create("source", { class: FILE_SOURCE, tasksMax: 1, config: { file: lines.file, topic: TOPIC } });
    await until("source", /^True Running/);
    await usesTopic(on, "source", TOPIC);
    writeFileSync(out, "");
    await create("sink", { class: FILE_SINK, tasksMax: 1, config: { file: out, topics: TOPIC } });
    await until("sink", /^True Running/);
    await eventually("lines come out", () => numbersIn(out).length > 20, PATIENCE_MS);
  });

  it("pauses, stops and goes on", async () => {
    for (const [state, reached, tasks] of [
      ["paused", /^True Paused/, ["PAUSED"]],
      ["stopped", /^True Stopped/, []],
      ["running", /^True Running/, ["RUNNING"]],
    ] as const) {
      await on.patch(KafkaConnectors, "source", { spec: { state } });
      const { status } = await until("source", reached);
      assert.deepEqual(
        status?.connectorStatus?.tasks.map((task) => task.state),
        [...tasks],
      );
    }
    const before = new Set(numbersIn(out)).size;
    await eventually("further lines come out", () => new Set(numbersIn(out)).size > before + 20, PATIENCE_MS);
  });

  it("restarts a connector with its tasks, and one task, by annotation", async () => {
    const starts = () => [told.starts("source"), told.starts("source", 0)] as const;
    const [connector, task] = starts();
    await request(on, "source", { annotation: "restart", value: "includeTasks", type: "Restart" });
    await eventually("both run again", () => told.starts("source") > connector && told.starts("source", 0) > task);
    await until("source", /^True Running/);
    const [again, taskAgain] = starts();
    await request(on, "source", { annotation: "restart-task", value: "0", type: "RestartTask" });
    await eventually("the task runs again", () => told.starts("source", 0) > taskAgain);
    await until("source", /^True Running/);
    assert.equal(told.starts("source"), again);
  });

  it("lists, alters and resets offsets by annotation, and keeps what they were", async () => {
    const { bootstrap } = secured.kafka;
    await changeOffsetsOfLines(on, { cluster: CLUSTER, name: "ten-lines", class: FILE_SOURCE, bootstrap });
    await until("ten-lines", /^True Running/);
  });

  it("restarts a failed task by itself, until its budget is spent", async () => {
    const file = join(on.dir, "nowhere", "out.txt");
    const autoRestart = { maxRestarts: 2, backoff: { initialSeconds: 1 } };
    await create("broken", { class: FILE_SINK, tasksMax: 1, config: { file, topics: TOPIC }, autoRestart });
    const exhausted = /^True BudgetSpent: After 2 restarts, task 0 is not restarted any more/;
    await on.until(KafkaConnectors, "broken", exhausted, { condition: "RestartsExhausted" });
    await on.remove(KafkaConnectors, "broken");
  });

  it("does not roll to a password that Kafka refuses, and says so", async () => {
    const uid = async () => (await on.pods(CLUSTER))[0]?.metadata.uid;
    const before = await uid();
    const give = (password: string) => on.patch(Secrets, "java-user", { stringData: { password } });
    await give("another one");
    await on.until(KafkaConnects, CLUSTER, /^False PreflightFailed: .*refused the credentials \(SASL SCRAM-SHA-512\)/);
    await give(PASSWORD);
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    assert.equal(await uid(), before);
  });

  it("has lost nothing in all of it", async () => {
    const written = lines.stop();
    await eventually("all lines come out", () => new Set(numbersIn(out)).size === written, PATIENCE_MS);
    const { jumps, returns } = follow(numbersIn(out));
    assert.deepEqual({ jumps, returns }, { jumps: [], returns: [] });
  });

  it("comes up with a client's certificate, too, and moves records in and out", async () => {
    const { clientCertificate, clientKey } = secured.certificates;
    const stringData = {
      "user.crt": readFileSync(clientCertificate, "utf8"),
      "user.key": readFileSync(clientKey, "utf8"),
    };
    await on.create(Secrets, { metadata: { name: "java-certificate" }, stringData });
    const cluster = "mutual";
    await on.create(KafkaConnects, {
      metadata: { name: cluster },
      spec: {
        ...connectSpec(cluster, secured.ssl),
        runtime: "Jvm",
        image: "apache/kafka:dev",
        jvmOptions: { "-Xmx": "384m" },
        tls: { trustedCertificates: [{ secretName: "kafka-ca", certificate: "ca.crt" }] },
        authentication: {
          type: "tls",
          certificateAndKey: { secretName: "java-certificate", certificate: "user.crt", key: "user.key" },
        },
      },
    });
    await on.until(KafkaConnects, cluster, /^True Ready/);
    const [from, to] = [join(on.dir, "mutual-in.txt"), join(on.dir, "mutual-out.txt")];
    writeFileSync(from, "one\ntwo\n");
    writeFileSync(to, "");
    const topic = `${cluster}-lines`;
    const source = { class: FILE_SOURCE, tasksMax: 1, config: { file: from, topic } };
    await on.create(KafkaConnectors, connectorOf(cluster, `${cluster}-source`, source));
    await usesTopic(on, `${cluster}-source`, topic);
    const sink = { class: FILE_SINK, tasksMax: 1, config: { file: to, topics: topic } };
    await on.create(KafkaConnectors, connectorOf(cluster, `${cluster}-sink`, sink));
    await eventually("the lines come out", () => readFileSync(to, "utf8") === "one\ntwo\n", PATIENCE_MS);
  });

  it("was told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
