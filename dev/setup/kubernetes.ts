import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

/** Paths of the programs that make a control plane, and of the client. */
export interface KubernetesBinaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubectl: string;
}

/** Of the control plane, and of nodes. */
export const KUBERNETES_VERSION = "v1.34.4";
const PROGRAMS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"] as const;
const SOURCE = join(repoRoot, "dev/kubernetes");
const [, MAJOR, MINOR] = /^v(\d+)\.(\d+)/.exec(KUBERNETES_VERSION) ?? [];
const VERSION_PACKAGE = "k8s.io/component-base/version";
const LINKER_FLAGS = [
  "-s",
  "-w",
  `-X ${VERSION_PACKAGE}.gitVersion=${KUBERNETES_VERSION}`,
  `-X ${VERSION_PACKAGE}.gitMajor=${MAJOR}`,
  `-X ${VERSION_PACKAGE}.gitMinor=${MINOR}`,
].join(" ");
export const BUILD_ARGS = [...QUICK_BUILD, `-ldflags=${LINKER_FLAGS}`];

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
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum", "main.go"], [BUILD_ARGS, GO_ENV, PROGRAMS]);
  const program = {
    title: `build Kubernetes ${KUBERNETES_VERSION} with Go`,
    source: SOURCE,
    args: [...BUILD_ARGS, "."],
    name: "cluster",
  };
  return goBuild(program, join(cacheDir(), "kubernetes", `${KUBERNETES_VERSION}-${key}`), (partial) => {
    for (const name of PROGRAMS) symlinkSync("cluster", join(partial, name));
  });
}
