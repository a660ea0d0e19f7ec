import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type Server } from "node:tls";
import { type Certificates, createCertificates } from "#dev/kafka/certificates.ts";
import { checkJavaKafka, type JavaKafkaCheck, kafkaPropertiesOf } from "#runtime/check-kafka.ts";
import { createLog } from "#runtime/log.ts";

const placeholder = (text: string) => `$${text}`;

describe("kafkaPropertiesOf", () => {
  it("keeps what clients and topics are made of, and the providers that these name", () => {
    const kept = {
      "bootstrap.servers": "a:1",
      "group.id": "g",
      "config.storage.topic": "c",
      "offset.storage.replication.factor": "1",
      "request.timeout.ms": "5",
      "security.protocol": "SASL_SSL",
      "sasl.jaas.config": placeholder("{files:/opt/user:password}"),
      "config.providers.files.class": "Files",
      "config.providers.files.param.a": "b",
    };
    const left = {
      "key.converter": "com.example.Converter",
      "plugin.path": "/plugins",
      listeners: "https://a:8083",
      "listeners.https.ssl.keystore.location": "/store",
      "producer.ssl.keystore.location": "/store",
      "rest.advertised.host.name": placeholder("{env:HOST}"),
      "config.providers": "vault, files,env",
      "config.providers.vault.class": "com.example.Vault",
      "config.providers.env.class": "Env",
    };
    assert.deepEqual(kafkaPropertiesOf({ ...left, ...kept }), {
      ...kept,
      "config.providers": "files",
      "key.converter": "string",
      "value.converter": "string",
    });
  });
});

describe("checkJavaKafka", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-check-kafka-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  const BASE = {
    "bootstrap.servers": "127.0.0.1:1",
    "group.id": "g",
    "config.storage.topic": "c",
    "offset.storage.topic": "o",
    "status.storage.topic": "s",
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
  };
  const login = (module: string) => `${module} required username="u" password="canary";`;
  const PLAIN = { "sasl.jaas.config": login("org.apache.kafka.common.security.plain.PlainLoginModule") };

  const table: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
    ["a login module", { "sasl.jaas.config": login("com.example.Login") }, /^sasl\.jaas\.config: only Java/],
    ["a handler", { ...PLAIN, "sasl.client.callback.handler.class": "com.example.H" }, /^sasl\.client\.callback/],
    ["a mechanism", { ...PLAIN, "sasl.mechanism": "AWS_MSK_IAM" }, /^sasl\.mechanism AWS_MSK_IAM is not supported/],
    [
      "a config provider",
      {
        "sasl.jaas.config": login("org.apache.kafka.common.security.plain.PlainLoginModule").replace(
          "canary",
          placeholder("{vault:a:b}"),
        ),
        "config.providers": "vault",
        "config.providers.vault.class": "com.example.Vault",
      },
      /^config\.providers\.vault\.class: only Java can load it$/,
    ],
  ];
  const MOUNT = join(dir, "mount");
  mkdirSync(MOUNT);

  async function check(properties: Readonly<Record<string, string>>, limitMs = 60_000): Promise<JavaKafkaCheck> {
    const file = join(dir, "worker.properties");
    const lines = Object.entries({ ...BASE, ...properties }).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(file, lines.join(""));
    const log = createLog({ level: "silent" });
    return await checkJavaKafka(file, { env: {}, mounts: [MOUNT], log }, AbortSignal.timeout(limitMs));
  }

  const FILES = {
    "config.providers": "files",
    "config.providers.files.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
  };

  it("looks at classes behind placeholders as well", async () => {
    const logins = join(dir, "login.properties");
    writeFileSync(logins, `known=${PLAIN["sasl.jaas.config"]}\nforeign=${login("com.example.Login")}\n`);
    const by = (key: string) => ({ ...FILES, "sasl.jaas.config": placeholder(`{files:${logins}:${key}}`) });
    const foreign = await check(by("foreign"));
    assert.match(foreign.kind === "not-tried" ? foreign.why : "", /^sasl\.jaas\.config: only Java/);
    // Tried, as its mechanism shows, which nothing looks at before the class.
    const known = await check({ ...by("known"), "sasl.mechanism": "AWS_MSK_IAM" });
    assert.match(known.kind === "not-tried" ? known.why : "", /^sasl\.mechanism AWS_MSK_IAM is not supported/);
  });

  const whyNot = (checked: JavaKafkaCheck) => (checked.kind === "not-tried" ? checked.why : JSON.stringify(checked));
  const problems = (checked: JavaKafkaCheck) =>
    checked.kind === "tried"
      ? checked.findings.flatMap(({ what, problem }) => (problem === null ? [] : [`${what}: ${problem}`]))
      : checked.why;

  describe("what only the image of Java's workers may have", () => {
    const by = (provider: string, text: string) => ({
      "config.providers": provider,
      "sasl.jaas.config": login("org.apache.kafka.common.security.plain.PlainLoginModule").replace(
        "canary",
        placeholder(text),
      ),
    });
    const missing = join(dir, "missing");

    it("does not try variables and files of which nothing is known here", async () => {
      assert.match(
        whyNot(await check(by("env", "{env:FROM_IMAGE}"))),
        /^sasl\.jaas\.config: \$\{env:FROM_IMAGE\} is not/,
      );
      assert.match(whyNot(await check(by("file", `{file:${missing}:a}`))), /^sasl\.jaas\.config has a placeholder/);
      assert.match(
        whyNot(await check(by("directory", `{directory:${missing}:a}`))),
        /^sasl\.jaas\.config: .* is not known/,
      );
    });

    it("fails where a file of the pod's is missing", async () => {
      for (const text of [`{file:${MOUNT}/gone:a}`, `{directory:${MOUNT}:gone}`]) {
        const [provider = ""] = text.slice(1).split(":");
        assert.deepEqual(problems(await check(by(provider, text))), [
          `sasl.jaas.config: there is no file ${MOUNT}/gone`,
        ]);
      }
      const stores = { "security.protocol": "SSL", "ssl.truststore.location": `${MOUNT}/gone.pem` };
      assert.deepEqual(problems(await check(stores)), [`ssl.truststore.location: there is no file ${MOUNT}/gone.pem`]);
    });

    it("does not try key material that OpenSSL cannot read, or that is not here", async () => {
      const store = join(MOUNT, "old.p12");
      writeFileSync(store, "as Java reads it");
      const TLS = { "security.protocol": "SSL", "ssl.keystore.password": "canary" };
      assert.match(whyNot(await check({ ...TLS, "ssl.keystore.location": store })), /^key material \(ssl\.\*\): /);
      const elsewhere = { ...TLS, "ssl.truststore.location": `${missing}.pem` };
      assert.match(whyNot(await check(elsewhere)), /^key material .*missing\.pem/);
    });
  });

  describe("trust", () => {
    let certificates: Certificates;
    let server: Server;
    before(async () => {
      certificates = await createCertificates(join(dir, "pki"));
      const pem = readFileSync(certificates.broker);
      server = createServer({ key: pem, cert: pem }, (socket) => socket.on("error", () => {}).destroy());
      await once(server.listen(0, "localhost"), "listening");
    });
    after(() => server.close());

    const overTls = (more: Readonly<Record<string, string>>) => {
      const { port }: AddressInfo = Object.assign({ port: 0, address: "", family: "" }, server.address());
      return check({ "bootstrap.servers": `localhost:${port}`, "security.protocol": "SSL", ...more });
    };

    it("does not try brokers that the image of Java's workers may trust", async () => {
      assert.match(whyNot(await overTls({})), /^Kafka at .*No secure connection to Kafka broker .*UNABLE_TO_/);
    });

    it("fails where authorities are given, and the broker's is none of them", async () => {
      const [problem] = problems(await overTls({ "ssl.truststore.location": certificates.otherCa }));
      assert.match(problem ?? "", /^Kafka at .*No secure connection to Kafka broker/);
    });
  });

  for (const servers of ["127.0.0.1:1", "PLAINTEXT://127.0.0.1:1", "nowhere.invalid:9092"]) {
    it(`fails where nobody answers: ${servers}`, async () => {
      const [problem] = problems(await check({ ...PLAIN, "bootstrap.servers": servers }, 3_000));
      assert.match(problem ?? "", /^Kafka at .*(ECONNREFUSED|ENOTFOUND|EAI_AGAIN)/);
    });
  }

  for (const [what, properties, why] of table) {
    it(`does not try ${what} that is not known here`, async () => {
      const checked = await check(properties);
      assert.equal(checked.kind, "not-tried");
      assert.match(checked.kind === "not-tried" ? checked.why : "", why);
      assert.doesNotMatch(JSON.stringify(checked), /canary/);
    });
  }
});
