import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo, WorkerConfig } from "@headrace/contract";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { createMember } from "#runtime/group/member.ts";
import { internalTopics } from "#runtime/internal-topics.ts";
import { workerClientConfig } from "#runtime/kafka/client-config.ts";
import { createGroupClient, type GroupClient } from "#runtime/kafka/group-client.ts";
import { createTopicLog } from "#runtime/kafka/topic-log.ts";
import { createConfigStore } from "#runtime/store/config-store.ts";
import type { ConfigStore } from "#runtime/store/stores.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { createConnector, groupProperties } from "#support/worker.ts";
import { silent } from "../runtime/group/silent-logger.ts";
import { RunningWork, WorkerDouble } from "../runtime/group/worker-double.ts";

const CONNECTORS = ["c0", "c1", "c2", "c3"];
const HEARTBEAT_MS = 500;
/** For what takes a second or two on a machine that has nothing else to do. */
const PATIENCE_MS = 120_000;

/** Our member beside Apache Kafka Connect's workers: it reads the same config topic, and keeps account of what it is given. */
async function startOurs(bootstrap: string, group: string) {
  const properties = groupProperties(bootstrap, group);
  const { settings } = workerClientConfig(properties, "configs");
  const topic = internalTopics(WorkerConfig.parse(properties), properties).config;
  const configs = createConfigStore(createTopicLog({ settings, topic, readCommitted: false, log: silent }), {
    log: silent,
  });
  await configs.start(AbortSignal.timeout(60_000));
  const source = {
    get end() {
      return snapshotOf(configs);
    },
  };
  const worker = new WorkerDouble("ours", source, new RunningWork());
  worker.onRefresh = async (signal) => {
    await configs.readToEnd(signal);
    worker.read();
  };
  configs.onChange(() => worker.read());
  const client: GroupClient = createGroupClient({
    settings: {
      brokers: [bootstrap],
      clientId: "ours",
      tls: null,
      sasl: null,
      connectionTimeoutMs: 5_000,
      requestTimeoutMs: 40_000,
      retryBackoffMs: 50,
      retryBackoffMaxMs: 500,
    },
    groupId: group,
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 60_000,
    answerTimeoutMs: 10_000,
    log: silent,
  });
  const member = createMember({
    groupId: group,
    url: "http://127.0.0.1:1/",
    client,
    host: worker,
    protocol: "sessioned",
    sessionTimeoutMs: 60_000,
    heartbeatIntervalMs: HEARTBEAT_MS,
    maxDelayMs: 0,
    rebalanceTimeoutMs: 60_000,
    unsyncBackoffMs: 300_000,
    syncTimeoutMs: 10_000,
    log: silent,
  });
  const stop = new AbortController();
  const ended = member.run(stop.signal);
  const leave = async () => {
    if (stop.signal.aborted) return;
    stop.abort();
    await ended;
    client.close();
    await configs.stop();
  };
  return { worker, member, leave };
}

function snapshotOf(configs: ConfigStore) {
  const { offset, connectors } = configs.config();
  const tasks = [...connectors].flatMap(([connector, entry]) =>
    (entry.tasks ?? []).map((_, task) => ({ connector, task })),
  );
  return { offset, connectors: [...connectors.keys()], tasks };
}

describe("our member in a group of JVM workers", { timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-jvm-group-"));
  const group = uniqueName("jvm-group");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let jvm: JvmWorker;
  const started: Awaited<ReturnType<typeof startOurs>>[] = [];

  const startJvm = () =>
    startJvmWorker({
      dir,
      properties: { ...groupProperties(kafka.bootstrap, group), "heartbeat.interval.ms": `${HEARTBEAT_MS}` },
      heap: "384m",
    });

  /** Connectors and tasks that the JVM worker says it runs. */
  async function runningOnJvm(): Promise<string[]> {
    const { host } = new URL(jvm.url);
    const running: string[] = [];
    for (const name of CONNECTORS) {
      const response = await fetch(`${jvm.url}/connectors/${name}/status`, { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) return [];
      const { connector, tasks } = ConnectorStateInfo.parse(await response.json());
      if (connector.state === "RUNNING" && connector.worker_id === host) running.push(name);
      for (const task of tasks) {
        if (task.state === "RUNNING" && task.worker_id === host) running.push(`${name}/${task.id}`);
      }
    }
    return running;
  }

  before(async () => {
    kafka = await sharedKafka();
    jvm = await startJvm();
    const file = join(dir, "in.txt");
    writeFileSync(file, "one line\n");
    for (const name of CONNECTORS) {
      await createConnector(jvm.url, name, {
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        file,
        topic: `${group}-lines`,
      });
    }
    await eventually("all run on the JVM worker", async () => (await runningOnJvm()).length === 8, PATIENCE_MS);
  });

  after(async () => {
    await Promise.allSettled(started.map((each) => each.leave()));
    await jvm?.kill();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("follows a JVM leader: gets its share, learns that this leader knows no draining, and gives its work back", async () => {
    const ours = await startOurs(kafka.bootstrap, group);
    started.push(ours);
    const { worker, member } = ours;
    await eventually(
      "half of the work",
      () => worker.work.connectors.length === 2 && worker.work.tasks.length === 2,
      PATIENCE_MS,
    );
    assert.equal(member.view().isLeader, false);
    assert.equal(member.view().leaderUrl, `${jvm.url}/`);
    await eventually(
      "the JVM worker keeps the rest",
      async () => {
        await eventually("no round", () => !member.view().rebalancing, PATIENCE_MS);
        return (await runningOnJvm()).length >= 4;
      },
      PATIENCE_MS,
    );
    await assert.rejects(member.drain(AbortSignal.timeout(60_000)), { code: "unavailable" });
    assert.equal(worker.work.tasks.length, 2);
    await ours.leave();
    await eventually("the JVM worker runs everything", async () => (await runningOnJvm()).length === 8, PATIENCE_MS);
    assert.deepEqual(worker.losses, []);
  });

  it("takes over when the JVM leader leaves, and leads JVM workers that come", async (t) => {
    const ours = await startOurs(kafka.bootstrap, group);
    started.push(ours);
    const { worker, member } = ours;
    await eventually("half of the work", () => worker.work.tasks.length === 2, PATIENCE_MS);
    await jvm.stop();
    await eventually(
      "all of the work",
      () => worker.work.connectors.length === 4 && worker.work.tasks.length === 4,
      PATIENCE_MS,
    );
    assert.equal(member.view().isLeader, true);
    jvm = await startJvm();
    const own = () => [
      ...worker.work.connectors,
      ...worker.work.tasks.map(({ connector, task }) => `${connector}/${task}`),
    ];
    await eventually(
      "half of it goes to the new worker",
      () => member.view().balanced && member.view().members.length === 2 && own().length === 4,
      PATIENCE_MS,
    );
    const left = own();
    await eventually(
      "it runs the others",
      async () => {
        const running = await runningOnJvm();
        return running.length === 4 && running.every((name) => !left.includes(name));
      },
      PATIENCE_MS,
    );
    await ours.leave();
    await eventually("the JVM worker runs everything", async () => (await runningOnJvm()).length === 8, PATIENCE_MS);
    assert.deepEqual(worker.losses, []);
    t.diagnostic("interop | group protocol, JVM leader and ours in turn | 8 items, 6 rounds | each item in one place");
  });
});
