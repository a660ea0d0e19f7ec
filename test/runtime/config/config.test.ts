import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { InvalidConfigError, loadConfig } from "#runtime/config.ts";
import { internalTopics } from "#runtime/internal-topics.ts";
import { advertised, metricsListener, parseListener } from "#runtime/listeners.ts";

const REQUIRED: Readonly<Record<string, string>> = {
  "group.id": "g",
  "key.converter": "string",
  "value.converter": "string",
  "config.storage.topic": "configs",
  "offset.storage.topic": "offsets",
  "status.storage.topic": "statuses",
};

describe("worker configuration", () => {
  let dir: string;

  before(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-config-"));
    mkdirSync(join(dir, "secrets"));
    writeFileSync(join(dir, "secrets", "password"), "from-directory\n");
    writeFileSync(join(dir, "secret.properties"), "password=from-file\nother = spaced value\n");
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const load = (properties: Record<string, string>, env: Record<string, string> = {}) => {
    const file = join(dir, "worker.properties");
    const text = Object.entries(properties).map(([key, value]) => `${key}=${value}`);
    writeFileSync(file, `# a comment\n! another\n${text.join("\n")}\n`);
    return loadConfig(file, env, new AbortController().signal);
  };
  const problems = async (properties: Record<string, string>) => {
    try {
      await load(properties);
    } catch (error) {
      assert.ok(error instanceof InvalidConfigError);
      return { keys: error.problems.map(({ key }) => key), message: error.message };
    }
    return { keys: [], message: "" };
  };

  it("has Java's defaults, and keeps keys that it does not know", async () => {
    const { config, properties } = await load({
      ...REQUIRED,
      "producer.linger.ms": "5",
      "key.converter.schemas.enable": "false",
    });
    assert.equal(config["heartbeat.interval.ms"], 3_000);
    assert.equal(config["offset.storage.partitions"], 25);
    assert.equal(config["connect.protocol"], "sessioned");
    assert.equal(config["topic.tracking.enable"], true);
    assert.equal(config["rest.advertised.port"], null);
    assert.equal(config["metrics.sample.window.ms"], 30_000);
    assert.equal(config["metadata.recovery.strategy"], "rebootstrap");
    assert.deepEqual(config["connector.client.config.override.allowlist"], []);
    assert.equal(properties["producer.linger.ms"], "5");
    assert.equal(properties["key.converter.schemas.enable"], "false");
  });

  it("reads Java's properties syntax", async () => {
    const file = join(dir, "java.properties");
    const lines = Object.entries(REQUIRED).map(([key, value]) => `${key} : ${value}`);
    writeFileSync(file, `${lines.join("\n")}\nbootstrap.servers = a:1,\\\n   b:2\nclient.id=\\u00e4\n`);
    const { config } = await loadConfig(file, {}, new AbortController().signal);
    assert.equal(config["bootstrap.servers"], "a:1,b:2");
    assert.equal(config["client.id"], "ä");
  });

  it("names every problem with the value and what would be right", async () => {
    const { keys, message } = await problems({
      "group.id": "g",
      "key.converter": "string",
      "config.storage.topic": "bad topic",
      "offset.storage.topic": "offsets",
      "status.storage.topic": "statuses",
      "heartbeat.interval.ms": "soon",
      "topic.tracking.enable": "maybe",
      "connect.protocol": "best",
      "status.storage.partitions": "0",
    });
    assert.deepEqual(keys.sort(), [
      "config.storage.topic",
      "connect.protocol",
      "heartbeat.interval.ms",
      "status.storage.partitions",
      "topic.tracking.enable",
      "value.converter",
    ]);
    assert.match(message, /has 6 problem\(s\):/);
    assert.match(message, /value\.converter is required$/m);
    assert.match(message, /connect\.protocol must be one of eager, compatible, sessioned \(found "best"\)/);
    assert.match(message, /heartbeat\.interval\.ms must be a whole number, at least 1 \(found "soon"\)/);
  });

  for (const [fact, change, key] of [
    ["a heartbeat slower than the session", { "heartbeat.interval.ms": "10000" }, "heartbeat.interval.ms"],
    ["one topic for two purposes", { "status.storage.topic": "configs" }, "status.storage.topic"],
    [
      "a signature that nobody accepts",
      { "inter.worker.signature.algorithm": "HmacMD5" },
      "inter.worker.verification.algorithms",
    ],
    ["TLS for REST without a keystore", { listeners: "https://:8443" }, "listeners.https.ssl.keystore"],
    ["an admin listener that is none", { "admin.listeners": "8083" }, "admin.listeners"],
    ["metrics with TLS", { "headrace.metrics.listener": "https://:1" }, "headrace.metrics.listener"],
    ["a scheme that nobody listens with", { "rest.advertised.listener": "https" }, "rest.advertised.listener"],
    ["response headers that are none", { "response.http.headers.config": "put X: 1" }, "response.http.headers.config"],
    ["a REST extension in Java", { "rest.extension.classes": "com.x.Y" }, "rest.extension.classes"],
    ["basic authentication without users", { "rest.extension.classes": "basic-auth" }, "rest.extension.classes"],
    ["a listener that is none", { listeners: "8083" }, "listeners"],
    ["exactly-once halfway", { "exactly.once.source.support": "almost" }, "exactly.once.source.support"],
    [
      "an unknown provider class",
      { "config.providers": "x", "config.providers.x.class": "com.x.Y" },
      "config.providers",
    ],
    ["a secrets file that is missing", { "sasl.jaas.config": `\${file:/not/there:k}` }, "sasl.jaas.config"],
  ] as const) {
    it(`refuses ${fact}`, async () => assert.deepEqual((await problems({ ...REQUIRED, ...change })).keys, [key]));
  }

  it("shows no secrets", async () => {
    const { message } = await problems({ ...REQUIRED, "ssl.keystore.password": `\${env:a:hunter2}` });
    assert.match(message, /ssl\.keystore\.password/);
    assert.doesNotMatch(message, /hunter2/);
  });

  it("says that the file is missing", async () => {
    await assert.rejects(loadConfig(join(dir, "nope"), {}, new AbortController().signal), /the file must be readable/);
  });

  describe("placeholders", () => {
    const resolve = async (value: string, more: Record<string, string> = {}, env: Record<string, string> = {}) =>
      (await load({ ...REQUIRED, ...more, probe: value }, env)).properties["probe"];

    it("are there without configuration", async () => {
      assert.equal(await resolve(`http://\${env:POD_IP}:8083`, {}, { POD_IP: "10.0.0.7" }), "http://10.0.0.7:8083");
      assert.equal(await resolve(`\${file:${dir}/secret.properties:password}`), "from-file");
      assert.equal(await resolve(`<\${directory:${dir}/secrets:password}>`), "<from-directory\n>");
    });
    it("stay as they are for unknown providers and missing keys", async () => {
      assert.equal(await resolve(`\${vault:a:b}`), `\${vault:a:b}`);
      assert.equal(await resolve(`\${env:MISSING}`), `\${env:MISSING}`);
      assert.equal(await resolve(`\${file:${dir}/secret.properties:none}`), `\${file:${dir}/secret.properties:none}`);
    });
    it("are not resolved twice", async () => {
      assert.equal(await resolve(`\${env:A}`, {}, { A: `\${env:B}`, B: "b" }), `\${env:B}`);
    });
    it("of plugin.path are left alone", async () => {
      assert.equal(
        (await load({ ...REQUIRED, "plugin.path": `\${env:A}` }, { A: "a" })).config["plugin.path"],
        `\${env:A}`,
      );
    });
    it("obey what a configured provider allows", async () => {
      const providers = {
        "config.providers": "e,f",
        "config.providers.e.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        "config.providers.e.param.allowlist.pattern": "APP_.*",
        "config.providers.f.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "config.providers.f.param.allowed.paths": join(dir, "secrets"),
      };
      assert.equal(await resolve(`\${e:APP_X} \${e:OTHER}`, providers, { APP_X: "x", OTHER: "o" }), `x \${e:OTHER}`);
      const file = `\${f:${dir}/secret.properties:password}`;
      assert.equal(await resolve(file, providers), file);
      const around = `\${f:${dir}/secrets/../secret.properties:password}`;
      assert.equal(await resolve(around, providers), around);
    });
  });

  it("gives topics their settings, except those that the worker decides", async () => {
    const { config, properties } = await load({
      ...REQUIRED,
      "offset.storage.partitions": "-1",
      "offset.storage.cleanup.policy": "delete",
      "offset.storage.segment.bytes": "1048576",
    });
    const topics = internalTopics(config, properties);
    assert.equal(topics.offset.partitions, -1);
    assert.deepEqual(topics.offset.configs, { "segment.bytes": "1048576" });
    assert.equal(topics.config.singlePartition, true);
  });

  describe("addresses", () => {
    for (const [text, listener] of [
      ["http://:8083", { scheme: "http", host: null, port: 8083 }],
      ["HTTP://10.0.0.1:0", { scheme: "http", host: "10.0.0.1", port: 0 }],
      ["http://[::1]:8083", { scheme: "http", host: "::1", port: 8083 }],
      ["https://a:1", { scheme: "https", host: "a", port: 1 }],
    ] as const) {
      it(`${text} is a listener`, async () => assert.deepEqual(parseListener(text), { kind: "valid", listener }));
    }
    for (const text of ["http://a", "a:1", "http://a:99999", "ftp://a:1"]) {
      it(`${text} is none`, async () => assert.equal(parseListener(text).kind, "invalid"));
    }
    it("advertises the listener, unless told otherwise", async () => {
      const { config } = await load(REQUIRED);
      const bound = { host: "10.0.0.1", port: 8083 };
      assert.deepEqual(advertised(config, bound, "me"), { workerId: "10.0.0.1:8083", url: "http://10.0.0.1:8083/" });
      assert.equal(advertised(config, { host: null, port: 1 }, "me").url, "http://me:1/");
      const { config: other } = await load({
        ...REQUIRED,
        "rest.advertised.host.name": "::1",
        "rest.advertised.port": "9",
      });
      assert.deepEqual(advertised(other, bound, "me"), { workerId: "[::1]:9", url: "http://[::1]:9/" });
    });
    it("serves metrics beside REST, elsewhere, or nowhere", async () => {
      const at = async (more: Record<string, string>) => metricsListener((await load({ ...REQUIRED, ...more })).config);
      assert.deepEqual(await at({ listeners: "http://10.0.0.1:8083" }), {
        scheme: "http",
        host: "10.0.0.1",
        port: 9404,
        explicit: false,
      });
      assert.deepEqual(await at({ "headrace.metrics.listener": "http://:1234" }), {
        scheme: "http",
        host: null,
        port: 1234,
        explicit: true,
      });
      assert.equal(await at({ "headrace.metrics.listener": "" }), null);
      assert.equal(await at({ "headrace.metrics.listener": "http://:0" }), null);
    });
  });
});
