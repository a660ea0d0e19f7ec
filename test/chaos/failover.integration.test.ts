import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GroupInfo } from "@headrace/contract";
import { consumeAll, type LocalKafka } from "#dev/kafka.ts";
import { type ProgressMonitor, startProgressMonitor } from "#dev/progress-monitor.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const PAIRS = 6;
const SESSION_MS = 20_000;
/**
 * Far above the target of two seconds, so that a busy machine does not fail the test, and below the session: nobody waits for its end. The
 * measured times are printed.
 */
const LIMIT_MS = 18_000;
/** Longer than the session: the survivors lose theirs, too. */
const KAFKA_AWAY_MS = 24_000;
const KAFKA_AWAY_LIMIT_MS = KAFKA_AWAY_MS + 40_000;

/** Six sources and six sinks over three workers; workers are killed one after the other, and no record may be missing at the end. */
describe("failover", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-failover-"));
  const group = "failover";
  const topics = Array.from({ length: PAIRS }, (_, index) => `${group}-${index}`);
  const outputs = topics.map((topic) => join(dir, `${topic}.txt`));
  let kafka: LocalKafka;
  let workers: TestWorker[] = [];
  let monitor: ProgressMonitor;

  const start = () =>
    startWorker({
      dir,
      properties: { ...groupProperties(kafka.bootstrap, group), "session.timeout.ms": String(SESSION_MS) },
    });
  const groupInfo = async (worker: TestWorker) =>
    GroupInfo.parse((await rest(worker.url, "GET", "/headrace/group")).body);

  /** All workers agree that the work is spread evenly, and every task runs. */
  async function settled(): Promise<void> {
    await eventually(
      "balanced, with everything running",
      async () => {
        const infos = await Promise.all(workers.map(groupInfo));
        if (!infos.every((info) => info.balanced && !info.rebalancing && info.members.length === workers.length))
          return false;
        const { body } = await rest(any().url, "GET", "/connectors?expand=status");
        const statuses = Object.values(body as Record<string, { status: { connector: State; tasks: State[] } }>);
        const live = new Set(workers.map(({ workerId }) => workerId));
        const runs = (state: State) => state.state === "RUNNING" && live.has(state.worker_id);
        return (
          statuses.length === 2 * PAIRS &&
          statuses.every(
            ({ status }) => runs(status.connector) && status.tasks.length === 1 && status.tasks.every(runs),
          )
        );
      },
      180_000,
      200,
    );
  }
  type State = { state: string; worker_id: string };

  function any(): TestWorker {
    const [worker] = workers;
    assert.ok(worker !== undefined);
    return worker;
  }

  async function leader(): Promise<TestWorker> {
    const { leaderUrl } = await groupInfo(any());
    const found = workers.find(({ url }) => `${url}/` === leaderUrl);
    assert.ok(found !== undefined, `the leader ${leaderUrl} is one of ours`);
    return found;
  }

  async function follower(): Promise<TestWorker> {
    const first = await leader();
    const found = workers.find((worker) => worker !== first);
    assert.ok(found !== undefined);
    return found;
  }

  /** Waits until every source and sink has moved a record after `sinceMs`; resolves with the slowest's delay. */
  async function allMoved(sinceMs: number, limitMs: number): Promise<number> {
    return await eventually(
      `every source and sink moves records within ${limitMs} ms after the signal`,
      () => {
        const first = [...monitor.firstProgress([...topics, ...outputs], sinceMs).values()];
        return first.every((atMs) => atMs !== null) && Math.max(...first.map(Number)) - sinceMs;
      },
      limitMs,
      20,
    ).catch((cause: unknown) => {
      const late = [...monitor.firstProgress([...topics, ...outputs], sinceMs)].filter(([, atMs]) => atMs === null);
      throw new Error(`nothing moved in ${late.map(([name]) => name).join(", ")}`, { cause });
    });
  }

  /** Removes `victim` from the live workers, lets `kill` act, measures, and replaces it. */
  async function failOver(
    t: TestContext,
    victim: TestWorker,
    kill: () => Promise<unknown>,
    limitMs = LIMIT_MS,
  ): Promise<void> {
    workers = workers.filter((worker) => worker !== victim);
    const sinceMs = Date.now();
    const killed = kill();
    const delayMs = await allMoved(sinceMs, limitMs);
    await killed;
    t.diagnostic(`first record of the slowest task ${delayMs} ms after the signal`);
    process.stderr.write(`  failover: ${t.name}: ${delayMs} ms\n`);
    workers.push(await start());
    await settled();
  }

  before(async () => {
    kafka = await ownKafka();
    workers = await Promise.all([start(), start(), start()]);
    for (const [index, topic] of topics.entries()) {
      const source = {
        "connector.class": "datagen",
        "tasks.max": "1",
        topic,
        streams: "1",
        "rate.per.second": "200",
        template: `{"topic":"${topic}","sequence":{{sequence}}}`,
        "template.format": "text",
      };
      const sink = { "connector.class": "FileStreamSink", "tasks.max": "1", topics: topic, file: outputs[index] };
      for (const [name, config] of [
        [`source-${index}`, source],
        [`sink-${index}`, sink],
      ]) {
        const { status, body } = await rest(any().url, "POST", "/connectors", { name, config });
        assert.equal(status, 201, JSON.stringify(body));
      }
    }
    await settled();
    monitor = await startProgressMonitor({ bootstrap: kafka.bootstrap, topics, files: outputs });
    await allMoved(Date.now(), 60_000);
  });

  after(async () => {
    await monitor?.stop();
    await Promise.all(workers.map(({ process: worker }) => worker.stop()));
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("kill -9 of a follower's worker process alone", async (t) => {
    const victim = await follower();
    await failOver(t, victim, () => victim.process.kill());
  });

  it("kill -9 of the leader's worker process alone", async (t) => {
    const victim = await leader();
    await failOver(t, victim, () => victim.process.kill());
  });

  it("kill -9 of a whole worker with its executors", async (t) => {
    const victim = await follower();
    await failOver(t, victim, () => victim.process.killGroup());
  });

  it("kill -9 of a whole leader with its executors", async (t) => {
    const victim = await leader();
    await failOver(t, victim, () => victim.process.killGroup());
  });

  it("kill -9 of a worker while Kafka is away for longer than a session", async (t) => {
    const victim = await follower();
    const killWithoutKafka = async () => {
      kafka.process.signal("SIGSTOP");
      await victim.process.killGroup();
      await sleep(KAFKA_AWAY_MS);
      kafka.process.signal("SIGCONT");
    };
    await failOver(t, victim, killWithoutKafka, KAFKA_AWAY_LIMIT_MS);
  });

  it("SIGTERM drains: the worker's tasks go on elsewhere, and it ends with exit code 0", async (t) => {
    const victim = await follower();
    await failOver(t, victim, async () => {
      assert.deepEqual(await victim.process.stop(90_000), { code: 0, signal: null });
    });
  });

  it("has lost no record in all of this", async () => {
    const { url } = any();
    for (const index of topics.keys()) {
      assert.equal((await rest(url, "PUT", `/connectors/source-${index}/pause`)).status, 202);
    }
    const produced = Map.groupBy(
      await consumeAll(kafka.bootstrap, `${group}-[0-9]`),
      (record) => numberOf(record).topic,
    );
    for (const [index, topic] of topics.entries()) {
      const records = produced.get(topic) ?? [];
      const sequences = [...new Set(records.map((record) => numberOf(record).sequence))].sort((a, b) => a - b);
      assert.ok(sequences.length > 1000, `${topic} has ${sequences.length} records`);
      assert.deepEqual(sequences, [...sequences.keys()], `${topic}: every number from 0 on is in Kafka`);
      const file = outputs[index];
      assert.ok(file !== undefined);
      const written = () => new Set(readFileSync(file, "utf8").split("\n").slice(0, -1));
      await eventually(
        `${file} has every record of ${topic}`,
        () => {
          const lines = written();
          return records.every((record) => lines.has(record));
        },
        120_000,
      );
    }
  });
});

/** Each record of the sources says whose it is, and its number. */
function numberOf(record: string): { readonly topic: string; readonly sequence: number } {
  const parsed: unknown = JSON.parse(record);
  assert.ok(parsed !== null && typeof parsed === "object" && "sequence" in parsed && "topic" in parsed, record);
  const { topic, sequence } = parsed;
  assert.ok(typeof topic === "string" && typeof sequence === "number", record);
  return { topic, sequence };
}
