import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { killContainersBelow } from "./agent/container-process.ts";
import { repoRoot } from "./cache.ts";
import { type LocalProcess, startProcess } from "./process.ts";

/** The node agent as a process of its own. */
export interface LocalAgent {
  readonly process: LocalProcess;
  /** Logs of containers: `<namespace>_<pod>_<uid>/<container>/<run>.log`. */
  readonly logDir: string;
  /** Ends all pods' processes, then the agent. Idempotent; also cleans up behind an agent that was killed. */
  stop(): Promise<void>;
  /** SIGKILL: the pods' processes go on, as they do behind a kubelet. */
  kill(): Promise<void>;
}

export interface LocalAgentOptions {
  /** Must be this node's own; an agent started on it again takes over the pods of the one before. */
  readonly dir: string;
  readonly kubeconfig: string;
  /** Default: `local`. */
  readonly node?: string;
  /** Default: `dev/images.json`. */
  readonly images?: string;
  readonly restartBackOffMs?: number;
  readonly shutdownGraceMs?: number;
  readonly detached?: boolean;
}

const STOP_MARGIN_MS = 10_000;
const MAIN = fileURLToPath(new URL("agent/main.ts", import.meta.url));

/** Starts the agent of a node; resolves when its process runs. The node is Ready a moment later. */
export async function startAgent(options: LocalAgentOptions): Promise<LocalAgent> {
  const dir = resolve(options.dir);
  const { restartBackOffMs, shutdownGraceMs = 10_000 } = options;
  const process_ = await startProcess({
    name: `node agent ${options.node ?? "local"}`,
    command: process.execPath,
    args: [
      "--conditions=source",
      MAIN,
      `--kubeconfig=${options.kubeconfig}`,
      `--node=${options.node ?? "local"}`,
      `--dir=${dir}`,
      `--images=${options.images ?? join(repoRoot, "dev/images.json")}`,
      `--shutdown-grace-ms=${shutdownGraceMs}`,
      ...(restartBackOffMs === undefined ? [] : [`--restart-back-off-ms=${restartBackOffMs}`]),
    ],
    logFile: join(dir, "agent.log"),
    ...(options.detached !== undefined && { detached: options.detached }),
  });
  return {
    process: process_,
    logDir: join(dir, "logs"),
    stop: async () => {
      await process_.stop(shutdownGraceMs + STOP_MARGIN_MS);
      await killContainersBelow(join(dir, "pods"));
    },
    kill: async () => void (await process_.kill()),
  };
}
