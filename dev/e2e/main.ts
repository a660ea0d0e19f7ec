import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { buildImages } from "../image/build.ts";
import { step } from "../progress.ts";
import { buildContainerd } from "../setup/containerd.ts";
import { buildHelm } from "../setup/helm.ts";
import { kafkaLibs } from "../setup/kafka.ts";
import { buildKind } from "../setup/kind.ts";
import { buildKubernetes } from "../setup/kubernetes.ts";
import { buildNode } from "../setup/node.ts";
import { nodePackages } from "../setup/node-packages.ts";
import { leftCgroups, makeCgroups, removeCgroups } from "./cgroups.ts";
import { NODE_COUNT } from "./cluster.ts";
import { OWN_REGISTRY } from "./context.ts";
import { cleanGiven, type GivenCluster, givenCluster, givenObstacles, unsharedObstacles } from "./given-cluster.ts";
import { startReachableKafka } from "./kafka.ts";
import { deleteLeftKinds, isDockerThere, startKind } from "./kind.ts";
import { nodeNetworks } from "./network.ts";
import { writePluginImage } from "./plugin-image.ts";
import { lookAtMachine, obstacles } from "./requirements.ts";
import { nextTag, runTests } from "./run-tests.ts";

/**
 * `make e2e`: the chart, from the images as they ship, on nodes with kubelet and containerd: those of a cluster that is given, of one that kind makes
 * where Docker is, or of its own. Its own nodes live in namespaces of their own (network,
 * mounts, processes), which lead nowhere and end with this process; what remains of them in cgroups and files is removed at the end. With
 * `--if-able` a machine that cannot have nodes is no failure: what it lacks is printed, and that is all.
 */
const PREFIX = "headrace-e2e-";
/** Of cluster and tests together, the tests' own bound (`dev/test.ts`) included: what hangs beyond that is killed. */
const LIMIT_MS = 1_800_000;

async function main(words: readonly string[], ifAble: boolean): Promise<number> {
  const given = givenCluster(process.env);
  if (given !== null) {
    if ("kubeconfig" in given) return await onGivenCluster(given, words);
    return refuse("HEADRACE_KUBECONFIG is set, and it needs more", given);
  }
  const where = process.env["HEADRACE_E2E_NODES"] ?? "";
  if (!["", "kind", "own"].includes(where)) return refuse(`HEADRACE_E2E_NODES is ${where}`, ["it is kind or own"]);
  if (where === "kind" || (where === "" && (await isDockerThere()))) return await onKind(words);
  const reasons = obstacles(await lookAtMachine(PREFIX));
  if (reasons.length > 0) {
    const code = refuse(`${ifAble ? "E2E WAS NOT RUN: " : ""}this machine cannot have nodes`, reasons);
    return ifAble ? 0 : code;
  }
  // Within the namespaces nothing can be downloaded.
  await kafkaLibs();
  await buildKubernetes();
  await buildHelm();
  await nodePackages();
  await buildNode();
  await buildContainerd();
  const imagesDir = join(repoRoot, "build/images");
  mkdirSync(imagesDir, { recursive: true });
  await step("build the images", () => buildImages(imagesDir));
  const version = ownVersion();
  await removeLeftOvers();
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

/** The tests on a cluster that kind makes in Docker, and that is deleted at the end, whatever it is. */
async function onKind(words: readonly string[]): Promise<number> {
  await kafkaLibs();
  await buildHelm();
  const { kubectl } = await buildKubernetes();
  const kind = await buildKind();
  const imagesDir = join(repoRoot, "build/images");
  mkdirSync(imagesDir, { recursive: true });
  await step("build the images", () => buildImages(imagesDir));
  const plugin = writePluginImage(join(imagesDir, "beats"));
  const version = ownVersion();
  const tools = { kind, docker: "docker" };
  await deleteLeftKinds(tools, isOfDeadRun);
  await removeLeftOvers();
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  chmodSync(dir, 0o755); // Seen by whoever the nodes' containers are.
  const plan = {
    name: basename(dir).toLowerCase(),
    dir,
    images: [
      ...["operator", "worker"].map((name) => ({
        archive: join(imagesDir, `${name}.tar`),
        reference: `${OWN_REGISTRY}/${name}:${version}`,
        tags: [`${OWN_REGISTRY}/${name}:${nextTag(version)}`],
      })),
      { archive: plugin.archive, reference: plugin.reference, tags: [plugin.pinned] },
    ],
    pluginImage: plugin.pinned,
    nodeImage: process.env["HEADRACE_E2E_KIND_IMAGE"],
  };
  try {
    const cluster = await step("make a cluster with kind", () => startKind(tools, plan, stopping.signal));
    try {
      const { kafka, bootstrap } = await startReachableKafka(join(dir, "kafka"), cluster.hostAddress);
      try {
        const context = { ...cluster.given, bootstrap, kubectl, version, nextVersion: nextTag(version), dir };
        return await runTests(context, words, stopping.signal);
      } finally {
        await kafka.stop();
      }
    } finally {
      await cluster.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The tests on a cluster whose nodes have the images under both tags, or can pull them. What they leave is removed if they have succeeded. */
async function onGivenCluster(given: GivenCluster, words: readonly string[]): Promise<number> {
  await kafkaLibs();
  await buildHelm();
  const { kubectl } = await buildKubernetes();
  const version = ownVersion();
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  try {
    const context = { ...given, kubectl, version, nextVersion: nextTag(version), dir };
    const problems = await givenObstacles(context);
    const notTaken = "the cluster of HEADRACE_KUBECONFIG cannot be taken";
    if (problems.length > 0) return refuse(notTaken, problems);
    const blind = await unsharedObstacles(context);
    if (blind.length > 0) return refuse(notTaken, blind);
    const code = await runTests(context, words);
    if (code === 0) await cleanGiven(context);
    return code;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function refuse(what: string, reasons: readonly string[]): number {
  console.error(`make e2e: ${what}:\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`);
  return 1;
}

function ownVersion(): string {
  const text = readFileSync(join(repoRoot, "package.json"), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** Removes what runs that were killed have left: groups and directories. */
async function removeLeftOvers(): Promise<void> {
  for (const left of leftCgroups(isOfDeadRun)) await removeCgroups(left);
  for (const left of readdirSync(tmpdir()).filter(isOfDeadRun))
    rmSync(join(tmpdir(), left), { recursive: true, force: true });
}

/** What a run makes is named with its process's id. */
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
/** Aborts when this process is to end. */
const stopping = new AbortController();

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
  });
  const ended = child;
  const limit = setTimeout(() => {
    console.error(`make e2e was not done after ${LIMIT_MS / 60_000} minutes and is killed`);
    ended.kill("SIGKILL");
  }, LIMIT_MS);
  if (process.env["KEEP"] !== undefined) clearTimeout(limit);
  try {
    return await new Promise((resolve, reject) => {
      ended.once("error", reject);
      ended.once("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    clearTimeout(limit);
  }
}

// The inner part ends at once; then what is left is removed.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    stopping.abort();
    child?.kill("SIGKILL");
  });

const { values, positionals } = parseArgs({ allowPositionals: true, options: { "if-able": { type: "boolean" } } });
process.exitCode = await main(positionals, values["if-able"] === true);
