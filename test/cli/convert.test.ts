import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { runHeadrace } from "#support/command-line.ts";

const GOLDEN = new URL("golden/", import.meta.url);

/** Input, target, further options; the result stands beside it as `<input>.to-<target>.<ending>`. */
const CASES: readonly (readonly [input: string, target: string, ...options: string[]])[] = [
  ["strimzi-v1beta2.yaml", "headrace"],
  ["strimzi-v1beta2.yaml", "strimzi"],
  ["strimzi-v1beta2.yaml", "rest"],
  ["event-streams.yaml", "headrace"],
  ["confluent.yaml", "headrace"],
  ["rest.json", "headrace", "--cluster", "my-connect"],
  ["headrace.yaml", "strimzi"],
  ["headrace.yaml", "event-streams"],
  ["headrace.yaml", "confluent"],
  ["headrace.yaml", "rest"],
];

describe("headrace convert", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-convert-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const [input, target, ...options] of CASES) {
    it(`turns golden/${input} into ${target}`, async () => {
      const file = new URL(`${input}.to-${target}.${target === "rest" ? "json" : "yaml"}`, GOLDEN);
      const text = await readFile(new URL(input, GOLDEN), "utf8");
      const { code, out, err } = await runHeadrace(["convert", "--to", target, ...options], { input: text });
      assert.equal(code, 0, err);
      // Renewed with UPDATE_GOLDEN=1; look at the difference before it is committed.
      if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(file, out);
      assert.equal(out, await readFile(file, "utf8"));
      const comments = out.split("\n").filter((line) => /^# (dropped|look at|no effect): /.test(line));
      const told = err.split("\n").filter((line) => / (dropped|look at|no effect): /.test(line));
      if (target !== "rest") assert.equal(comments.length, told.length, "what is told stands in the file as well");
    });
  }

  it("reads files and folders, and names the file of each note", async () => {
    await writeFile(join(dir, "my-sink.json"), JSON.stringify({ "connector.class": "FileStreamSink", topics: "a" }));
    await writeFile(join(dir, "other.txt"), "not read");
    const { out, err } = await runHeadrace(["convert", dir]);
    const [document] = parseAllDocuments(out);
    assert.ok(document !== undefined && "toJS" in document);
    assert.equal(document.toJS().metadata.name, "my-sink");
    assert.match(err, /my-sink\.json: KafkaConnector my-sink: look at: The label headrace\.dev\/cluster has to be set/);
  });

  it("ends with 3 under --strict if something was dropped", async () => {
    const input = await readFile(new URL("strimzi-v1beta2.yaml", GOLDEN), "utf8");
    assert.equal((await runHeadrace(["convert", "--strict"], { input })).code, 3);
  });

  it("keeps what Kubernetes' YAML means: octal numbers, yes and no, numbers with many digits", async () => {
    const input = `
apiVersion: kafka.strimzi.io/v1
kind: KafkaConnector
metadata: {name: a, labels: {strimzi.io/cluster: c}}
spec: {class: X, config: {mode: 0644, flag: yes, word: "yes", time: 12:30:45, big: 12345678901234567890}}
`;
    const { out } = await runHeadrace(["convert"], { input });
    assert.match(out, /mode: 420\n/);
    assert.match(out, /flag: true\n/);
    assert.match(out, /word: "yes"\n/);
    assert.match(out, /time: 12:30:45\n/);
    assert.match(out, /big: 12345678901234567890\n/);
  });

  it("never shows a password in what it tells", async () => {
    const input = `
apiVersion: platform.confluent.io/v1beta1
kind: Connect
metadata: {name: c, namespace: ns}
spec: {replicas: 1, dependencies: {kafka: {bootstrapEndpoint: "k:1"}, somewhere: {password: hunter2, deep: {apiKey: hunter2}}}}
`;
    const { out, err } = await runHeadrace(["convert"], { input });
    assert.match(err, /spec\.dependencies\.somewhere\.password has no counterpart/);
    assert.doesNotMatch(out + err, /hunter2/);
  });

  it("says what is wrong with its input and with its command line", async () => {
    const wrong = await runHeadrace(["convert"], { input: "a: [1" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /standard input is no YAML/);
    const strange = await runHeadrace(["convert"], { input: "a: 1" });
    assert.match(strange.err, /neither a Kubernetes resource nor the JSON of a connector/);
    const no = "{apiVersion: kafka.strimzi.io/v1, kind: KafkaConnector, metadata: {name: a, namespace: no}}";
    assert.match((await runHeadrace(["convert"], { input: no })).err, /cannot be read: metadata\.namespace: .*boolean/);
    const missing = await runHeadrace(["convert", "/nowhere/x.yaml"]);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /\/nowhere\/x\.yaml cannot be read/);
    const usage = await runHeadrace(["convert", "--to", "mars"]);
    assert.equal(usage.code, 2);
    assert.match(usage.err, /--to mars is none of headrace, strimzi/);
    assert.equal((await runHeadrace(["convert", "--frobnicate"])).code, 2);
  });

  it("helps", async () => {
    for (const command of [[], ["convert"], ["validate"], ["connectors"]]) {
      const { code, out } = await runHeadrace([...command, "--help"]);
      assert.equal(code, 0);
      assert.match(out, /^Usage: headrace/);
    }
    assert.deepEqual(await runHeadrace(["--version"]), { code: 0, out: "1.2.3\n", err: "" });
    assert.equal((await runHeadrace([])).code, 2);
    assert.equal((await runHeadrace(["fly"])).code, 2);
  });
});
