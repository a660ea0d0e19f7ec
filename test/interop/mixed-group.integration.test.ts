import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo, GroupInfo } from "@headrace/contract";
import { z } from "zod";
import { consumeAll, type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { follow } from "#support/numbered-lines.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const SOURCES = ["s0", "s1", "s2", "s3"];
/** Its consumer group is named after it, and Kafka is shared with other tests. */
const SINK = uniqueName("mixed-sink");
const CONNECTORS = [...SOURCES, SINK];
const PATIENCE_MS = 120_000;
const KEY_TTL_MS = 8_000;
const TaskList = z.array(z.object({ config: z.record(z.string(), z.string()) }));

/** Workers of both makes in one group; lines flow from files through Kafka into one file all the while. */
describe("a group of JVM and Headrace workers", { timeout: 800_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-mixed-"));
  const group = uniqueName("mixed");
  const output = join(dir, "out.txt");
  const jvms: JvmWorker[] = [];
  const ours: TestWorker[] = [];
  const sent = new Map(SOURCES.map((name) => [name, 0]));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let growth: NodeJS.Timeout | undefined;
  let commits = 0;

  const topicOf = (name: string) => `${group}-${name}`;
  const fileOf = (name: string) => join(dir, `${name}.txt`);
  const properties = () => ({
    ...groupProperties(kafka.bootstrap, group),
    "heartbeat.interval.ms": "500",
    "session.timeout.ms": "15000",
    "inter.worker.key.ttl.ms": `${KEY_TTL_MS}`,
  });
  const urls = () => [...jvms, ...ours].map(({ url }) => url);
  const idOf = (url: string) => new URL(url).host;

  async function startJvm(): Promise<JvmWorker> {
    const jvm = await startJvmWorker({ dir, properties: properties(), heap: "384m" });
    jvms.push(jvm);
    return jvm;
  }

  async function startOurs(): Promise<TestWorker> {
    const worker = await startWorker({ dir, properties: properties() });
    ours.push(worker);
    return worker;
  }

  const statusOf = async (url: string, name: string) =>
    ConnectorStateInfo.parse((await rest(url, "GET", `/connectors/${name}/status`)).body);

  /** Everything runs, each of these workers runs something, and all of them tell the same. */
  async function settled(tasksOfSink: number, ...workers: readonly string[]): Promise<void> {
    const settledAt = async (url: string) => {
      const owners = new Set<string>();
      for (const name of CONNECTORS) {
        const { connector, tasks } = await statusOf(url, name);
        if (tasks.length !== (name === SINK ? tasksOfSink : 1)) return false;
        for (const { state, worker_id } of [connector, ...tasks]) {
          if (state !== "RUNNING" || !urls().some((each) => idOf(each) === worker_id)) return false;
          owners.add(worker_id);
        }
      }
      return workers.every((worker) => owners.has(idOf(worker)));
    };
    await eventually(
      "everything runs, everywhere",
      async () => (await Promise.all(urls().map(settledAt))).every((each) => each),
      PATIENCE_MS,
      300,
    );
  }

  async function leaderUrl(): Promise<string> {
    const [worker] = ours;
    assert.ok(worker !== undefined);
    const info = GroupInfo.parse((await rest(worker.url, "GET", "/headrace/group")).body);
    return `${info.leaderUrl}`.replace(/\/$/, "");
  }

  /** A request that answers 409 while work is moving is repeated, as clients of Connect do. */
  async function ask(url: string, method: string, path: string, body?: unknown): Promise<void> {
    await eventually(
      `${method} ${path}`,
      async () => {
        const { status, body: answer } = await rest(url, method, path, body);
        if (status !== 409) assert.ok(status < 300, `${status} ${JSON.stringify(answer)}`);
        return status !== 409;
      },
      PATIENCE_MS,
      500,
    );
  }

  const configOf = (name: string, batchSize: number) => ({
    "connector.class": "FileStreamSource",
    "tasks.max": "1",
    file: fileOf(name),
    topic: topicOf(name),
    "batch.size": `${batchSize}`,
  });
  const sinkConfig = (tasks: number) => ({
    "connector.class": "FileStreamSink",
    "tasks.max": `${tasks}`,
    file: output,
    topics: SOURCES.map(topicOf).join(","),
    "consumer.override.heartbeat.interval.ms": "500",
    "consumer.override.session.timeout.ms": "6000",
    "consumer.override.auto.offset.reset": "earliest",
  });

  /** Changes every task's configuration: the owners commit it through the leader, those of another make with a signature. */
  async function commitThrough(url: string, tasksOfSink: number): Promise<void> {
    commits += 1;
    const batchSize = 1_000 + commits;
    for (const name of SOURCES) await ask(url, "PUT", `/connectors/${name}/config`, configOf(name, batchSize));
    await ask(url, "PUT", `/connectors/${SINK}/config`, sinkConfig(tasksOfSink));
    const committed = async (at: string, name: string) => {
      const tasks = TaskList.parse((await rest(at, "GET", `/connectors/${name}/tasks`)).body);
      return tasks.length === 1 && tasks[0]?.config["batch.size"] === `${batchSize}`;
    };
    await eventually(
      "the new task configurations are known everywhere",
      async () => {
        const all = urls().flatMap((at) => SOURCES.map((name) => committed(at, name)));
        return (await Promise.all(all)).every((each) => each);
      },
      PATIENCE_MS,
      300,
    );
    await settled(tasksOfSink);
  }

  /** Restarts, pauses and stops everything through one worker and reads the effect at another. */
  async function command(through: string, seenAt: string, tasksOfSink: number): Promise<void> {
    for (const name of CONNECTORS) {
      await ask(through, "POST", `/connectors/${name}/restart?includeTasks=true&onlyFailed=false`);
      await ask(through, "POST", `/connectors/${name}/tasks/0/restart`);
    }
    await settled(tasksOfSink);
    const everywhere = (state: string, name: string, tasks: number) =>
      eventually(
        `${name} ${state}`,
        async () => {
          const status = await statusOf(seenAt, name);
          const parts = [status.connector, ...status.tasks];
          return status.tasks.length === tasks && parts.every((part) => part.state === state);
        },
        PATIENCE_MS,
      );
    for (const name of CONNECTORS) await ask(through, "PUT", `/connectors/${name}/pause`);
    for (const name of CONNECTORS) await everywhere("PAUSED", name, name === SINK ? tasksOfSink : 1);
    for (const name of ["s0", "s1"]) await ask(through, "PUT", `/connectors/${name}/stop`);
    for (const name of ["s0", "s1"]) await everywhere("STOPPED", name, 0);
    for (const name of CONNECTORS) await ask(through, "PUT", `/connectors/${name}/resume`);
    await settled(tasksOfSink);
  }

  const linesOut = () => (existsSync(output) ? readFileSync(output, "utf8").split("\n").slice(0, -1) : []);

  /** Every source and the sink have moved what is being written now. */
  async function moving(): Promise<void> {
    const wanted = SOURCES.map((name) => `${name} ${sent.get(name)}`);
    await eventually(
      "all lines of now arrive",
      () => {
        const arrived = new Set(linesOut());
        return wanted.every((line) => arrived.has(line));
      },
      PATIENCE_MS,
      300,
    );
  }

  const remove = <T>(list: T[], one: T) => list.splice(list.indexOf(one), 1);

  before(async () => {
    kafka = await sharedKafka();
    for (const name of SOURCES) writeFileSync(fileOf(name), "");
    growth = setInterval(() => {
      for (const name of SOURCES) {
        const from = sent.get(name) ?? 0;
        appendFileSync(fileOf(name), Array.from({ length: 5 }, (_, index) => `${name} ${from + index}\n`).join(""));
        sent.set(name, from + 5);
      }
    }, 50);
  });

  after(async () => {
    clearInterval(growth);
    await Promise.allSettled([...ours.map(({ process }) => process.stop(60_000)), ...jvms.map((jvm) => jvm.kill())]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("led by a JVM worker: shares the work, commits tasks with signatures, obeys commands through either", async () => {
    const jvm = await startJvm();
    const own = await startOurs();
    for (const name of SOURCES) await ask(own.url, "POST", "/connectors", { name, config: configOf(name, 1_000) });
    await ask(jvm.url, "POST", "/connectors", { name: SINK, config: sinkConfig(2) });
    await settled(2, jvm.url, own.url);
    assert.equal(await leaderUrl(), jvm.url);
    await moving();
    await commitThrough(own.url, 3);
    await commitThrough(jvm.url, 2);
    await command(own.url, jvm.url, 2);
    await command(jvm.url, own.url, 2);
    await moving();
  });

  it("goes on when the JVM leader is killed; one of ours leads, and a JVM worker that comes follows it", async () => {
    const [jvm] = jvms;
    assert.ok(jvm !== undefined);
    const second = await startOurs();
    await settled(2, jvm.url, second.url);
    remove(jvms, jvm);
    await jvm.kill();
    await settled(2, ...ours.map(({ url }) => url));
    await moving();
    const follower = await startJvm();
    await settled(2, follower.url);
    const leading = await leaderUrl();
    assert.ok(
      ours.some(({ url }) => url === leading),
      `one of ours leads, not ${leading}`,
    );
    await commitThrough(follower.url, 3);
    await commitThrough(second.url, 2);
    await command(second.url, follower.url, 2);
    await command(follower.url, second.url, 2);
    await moving();
  });

  it("goes on when our leader is killed, and when others leave", async () => {
    const leading = await leaderUrl();
    const leader = ours.find(({ url }) => url === leading);
    assert.ok(leader !== undefined);
    remove(ours, leader);
    await leader.process.kill();
    await settled(2, ...urls());
    await commitThrough(urls()[0] ?? "", 2);
    await moving();
    const [own] = ours;
    assert.ok(own !== undefined);
    remove(ours, own);
    await own.process.stop(60_000);
    await settled(2, ...urls());
    await moving();
  });

  it("has lost nothing, and no task was in two places", async (t) => {
    clearInterval(growth);
    let records = 0;
    for (const name of SOURCES) {
      const count = sent.get(name) ?? 0;
      await eventually(
        `${name} has been read to its end`,
        () => linesOut().includes(`${name} ${count - 1}`),
        PATIENCE_MS,
      );
      const numbers = (await consumeAll(kafka.bootstrap, topicOf(name))).map((line) => Number(line.split(" ")[1]));
      const passage = follow(numbers);
      assert.deepEqual([passage.arrived, passage.jumps, passage.returns], [count, [], []], name);
      records += numbers.length;
    }
    const arrived = new Set(linesOut());
    const all = SOURCES.flatMap((name) =>
      Array.from({ length: sent.get(name) ?? 0 }, (_, index) => `${name} ${index}`),
    );
    assert.deepEqual(
      all.filter((line) => !arrived.has(line)),
      [],
      "the sink has every line",
    );
    const configs = await consumeAll(kafka.bootstrap, `${group}-configs`);
    const keys = configs.filter((value) => value.includes("creation-timestamp")).length;
    assert.ok(keys >= 3, `${keys} session keys`);
    t.diagnostic(
      `interop | mixed group | ${records} records, ${commits} rounds of commits, ${keys} session keys | nothing lost, no task twice`,
    );
  });
});
