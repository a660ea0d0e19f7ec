import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProgressMonitor, startProgressMonitor } from "#dev/progress-monitor.ts";
import { type GrowingFile, growFile } from "#support/numbered-lines.ts";
import { createConnector, listTasks, type TaskPlace } from "../connect.ts";
import type { Bench } from "../scenario.ts";
import { type RunningWorker, type SideName, startSide } from "../side.ts";

const LINES_PER_SECOND = 20;
const SETTLE_LIMIT_MS = 180_000;
const MOVE_LIMIT_MS = 120_000;

/** Workers of one side with pairs of tasks between them: a file that grows → source → topic → sink → file. */
export interface LoadedGroup {
  readonly monitor: ProgressMonitor;
  /** Those that live. */
  readonly workers: readonly RunningWorker[];
  /** Starts one more; given one that has ended: under its name. */
  add(predecessor?: RunningWorker): Promise<RunningWorker>;
  /** Takes one off the list; the caller ends it. */
  forget(worker: RunningWorker): void;
  /** Waits until all tasks run on living workers, as many on each; resolves with where they are. */
  settled(): Promise<readonly TaskPlace[]>;
  /** What a connector's progress is seen by: the name that {@link monitor} has for it. */
  progressOf(connector: string): string;
  /** Waits for each's first progress after `sinceMs`, of those names; resolves with when, ms since the epoch. Throws after two minutes. */
  moved(names: readonly string[], sinceMs: number): Promise<readonly number[]>;
  /** Stops the files and waits until each line has come out at the other end. Throws if one does not. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

/** Starts `workers` workers and `pairs` sources and sinks, and resolves when all moves. */
export async function openGroup(
  bench: Bench,
  side: SideName,
  { workers: size, pairs }: { readonly workers: number; readonly pairs: number },
): Promise<LoadedGroup> {
  const group = bench.name("group");
  const numbers = Array.from({ length: pairs }, (_, pair) => pair);
  const topicOf = (pair: number) => `${group}-${pair}`;
  const input = (pair: number) => join(bench.dir, `${group}-${pair}.in`);
  const output = (pair: number) => join(bench.dir, `${group}-${pair}.out`);
  const inputs: GrowingFile[] = [];
  const all: RunningWorker[] = [];
  let workers: RunningWorker[] = [];
  let monitor: ProgressMonitor | null = null;

  async function add(predecessor?: RunningWorker): Promise<RunningWorker> {
    const port = predecessor === undefined ? {} : { port: Number(new URL(predecessor.url).port) };
    const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group, heap: "1g", ...port });
    all.push(worker);
    workers = [...workers, worker];
    return worker;
  }

  const url = () => {
    const [worker] = workers;
    if (worker === undefined) throw new Error("no worker is left");
    return worker.url;
  };

  async function settled(): Promise<readonly TaskPlace[]> {
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    for (;;) {
      const tasks = (await listTasks(url()).catch(() => null)) ?? [];
      const counts = workers.map(
        ({ workerId }) => tasks.filter((task) => task.state === "RUNNING" && task.workerId === workerId).length,
      );
      const running = counts.reduce((sum, count) => sum + count, 0);
      if (running === 2 * pairs && Math.max(...counts) - Math.min(...counts) <= 1) return tasks;
      if (performance.now() > deadline) throw new Error(`not settled after three minutes: tasks per worker ${counts}`);
      await sleep(50);
    }
  }

  async function close(): Promise<void> {
    for (const each of inputs) each.stop();
    await monitor?.stop();
    await Promise.all(all.map((worker) => worker.kill()));
  }

  async function open(): Promise<LoadedGroup> {
    for (const pair of numbers) {
      await bench.topics.create(topicOf(pair));
      inputs.push(growFile(input(pair), LINES_PER_SECOND));
    }
    await Promise.all(Array.from({ length: size }, add));
    // Names of this group alone: a sink's consumers would wait for those of a killed worker of another one.
    for (const pair of numbers) {
      const source = {
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        topic: topicOf(pair),
        file: input(pair),
      };
      const sink = { "connector.class": "FileStreamSink", "tasks.max": "1", topics: topicOf(pair), file: output(pair) };
      await createConnector(url(), `source-${group}-${pair}`, source);
      await createConnector(url(), `sink-${group}-${pair}`, sink);
    }
    await settled();
    const watching = await startProgressMonitor({
      bootstrap: bench.bootstrap,
      topics: numbers.map(topicOf),
      files: numbers.map(output),
    });
    monitor = watching;
    const moved: LoadedGroup["moved"] = async (names, sinceMs) => {
      for (;;) {
        const moments = [...watching.firstProgress(names, sinceMs).values()];
        const seen = moments.filter((moment) => moment !== null);
        if (seen.length === names.length) return seen;
        if (Date.now() - sinceMs > MOVE_LIMIT_MS) throw new Error(`${names.length - seen.length} tasks stand still`);
        await sleep(20);
      }
    };
    await moved([...numbers.map(topicOf), ...numbers.map(output)], Date.now());
    return {
      monitor: watching,
      get workers() {
        return workers;
      },
      add,
      forget(worker) {
        workers = workers.filter((each) => each !== worker);
      },
      settled,
      progressOf(connector) {
        const pair = Number(connector.slice(connector.lastIndexOf("-") + 1));
        return connector.startsWith("source") ? topicOf(pair) : output(pair);
      },
      moved,
      async verify() {
        const counts = inputs.map((each) => each.stop());
        const deadline = performance.now() + SETTLE_LIMIT_MS;
        const missing = () =>
          counts.reduce((sum, count, pair) => {
            const lines = new Set(readFileSync(output(pair), "utf8").split("\n").slice(0, -1));
            return sum + Math.max(0, count - lines.size);
          }, 0);
        while (missing() > 0) {
          if (performance.now() > deadline) throw new Error(`${missing()} lines were lost`);
          await sleep(250);
        }
      },
      close,
    };
  }

  try {
    return await open();
  } catch (error) {
    await close();
    throw error;
  }
}
