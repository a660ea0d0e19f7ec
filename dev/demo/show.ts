import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { consumeAll } from "../kafka.ts";
import { createKubectl } from "../kubectl.ts";
import { sendSignal } from "../process-table.ts";
import { startProgressMonitor } from "../progress-monitor.ts";
import type { Stack } from "../stack.ts";
import type { CheckList } from "./check-list.ts";
import { describe, isReady, tasksOf } from "./connector-state.ts";
import { type ConnectorWatch, watchConnectors } from "./connector-watch.ts";
import { hashOfSet, linesOf, zipcodes } from "./dataset.ts";
import { localExamples, sharedVolume } from "./manifests.ts";
import { listPods, podAt } from "./pods.ts";
import { until } from "./until.ts";
import { workerProcess } from "./worker-process.ts";

const NAMESPACE = "demo";
const CLUSTER = "my-connect";
const WORKERS = 3;
/** Topics and tasks of the generated orders: examples/datagen.yaml. */
const ORDERS = "orders";
const ORDER_TASKS = 2;
const ORDER_STREAMS = 8;
const LINES = "zipcodes";
/** The rest of the lines is written in this many portions while the failover runs. */
const PORTIONS = 60;
const PORTION_PAUSE_MS = 100;
/** Far above the two seconds that are the goal, for busy machines. */
const FAILOVER_LIMIT_MS = 10_000;

/** The demonstration itself, on a stack that is up. Notes each check; throws if it cannot go on. */
export async function show(stack: Stack, checks: CheckList, say: (line?: string) => void): Promise<void> {
  const kubectl = (args: readonly string[], input?: string) =>
    stack.kubectl(["-n", NAMESPACE, ...args], input === undefined ? {} : { input });
  const print = async (args: readonly string[]) => {
    say(`\n$ kubectl ${args.join(" ")}`);
    say((await kubectl(args)).trimEnd());
  };
  const administrator = createKubectl({
    binary: stack.kubectlPath,
    kubeconfig: stack.adminKubeconfig,
    cacheDir: join(stack.dir, "kubectl-cache"),
  });
  await administrator(["create", "namespace", NAMESPACE]);

  const dataDir = join(stack.dir, "demo-data");
  const input = join(dataDir, "zipcodes.csv");
  const output = join(dataDir, "zipcodes.out");
  const lines = zipcodes();
  const first = lines.slice(0, Math.floor(lines.length / 2));
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(input, toText(first));
  await administrator(["apply", "-f", "-"], { input: sharedVolume(NAMESPACE, dataDir) });

  say("\n── A cluster of three workers, a file pipeline and generated orders");
  const appliedAt = performance.now();
  const local = { bootstrap: stack.bootstrap };
  const manifests = localExamples(["kafka-connect.yaml", "zipcodes.yaml", "datagen.yaml"], local);
  say(`\n$ kubectl apply -f examples/\n${(await kubectl(["apply", "-f", "-"], manifests)).trimEnd()}`);
  const connectors = await watchConnectors(stack.userKubeconfig, NAMESPACE);
  try {
    await kubectl(["wait", `kc/${CLUSTER}`, "--for=condition=Ready", "--timeout=120s"]);
    await until(
      () => connectors.all().length === 4 && connectors.all().every(isReady),
      () => `all connectors Ready: ${connectors.all().map(describe).join("; ")}`,
      { timeoutMs: 60_000 },
    );
    checks.note("cluster and connectors Ready", true, `${seconds(appliedAt)} after kubectl apply`);
    await until(
      () => linesOf(output).length >= first.length,
      () => `${linesOf(output).length} of ${first.length} lines in the sink`,
      { timeoutMs: 60_000 },
    );
    await print(["get", "kc,kctr"]);
    await print(["get", "pods", "-o", "wide"]);
    const inTopic = await consumeAll(stack.bootstrap, LINES);
    checks.note(
      "first half through Kafka",
      inTopic.length === first.length && linesOf(output).length === first.length,
      `${first.length} lines in the file, ${inTopic.length} records in the topic, ${linesOf(output).length} lines in the sink`,
    );

    await killWorker({ stack, connectors, checks, say, kubectl, input, output, rest: lines.slice(first.length) });
    await print(["get", "kc,kctr"]);
    await print(["get", "pods"]);
    await deletePod({ stack, connectors, checks, say, kubectl, output });
    await count({ stack, connectors, checks, say, kubectl, output, lines });
  } finally {
    await connectors.stop();
  }
}

interface Scene {
  readonly stack: Stack;
  readonly connectors: ConnectorWatch;
  readonly checks: CheckList;
  readonly say: (line?: string) => void;
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  readonly output: string;
}

/** Kills the worker that runs the file sink while the second half of the lines comes in, and measures until everything moves again. */
async function killWorker(scene: Scene & { readonly input: string; readonly rest: readonly string[] }): Promise<void> {
  const { stack, connectors, checks, say, kubectl, input, output, rest } = scene;
  const address = connectors.get("zipcodes-sink")?.status?.connectorStatus?.tasks[0]?.worker_id;
  const pod = await podAt(kubectl, address);
  const moving = connectors
    .all()
    .flatMap(tasksOf)
    .filter(({ worker }) => worker === address);
  const label = (topic: string, value: Buffer | null) => (topic === ORDERS ? orderTask(value) : topic);
  const monitor = await startProgressMonitor({
    bootstrap: stack.bootstrap,
    topics: [ORDERS, LINES],
    files: [output],
    label,
  });
  const watched = [...Array.from({ length: ORDER_TASKS }, (_, task) => `${ORDERS} task ${task}`), LINES, output];
  try {
    const pid = workerProcess(pod.uid);
    const writing = appendSlowly(input, rest);
    say(
      `\n── kill -9 of ${pod.name}'s worker process (pid ${pid}), which runs ${moving.map(({ name }) => name).join(", ")}`,
    );
    const killedAt = Date.now();
    sendSignal(pid, "SIGKILL");
    const moved = await until(
      () => {
        const progress = [...monitor.firstProgress(watched, killedAt)];
        return progress.every(([, atMs]) => atMs !== null) && progress;
      },
      () => `progress after the kill: ${JSON.stringify([...monitor.firstProgress(watched, killedAt)])}`,
      { timeoutMs: 60_000, intervalMs: 10 },
    );
    for (const [name, atMs] of moved) say(`  ${name}: next record after ${Number(atMs) - killedAt} ms`);
    const slowest = Math.max(...moved.map(([, atMs]) => Number(atMs))) - killedAt;
    checks.note("records of every task move again", slowest <= FAILOVER_LIMIT_MS, `${slowest} ms after the kill`);

    await until(
      () => connectors.all().every((each) => isReady(each) && tasksOf(each).every(({ state }) => state === "RUNNING")),
      () => connectors.all().map(describe).join("; "),
      { timeoutMs: 60_000 },
    );
    await kubectl(["wait", `kc/${CLUSTER}`, "--for=condition=Ready", "--timeout=90s"]);
    await until(
      () =>
        connectors
          .all()
          .flatMap(tasksOf)
          .some(({ worker }) => worker === address),
      () => `a task on ${address} again: ${connectors.all().map(describe).join("; ")}`,
      { timeoutMs: 60_000 },
    );
    const workers = new Set(
      connectors
        .all()
        .flatMap(tasksOf)
        .map(({ worker }) => worker),
    );
    checks.note(
      "the killed worker is back and has its share",
      workers.size === WORKERS,
      `tasks run on ${workers.size} of ${WORKERS} workers, ${((Date.now() - killedAt) / 1000).toFixed(1)} s after the kill`,
    );
    await writing;
  } finally {
    await monitor.stop();
  }
}

/** Deletes a worker's pod: its work goes on elsewhere, the pod comes back and gets a fair share again. */
async function deletePod({ stack, connectors, checks, say, kubectl }: Scene): Promise<void> {
  const address = tasksOf(connectors.get(ORDERS))[0]?.worker;
  const pod = await podAt(kubectl, address);
  const label = (_: string, value: Buffer | null) => orderTask(value);
  const monitor = await startProgressMonitor({ bootstrap: stack.bootstrap, topics: [ORDERS], files: [], label });
  const watched = Array.from({ length: ORDER_TASKS }, (_, task) => `${ORDERS} task ${task}`);
  try {
    say(`\n── kubectl delete pod ${pod.name}, which runs a task of ${ORDERS}`);
    const deletedAt = Date.now();
    await kubectl(["delete", "pod", pod.name, "--wait=false"]);
    const fresh = await until(
      async () => {
        const found = (await listPods(kubectl)).find(({ metadata }) => metadata.name === pod.name);
        const ready = found?.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
        return found !== undefined && found.metadata.uid !== pod.uid && ready === true && found;
      },
      () => `${pod.name} is back`,
      { timeoutMs: 90_000, intervalMs: 500 },
    );
    const isFresh = ({ worker }: { readonly worker: string }) => worker.startsWith(`${fresh.status.podIP}:`);
    await until(
      () => connectors.all().flatMap(tasksOf).some(isFresh) && connectors.all().every(isReady),
      () => `a task on the new ${pod.name}: ${connectors.all().map(describe).join("; ")}`,
      { timeoutMs: 60_000 },
    );
    const share = connectors.all().flatMap(tasksOf).filter(isFresh).length;
    const backMs = Date.now() - deletedAt;
    const gaps = watched.map((name) => monitor.longestGap(name, deletedAt));
    checks.note(
      "a deleted pod comes back and gets its share",
      share > 0 && Math.max(...gaps) <= FAILOVER_LIMIT_MS,
      `${share} tasks after ${(backMs / 1000).toFixed(1)} s; the longest pause of ${ORDERS} was ${Math.max(...gaps)} ms`,
    );
  } finally {
    await monitor.stop();
  }
}

/** Stops the orders, waits until the sink has everything, and compares what went in with what came out. */
async function count(scene: Scene & { readonly lines: readonly string[] }): Promise<void> {
  const { stack, connectors, checks, say, kubectl, output, lines } = scene;
  say("\n── Counting");
  await kubectl(["patch", "kctr", ORDERS, "--type=merge", "-p", '{"spec":{"state":"paused"}}']);
  await until(
    () =>
      tasksOf(connectors.get(ORDERS)).length > 0 &&
      tasksOf(connectors.get(ORDERS)).every(({ state }) => state === "PAUSED"),
    () => describe(connectors.get(ORDERS)),
    { timeoutMs: 30_000 },
  );
  await until(
    () => new Set(linesOf(output)).size >= lines.length,
    () => `${new Set(linesOf(output)).size} of ${lines.length} lines in the sink`,
    { timeoutMs: 60_000, intervalMs: 200 },
  );
  const written = linesOf(output).map(lineOf);
  const distinct = new Set(written);
  const [wanted, got] = [hashOfSet(lines), hashOfSet(distinct)];
  checks.note(
    "every line of the file is in the sink",
    wanted === got && distinct.size === lines.length,
    `${lines.length} lines, sha256 ${got.slice(0, 16)}…; ${written.length - distinct.size} repeated by the kill`,
  );
  const inTopic = await consumeAll(stack.bootstrap, LINES);
  const wrapped = inTopic.map(lineOf);
  checks.note("every line is in the topic as JSON", hashOfSet(wrapped) === wanted, `${inTopic.length} records`);

  const orders = (await consumeAll(stack.bootstrap, ORDERS)).map(sequenceOf);
  const missing = gaps(orders);
  checks.note(
    "no order is missing",
    missing === 0 && orders.length > 0,
    `${orders.length} records, ${missing} gaps in their numbers`,
  );
}

const toText = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
const seconds = (sinceMs: number) => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;

async function appendSlowly(file: string, lines: readonly string[]): Promise<void> {
  const size = Math.ceil(lines.length / PORTIONS);
  for (let from = 0; from < lines.length; from += size) {
    appendFileSync(file, toText(lines.slice(from, from + size)));
    await sleep(PORTION_PAUSE_MS);
  }
}

/** How many numbers are missing: each stream counts without gaps (stream s of S gives s, s + S, s + 2S, …). */
function gaps(sequences: readonly number[]): number {
  const streams = Map.groupBy(new Set(sequences), (sequence) => sequence % ORDER_STREAMS);
  let missing = ORDER_STREAMS - streams.size;
  for (const [stream, own] of streams) missing += (Math.max(...own) - stream) / ORDER_STREAMS + 1 - own.length;
  return missing;
}

function orderTask(value: Buffer | null): string {
  return `${ORDERS} task ${(sequenceOf(String(value)) % ORDER_STREAMS) % ORDER_TASKS}`;
}

function sequenceOf(record: string): number {
  return numberOf(JSON.parse(record), "sequence");
}

function numberOf(value: Record<string, unknown>, field: string): number {
  const found = value[field];
  if (typeof found !== "number") throw new Error(`no number ${field} in ${JSON.stringify(value)}`);
  return found;
}

/** The line that the transform wrapped into an object. */
function lineOf(record: string): string {
  const value: { line?: unknown } = JSON.parse(record);
  return String(value.line);
}
