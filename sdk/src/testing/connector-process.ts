import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { SinkRecord, TopicPartitionOffset } from "../sink.ts";
import type { RawConfig, SourceRecord } from "../source.ts";
import type { MemoryOffsets } from "./memory-offsets.ts";
import { within } from "./waiting.ts";

/** What is to run in a process of its own. */
export interface ProcessParts {
  /** URL of a module that exports the definition, by any name or in a list. */
  readonly module: string;
  readonly name: string;
  readonly config: RawConfig;
}

/** A task of a sink in a process of its own, which can be killed. */
export interface SinkProcess {
  put(records: readonly SinkRecord[]): Promise<void>;
  /** As {@link SinkRun.commit}. */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]>;
  /** Ends it as `kill -9` does. Repeats do nothing. */
  kill(): Promise<void>;
}

/** A source in a process of its own, which can be killed. */
export interface SourceProcess {
  take(count: number, timeoutMs: number): Promise<readonly SourceRecord[]>;
  acknowledge(records: readonly SourceRecord[]): Promise<void>;
  kill(): Promise<void>;
}

/** What the process is asked for. */
export type ProcessRequest =
  | { readonly kind: "open-sink"; readonly parts: ProcessParts }
  | { readonly kind: "put"; readonly records: readonly SinkRecord[] }
  | { readonly kind: "commit"; readonly offsets: readonly TopicPartitionOffset[] }
  | {
      readonly kind: "open-source";
      readonly parts: ProcessParts;
      readonly offsets: readonly (readonly [string, string])[];
    }
  | { readonly kind: "take"; readonly count: number; readonly timeoutMs: number }
  /** Records by their place among all that were taken. */
  | { readonly kind: "acknowledge"; readonly places: readonly number[] };

const ANSWER = z.object({
  id: z.number(),
  lines: z.array(z.string()),
  result: z.unknown().optional(),
  error: z.string().optional(),
});

/** What it answers: the log lines that came meanwhile, and a result or an error. */
export type ProcessAnswer = z.input<typeof ANSWER>;

const isObjectWith =
  (...keys: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "object" && value !== null && keys.every((key) => key in value);

/** What its parent sends it. */
export const QUESTION = z.object({ id: z.number(), request: z.custom<ProcessRequest>(isObjectWith("kind")) });

const POSITIONS = z.array(z.object({ topic: z.string(), partition: z.number(), offset: z.bigint() }));
/** Schemas and values are any; what the suite needs of them says the connector's own adapter. */
const RECORDS = z.array(
  z.custom<SourceRecord>(isObjectWith("topic", "key", "value", "sourcePartition", "sourceOffset"), "not a record"),
);

/** Longest wait for an answer, a start included. */
const ANSWER_MS = 60_000;

/** Opens a sink in a process of its own; `log` gets its lines. */
export async function openSinkProcess(parts: ProcessParts, log: (line: string) => void): Promise<SinkProcess> {
  const child = startProcess(log);
  await child.ask({ kind: "open-sink", parts });
  return {
    put: async (records) => void (await child.ask({ kind: "put", records })),
    commit: async (offsets) => POSITIONS.parse(await child.ask({ kind: "commit", offsets })),
    kill: child.kill,
  };
}

/** Opens a source in a process of its own, with offsets that stay here. */
export async function openSourceProcess(parts: ProcessParts, offsets: MemoryOffsets): Promise<SourceProcess> {
  const child = startProcess(() => {});
  const places = new WeakMap<SourceRecord, number>();
  let taken = 0;
  await child.ask({ kind: "open-source", parts, offsets: offsets.entries() });
  return {
    async take(count, timeoutMs) {
      const records = RECORDS.parse(await child.ask({ kind: "take", count, timeoutMs }));
      for (const record of records) places.set(record, taken++);
      return records;
    },
    async acknowledge(records) {
      for (const { sourcePartition, sourceOffset } of records) offsets.write(sourcePartition, sourceOffset);
      const own = records.flatMap((record) => places.get(record) ?? []);
      await child.ask({ kind: "acknowledge", places: own });
    },
    kill: child.kill,
  };
}

interface Child {
  ask(request: ProcessRequest): Promise<unknown>;
  kill(): Promise<void>;
}

function startProcess(log: (line: string) => void): Child {
  // Built, it is JavaScript.
  const program = new URL(
    `./connector-process-main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`,
    import.meta.url,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = fork(fileURLToPath(program), {
    // Many of them run the same code, and each would compile it.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...env },
    execArgv: process.execArgv.filter((each) => !each.startsWith("--test")),
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    errors = `${errors}${chunk.toString()}`.slice(-4_000);
  });
  const ended = (why: string) => {
    for (const answer of waiting.values()) answer.reject(new Error(`the connector's process ${why}: ${errors}`));
    waiting.clear();
  };
  child.on("message", (message) => {
    const answered = ANSWER.safeParse(message);
    if (!answered.success) return ended(`answered something else: ${answered.error.message}`);
    const { id, lines, error, result } = answered.data;
    for (const line of lines) log(line);
    const answer = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(new Error(error));
  });
  child.on("exit", (code, signal) => ended(`ended by ${signal ?? code}`));
  child.on("error", (error) => ended(`could not be used (${error.message})`));

  return {
    async ask(request) {
      const answer = Promise.withResolvers<unknown>();
      asked += 1;
      waiting.set(asked, answer);
      child.send({ id: asked, request }, (error) => {
        if (error !== null) answer.reject(error);
      });
      return await within(ANSWER_MS, `${request.kind} of the connector's process`, answer.promise);
    },
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
