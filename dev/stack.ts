import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { killContainersBelow } from "./agent/container-process.ts";
import { startAgent } from "./agent.ts";
import { repoRoot } from "./cache.ts";
import { startControlPlane } from "./control-plane.ts";
import { waitUntilEstablished } from "./established.ts";
import { startKafka } from "./kafka.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { withLock } from "./lock.ts";
import type { LocalProcess } from "./process.ts";
import { killMarked } from "./process-table.ts";
import { step } from "./progress.ts";
import { kafkaLibs } from "./setup/kafka.ts";
import { buildKubernetes } from "./setup/kubernetes.ts";
import { startOperator } from "./stack/operator.ts";
import {
  isRunning,
  type RecordedProcess,
  readState,
  STACK_MARK,
  type StackState,
  stopRecorded,
  toRecorded,
  writeState,
} from "./stack/state.ts";

/** A running local stack: Kafka, Kubernetes with one node, Headrace's resources and its operator. */
export interface Stack {
  /** State and logs. */
  readonly dir: string;
  /** Kafka's bootstrap servers. */
  readonly bootstrap: string;
  /** Kubeconfig file of the developer. */
  readonly userKubeconfig: string;
  readonly adminKubeconfig: string;
  readonly kubectlPath: string;
  /** kubectl as the developer. */
  readonly kubectl: Kubectl;
  /** Base URL of the operator's health and metrics; null if it was not wanted. */
  readonly operatorUrl: string | null;
  /** Logs of pods: `<namespace>_<pod>_<uid>/<container>/<run>.log`. */
  readonly podLogDir: string;
}

export interface StackOptions {
  /** Default: `HEADRACE_STATE`, or `.headrace` in the repository. */
  readonly dir?: string;
  /** false: leaves the operator out. */
  readonly operator?: boolean;
  /** First wait between restarts of a container; the kubelet's, and the default, is 10 s. */
  readonly restartBackOffMs?: number;
}

/** What `status` found. */
export interface StackStatus {
  readonly dir: string;
  /** Null if no `up` came to its end. */
  readonly stack: Stack | null;
  readonly processes: readonly (RecordedProcess & { readonly running: boolean })[];
  /** Everything that belongs to the stack runs. */
  readonly healthy: boolean;
}

/** Name of the image that stands for this clone's worker (`dev/images.json`). */
export const WORKER_IMAGE = "headrace/worker:dev";

const NODE = "local";
/** The agent ends the pods in it. */
const STOP_GRACE_MS = 20_000;

/**
 * Brings the stack up, or does nothing if it is up. What a broken or interrupted `up` left is removed first; the stack always begins empty.
 * `HEADRACE_KAFKA_BOOTSTRAP` and `HEADRACE_KUBECONFIG` are used instead of starting Kafka and Kubernetes. If something cannot be started,
 * everything is stopped again and the reason thrown.
 */
export async function up(options: StackOptions = {}): Promise<Stack> {
  const dir = stackDir(options);
  return await withLock(
    dir,
    async () => {
      const found = status(options);
      if (found.healthy && found.stack !== null) return found.stack;
      await tearDown(dir);
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      try {
        return toStack(dir, await withMark(dir, () => start(dir, options)));
      } catch (error) {
        await tearDown(dir);
        throw error;
      }
    },
    () => process.stderr.write("  … waiting for another `up` or `down`\n"),
  );
}

/** Stops everything that belongs to the stack, whatever state it is in; logs stay until the next `up`. Idempotent. */
export async function down(options: StackOptions = {}): Promise<void> {
  const dir = stackDir(options);
  await withLock(dir, () => tearDown(dir));
}

/** Kills everything of the stack at once, without the lock: for an `up` that is interrupted. */
export async function abandon(options: StackOptions = {}): Promise<void> {
  await sweep(stackDir(options));
}

/** What runs. */
export function status(options: StackOptions = {}): StackStatus {
  const dir = stackDir(options);
  const state = readState(dir);
  const processes = (state?.processes ?? []).map((process_) => ({ ...process_, running: isRunning(process_) }));
  const healthy = state !== null && processes.every(({ running }) => running);
  return { dir, stack: state === null ? null : toStack(dir, state), processes, healthy };
}

function stackDir({ dir }: StackOptions): string {
  return resolve(dir ?? process.env["HEADRACE_STATE"] ?? join(repoRoot, ".headrace"));
}

async function start(dir: string, options: StackOptions): Promise<StackState> {
  const givenBootstrap = given("HEADRACE_KAFKA_BOOTSTRAP");
  const givenKubeconfig = given("HEADRACE_KUBECONFIG");
  const { kubectl: kubectlPath } = await buildKubernetes();
  if (givenBootstrap === undefined) await kafkaLibs();

  const starting = [
    givenBootstrap === undefined
      ? step("start Kafka", () => startKafka({ dir: join(dir, "kafka"), detached: true }))
      : undefined,
    givenKubeconfig === undefined
      ? step("start Kubernetes", () =>
          startControlPlane({ dir: join(dir, "kubernetes"), nodes: [NODE], detached: true }),
        )
      : undefined,
  ] as const;
  await Promise.allSettled(starting);
  const kafka = await starting[0];
  const controlPlane = await starting[1];
  const adminKubeconfig = resolve(controlPlane?.adminKubeconfig ?? givenKubeconfig ?? "");
  const userKubeconfig = controlPlane?.userKubeconfig ?? adminKubeconfig;
  const servers = [...(kafka === undefined ? [] : [kafka.process]), ...(controlPlane?.processes ?? [])];
  const clients: LocalProcess[] = [];
  mkdirSync(join(dir, "bin"));
  symlinkSync(kubectlPath, join(dir, "bin/kubectl"));

  if (controlPlane !== undefined) {
    const agent = await startAgent({
      dir: join(dir, "agent"),
      kubeconfig: controlPlane.nodeKubeconfig(NODE),
      node: NODE,
      detached: true,
      ...(options.restartBackOffMs !== undefined && { restartBackOffMs: options.restartBackOffMs }),
    });
    clients.push(agent.process);
  }
  const kubectl = createKubectl({
    binary: kubectlPath,
    kubeconfig: adminKubeconfig,
    cacheDir: join(dir, "kubectl-cache"),
  });
  await step("install Headrace's resources", () => installResources(kubectl));
  const operator =
    options.operator === false
      ? null
      : await step("start the operator", () =>
          startOperator({ dir, adminKubeconfig, kubectl, workerImage: WORKER_IMAGE, detached: true }),
        );
  if (operator !== null) clients.push(operator.process);

  const state: StackState = {
    processes: [
      ...servers.map((each) => toRecorded(each, 0)),
      ...clients.map((each) => toRecorded(each, STOP_GRACE_MS)),
    ],
    kafka: { bootstrap: kafka?.bootstrap ?? givenBootstrap ?? "", ours: kafka !== undefined },
    kubernetes: {
      ours: controlPlane !== undefined,
      adminKubeconfig,
      userKubeconfig,
      kubectlPath: join(dir, "bin/kubectl"),
    },
    operator: operator === null ? null : { url: operator.url, namespace: operator.namespace },
  };
  writeState(dir, state);
  return state;
}

async function installResources(kubectl: Kubectl): Promise<void> {
  const crds = join(repoRoot, "crds");
  if (!existsSync(crds)) throw new Error(`${crds} does not exist: run \`npm run generate\``);
  await kubectl(["apply", "--server-side", "-f", crds]);
  await waitUntilEstablished(kubectl, ["-f", crds]);
}

/** Stops what is remembered, last started first; then kills what bears the stack's mark, for a start that was cut short. */
async function tearDown(dir: string): Promise<void> {
  for (const process_ of (readState(dir)?.processes ?? []).toReversed()) await stopRecorded(process_);
  await sweep(dir);
  rmSync(join(dir, "stack.json"), { force: true });
}

async function sweep(dir: string): Promise<void> {
  await killMarked(STACK_MARK, (value) => value === dir);
  await killContainersBelow(join(dir, "agent/pods"));
}

/** Processes that `work` starts inherit the mark. */
async function withMark<T>(dir: string, work: () => Promise<T>): Promise<T> {
  process.env[STACK_MARK] = dir;
  try {
    return await work();
  } finally {
    delete process.env[STACK_MARK];
  }
}

function toStack(dir: string, state: StackState): Stack {
  const { adminKubeconfig, userKubeconfig, kubectlPath } = state.kubernetes;
  return {
    dir,
    bootstrap: state.kafka.bootstrap,
    userKubeconfig,
    adminKubeconfig,
    kubectlPath,
    kubectl: createKubectl({ binary: kubectlPath, kubeconfig: userKubeconfig, cacheDir: join(dir, "kubectl-cache") }),
    operatorUrl: state.operator?.url ?? null,
    podLogDir: join(dir, "agent/logs"),
  };
}

function given(variable: string): string | undefined {
  const value = process.env[variable];
  return value === "" ? undefined : value;
}
