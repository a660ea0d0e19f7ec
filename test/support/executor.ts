import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { StringMap } from "@headrace/contract";
import type { OffsetMap } from "@headrace/sdk";
import type { ExecutorCalls, ExecutorNotice, TaskKey, WorkerCalls, WorkerNotice } from "#runtime/executor/channel.ts";
import { connectRpc, ipcPort, type Rpc } from "#runtime/executor/rpc.ts";
import { encodeOffsetKey } from "#runtime/store/offset-key.ts";
import { canonicalKey } from "#runtime/task/pending-offsets.ts";

const SCRIPT = fileURLToPath(import.meta.resolve("#runtime/executor/main.ts"));

/** A real executor process with a worker side kept in memory. */
export interface ExecutorProcess {
  readonly pid: number;
  readonly rpc: Rpc<ExecutorCalls, WorkerNotice>;
  readonly notices: readonly ExecutorNotice[];
  /** Stored source offsets by partition. */
  readonly offsets: Map<string, OffsetMap>;
  /** Resolves with the exit code, or the signal. */
  readonly exited: Promise<number | string>;
  /** Resolves with the first notice, told or to come, for which the predicate holds; rejects after 60 s. */
  notice(matches: (notice: ExecutorNotice) => boolean): Promise<ExecutorNotice>;
  /** Resolves when the task was last told to be in that state; rejects with the trace if it is FAILED instead. */
  state(key: TaskKey, state: string): Promise<void>;
  /** Closes the channel, as the end of the worker does. */
  disconnect(): void;
  kill(): Promise<void>;
}

/** Forks an executor and sets it up. Its lease is not given yet. */
export async function forkExecutor(worker: StringMap): Promise<ExecutorProcess> {
  const child = fork(SCRIPT, [], {
    serialization: "advanced",
    execArgv: ["--conditions=source"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const notices: ExecutorNotice[] = [];
  const listeners = new Set<() => void>();
  const offsets = new Map<string, OffsetMap>();
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? code ?? -1));
  });
  const rpc = connectRpc<ExecutorCalls, WorkerNotice, WorkerCalls, ExecutorNotice>({
    port: ipcPort(child),
    handlers: {
      readOffsets: ({ partitions }) => partitions.map((partition) => offsets.get(canonicalKey(partition)) ?? null),
      writeOffsets({ offsets: written }) {
        for (const { partition, offset } of written) {
          if (offset === null) offsets.delete(canonicalKey(partition));
          else offsets.set(canonicalKey(partition), offset);
        }
        return null;
      },
      offsetKeys: ({ connector, partitions }) => partitions.map((partition) => encodeOffsetKey(connector, partition)),
      fenceZombies: () => null,
      isCurrentTask: () => true,
    },
    onNotice(notice) {
      notices.push(notice);
      for (const listener of listeners) listener();
    },
  });
  await rpc.call("setup", { worker, workerId: "test:8083", kafkaClusterId: "test" }, AbortSignal.timeout(60_000));

  async function until<T>(look: () => T | null): Promise<T> {
    const found = Promise.withResolvers<T>();
    const check = () => {
      try {
        const result = look();
        if (result !== null) found.resolve(result);
      } catch (error) {
        found.reject(error);
      }
    };
    const timer = setTimeout(() => found.reject(new Error("the executor did not tell in time")), 60_000);
    listeners.add(check);
    check();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      listeners.delete(check);
    }
  }

  return {
    pid: child.pid ?? -1,
    rpc,
    notices,
    offsets,
    exited,
    notice: (matches) => until(() => notices.find(matches) ?? null),
    async state(key, state) {
      await until(() => {
        const last = notices.findLast(
          (each) => each.kind === "status" && each.connector === key.connector && each.task === key.task,
        );
        if (last?.kind !== "status") return null;
        if (last.state === "FAILED" && state !== "FAILED") throw new Error(last.trace ?? "task failed");
        return last.state === state ? true : null;
      });
    },
    disconnect: () => child.disconnect(),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
