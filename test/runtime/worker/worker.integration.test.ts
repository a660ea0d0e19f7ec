import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ConnectorStateInfo } from "@headrace/contract";
import { freePorts } from "#dev/process.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";

const BIN = fileURLToPath(new URL("../../../runtime/bin/headrace-worker.js", import.meta.url));

/** A worker process started as a user starts it. */
interface Worker {
  readonly url: string;
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  /** Its executors' process ids. */
  executors(): number[];
}

describe("a worker on a real Kafka", () => {
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  let worker: Worker;
  let properties: string;
  /** The worker comes back under the address that it had. */
  let port: number;
  const started: Worker[] = [];
  const log: string[] = [];

  before(async () => {
    kafka = await sharedKafka();
    dir = mkdtempSync(join(tmpdir(), "headrace-worker-"));
    const group = uniqueName("worker");
    [port = 0] = await freePorts(1);
    properties = [
      `bootstrap.servers=${kafka.bootstrap}`,
      `group.id=${group}`,
      ...["config", "offset", "status"].flatMap((kind) => [
        `${kind}.storage.topic=${group}-${kind}`,
        `${kind}.storage.replication.factor=1`,
      ]),
      "key.converter=org.apache.kafka.connect.storage.StringConverter",
      "value.converter=org.apache.kafka.connect.storage.StringConverter",
      "scheduled.rebalance.max.delay.ms=0",
      // A worker that is started again must not wait for the session of its killed predecessor: longer than any wait in here.
      "session.timeout.ms=90000",
      "offset.flush.interval.ms=200",
      // A machine that stands still for a while must not turn an orderly stop into a kill.
      "task.shutdown.graceful.timeout.ms=30000",
      "headrace.shutdown.grace.ms=60000",
      "headrace.metrics.listener=",
      "headrace.executors.max=1",
    ].join("\n");
    worker = await startWorker();
  });

  after(async () => {
    for (const { process: child, exited } of started) {
      child.kill("SIGKILL");
      await exited;
    }
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  afterEach((context) => {
    if ("passed" in context && context.passed === false) console.error(log.slice(-60).join("\n"));
  });

  async function startWorker(at = port): Promise<Worker> {
    const file = join(dir, `worker-${at}.properties`);
    writeFileSync(file, `${properties}\nlisteners=http://127.0.0.1:${at}\n`);
    const child = spawn(process.execPath, ["--conditions=source", BIN, "distributed", file], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    let url = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        for (const line of text.split("\n").filter((candidate) => candidate !== "")) {
          log.push(line);
          url ||= /"url":"(http:[^"]+)"/.exec(line)?.[1] ?? "";
        }
      });
    }
    const fresh: Worker = {
      get url() {
        return url;
      },
      process: child,
      exited,
      executors: () => childrenOf(child.pid ?? 0),
    };
    started.push(fresh);
    await eventually("worker healthy", async () => {
      if (child.exitCode !== null) throw new Error(`the worker ended:\n${log.slice(-40).join("\n")}`);
      const response = url === "" ? null : await fetch(new URL("health", url)).catch(() => null);
      return response?.ok === true;
    });
    return fresh;
  }

  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(new URL(path, worker.url), {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : (JSON.parse(text) as unknown), text };
  };
  /** State of the connector, then of its tasks. */
  const states = async (connector: string): Promise<string> => {
    const { status, body } = await ask("GET", `connectors/${connector}/status`);
    if (status !== 200) return String(status);
    const info = ConnectorStateInfo.parse(body);
    return [info.connector, ...info.tasks].map(({ state }) => state).join(" ");
  };
  const reach = (connector: string, wanted: string) =>
    eventually(`${connector} ${wanted}`, async () => (await states(connector)) === wanted);
  const lines = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);
  const append = (file: string, from: number, to: number) => appendFileSync(file, `${numbered(from, to).join("\n")}\n`);

  /** A source from `in` and a sink to `out`, over a topic of their own. */
  const pipe = async (name: string) => {
    const input = join(dir, `${name}.in`);
    const output = join(dir, `${name}.out`);
    const topic = uniqueName(name);
    writeFileSync(input, "");
    const source = { "connector.class": "FileStreamSource", file: input, topic };
    const sink = { "connector.class": "FileStreamSink", file: output, topics: topic };
    assert.equal((await ask("POST", "connectors", { name: `${name}-source`, config: source })).status, 201);
    assert.equal((await ask("POST", "connectors", { name: `${name}-sink`, config: sink })).status, 201);
    await reach(`${name}-source`, "RUNNING RUNNING");
    await reach(`${name}-sink`, "RUNNING RUNNING");
    return { input, output, topic };
  };
  const remove = async (name: string) => {
    for (const connector of [`${name}-source`, `${name}-sink`]) {
      assert.equal((await ask("DELETE", `connectors/${connector}`)).status, 204);
      await eventually(
        `${connector} gone`,
        async () => (await ask("GET", `connectors/${connector}/status`)).status === 404,
      );
    }
  };

  it("moves records, pauses, resumes, stops and deletes", async () => {
    const { input, output, topic } = await pipe("flow");
    append(input, 1, 10_000);
    await eventually("all lines", () => lines(output).length >= 10_000);
    assert.deepEqual(lines(output), numbered(1, 10_000));
    const active = JSON.stringify({ "flow-sink": { topics: [topic] } });
    await eventually(
      "its topic is told",
      async () => JSON.stringify((await ask("GET", "connectors/flow-sink/topics")).body) === active,
    );

    assert.equal((await ask("PUT", "connectors/flow-sink/pause")).status, 202);
    await reach("flow-sink", "PAUSED PAUSED");
    append(input, 10_001, 10_010);
    assert.equal((await ask("PUT", "connectors/flow-sink/resume")).status, 202);
    await reach("flow-sink", "RUNNING RUNNING");
    await eventually("lines after resume", () => lines(output).length >= 10_010);

    assert.equal((await ask("PUT", "connectors/flow-source/stop")).status, 204);
    await reach("flow-source", "STOPPED");
    append(input, 10_011, 10_020);
    assert.deepEqual((await ask("GET", "connectors/flow-source/tasks")).body, []);
    assert.equal((await ask("PUT", "connectors/flow-source/resume")).status, 202);
    await reach("flow-source", "RUNNING RUNNING");
    await eventually("lines after stop", () => lines(output).length >= 10_020);
    assert.deepEqual(lines(output), numbered(1, 10_020));

    assert.equal((await ask("POST", "connectors/flow-sink/restart")).status, 204);
    assert.equal((await ask("POST", "connectors/flow-sink/tasks/0/restart")).status, 204);
    await reach("flow-sink", "RUNNING RUNNING");
    await remove("flow");
  });

  it("takes a changed configuration over to the tasks", async () => {
    const { input, output } = await pipe("change");
    append(input, 1, 10);
    await eventually("lines in the first file", () => lines(output).length === 10);
    const other = join(dir, "change.other");
    const { body } = await ask("GET", "connectors/change-sink/config");
    assert.ok(typeof body === "object" && body !== null);
    assert.equal((await ask("PUT", "connectors/change-sink/config", { ...body, file: other })).status, 200);
    await eventually("task has the new file", async () =>
      (await ask("GET", "connectors/change-sink/tasks")).text.includes(other),
    );
    await eventually("the new task has opened it", () => existsSync(other));
    await reach("change-sink", "RUNNING RUNNING");
    append(input, 11, 20);
    await eventually("lines in the second file", () => lines(other).length === 10);
    assert.deepEqual(lines(other), numbered(11, 20));
    await remove("change");
  });

  it("shows a task that fails, and restarts it", async () => {
    const missing = join(dir, "not-there", "out");
    const config = { "connector.class": "FileStreamSink", file: missing, topics: uniqueName("fail") };
    assert.equal((await ask("POST", "connectors", { name: "fail", config })).status, 201);
    await reach("fail", "RUNNING FAILED");
    assert.match((await ask("GET", "connectors/fail/status")).text, /ENOENT/);
    assert.equal((await ask("POST", "connectors/fail/tasks/0/restart")).status, 204);
    assert.equal((await ask("DELETE", "connectors/fail")).status, 204);
  });

  it("starts the tasks of a killed executor again, and repeats or loses nothing that a commit could have saved", async () => {
    const { input, output } = await pipe("crash");
    append(input, 1, 1_000);
    await eventually("all lines", () => lines(output).length >= 1_000);
    const before = worker.executors();
    for (const pid of before) process.kill(pid, "SIGKILL");
    append(input, 1_001, 2_000);
    await eventually("the rest", () => new Set(lines(output)).size >= 2_000);
    await reach("crash-sink", "RUNNING RUNNING");
    assert.deepEqual([...new Set(lines(output))].sort(), numbered(1, 2_000).sort());
    await remove("crash");
  });

  it("goes on exactly where it was after an orderly restart", async () => {
    const { input, output } = await pipe("again");
    append(input, 1, 1_000);
    await eventually("all lines", () => lines(output).length >= 1_000);
    worker.process.kill("SIGTERM");
    assert.equal(await worker.exited, 0);
    append(input, 1_001, 2_000);
    worker = await startWorker();
    await eventually("the rest", () => lines(output).length >= 2_000);
    assert.deepEqual(lines(output), numbered(1, 2_000));
    await remove("again");
  });

  it("takes its executors with it when it is killed, and loses nothing", async () => {
    const { input, output } = await pipe("kill");
    append(input, 1, 1_000);
    await eventually("all lines", () => lines(output).length >= 1_000);
    const executors = worker.executors();
    assert.ok(executors.length > 0);
    worker.process.kill("SIGKILL");
    await worker.exited;
    await eventually("executors dead", () => !executors.some(isAlive), 20_000);
    append(input, 1_001, 2_000);
    worker = await startWorker();
    await eventually("the rest", () => new Set(lines(output)).size >= 2_000);
    assert.deepEqual([...new Set(lines(output))].sort(), numbered(1, 2_000).sort());
    await remove("kill");
  });

  it("shares its work with a second worker, which forwards what the leader has to do, and takes it back", async () => {
    const second = await startWorker(0);
    const first = worker;
    worker = second;
    const { input, output } = await pipe("two");
    await eventually("each has a connector", async () => {
      const group = await (await fetch(new URL("headrace/group", second.url))).text();
      return /"connectors":\["two-(sink|source)"\].*"connectors":\["two-(sink|source)"\]/.test(group);
    });
    append(input, 1, 1_000);
    await eventually("all lines", () => lines(output).length >= 1_000);
    second.process.kill("SIGTERM");
    assert.equal(await second.exited, 0);
    worker = first;
    append(input, 1_001, 2_000);
    await eventually("the rest", () => lines(output).length >= 2_000);
    assert.deepEqual(lines(output), numbered(1, 2_000));
    await remove("two");
  });

  it("stops when it is told to while it is working", async () => {
    const { input } = await pipe("end");
    append(input, 1, 50_000);
    const executors = worker.executors();
    worker.process.kill("SIGTERM");
    assert.equal(await worker.exited, 0);
    assert.ok(!executors.some(isAlive));
  });
});

/** Process ids of the children of a process, from /proc. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").flatMap((word) => (word === "" ? [] : [Number(word)]));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\nState:\s+Z/.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
