import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { buildImages } from "../image/build.ts";
import { step } from "../progress.ts";
import { buildHelm } from "../setup/helm.ts";
import { kafkaLibs } from "../setup/kafka.ts";
import { buildKubernetes } from "../setup/kubernetes.ts";
import { buildNode } from "../setup/node.ts";
import { nodePackages } from "../setup/node-packages.ts";
import { leftCgroups, makeCgroups, removeCgroups } from "./cgroups.ts";
import { NODE_COUNT } from "./cluster.ts";
import { nodeNetworks } from "./network.ts";
import { lookAtMachine, obstacles } from "./requirements.ts";

/**
 * `make e2e`: the chart, from the images as they ship, on nodes with kubelet and containerd. The nodes live in namespaces of their own (network,
 * mounts, processes), which lead nowhere and end with this process; what remains of them in cgroups and files is removed at the end.
 */
const PREFIX = "headrace-e2e-";
/** Where the states that were seen are kept if `STATES` is set: Argo CD's tests read them. */
const STATES_DIR = join(repoRoot, "test/packaging/argocd/states");

async function main(words: readonly string[]): Promise<number> {
  const reasons = obstacles(lookAtMachine());
  if (reasons.length > 0) {
    console.error(
      `make e2e cannot make nodes on this machine:\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`,
    );
    return 1;
  }
  // Within the namespaces nothing can be downloaded.
  await kafkaLibs();
  await buildKubernetes();
  await buildHelm();
  await nodePackages();
  await buildNode();
  const imagesDir = join(repoRoot, "build/images");
  mkdirSync(imagesDir, { recursive: true });
  await step("build the images", () => buildImages(imagesDir));
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8")));

  for (const left of leftCgroups(isOfDeadRun)) await removeCgroups(left);
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const cgroup = basename(dir);
  try {
    makeCgroups(
      cgroup,
      nodeNetworks(NODE_COUNT).map(({ name }) => name),
    );
    return await inNamespaces([dir, `/${cgroup}`, version, ...words]);
  } finally {
    await removeCgroups(cgroup);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A run's groups are named with its process's id. */
function isOfDeadRun(name: string): boolean {
  const [, pid] = new RegExp(`^${PREFIX}(\\d+)-`).exec(name) ?? [];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch {
    return true;
  }
}

let child: ChildProcess | undefined;

/** Runs the inner part. Everything in the namespaces ends when it does, and when this process does, however that ends. */
async function inNamespaces(args: readonly string[]): Promise<number> {
  const unshare = [
    "unshare",
    "--net",
    "--mount",
    "--propagation=private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
  ];
  // A shell is the first process, since it reaps what others leave behind.
  const script = 'mount -t tmpfs -o mode=755 tmpfs /run && "$@"; exit $?';
  const inner = [process.execPath, "--conditions=source", join(repoRoot, "dev/e2e/inside.ts"), ...args];
  child = spawn("setpriv", ["--pdeathsig=KILL", ...unshare, "sh", "-c", script, "sh", ...inner], {
    stdio: "inherit",
    env: { ...process.env, ...(process.env["STATES"] !== undefined && { HEADRACE_E2E_STATES: STATES_DIR }) },
  });
  const ended = child;
  return await new Promise((resolve, reject) => {
    ended.once("error", reject);
    ended.once("exit", (code) => resolve(code ?? 1));
  });
}

// The inner part ends at once; then what is left is removed.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child?.kill("SIGKILL"));

process.exitCode = await main(process.argv.slice(2));
