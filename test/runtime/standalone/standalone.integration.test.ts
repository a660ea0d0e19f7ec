import assert from "node:assert/strict";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { freePorts } from "#dev/process.ts";
import { decodeJavaMap } from "#runtime/standalone/java-map.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { runStandalone, startStandalone, startStandaloneFile } from "#support/standalone.ts";
import { rest } from "#support/worker.ts";

describe("a standalone worker", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-standalone-"));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;

  before(async () => {
    kafka = await sharedKafka();
  });
  after(async () => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const properties = (offsets: string, more: Record<string, string> = {}) => ({
    "bootstrap.servers": kafka.bootstrap,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "offset.storage.file.filename": join(dir, offsets),
    "offset.flush.interval.ms": "200",
    "task.shutdown.graceful.timeout.ms": "30000",
    "headrace.metrics.listener": "",
    ...more,
  });
  const write = (name: string, text: string) => {
    const file = join(dir, name);
    writeFileSync(file, text);
    return file;
  };
  const stateOf = async (url: string, name: string): Promise<string> =>
    JSON.stringify((await rest(url, "GET", `/connectors/${name}/status`)).body);

  it("runs the connectors of its command line, keeps offsets in Java's file and goes on from it", async () => {
    const topic = uniqueName("lines");
    const lines = write("lines.txt", "one\ntwo\n");
    const copy = join(dir, "copy.txt");
    const source = write(
      "source.properties",
      `name=lines-source\nconnector.class=FileStreamSource\nfile=${lines}\ntopic=${topic}\n`,
    );
    const sink = write(
      "sink.json",
      JSON.stringify({
        // Its consumer group is named after it, and Kafka is shared with other tests.
        name: `${topic}-sink`,
        config: { "connector.class": "FileStreamSink", topics: topic, file: copy },
      }),
    );
    const first = await startStandalone({ dir, properties: properties("offsets"), files: [source, sink] });
    try {
      await eventually("both lines are copied", () => readFileSync(copy, "utf8") === "one\ntwo\n");
      await eventually("the source runs", async () =>
        /"state":"RUNNING".*"state":"RUNNING"/.test(await stateOf(first.url, "lines-source")),
      );
      // In memory only: no group, generation 0, and the same REST API.
      assert.equal((await rest(first.url, "GET", "/")).status, 200);
      const committed = await eventually("the offsets of both lines are committed", async () => {
        const { body } = await rest(first.url, "GET", "/connectors/lines-source/offsets");
        return JSON.stringify(body).includes('"position":8') ? body : null;
      });
      assert.deepEqual(committed, {
        offsets: [{ partition: { filename: lines }, offset: { position: 8 } }],
      });
      assert.equal((await rest(first.url, "POST", "/connectors/lines-source/tasks/0/restart")).status, 204);
      const changed = { "connector.class": "FileStreamSource", file: lines, topic, "batch.size": "10" };
      assert.equal((await rest(first.url, "PUT", "/connectors/lines-source/config", changed)).status, 200);
      appendFileSync(lines, "three\n");
      await eventually("the third line is copied", () => readFileSync(copy, "utf8") === "one\ntwo\nthree\n");
      await eventually("its offset is in the file", () =>
        readFileSync(join(dir, "offsets"), "latin1").includes('{"position":14}'),
      );
    } finally {
      await first.stop();
    }
    const [entry] = decodeJavaMap(readFileSync(join(dir, "offsets")));
    assert.equal(entry?.[0]?.toString(), JSON.stringify(["lines-source", { filename: lines }]));

    appendFileSync(lines, "four\n");
    const second = await startStandalone({ dir, properties: properties("offsets"), files: [source, sink] });
    try {
      await eventually("only the new line is copied", () => /four\n$/.test(readFileSync(copy, "utf8")));
      assert.equal(readFileSync(copy, "utf8"), "one\ntwo\nthree\nfour\n");
      // Otherwise the task stores it while it stops, perhaps after the reset.
      await eventually("the offset of the new line is in the file", () =>
        readFileSync(join(dir, "offsets"), "latin1").includes('{"position":19}'),
      );
      // Offsets are altered while the connector is stopped.
      const early = await rest(second.url, "DELETE", "/connectors/lines-source/offsets");
      assert.equal(early.status, 400);
      assert.equal((await rest(second.url, "PUT", "/connectors/lines-source/stop")).status, 204);
      const reset = await eventually("offsets are reset", async () => {
        const answer = await rest(second.url, "DELETE", "/connectors/lines-source/offsets");
        return answer.status === 200 ? answer : null;
      });
      assert.match(JSON.stringify(reset.body), /reset/);
    } finally {
      await second.stop();
    }
    assert.equal(decodeJavaMap(readFileSync(join(dir, "offsets")))[0]?.[1], null, "a tombstone is kept");
  });

  it("refuses a connector that is not valid, and requests of other workers", async () => {
    const worker = await startStandalone({ dir, properties: properties("answers"), files: [] });
    try {
      const bad = await rest(worker.url, "POST", "/connectors", {
        name: "bad",
        config: { "connector.class": "FileStreamSource", "tasks.max": "none", topic: "t" },
      });
      assert.equal(bad.status, 400);
      const internal = await rest(worker.url, "POST", "/connectors/bad/tasks", []);
      assert.ok(internal.status >= 400);
    } finally {
      await worker.stop();
    }
  });

  it("runs a file of resources, the one for kubectl apply", async () => {
    const [port = 0] = await freePorts(1);
    const topic = uniqueName("orders");
    const example = readFileSync(new URL("../../../examples/standalone.yaml", import.meta.url), "utf8")
      .replace("localhost:9092", kafka.bootstrap)
      .replace("topic: orders", `topic: ${topic}`)
      .replace(
        "  config:\n",
        `  config:\n    listeners: http://127.0.0.1:${port}\n    headrace.metrics.listener: ""\n`,
      );
    const worker = await startStandaloneFile(write("cluster.yaml", example), port);
    try {
      await eventually("connector and task run", async () =>
        /"state":"RUNNING".*"state":"RUNNING"/.test(await stateOf(worker.url, "orders")),
      );
      await eventually("offsets are kept beside the file", () => existsSync(join(dir, "cluster.yaml.offsets")));
    } finally {
      await worker.stop();
    }
    assert.notEqual(decodeJavaMap(readFileSync(join(dir, "cluster.yaml.offsets"))).length, 0);
  });

  it("kills a connector that outgrows the limit of its file, and no other", async () => {
    const plugins = join(dir, "plugins");
    cpSync(join(repoRoot, "test/fixtures/plugins/misbehaving"), join(plugins, "misbehaving"), { recursive: true });
    const hungry = write(
      "hungry.properties",
      "name=hungry\nconnector.class=misbehaving\nhoard=poll\nheadrace.executor.memory.max.mb=256\n",
    );
    const steady = write(
      "steady.properties",
      `name=steady\nconnector.class=datagen\ntopic=${uniqueName("steady")}\nrate.per.second=20\n`,
    );
    const more = { "plugin.path": plugins, "headrace.plugin.load.timeout.ms": "60000", "headrace.executors.max": "1" };
    const worker = await startStandalone({ dir, properties: properties("limits", more), files: [hungry, steady] });
    const offsetsOf = async (name: string) =>
      JSON.stringify((await rest(worker.url, "GET", `/connectors/${name}/offsets`)).body);
    try {
      let disturbed = "";
      await eventually("it is given up", async () => {
        const other = await stateOf(worker.url, "steady");
        if (/RESTARTING|FAILED/.test(other)) disturbed = other;
        const state = await stateOf(worker.url, "hungry");
        return /"FAILED".*executor used \d+ MiB of memory; headrace\.executor\.memory\.max\.mb allows 256/.test(state);
      });
      assert.equal(disturbed, "");
      await eventually("the other one runs", async () =>
        /"state":"RUNNING".*"state":"RUNNING"/.test(await stateOf(worker.url, "steady")),
      );
      const before = await offsetsOf("steady");
      await eventually("the other one goes on", async () => (await offsetsOf("steady")) !== before);
    } finally {
      await worker.stop();
    }
  });

  it("ends with 3 if it cannot start, and says why", async () => {
    const offsets = write("damaged", "this is no offset file");
    const [port = 0] = await freePorts(1);
    const listener = { listeners: `http://127.0.0.1:${port}` };
    const damaged = await runStandalone({ dir, properties: properties("damaged", listener), files: [] });
    assert.equal(damaged.code, 3);
    assert.match(damaged.output, /damaged is no offset file of Kafka Connect/);
    assert.equal(readFileSync(offsets, "utf8"), "this is no offset file");

    const unusable = await runStandalone({
      dir,
      properties: properties("q", { "security.protocol": "SASL_SSL" }),
      files: [],
    });
    assert.equal(unusable.code, 2, "as Java");
    assert.match(unusable.output, /sasl\.mechanism GSSAPI \(the default\) is not supported/);

    const nameless = write("nameless.json", "{}");
    const refused = await runStandalone({ dir, properties: properties("o"), files: [nameless] });
    assert.deepEqual([refused.code, /nameless\.json has no name/.test(refused.output)], [3, true]);

    const unknown = write("unknown.properties", "name=u\nconnector.class=NoSuchThing\n");
    const failed = await runStandalone({ dir, properties: properties("p", listener), files: [unknown] });
    assert.equal(failed.code, 3);
    assert.match(failed.output, /Connector u cannot be created/);
  });
});
