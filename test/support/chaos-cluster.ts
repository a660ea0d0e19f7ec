import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectorStateInfo, GroupInfo } from "@headrace/contract";
import type { LocalKafka } from "#dev/kafka.ts";
import { createCluster } from "#runtime/kafka/cluster.ts";
import type { LogRecord } from "#runtime/kafka/fetch-response.ts";
import { createLeaders } from "#runtime/kafka/leaders.ts";
import { createTopicReader } from "#runtime/kafka/topic-reader.ts";
import { connectorKey, readStatusRecord, taskKey } from "#runtime/store/status-records.ts";
import { eventually } from "./eventually.ts";
import { ownKafka } from "./kafka.ts";
import { follow, type GrowingFile, growFile, numbersIn, type Passage } from "./numbered-lines.ts";
import { createSilentLog } from "./silent-log.ts";
import { kafkaSettings } from "./topic-logs.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "./worker.ts";

/** Workers as real processes with pairs of connectors: a file that grows → `source-N` → topic → `sink-N` → file. */
export interface ChaosCluster {
  readonly kafka: LocalKafka;
  /** Who is alive, frozen or not. */
  readonly workers: readonly TestWorker[];
  /** The configuration of one of the pairs' connectors, `source-N` or `sink-N`. */
  config(connector: string): Record<string, string>;
  add(): Promise<TestWorker>;
  /** Takes a worker off the list. */
  forget(worker: TestWorker): void;
  /** Waits until all workers agree that the work is spread evenly, and that everything runs on one of them. */
  settled(limitMs?: number): Promise<void>;
  /** Where a task runs, as one of the others tells. */
  ownerOf(connector: string, except?: TestWorker): Promise<TestWorker>;
  /**
   * Ends the growth of the files and waits until each line is in the file of its sink; throws if a topic lacks one or has them out of order.
   * `lateWrites`: how many writes of former instances each topic may have; default 0.
   */
  verify(options?: {
    readonly lateWrites?: number;
  }): Promise<readonly { readonly topic: Passage; readonly sink: Passage }[]>;
  /** State and worker by key of the status topic, as its last records say, and as a worker tells. */
  lastWords(): Promise<ReadonlyMap<string, string>>;
  toldStatuses(): Promise<ReadonlyMap<string, string>>;
  /** Each step by which a stored source offset went back. */
  offsetsGoneBack(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const LINES_PER_SECOND = 200;

/** Starts Kafka, the workers and the connectors; resolves when all is settled. */
export async function openChaosCluster(options: {
  readonly group: string;
  readonly workers: number;
  readonly pairs: number;
  readonly properties?: Readonly<Record<string, string>>;
}): Promise<ChaosCluster> {
  const { group, pairs } = options;
  const dir = mkdtempSync(join(tmpdir(), `headrace-${group}-`));
  const kafka = await ownKafka();
  const topic = (pair: number) => `${group}-${pair}`;
  const output = (pair: number) => join(dir, `out-${pair}.txt`);
  const inputs: GrowingFile[] = [];
  let workers: TestWorker[] = [];

  const config = (connector: string): Record<string, string> => {
    const pair = Number(connector.slice(connector.lastIndexOf("-") + 1));
    return connector.startsWith("source")
      ? { "connector.class": "FileStreamSource", file: join(dir, `in-${pair}.txt`), topic: topic(pair) }
      : { "connector.class": "FileStreamSink", file: output(pair), topics: topic(pair) };
  };

  async function add(): Promise<TestWorker> {
    const properties = { ...groupProperties(kafka.bootstrap, group), ...options.properties };
    const worker = await startWorker({ dir, properties });
    workers = [...workers, worker];
    return worker;
  }

  const first = (except?: TestWorker): TestWorker => {
    const worker = workers.find((each) => each !== except);
    assert.ok(worker !== undefined, "a worker is alive");
    return worker;
  };

  async function settled(limitMs = 120_000): Promise<void> {
    const isSettled = async ({ url }: TestWorker) => {
      const info = GroupInfo.parse((await rest(url, "GET", "/headrace/group")).body);
      if (!info.balanced || info.rebalancing || info.members.length !== workers.length) return false;
      const { body } = await rest(url, "GET", "/connectors?expand=status");
      const states = Object.values(body as Record<string, { readonly status: ConnectorStateInfo }>);
      const live = new Set(workers.map(({ workerId }) => workerId));
      return (
        states.length === 2 * pairs &&
        states.every(({ status: { connector, tasks } }) =>
          [connector, ...tasks].every(({ state, worker_id }) => state === "RUNNING" && live.has(worker_id)),
        ) &&
        states.every(({ status }) => status.tasks.length === 1)
      );
    };
    const what = "balanced, with everything running, by the account of every worker";
    await eventually(what, async () => (await Promise.all(workers.map(isSettled))).every(Boolean), limitMs, 100);
  }

  const cluster: ChaosCluster = {
    kafka,
    get workers() {
      return workers;
    },
    config,
    add,
    forget(worker) {
      workers = workers.filter((each) => each !== worker);
    },
    settled,
    async ownerOf(connector, except) {
      const { body } = await rest(first(except).url, "GET", `/connectors/${connector}/status`);
      const { tasks } = body as ConnectorStateInfo;
      const owner = workers.find(({ workerId }) => workerId === tasks[0]?.worker_id);
      assert.ok(owner !== undefined, `${connector}-0 runs on a worker that is alive`);
      return owner;
    },
    async verify({ lateWrites = 0 } = {}) {
      const counts = inputs.map((input) => input.stop());
      const passages = counts.map(async (count, pair) => {
        const arrived = () => new Set(numbersIn(output(pair))).size === count;
        await eventually(`${count} lines in ${output(pair)}`, arrived, 120_000, 250);
        const records = await readTopic(kafka.bootstrap, topic(pair));
        const passage = follow(records.map(({ value }) => Number(value)));
        const account = `${topic(pair)}: ${JSON.stringify(passage)}`;
        assert.deepEqual([passage.arrived, passage.jumps], [count, []], account);
        assert.ok(passage.returns.length <= lateWrites, account);
        return { topic: passage, sink: follow(numbersIn(output(pair))) };
      });
      return await Promise.all(passages);
    },
    async lastWords() {
      const words = new Map<string, string>();
      for (const { key, value } of await readTopic(kafka.bootstrap, `${group}-status`)) {
        const record = readStatusRecord(key, value);
        if (record.kind === "topic" || record.kind === "corrupt") continue;
        if (record.entry === null) words.delete(String(key));
        else words.set(String(key), `${record.entry.state} ${record.entry.workerId}`);
      }
      return words;
    },
    async toldStatuses() {
      const { body } = await rest(first().url, "GET", "/connectors?expand=status");
      const told = Object.entries(body as Record<string, { readonly status: ConnectorStateInfo }>);
      return new Map(
        told.flatMap(
          ([
            name,
            {
              status: { connector, tasks },
            },
          ]) => [
            [connectorKey(name), `${connector.state} ${connector.worker_id}`] as const,
            ...tasks.map(
              ({ id, state, worker_id }) => [taskKey({ connector: name, task: id }), `${state} ${worker_id}`] as const,
            ),
          ],
        ),
      );
    },
    async offsetsGoneBack() {
      const last = new Map<string, number>();
      const back: string[] = [];
      for (const { key, value } of await readTopic(kafka.bootstrap, `${group}-offsets`)) {
        const { position } = JSON.parse(value?.toString() ?? "{}") as { readonly position?: number };
        const before = last.get(String(key)) ?? 0;
        if (position === undefined) continue;
        if (position < before) back.push(`${key}: ${before} → ${position}`);
        last.set(String(key), position);
      }
      return back;
    },
    async close() {
      for (const input of inputs) input.stop();
      for (const { process: each } of workers) if (each.running()) process.kill(-each.pid, "SIGCONT");
      await Promise.all(workers.map(({ process: each }) => each.killGroup()));
      kafka.process.signal("SIGCONT");
      await kafka.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };

  try {
    for (let pair = 0; pair < pairs; pair += 1) {
      inputs.push(growFile(config(`source-${pair}`)["file"] ?? "", LINES_PER_SECOND));
    }
    await Promise.all(Array.from({ length: options.workers }, add));
    for (let pair = 0; pair < pairs; pair += 1) {
      for (const name of [`source-${pair}`, `sink-${pair}`]) {
        const { status, body } = await rest(first().url, "POST", "/connectors", { name, config: config(name) });
        assert.equal(status, 201, JSON.stringify(body));
      }
    }
    await settled();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** All that a topic holds, each partition in order. */
async function readTopic(bootstrap: string, topic: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  const settings = kafkaSettings(bootstrap);
  const log = createSilentLog();
  const cluster = createCluster(settings, log);
  const leaders = createLeaders(cluster, topic);
  const onRecords = (read: readonly LogRecord[]) => void records.push(...read);
  const reader = createTopicReader({ cluster, leaders, topic, readCommitted: false, settings, log, onRecords });
  const signal = AbortSignal.timeout(60_000);
  try {
    await reader.start(signal);
    await reader.readToEnd(signal);
    return records;
  } finally {
    const stopped = reader.stop();
    cluster.close();
    await stopped;
  }
}

/** Waits until every sink file has grown by some lines. */
export async function allMove(cluster: ChaosCluster, pairs: number): Promise<void> {
  const sizes = () =>
    Array.from({ length: pairs }, (_, pair) => numbersIn(cluster.config(`sink-${pair}`)["file"] ?? "").length);
  const before = sizes();
  await eventually("every sink moves", () =>
    sizes().every((size, pair) => size > (before[pair] ?? 0) + LINES_PER_SECOND),
  );
}
