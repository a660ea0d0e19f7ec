import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { kafkaTool, type LocalKafka } from "#dev/kafka.ts";
import { freePorts } from "#dev/process.ts";
import { sourceProducerConfig, toKafkaJs } from "#runtime/kafka/client-config.ts";
import { openRecordProducer } from "#runtime/kafka/native-producer.ts";
import { createTopicAdmin } from "#runtime/kafka/topic-admin.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = AbortSignal.timeout(120_000);
const plain = (username: string, password: string) =>
  `org.apache.kafka.common.security.plain.PlainLoginModule required username="${username}" password="${password}";`;
const scram = (username: string, password: string) =>
  `org.apache.kafka.common.security.scram.ScramLoginModule required username="${username}" password="${password}";`;

describe("clients of a secured Kafka", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-security-"));
  let kafka: LocalKafka;
  let bootstrap: string;

  before(async () => {
    createCertificates(dir);
    const ports = await freePorts(3);
    const [port, controllerPort, securePort] = ports;
    assert.ok(port !== undefined && controllerPort !== undefined && securePort !== undefined);
    bootstrap = `localhost:${securePort}`;
    kafka = await ownKafka({
      port,
      controllerPort,
      heap: "512m",
      properties: {
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SECURE://127.0.0.1:${securePort}`,
        "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},SECURE://localhost:${securePort}`,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.secure.plain.sasl.jaas.config": plain("broker", "b").replace(";", ' user_worker="p;w";'),
        "listener.name.secure.scram-sha-256.sasl.jaas.config": scram("broker", "b"),
        "listener.name.secure.scram-sha-512.sasl.jaas.config": scram("broker", "b"),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": join(dir, "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": join(dir, "ca.pem"),
        "ssl.client.auth": "requested",
      },
    });
    for (const bits of ["256", "512"]) {
      const credential = `SCRAM-SHA-${bits}=[password=s${bits}]`;
      const args = ["--bootstrap-server", kafka.bootstrap, "--alter", "--add-config", credential];
      await kafkaTool("kafka.admin.ConfigCommand", [...args, "--entity-type", "users", "--entity-name", `w${bits}`]);
    }
  });
  after(async () => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const secured = (properties: Record<string, string>) => ({
    "bootstrap.servers": bootstrap,
    "security.protocol": "SASL_SSL",
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": join(dir, "ca.pem"),
    ...properties,
  });

  async function createTopic(properties: Record<string, string>, topic: string, limit = signal): Promise<string> {
    const { settings, warnings } = toKafkaJs(properties);
    assert.deepEqual(warnings, []);
    const admin = createTopicAdmin(settings, createSilentLog());
    try {
      return await admin.createTopic({ topic, partitions: 1, replicationFactor: 1, configs: {} }, limit);
    } finally {
      admin.close();
    }
  }

  async function produce(properties: Record<string, string>, topic: string): Promise<number> {
    const client = { worker: properties, connectorConfig: {}, connector: "c", task: 0 };
    const { config, warnings } = sourceProducerConfig(client);
    assert.deepEqual(warnings, []);
    const producer = openRecordProducer({ config, reportPositions: false, stopOnFailure: true });
    try {
      await producer.send(
        [{ topic, partition: null, key: null, value: "v", headers: null, timestamp: null }],
        AbortSignal.timeout(30_000),
      );
      await producer.flush(AbortSignal.timeout(30_000));
      return producer.takeSettled().flatMap(({ failures }) => failures).length;
    } finally {
      await producer.close();
    }
  }

  for (const [what, properties] of [
    ["PLAIN", () => ({ "sasl.mechanism": "PLAIN", "sasl.jaas.config": plain("worker", "p;w") })],
    ["SCRAM-SHA-256", () => ({ "sasl.mechanism": "SCRAM-SHA-256", "sasl.jaas.config": scram("w256", "s256") })],
    ["SCRAM-SHA-512", () => ({ "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": scram("w512", "s512") })],
    [
      "PLAIN and PEM given in place",
      () => ({
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": plain("worker", "p;w"),
        "ssl.truststore.certificates": readFileSync(join(dir, "ca.pem"), "utf8").replaceAll("\n", " "),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": readFileSync(join(dir, "client.crt"), "utf8"),
        "ssl.keystore.key": readFileSync(join(dir, "client.key"), "utf8"),
      }),
    ],
    [
      "PLAIN and a PEM keystore",
      () => ({
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": plain("worker", "p;w"),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": join(dir, "client.pem"),
      }),
    ],
    [
      "PLAIN and a PKCS #12 keystore",
      () => ({
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": plain("worker", "p;w"),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": join(dir, "client.p12"),
        "ssl.keystore.password": "secret",
      }),
    ],
  ] as const) {
    it(`get in with ${what}, through both libraries`, async () => {
      const topic = uniqueName("secured");
      assert.equal(await createTopic(secured(properties()), topic), "created");
      assert.equal(await produce(secured(properties()), topic), 0);
    });
  }

  it("are told at once that their password is wrong", async () => {
    const wrong = secured({ "sasl.mechanism": "PLAIN", "sasl.jaas.config": plain("worker", "no") });
    await assert.rejects(createTopic(wrong, "t"), {
      code: "kafka-access",
      message: /refused the credentials.*check sasl/,
    });
  });

  it("do not talk to a broker whose certificate they do not trust", async () => {
    const { "ssl.truststore.location": _, ...untrusting } = secured({
      "sasl.mechanism": "PLAIN",
      "sasl.jaas.config": plain("worker", "p;w"),
    });
    await assert.rejects(createTopic(untrusting, "t", AbortSignal.timeout(1000)), { message: /certificate/ });
  });

  it("compare the broker's name with its certificate, unless told not to", async () => {
    const byAddress = secured({
      "bootstrap.servers": bootstrap.replace("localhost", "127.0.0.1"),
      "sasl.mechanism": "PLAIN",
      "sasl.jaas.config": plain("worker", "p;w"),
    });
    await assert.rejects(createTopic(byAddress, "t", AbortSignal.timeout(1000)), {
      message: /altname|does not match/i,
    });
    const lenient = { ...byAddress, "ssl.endpoint.identification.algorithm": "" };
    assert.equal(await createTopic(lenient, uniqueName("lenient")), "created");
  });
});

/** A certificate authority, a broker `localhost` and a client. */
function createCertificates(dir: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const newKey = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test ca");
  for (const [name, subject] of [
    ["broker", "localhost"],
    ["client", "client"],
  ] as const) {
    openssl("req", ...newKey.slice(0, 3), "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${subject}`);
    writeFileSync(join(dir, `${name}.ext`), `subjectAltName=DNS:${subject}\n`);
    const sign = ["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(...sign, "-days", "2", "-out", `${name}.crt`, "-extfile", `${name}.ext`);
    writeFileSync(
      join(dir, `${name}.pem`),
      readFileSync(join(dir, `${name}.key`), "utf8") + readFileSync(join(dir, `${name}.crt`), "utf8"),
    );
  }
  openssl(
    "pkcs12",
    "-export",
    "-inkey",
    "client.key",
    "-in",
    "client.crt",
    "-out",
    "client.p12",
    "-passout",
    "pass:secret",
  );
}
