import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
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
  async function check(properties: Readonly<Record<string, string>>): Promise<JavaKafkaCheck> {
    const file = join(dir, "worker.properties");
    const lines = Object.entries({ ...BASE, ...properties }).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(file, lines.join(""));
    const log = createLog({ level: "silent" });
    return await checkJavaKafka(file, { env: {}, log }, AbortSignal.timeout(60_000));
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

  it("fails where a provider that is known here does not find its file", async () => {
    const missing = join(dir, "missing.properties");
    const checked = await check({ ...FILES, "sasl.jaas.config": placeholder(`{files:${missing}:a}`) });
    assert.equal(checked.kind, "tried");
    const [finding, ...more] = checked.kind === "tried" ? checked.findings : [];
    assert.deepEqual([finding?.what, more], ["sasl.jaas.config", []]);
    assert.match(finding?.problem ?? "", /cannot be resolved: .*missing\.properties/);
  });

  for (const [what, properties, why] of table) {
    it(`does not try ${what} that is not known here`, async () => {
      const checked = await check(properties);
      assert.equal(checked.kind, "not-tried");
      assert.match(checked.kind === "not-tried" ? checked.why : "", why);
      assert.doesNotMatch(JSON.stringify(checked), /canary/);
    });
  }
});
