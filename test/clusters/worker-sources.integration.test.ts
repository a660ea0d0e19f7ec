import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Secrets } from "#operator/kube/resources.ts";
import { createCanaries } from "#support/canaries.ts";
import { eventually } from "#support/eventually.ts";
import { connectorOf, connectSpec, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";

const canaries = createCanaries();
const PATIENCE_MS = 180_000;
const MECHANISM = "SCRAM-SHA-512";
const LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule";

/** Where the password stands that a cluster's own configuration names. */
const CASES = [
  { name: "by-placeholder", placeholder: `\${secrets:by-placeholder:password}`, template: undefined },
  {
    name: "by-volume",
    placeholder: `\${directory:/mnt/login:password}`,
    template: {
      pod: { volumes: [{ name: "login", secret: { secretName: "by-volume" } }] },
      connectContainer: { volumeMounts: [{ name: "login", mountPath: "/mnt/login" }] },
    },
  },
] as const;

/** Operator, node, workers, and a Kafka that lets in who knows the password. */
describe("what a cluster's own configuration reads of a Secret", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-worker-sources-"));
  let secured: SecuredKafka;
  let on: OperatedStack;

  before(async () => {
    secured = await startSecuredKafka({ dir, plainUsers: {} });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = secured.kafka.bootstrap;
    on = await startOperatedStack({ name: "worker-sources" });
  });

  after(async () => {
    await on?.stop();
    await secured?.kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const uidOf = async (cluster: string) => (await on.pods(cluster))[0]?.metadata.uid ?? "";

  /** How many records a sink of the cluster has taken, so that they are committed. */
  async function taken(cluster: string): Promise<number> {
    const { text } = await on.rest(cluster, "GET", `/connectors/${cluster}-sink/offsets`);
    return Number(/"kafka_offset":(\d+)/.exec(text)?.[1] ?? 0);
  }

  async function flows(cluster: string): Promise<void> {
    const before = await eventually("a worker tells", () => taken(cluster), PATIENCE_MS);
    await eventually("records flow", async () => (await taken(cluster)) > before, PATIENCE_MS);
  }

  for (const { name, placeholder, template } of CASES) {
    it(`rolls the workers when it is another one: ${name}`, async () => {
      const [first, second] = [canaries.plant(`${name}-first`), canaries.plant(`${name}-second`)];
      await secured.setScramPassword(MECHANISM, name, first);
      const config = {
        "sasl.mechanism": MECHANISM,
        "sasl.jaas.config": `${LOGIN} required username="${name}" password="${placeholder}";`,
      };
      const spec = {
        ...connectSpec(name, secured.saslPlaintext),
        authentication: { type: "custom", sasl: true, config },
        ...(template === undefined ? {} : { template }),
      };
      await on.create(KafkaConnects, { metadata: { name }, spec });
      const missing = new RegExp(
        `^False MissingReference: Secret ${name}, from which sasl\\.jaas\\.config is read, does`,
      );
      await on.until(KafkaConnects, name, missing);
      await on.create(Secrets, { metadata: { name }, type: "Opaque", data: { password: base64(first) } });
      await on.until(KafkaConnects, name, /^True Ready/);
      const datagen = { topic: name, "rate.per.second": 50 };
      await on.create(
        KafkaConnectors,
        connectorOf(name, `${name}-source`, { class: "datagen", tasksMax: 1, config: datagen }),
      );
      const sink = { class: "blackhole", tasksMax: 1, config: { topics: name } };
      await on.create(KafkaConnectors, connectorOf(name, `${name}-sink`, sink));
      await flows(name);

      // Another key of it is nobody's business.
      const uid = await uidOf(name);
      await on.patch(Secrets, name, { data: { other: base64("x") } });
      await on.patch(KafkaConnects, name, { spec: { allowedNamespaces: { from: "All" } } });
      await on.until(KafkaConnects, name, /^True Ready/);
      assert.equal(await uidOf(name), uid);

      await secured.setScramPassword(MECHANISM, name, second);
      await on.patch(Secrets, name, { data: { password: base64(second) } });
      await eventually("the worker is another one", async () => ![uid, ""].includes(await uidOf(name)), PATIENCE_MS);
      await on.until(KafkaConnects, name, /^True Ready/);
      for (const end of ["source", "sink"]) await on.until(KafkaConnectors, `${name}-${end}`, /^True Running/);
      await flows(name);
      const events = await on.events("RollStarted");
      const rolls = "Rolling out: values of Secrets or ConfigMaps that the configuration reads.";
      assert.ok(events.includes(rolls), events.join("\n"));
    });
  }

  it("stops a roll, and says so, if it is wrong", async () => {
    const [{ name }] = CASES;
    const uid = await uidOf(name);
    await on.patch(Secrets, name, { data: { password: base64(canaries.plant("wrong")) } });
    await on.until(KafkaConnects, name, /^False PreflightFailed: .*values of Secrets or ConfigMaps.*SASL/);
    assert.equal(await uidOf(name), uid);
    await flows(name);
  });

  it("is shown nowhere", async () => {
    const objects = await on.kubectl(["get", "kc,kctr,event,pod,configmap", "-A", "-o", "json"]);
    assert.deepEqual([...canaries.findIn("an object", objects), ...canaries.findBelow(on.stack.podLogDir)], []);
  });
});
