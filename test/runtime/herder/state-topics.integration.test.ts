import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorOffsets, ConnectorStateInfo, StreamEvent, TaskInfo } from "@headrace/contract";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { openLog, record } from "#support/topic-logs.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

/** What a compacted config topic may look like, and what else may lie in a topic. */
const COMPACTED = (dir: string) => [
  // Deleted, and compaction has left only this of it (KAFKA-16838).
  record("task-again-0", '{"properties":{"task.class":"stale","file":"/stale-0"}}'),
  record("task-again-1", '{"properties":{"task.class":"stale","file":"/stale-1"}}'),
  record("commit-again", '{"tasks":2}'),
  // Its last commit stands before the tasks that it is for.
  record("commit-torn", '{"tasks":2}'),
  record("connector-torn", JSON.stringify({ properties: datagen("torn", 2) })),
  record("task-torn-0", '{"properties":{"task.class":"stale"}}'),
  record("garbage", "{"),
  record("connector-", "[]"),
  record("connector-broken", '{"properties":7}'),
  record("restart-connector-torn", '{"include-tasks":true,"only-failed":false}'),
  // Written by a worker that did not enforce tasks.max.
  record("connector-many", JSON.stringify({ properties: { ...datagen("many", 1), file: dir } })),
  record("task-many-0", JSON.stringify({ properties: { ...datagen("many", 1), "task.class": "datagen" } })),
  record("task-many-1", JSON.stringify({ properties: { ...datagen("many", 1), "task.class": "datagen" } })),
  record("commit-many", '{"tasks":2}'),
  record("target-state-many", '{"state":"PAUSED","state.v2":"PAUSED"}'),
];

function datagen(name: string, tasks: number) {
  return { name, "connector.class": "datagen", "tasks.max": String(tasks), topic: `t-${name}`, "rate.per.second": "5" };
}

describe("a worker's state topics", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-state-"));
  const group = uniqueName("state");
  const lines = `${group}-lines`;
  /** Its consumer group is named after it, and Kafka is shared with other tests. */
  const sink = `${group}-sink`;
  const input = join(dir, "in.txt");
  const output = join(dir, "out.txt");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let one: TestWorker;
  let two: TestWorker;

  before(async () => {
    kafka = await sharedKafka();
    const configs = { topic: `${group}-configs`, singlePartition: true, configs: { "cleanup.policy": "compact" } };
    const log = await openLog({ bootstrap: kafka.bootstrap, ...configs });
    await log.append(COMPACTED(dir), null, AbortSignal.timeout(30_000));
    await log.stop();
    one = await startWorker({ dir, properties: groupProperties(kafka.bootstrap, group) });
  });
  after(async () => {
    await two?.process.stop(60_000);
    await one?.process.stop(60_000);
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const call = async (method: string, path: string, body?: unknown, url = one.url) => {
    const answer = await rest(url, method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  };
  const stateOf = async (name: string) => {
    const { connector, tasks } = ConnectorStateInfo.parse((await call("GET", `/connectors/${name}/status`)).body);
    return [connector.state, ...tasks.map(({ state }) => state)].join(" ");
  };
  const reaches = (name: string, wanted: string) =>
    eventually(`${name} is ${wanted}`, async () => (await stateOf(name)) === wanted, 90_000);
  const offsetsOf = async (name: string) =>
    ConnectorOffsets.parse((await call("GET", `/connectors/${name}/offsets`)).body).offsets;
  const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `line ${from + index}`);

  it("are read past garbage, and an inconsistent task set heals with its connector's start", async () => {
    await reaches("torn", "RUNNING RUNNING RUNNING");
    const tasks = TaskInfo.array().parse((await call("GET", "/connectors/torn/tasks")).body);
    assert.deepEqual(
      tasks.map(({ config }) => config["connector.class"]),
      ["datagen", "datagen"],
    );
    assert.deepEqual((await call("GET", "/connectors")).body, ["torn", "many"]);
  });

  it("give a connector that was made anew none of its former tasks", async () => {
    await call("POST", "/connectors", { name: "again", config: datagen("again", 1) });
    await reaches("again", "RUNNING RUNNING");
    const tasks = TaskInfo.array().parse((await call("GET", "/connectors/again/tasks")).body);
    assert.deepEqual(
      tasks.map(({ config }) => config["connector.class"]),
      ["datagen"],
    );
  });

  it("may hold more tasks than tasks.max: those fail until the connector has planned anew", async () => {
    await reaches("many", "PAUSED FAILED FAILED");
    const { tasks } = ConnectorStateInfo.parse((await call("GET", "/connectors/many/status")).body);
    assert.match(
      tasks[0]?.trace ?? "",
      /The connector many has generated 2 tasks, which is greater than 1, the maximum/,
    );
    await call("PUT", "/connectors/many/resume");
    await reaches("many", "RUNNING RUNNING");
    await call("DELETE", "/connectors/many");
    const isGone = async () => (await rest(one.url, "GET", "/connectors/many/status")).status === 404;
    await eventually("its status is gone", isGone);
  });

  it("know the active topics of a connector, which come back after a reset and go with it", async () => {
    const topics = async (name: string) => JSON.stringify((await call("GET", `/connectors/${name}/topics`)).body);
    await call("POST", "/connectors", { name: "topics", config: datagen("topics", 1) });
    await eventually("topic seen", async () => (await topics("topics")).includes('"t-topics"'));
    await call("PUT", "/connectors/topics/topics/reset");
    const log = await openLog({ bootstrap: kafka.bootstrap, topic: `${group}-status`, partitions: 5 });
    await eventually("written again after the reset", async () => {
      await log.readToEnd(AbortSignal.timeout(10_000));
      const own = log.records.filter(({ key }) => key?.toString() === "status-topic-t-topics:connector-topics");
      return own.some(({ value }) => value === null) && own.at(-1)?.value != null;
    });
    await log.stop();
    await eventually("seen again", async () => (await topics("topics")).includes('"t-topics"'));
    await call("DELETE", "/connectors/topics");
    await eventually("forgotten", async () => (await topics("topics")) === '{"topics":{"topics":[]}}');
  });

  it("keep a source's offsets, which are altered and reset while it is stopped", async () => {
    writeFileSync(input, "");
    appendFileSync(input, `${numbered(0, 10).join("\n")}\n`);
    const config = { "connector.class": "FileStreamSource", "tasks.max": "1", file: input, topic: lines };
    await call("POST", "/connectors", { name: "source", config });
    await eventually("offset stored", async () => (await offsetsOf("source")).length === 1, 90_000);
    await call("PUT", "/connectors/source/stop");
    await reaches("source", "STOPPED");
    const partition = { filename: input };
    const half = numbered(0, 5).join("\n").length + 1;
    const altered = await call("PATCH", "/connectors/source/offsets", {
      offsets: [{ partition, offset: { position: half } }],
    });
    assert.deepEqual(altered.body, { message: "The offsets for this connector have been altered successfully" });
    assert.deepEqual(await offsetsOf("source"), [{ partition, offset: { position: half } }]);
    await call("DELETE", "/connectors/source/offsets");
    assert.deepEqual(await offsetsOf("source"), []);
    await call("PATCH", "/connectors/source/offsets", { offsets: [{ partition, offset: { position: half } }] });
    await call("PUT", "/connectors/source/resume");
    await reaches("source", "RUNNING RUNNING");
  });

  it("show where a sink reads, which is altered and reset in its consumer group", async () => {
    const config = { "connector.class": "FileStreamSink", "tasks.max": "1", file: output, topics: lines };
    await call("POST", "/connectors", { name: sink, config });
    // Ten lines, and the last five again: that is where the source was told to go on.
    const all = [...numbered(0, 10), ...numbered(5, 10)];
    await eventually("all lines arrived", () => linesOf(output).length >= all.length, 90_000);
    assert.deepEqual(linesOf(output), all);
    const partition = { kafka_topic: lines, kafka_partition: 0 };
    await eventually("committed", async () => (await offsetsOf(sink))[0]?.offset?.["kafka_offset"] === 15, 90_000);
    const running = await rest(one.url, "DELETE", `/connectors/${sink}/offsets`);
    assert.equal(running.status, 400);
    await call("PUT", `/connectors/${sink}/stop`);
    await reaches(sink, "STOPPED");
    await eventually("group empty, offset altered", async () => {
      const body = { offsets: [{ partition, offset: { kafka_offset: "12" } }] };
      return (await rest(one.url, "PATCH", `/connectors/${sink}/offsets`, body)).status === 200;
    });
    assert.deepEqual(await offsetsOf(sink), [{ partition, offset: { kafka_offset: 12 } }]);
    const nowhere = { offsets: [{ partition: { ...partition, kafka_partition: 99 }, offset: { kafka_offset: 1 } }] };
    const refused = await rest(one.url, "PATCH", `/connectors/${sink}/offsets`, nowhere);
    assert.equal(refused.status, 500, JSON.stringify(refused.body));
    assert.ok(JSON.stringify(refused.body).includes(`Failed to alter consumer group offsets for connector ${sink}`));
    await call("PUT", `/connectors/${sink}/resume`);
    await eventually("the last three again", () => linesOf(output).length >= 18, 90_000);
    assert.deepEqual(linesOf(output).slice(15), numbered(7, 10));
    await call("PUT", `/connectors/${sink}/stop`);
    await reaches(sink, "STOPPED");
    await eventually(
      "reset",
      async () => (await rest(one.url, "DELETE", `/connectors/${sink}/offsets`)).status === 200,
    );
    assert.deepEqual(await offsetsOf(sink), []);
    await call("DELETE", `/connectors/${sink}`);
    await call("DELETE", "/connectors/source");
  });

  it("carry restarts to whichever worker owns a part", async () => {
    two = await startWorker({ dir, properties: groupProperties(kafka.bootstrap, group) });
    await call("PUT", "/connectors/torn/config", datagen("torn", 4));
    const spread = async () => {
      const { connector, tasks } = ConnectorStateInfo.parse((await call("GET", "/connectors/torn/status")).body);
      const parts = [connector, ...tasks];
      const owners = new Set(tasks.map(({ worker_id }) => worker_id));
      return parts.length === 5 && owners.size === 2 && parts.every(({ state }) => state === "RUNNING");
    };
    await eventually("tasks run on both workers", spread, 90_000);
    for (const url of [one.url, two.url]) {
      const seen = await watchRestarts(url, "torn");
      for (const task of [0, 1, 2, 3]) await call("POST", `/connectors/torn/tasks/${task}/restart`, undefined, url);
      await call("POST", "/connectors/torn/restart", undefined, url);
      assert.deepEqual(seen.restarting(), [], "a plain restart shows no RESTARTING");
      const { status, body } = await call("POST", "/connectors/torn/restart?includeTasks=true", undefined, url);
      assert.equal(status, 202);
      const plan = ConnectorStateInfo.parse(body);
      assert.deepEqual(new Set([plan.connector, ...plan.tasks].map(({ state }) => state)), new Set(["RESTARTING"]));
      await eventually("every part was restarted", () => seen.restarting().join() === "0,1,2,3,null", 90_000);
      await eventually("and runs", spread, 90_000);
      await seen.stop();
    }
    await eventually("a restart of what has failed finds nothing to do", async () => {
      const { body } = await call("POST", "/connectors/torn/restart?includeTasks=true&onlyFailed=true");
      const plan = ConnectorStateInfo.parse(body);
      return [plan.connector, ...plan.tasks].every(({ state }) => state === "RUNNING");
    });
  });
});

/** Notes which parts of a connector are told to be RESTARTING. */
async function watchRestarts(url: string, connector: string) {
  const end = new AbortController();
  const response = await fetch(`${url}/headrace/events`, { signal: end.signal });
  const seen = new Set<string>();
  const opened = Promise.withResolvers<void>();
  const read = async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = StreamEvent.parse(JSON.parse(block.slice(block.indexOf("data: ") + 6)));
        opened.resolve();
        if (event.kind === "status" && event.connector === connector && event.state === "RESTARTING") {
          seen.add(String(event.task));
        }
      }
    }
  };
  const done = read().catch((error: unknown) => {
    opened.reject(error);
    if (!end.signal.aborted) throw error;
  });
  await opened.promise;
  return {
    restarting: () => [...seen].sort(),
    stop() {
      end.abort();
      return done;
    },
  };
}
