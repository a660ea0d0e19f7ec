import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ControlPlane, SERVICE_CIDR } from "../control-plane.ts";
import { type LocalProcess, startProcess, waitUntilReady } from "../process.ts";
import type { NodeBinaries } from "../setup/node.ts";
import type { NodePackages } from "../setup/node-packages.ts";
import { type NodeNetwork, namespaceOf } from "./network.ts";
import { containerdConfig, kubeletConfig, networkConfig, proxyConfig, socketOf } from "./node-config.ts";

const run = promisify(execFile);
const READY_TIMEOUT_MS = 180_000;

/** A node of a cluster: containerd, kubelet, kube-proxy and what enforces NetworkPolicies, with a network and mounts of their own. */
export interface E2eNode {
  readonly name: string;
  /** The logs of its programs. */
  readonly logFiles: readonly string[];
  /** Takes images from an archive; answers nothing. */
  importImage(archive: string): Promise<void>;
  /** Gives an image that is there one more name. */
  tagImage(from: string, to: string): Promise<void>;
  /** Enforces NetworkPolicies from now on; the node must have registered. */
  enforcePolicies(): Promise<void>;
}

/** What all nodes have in common. */
export interface NodeParts {
  readonly binaries: NodeBinaries;
  readonly packages: NodePackages;
  /** Directory of containerd's programs. */
  readonly containerd: string;
  readonly controlPlane: ControlPlane;
  /** Path of the cgroup that pods are put under, within each hierarchy. */
  readonly cgroup: string;
}

/**
 * Starts a node in the network namespace that `makeNetwork` made for it; `dir` is its own. It ends with this process's PID namespace.
 * Resolves when containerd takes images; the node registers by itself.
 */
export async function startNode(
  dir: string,
  node: NodeNetwork,
  { binaries, packages, containerd: runtime, controlPlane, cgroup }: NodeParts,
): Promise<E2eNode> {
  for (const name of ["cni", "kubelet", "var-lib-kubelet", "var-log", "pods"])
    mkdirSync(join(dir, name), { recursive: true });
  const write = (name: string, text: string) => {
    const file = join(dir, name);
    writeFileSync(file, text);
    return file;
  };
  write("cni/10-pods.conflist", networkConfig(node));
  write("resolv.conf", "");
  const containerdFile = write("containerd.toml", containerdConfig(dir, packages.networkPlugins));
  const kubeletFile = write("kubelet.yaml", kubeletConfig(dir, node, cgroup));
  const proxyFile = write("proxy.yaml", proxyConfig(node, controlPlane.proxyKubeconfig));

  const logFiles: string[] = [];
  const start = async (name: string, command: string, args: readonly string[]) => {
    const logFile = join(dir, `${name}.log`);
    logFiles.push(logFile);
    const env = { ...packages.env, PATH: `${runtime}:${packages.path}:${process.env["PATH"]}` };
    return await startProcess({ name: `${name} of ${node.name}`, command, args, env, logFile });
  };
  // What programs of a node keep in fixed places is kept in `dir`, or forgotten with the namespace.
  const mounts = [
    "mount -t tmpfs tmpfs /run",
    `mkdir -p /var/lib/kubelet && mount --bind '${dir}/var-lib-kubelet' /var/lib/kubelet`,
    `mount --bind '${dir}/var-log' /var/log`,
    `touch '${dir}/mounted'`,
    "exec sleep infinity",
  ].join(" && ");
  const unshare = ["unshare", "--mount", "--propagation=private", "sh", "-c", mounts];
  const holder = await start("mounts", "nsenter", [`--net=${namespaceOf(node)}`, ...unshare]);
  await waitUntilReady(holder, async () => existsSync(join(dir, "mounted")), { timeoutMs: READY_TIMEOUT_MS });
  const inside = async (name: string, command: string, args: readonly string[]): Promise<LocalProcess> =>
    await start(name, "nsenter", [`--target=${holder.pid}`, "--net", "--mount", "--", command, ...args]);

  // Packets to Services have somewhere to go before anybody sends one.
  await inside("kube-proxy", binaries.kubeProxy, [`--config=${proxyFile}`]);
  const containerd = await inside("containerd", join(runtime, "containerd"), [`--config=${containerdFile}`]);
  const ctr = async (...args: readonly string[]) => {
    await run(join(runtime, "ctr"), [`--address=${socketOf(dir)}`, "--namespace=k8s.io", ...args]);
  };
  const answers = () =>
    ctr("version").then(
      () => true,
      () => false,
    );
  await waitUntilReady(containerd, answers, { timeoutMs: READY_TIMEOUT_MS });
  await inside("kubelet", binaries.kubelet, [
    `--config=${kubeletFile}`,
    `--kubeconfig=${controlPlane.nodeKubeconfig(node.name)}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
    `--root-dir=${join(dir, "kubelet")}`,
    `--cert-dir=${join(dir, "kubelet-certificates")}`,
  ]);
  return {
    name: node.name,
    logFiles,
    importImage: (archive) => ctr("images", "import", "--all-platforms", archive),
    tagImage: (from, to) => ctr("images", "tag", "--force", from, to),
    async enforcePolicies() {
      await inside("network-policies", binaries.networkPolicies, [
        `--kubeconfig=${controlPlane.adminKubeconfig}`,
        `--node=${node.name}`,
        `--services=${SERVICE_CIDR}`,
      ]);
    },
  };
}
