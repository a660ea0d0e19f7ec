import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { consumeAll, type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

/** For what takes a second or two on a machine that has nothing else to do. */
const PATIENCE_MS = 120_000;

const numbered = (prefix: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${prefix} ${from + index}`);
const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
const append = (file: string, lines: readonly string[]) => appendFileSync(file, `${lines.join("\n")}\n`);

async function stateOf(url: string, connector: string): Promise<string> {
  const { body } = await rest(url, "GET", `/connectors/${connector}/status`);
  assert.ok(body !== null && typeof body === "object" && "connector" in body && "tasks" in body);
  const { connector: own, tasks } = body;
  assert.ok(own !== null && typeof own === "object" && "state" in own && Array.isArray(tasks));
  return [own.state, ...tasks.map((task: { state: string }) => task.state)].join(" ");
}

describe("handing a cluster's state topics to Apache Kafka Connect and back", { timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-take-over-"));
  const group = uniqueName("take-over");
  const topic = `${group}-lines`;
  const pausedTopic = `${group}-paused`;
  const input = join(dir, "in.txt");
  const pausedInput = join(dir, "paused.txt");
  const output = join(dir, "out.txt");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let ours: TestWorker | undefined;
  let jvm: JvmWorker | undefined;

  const startOurs = () => startWorker({ dir, properties: groupProperties(kafka.bootstrap, group) });

  before(async () => {
    kafka = await sharedKafka();
  });

  after(async () => {
    await Promise.allSettled([ours?.process.stop(), jvm?.kill()]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("runs a source, a sink and a paused source on a Headrace worker", async () => {
    ours = await startOurs();
    const { url } = ours;
    writeFileSync(input, "");
    writeFileSync(pausedInput, "");
    append(input, numbered("line", 0, 1000));
    append(pausedInput, numbered("paused", 0, 10));
    const create = async (name: string, config: Record<string, string>) => {
      const { status, body } = await rest(url, "POST", "/connectors", { name, config });
      assert.equal(status, 201, JSON.stringify(body));
    };
    const source = { "connector.class": "FileStreamSource", "tasks.max": "1" };
    await create("source", { ...source, file: input, topic });
    await create("paused", { ...source, file: pausedInput, topic: pausedTopic });
    await create(`${group}-sink`, {
      "connector.class": "FileStreamSink",
      "tasks.max": "1",
      file: output,
      topics: topic,
    });
    await eventually("all lines arrived", () => linesOf(output).length >= 1000, PATIENCE_MS);
    await eventually(
      "the second source runs",
      async () => (await stateOf(url, "paused")) === "RUNNING RUNNING",
      PATIENCE_MS,
    );
    await eventually(
      "its lines are in Kafka",
      async () => (await consumeAll(kafka.bootstrap, pausedTopic)).length === 10,
      PATIENCE_MS,
    );
    assert.equal((await rest(url, "PUT", "/connectors/paused/pause")).status, 202);
    await eventually("paused", async () => (await stateOf(url, "paused")) === "PAUSED PAUSED", PATIENCE_MS);
    assert.deepEqual(linesOf(output), numbered("line", 0, 1000));
    const { code, signal } = await ours.process.stop(60_000);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, "SIGTERM ends the worker with exit code 0");
    ours = undefined;
  });

  it("goes on in a JVM worker: source and sink at their offsets, the paused source stays paused", async () => {
    append(input, numbered("line", 1000, 1500));
    append(pausedInput, numbered("paused", 10, 20));
    jvm = await startJvmWorker({ dir, properties: groupProperties(kafka.bootstrap, group) });
    const { url } = jvm;
    await eventually("the new lines arrived", () => linesOf(output).length >= 1500, PATIENCE_MS);
    assert.deepEqual(linesOf(output), numbered("line", 0, 1500), "nothing lost, nothing repeated");
    await eventually("the source runs", async () => (await stateOf(url, "source")) === "RUNNING RUNNING", PATIENCE_MS);
    await eventually("still paused", async () => (await stateOf(url, "paused")) === "PAUSED PAUSED", PATIENCE_MS);
    assert.deepEqual(await consumeAll(kafka.bootstrap, pausedTopic), numbered("paused", 0, 10));
    await jvm.stop();
    jvm = undefined;
  });

  it("comes back to a Headrace worker, and the paused source resumes where it stood", async (t) => {
    append(input, numbered("line", 1500, 1800));
    ours = await startOurs();
    const { url } = ours;
    await eventually("the newest lines arrived", () => linesOf(output).length >= 1800, PATIENCE_MS);
    assert.deepEqual(linesOf(output), numbered("line", 0, 1800), "nothing lost, nothing repeated");
    await eventually("still paused", async () => (await stateOf(url, "paused")) === "PAUSED PAUSED", PATIENCE_MS);
    assert.equal((await rest(url, "PUT", "/connectors/paused/resume")).status, 202);
    await eventually("running again", async () => (await stateOf(url, "paused")) === "RUNNING RUNNING", PATIENCE_MS);
    await eventually(
      "all its lines",
      async () => (await consumeAll(kafka.bootstrap, pausedTopic)).length >= 20,
      PATIENCE_MS,
    );
    assert.deepEqual(await consumeAll(kafka.bootstrap, pausedTopic), numbered("paused", 0, 20));
    t.diagnostic(
      "interop | take-over, Headrace to JVM and back | source, sink, paused source; 1800 lines | offsets and states kept, each line once",
    );
  });
});
