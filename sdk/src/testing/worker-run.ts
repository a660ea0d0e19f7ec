import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { RawConfig } from "../source.ts";
import { until } from "./waiting.ts";

export interface WorkerRunOptions {
  /** `bootstrap.servers` of a real Kafka. */
  readonly bootstrap: string;
  /** The directories of `plugin.path`, absolute. */
  readonly pluginPath: readonly string[];
  /** The command that starts a worker, with its first arguments. Not given: `headrace-worker`. */
  readonly command?: readonly string[];
  /** More properties of the worker. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A real worker that runs connectors on a real Kafka. Topic, group and connector names of the test are to be its own. */
export interface WorkerRun {
  /** Of its REST API. */
  readonly url: string;
  /** Creates or changes a connector, and waits until it and all of its tasks run. */
  start(name: string, config: RawConfig): Promise<void>;
  remove(name: string): Promise<void>;
  /** State and trace of a connector's tasks. */
  tasks(name: string): Promise<readonly { readonly state: string; readonly trace?: string | undefined }[]>;
  /** Puts texts into a topic, in order. Resolves when they are there for good: a kill does not repeat them. */
  write(topic: string, lines: readonly string[]): Promise<void>;
  /** The values of a topic, as text, once there are so many; all that have come so far, in their order. */
  read(topic: string, count: number, timeoutMs?: number): Promise<readonly string[]>;
  /** Ends the worker as `kill -9` does, and starts it again; `meanwhile` runs while there is none. */
  killAndRestart(meanwhile?: () => Promise<void>): Promise<void>;
  /** The end of its log. */
  logTail(): Promise<string>;
  close(): Promise<void>;
}

const START_MS = 120_000;
const REQUEST_MS = 60_000;
const TAIL = 6_000;

const STATUS = z.object({
  connector: z.object({ state: z.string() }),
  tasks: z.array(z.object({ state: z.string(), trace: z.string().optional() })),
});

const OFFSETS = z.object({ offsets: z.array(z.object({ offset: z.record(z.string(), z.unknown()).nullable() })) });

/** Starts a worker of a group of its own. */
export async function openWorkerRun(options: WorkerRunOptions): Promise<WorkerRun> {
  const [command = "headrace-worker", ...args] = options.command ?? [];
  const dir = await mkdtemp(join(tmpdir(), "headrace-worker-"));
  const group = `worker-run-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(dir, "worker.log");
  const file = join(dir, "worker.properties");
  await writeFile(file, toText({ ...worker(options, group, port), ...options.properties }));
  let child: ChildProcess | null = null;

  async function launch(): Promise<void> {
    const log = await open(logFile, "a");
    child = spawn(command, [...args, "distributed", file], { stdio: ["ignore", log.fd, log.fd] });
    const started = child;
    const failed = new Promise<never>((_, reject) => started.once("error", reject));
    failed.catch(() => {}); // Told by the race below, or after the start was given up.
    await log.close();
    const healthy = until(START_MS, "the worker is healthy", async () => {
      if (started.exitCode !== null) throw new Error(`the worker ended:\n${await logTail()}`);
      return await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).then(
        (response) => response.ok,
        () => false,
      );
    });
    await Promise.race([healthy, failed]);
  }

  async function logTail(): Promise<string> {
    return (await readFile(logFile, "utf8")).slice(-TAIL);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async function request(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${url}${path}`, {
      method,
      signal: AbortSignal.timeout(REQUEST_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  const status = async (name: string) => STATUS.parse(await request("GET", `/connectors/${name}/status`));

  async function start(name: string, config: RawConfig): Promise<void> {
    let refusal: unknown = null;
    await until(START_MS, `the plugin of ${name} is found`, async () => {
      try {
        await request("PUT", `/connectors/${name}/config`, config);
        return true;
      } catch (error) {
        refusal = error;
        // Packages are loaded after the start.
        if (error instanceof Error && error.message.includes("Failed to find any class")) return false;
        throw error;
      }
    }).catch((error: unknown) => {
      throw refusal ?? error;
    });
    await until(START_MS, `connector ${name} runs`, async () => {
      const found = await status(name).catch(() => null); // Not known everywhere yet.
      if (found === null) return false;
      const failed = found.tasks.find((task) => task.state === "FAILED");
      if (failed !== undefined) throw new Error(`a task of ${name} failed: ${failed.trace}`);
      return found.connector.state === "RUNNING" && found.tasks.length > 0 && found.tasks.every(isRunning);
    });
  }

  try {
    await mkdir(join(dir, "files"));
    await launch();
  } catch (error) {
    await end("SIGKILL");
    await rm(dir, { recursive: true, force: true });
    throw error;
  }

  const written = new Set<string>();
  return {
    url,
    start,
    remove: async (name) => void (await request("DELETE", `/connectors/${name}`)),
    tasks: async (name) => (await status(name)).tasks,
    async write(topic, lines) {
      const input = join(dir, "files", `${topic}.in`);
      const writer = `write-${topic}`;
      await appendFile(input, lines.map((line) => `${line}\n`).join(""));
      if (!written.has(topic)) {
        written.add(topic);
        await start(writer, {
          "connector.class": "file-source",
          file: input,
          topic,
          "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        });
      }
      const { size } = await stat(input);
      // Before its offset is stored, a kill would let the worker write them again.
      await until(START_MS, `topic ${topic} is written`, async () => {
        // Right after a start they may not be known yet.
        const offsets = OFFSETS.safeParse(await request("GET", `/connectors/${writer}/offsets`).catch(() => null));
        return offsets.data?.offsets[0]?.offset?.["position"] === size;
      });
    },
    async read(topic, count, timeoutMs = START_MS) {
      const output = join(dir, "files", `${topic}.out`);
      const bytes = "org.apache.kafka.connect.storage.StringConverter";
      const config = {
        "connector.class": "file-sink",
        file: output,
        topics: topic,
        "key.converter": bytes,
        "value.converter": bytes,
      };
      await start(`read-${topic}`, { ...config, "consumer.override.auto.offset.reset": "earliest" });
      let lines: readonly string[] = [];
      await until(timeoutMs, `${count} records in topic ${topic}`, async () => {
        const text = await readFile(output, "utf8").catch(() => "");
        lines = text.split("\n").slice(0, -1);
        return lines.length >= count;
      }).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : error}; there are ${lines.length}`, {
          cause: error,
        });
      });
      return lines;
    },
    async killAndRestart(meanwhile) {
      await end("SIGKILL");
      await meanwhile?.();
      await launch();
    },
    logTail,
    async close() {
      await end("SIGTERM");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const isRunning = ({ state }: { readonly state: string }): boolean => state === "RUNNING";

function worker(options: WorkerRunOptions, group: string, port: number): Record<string, string> {
  return {
    "bootstrap.servers": options.bootstrap,
    "group.id": group,
    "config.storage.topic": `${group}-configs`,
    "offset.storage.topic": `${group}-offsets`,
    "status.storage.topic": `${group}-status`,
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "offset.flush.interval.ms": "500",
    // A machine under load needs its time; a package given up on would be tried again only later.
    "headrace.plugin.load.timeout.ms": String(START_MS),
    "headrace.plugin.scan.interval.ms": "1000",
    "plugin.path": options.pluginPath.join(","),
    listeners: `http://127.0.0.1:${port}`,
    "headrace.metrics.listener": "",
  };
}

function toText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll("\\", "\\\\")}\n`)
    .join("");
}

/**
 * A free port that stays free while the worker is away, but for a coincidence: the kernel gives those below 32768 to nobody who does not ask
 * for them.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
