import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { freePorts } from "#dev/process.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Secrets } from "#operator/kube/resources.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { usesTopic } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import { connectorOf, connectSpec, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";

const USER = "worker";
const RIGHT = "right password";
const WRONG = "wrong-password-of-connect";
const PATIENCE_MS = 180_000;

/** Whether the workers of a cluster get in to Kafka. SCRAM-SHA-512 and client certificates are in `secured-cluster.integration.test.ts`. */
describe("the way to Kafka", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-kafka-login-"));
  const readers: CommittedReader[] = [];
  let secured: SecuredKafka;
  let on: OperatedStack;

  before(async () => {
    secured = await startSecuredKafka({ dir, plainUsers: { [USER]: RIGHT } });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = secured.kafka.bootstrap;
    [on] = await Promise.all([
      startOperatedStack({ name: "kafka-login" }),
      secured.setScramPassword("SCRAM-SHA-256", USER, RIGHT),
    ]);
    const authority = { "ca.crt": readFileSync(secured.certificates.ca, "utf8") };
    await on.create(Secrets, { metadata: { name: "kafka-ca" }, stringData: authority });
  });

  after(async () => {
    for (const reader of readers) await reader.close();
    await on?.stop();
    await secured?.kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const uids = async (cluster: string) => (await on.pods(cluster)).map(({ metadata }) => metadata.uid);
  const setPassword = (secret: string, password: string) => on.patch(Secrets, secret, { stringData: { password } });

  /** Waits until records that were not there yet are in the topic. */
  async function moves(reader: CommittedReader): Promise<void> {
    const before = reader.values().length;
    await eventually("new records are in Kafka", () => reader.values().length > before + 20, PATIENCE_MS);
  }

  for (const [type, name, brokers, tls] of [
    [
      "plain",
      "plain",
      () => secured.saslSsl,
      { trustedCertificates: [{ secretName: "kafka-ca", certificate: "ca.crt" }] },
    ],
    ["scram-sha-256", "scram", () => secured.saslPlaintext, undefined],
  ] as const) {
    it(`is by ${type}; a wrong password is told, and the workers go on with the right one`, async () => {
      const secret = `${name}-user`;
      await on.create(Secrets, { metadata: { name: secret }, stringData: { password: RIGHT } });
      const passwordSecret = { secretName: secret, password: "password" };
      const authentication = { type, username: USER, passwordSecret };
      const spec = { ...connectSpec(name, brokers()), authentication, ...(tls === undefined ? {} : { tls }) };
      await on.create(KafkaConnects, { metadata: { name }, spec });
      await on.until(KafkaConnects, name, /^True Ready/);
      const topic = `${name}-records`;
      const config = { topic, "rate.per.second": 20 };
      await on.create(KafkaConnectors, connectorOf(name, name, { class: "datagen", tasksMax: 1, config }));
      await on.until(KafkaConnectors, name, /^True Running/);
      await usesTopic(on, name, topic);
      const reader = openCommittedReader(secured.kafka.bootstrap, topic);
      readers.push(reader);
      await moves(reader);

      const workers = await uids(name);
      assert.equal(workers.length, 1);
      await setPassword(secret, WRONG);
      const refused = await on.until(KafkaConnects, name, /^False PreflightFailed: .*[Aa]uthenticat/);
      const told = JSON.stringify(refused.status);
      assert.match(told, /1 worker goes on with the former configuration/);
      assert.ok(!told.includes(WRONG), told);
      await moves(reader);
      await on.until(KafkaConnectors, name, /^True Running/);

      await setPassword(secret, RIGHT);
      await on.until(KafkaConnects, name, /^True Ready/);
      await moves(reader);
      assert.deepEqual(await uids(name), workers, "no worker was replaced");
    });
  }

  it("has to lead to a broker: one that does not answer is named, and the cluster comes up when it is another one", async () => {
    const name = "astray";
    const [nowhere = 0] = await freePorts(1);
    const lead = (bootstrapServers: string) => on.patch(KafkaConnects, name, { spec: { bootstrapServers } });
    await on.create(KafkaConnects, { metadata: { name }, spec: connectSpec(name, `127.0.0.1:${nowhere}`) });
    await on.until(
      KafkaConnects,
      name,
      new RegExp(`^False WorkersNotReady: .*a check says: .*127\\.0\\.0\\.1:${nowhere}`),
    );
    await lead(secured.kafka.bootstrap);
    await on.until(KafkaConnects, name, /^True Ready/);
    const workers = await uids(name);
    await lead(`127.0.0.1:${nowhere}`);
    await on.until(KafkaConnects, name, new RegExp(`^False PreflightFailed: .*127\\.0\\.0\\.1:${nowhere}`));
    await lead(secured.kafka.bootstrap);
    await on.until(KafkaConnects, name, /^True Ready/);
    assert.deepEqual(await uids(name), workers);
  });

  it("was told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
