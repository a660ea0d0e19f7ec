import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";
import { BUILD_ARGS, KUBERNETES_VERSION } from "./kubernetes.ts";

/** Programs of a Kubernetes node that are built from Go modules. */
export interface NodeBinaries {
  readonly kubelet: string;
  readonly kubeProxy: string;
  /** Enforces NetworkPolicies for the pods of a node, with kube-router's controller. */
  readonly networkPolicies: string;
  /** Holds a pod's sandbox; linked statically. */
  readonly pause: string;
  readonly coredns: string;
}

const NODE = join(repoRoot, "dev/node");
const DNS = join(repoRoot, "dev/coredns");
const DNS_ARGS = [...QUICK_BUILD, "-ldflags=-s -w"];
const PAUSE_ARGS = [...QUICK_BUILD, "-ldflags=-s -w"];

/** kubelet and kube-proxy of the control plane's version, what enforces NetworkPolicies, CoreDNS and the pause program, built with Go if the cache does not have them. */
export async function buildNode(): Promise<NodeBinaries> {
  const nodeKey = await goBuildKey(NODE, ["go.mod", "go.sum", "main.go", "network-policies.go"], [BUILD_ARGS, GO_ENV]);
  const node = await goBuild(
    {
      title: `build kubelet and kube-proxy ${KUBERNETES_VERSION} with Go`,
      source: NODE,
      args: [...BUILD_ARGS, "."],
      name: "node",
    },
    join(cacheDir(), "node", `${KUBERNETES_VERSION}-${nodeKey}`),
    (partial) => {
      for (const name of ["kubelet", "kube-proxy", "network-policies"]) symlinkSync("node", join(partial, name));
    },
  );
  const pauseKey = await goBuildKey(NODE, ["pause/main.go"], [PAUSE_ARGS, GO_ENV]);
  const pause = await goBuild(
    { title: "build the pause program with Go", source: NODE, args: [...PAUSE_ARGS, "./pause"], name: "pause" },
    join(cacheDir(), "pause", pauseKey),
  );
  const dnsVersion = /coredns\/coredns (v[\d.]+)/.exec(readFileSync(join(DNS, "go.mod"), "utf8"))?.[1];
  if (dnsVersion === undefined) throw new Error(`${DNS}/go.mod does not require CoreDNS`);
  const dnsKey = await goBuildKey(DNS, ["go.mod", "go.sum", "main.go"], [DNS_ARGS, GO_ENV]);
  const dns = await goBuild(
    { title: `build CoreDNS ${dnsVersion} with Go`, source: DNS, args: [...DNS_ARGS, "."], name: "coredns" },
    join(cacheDir(), "coredns", `${dnsVersion}-${dnsKey}`),
  );
  return {
    kubelet: join(node, "kubelet"),
    kubeProxy: join(node, "kube-proxy"),
    networkPolicies: join(node, "network-policies"),
    pause: join(pause, "pause"),
    coredns: join(dns, "coredns"),
  };
}
