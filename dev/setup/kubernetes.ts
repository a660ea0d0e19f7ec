import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir, repoRoot } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** Paths of the programs that make a control plane, and of the client. */
export interface KubernetesBinaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubectl: string;
}

const VERSION = "v1.34.4";
const PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"] as const;
const SOURCE = join(repoRoot, "dev/kubernetes");
const [, MAJOR, MINOR] = /^v(\d+)\.(\d+)/.exec(VERSION) ?? [];
const VERSION_PACKAGE = "k8s.io/component-base/version";
const LINKER_FLAGS = [
  "-s",
  "-w",
  `-X ${VERSION_PACKAGE}.gitVersion=${VERSION}`,
  `-X ${VERSION_PACKAGE}.gitMajor=${MAJOR}`,
  `-X ${VERSION_PACKAGE}.gitMinor=${MINOR}`,
].join(" ");
/** Without optimisation it compiles in two thirds of the time and is fast enough for one machine. */
const BUILD_ARGS = ["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-N -l", `-ldflags=${LINKER_FLAGS}`];
/** Set whole, so that a developer's own flags or workspace cannot change what is built. */
const BUILD_ENV = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };

/**
 * The programs of Kubernetes 1.34 and etcd 3.6, built from `dev/kubernetes` with Go if the cache does not have them. etcd, kube-apiserver
 * and kubectl come from `KUBEBUILDER_ASSETS` if that is set. Callers at the same time, in any process, wait for one build.
 */
export async function buildKubernetes(): Promise<KubernetesBinaries> {
  const built = await builtPrograms();
  const assets = process.env["KUBEBUILDER_ASSETS"];
  const given = (name: "etcd" | "kube-apiserver" | "kubectl") => {
    if (assets === undefined || assets === "") return join(built, name);
    const path = join(assets, name);
    if (!existsSync(path)) throw new Error(`KUBEBUILDER_ASSETS is ${assets}, but ${path} does not exist`);
    return path;
  };
  return {
    etcd: given("etcd"),
    kubeApiserver: given("kube-apiserver"),
    kubeControllerManager: join(built, "kube-controller-manager"),
    kubeScheduler: join(built, "kube-scheduler"),
    kubectl: given("kubectl"),
  };
}

/** The cache directory with one link per program, complete from the moment it exists. */
async function builtPrograms(): Promise<string> {
  const dir = join(cacheDir(), "kubernetes", await buildKey());
  if (existsSync(dir)) return dir;
  mkdirSync(join(cacheDir(), "kubernetes"), { recursive: true });
  const title = `build Kubernetes ${VERSION} with Go`;
  await withLock(
    dir,
    async () => {
      if (existsSync(dir)) return;
      await step(title, () => build(dir));
    },
    () => process.stderr.write(`  … waiting for another process: ${title}\n`),
  );
  return dir;
}

async function build(dir: string): Promise<void> {
  const partial = `${dir}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  await go([...BUILD_ARGS, "-o", join(partial, "cluster"), "."]);
  for (const program of PROGRAMS) symlinkSync("cluster", join(partial, program));
  renameSync(partial, dir);
}

async function buildKey(): Promise<string> {
  const { stdout: goVersion } = await run("go", ["version"], { cwd: SOURCE }).catch((error: unknown) => {
    throw new Error("Go is needed to build Kubernetes: `go version` failed", { cause: error });
  });
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(SOURCE, file)));
  hash.update(JSON.stringify([goVersion, BUILD_ARGS, BUILD_ENV, PROGRAMS]));
  return `${VERSION}-${hash.digest("hex").slice(0, 12)}`;
}

/** Runs Go in the source directory; its messages (downloads) go to standard error and into the error if it fails. */
function go(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, {
      cwd: SOURCE,
      env: { ...process.env, ...BUILD_ENV },
      stdio: ["ignore", "inherit", "pipe"],
    });
    let tail = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      process.stderr.write(text.replace(/^/gm, "  ").trimEnd().concat("\n"));
      tail = (tail + text).slice(-4000);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`go ${args[0]} ended with ${code}:\n${tail}`));
    });
  });
}
