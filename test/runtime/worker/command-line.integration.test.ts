import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { sharedKafka, uniqueName } from "#support/kafka.ts";

const BIN = fileURLToPath(new URL("../../../runtime/bin/headrace-worker.js", import.meta.url));

/** Runs the command to its end. */
function run(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=source", BIN, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? "killed"), stdout, stderr }),
    );
  });
}

describe("headrace-worker", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;

  before(async () => {
    kafka = await sharedKafka();
    dir = mkdtempSync(join(tmpdir(), "headrace-command-"));
  });
  after(async () => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const write = (bootstrap: string, more: readonly string[] = []) => {
    const group = uniqueName("check");
    const file = join(dir, `${group}.properties`);
    const topics = ["config", "offset", "status"].map(
      (kind) => `${kind}.storage.topic=${group}-${kind}\n${kind}.storage.replication.factor=1`,
    );
    const lines = [
      `bootstrap.servers=${bootstrap}`,
      `group.id=${group}`,
      "key.converter=string",
      "value.converter=string",
    ];
    writeFileSync(file, [...lines, ...topics, ...more].join("\n"));
    return file;
  };

  it("explains itself", async () => {
    const help = await run("--help");
    assert.equal(help.code, 0);
    assert.match(help.stdout, /Usage: headrace-worker distributed FILE/);
    assert.match((await run("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  for (const args of [[], ["distributed"], ["nonsense", "file"], ["distributed", "a", "b"]]) {
    it(`ends with 1 for a bad command line: ${args.join(" ") || "(empty)"}`, async () => {
      const { code, stderr } = await run(...args);
      assert.equal(code, 1);
      assert.match(stderr, /^Usage:/);
    });
  }

  it("lists every problem of a configuration and ends with 1", async () => {
    const file = join(dir, "bad.properties");
    writeFileSync(file, "group.id=\nkey.converter=string\nheartbeat.interval.ms=x\n");
    const { code, stderr } = await run("distributed", file);
    assert.equal(code, 1);
    for (const key of ["group.id", "value.converter", "heartbeat.interval.ms", "config.storage.topic"]) {
      assert.ok(stderr.includes(`  ${key} `), `${key} is not in:\n${stderr}`);
    }
  });

  it("checks what a worker needs", async () => {
    const { code, stdout } = await run("check", write(kafka.bootstrap));
    assert.equal(code, 0, stdout);
    assert.equal(stdout.split("\n").filter((line) => line.startsWith("ok ")).length, 6);
  });

  it("says which of it is missing", async () => {
    const { code, stdout } = await run("check", write("127.0.0.1:1"));
    assert.equal(code, 1);
    assert.match(stdout, /^failed {2}Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED/m);
  });

  describe("check-kafka, with what Java's workers have", () => {
    const JAVA = [
      "key.converter=com.example.NotThere",
      "value.converter=com.example.NotThere",
      "listeners=https://$" + "{env:NOWHERE}:8083",
      "listeners.https.ssl.keystore.type=JKS",
      "plugin.path=/nowhere",
      "config.providers=vault",
      "config.providers.vault.class=com.example.Vault",
    ];

    it("tries Kafka and makes the worker's topics", async () => {
      const file = write(kafka.bootstrap, JAVA);
      const { code, stdout } = await run("check-kafka", file);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^ok {6}Kafka at .*\n(ok {6}topic check-\S+\n){3}$/);
    });

    it("says that Kafka does not answer", async () => {
      const { code, stdout } = await run("check-kafka", write("127.0.0.1:1", JAVA));
      assert.equal(code, 20);
      assert.match(stdout, /^failed {2}Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED/m);
    });

    it("leaves alone what only Java can do", async () => {
      const kerberos = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=GSSAPI"];
      const { code, stdout } = await run("check-kafka", write("127.0.0.1:1", [...JAVA, ...kerberos]));
      assert.equal(code, 0);
      assert.match(stdout, /^ok {6}Kafka is not tried: sasl\.mechanism GSSAPI is not supported/);
    });
  });
});
