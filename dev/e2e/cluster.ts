import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { type ControlPlane, startControlPlane } from "../control-plane.ts";
import { file } from "../image/file.ts";
import { writeImage } from "../image/oci-layout.ts";
import { step } from "../progress.ts";
import { buildContainerd } from "../setup/containerd.ts";
import { buildNode } from "../setup/node.ts";
import { nodePackages } from "../setup/node-packages.ts";
import { hostPlatform } from "../setup/platform.ts";
import { startDns } from "./dns.ts";
import { type ReachableKafka, startReachableKafka } from "./kafka.ts";
import { HOST_ADDRESS, makeNetwork, nodeNetworks, POD_CIDR } from "./network.ts";
import { type E2eNode, startNode } from "./node.ts";
import { FEATURE_GATES, PAUSE_IMAGE } from "./node-config.ts";

/** A cluster with real nodes within namespaces of this machine, and a Kafka that its pods reach. */
export interface E2eCluster extends ReachableKafka {
  readonly controlPlane: ControlPlane;
  readonly nodes: readonly E2eNode[];
  readonly auditLog: string;
}

export const NODE_COUNT = 2;

const AUDIT_POLICY = join(repoRoot, "dev/e2e/audit-policy.yaml");

/**
 * Starts everything within the namespaces that this process is in, which must be its own: it ends with them. `archives` are images that
 * all nodes have from the beginning. Resolves when the nodes are ready.
 */
export async function startCluster(
  dir: string,
  { cgroup, archives }: { readonly cgroup: string; readonly archives: readonly string[] },
): Promise<E2eCluster> {
  const binaries = await buildNode();
  const packages = await nodePackages();
  const containerd = await buildContainerd();
  const networks = nodeNetworks(NODE_COUNT);
  await makeNetwork(networks);

  const starting = startReachableKafka(join(dir, "kafka"), HOST_ADDRESS);
  starting.catch(() => {}); // Awaited below; what fails first is told.

  const auditLog = join(dir, "audit.log");
  const controlPlane = await step("start the control plane", () =>
    startControlPlane({
      dir: join(dir, "control-plane"),
      nodes: networks.map(({ name }) => name),
      network: { cidr: POD_CIDR, address: HOST_ADDRESS },
      apiserverArgs: [
        `--audit-policy-file=${AUDIT_POLICY}`,
        `--audit-log-path=${auditLog}`,
        "--kubelet-preferred-address-types=InternalIP",
        `--feature-gates=${Object.entries(FEATURE_GATES).map(([name, isOn]) => `${name}=${isOn}`)}`,
      ],
    }),
  );
  const pause = writePauseImage(join(dir, "pause"), binaries.pause);
  const nodes = await step(`start ${NODE_COUNT} nodes`, async () => {
    const started: E2eNode[] = [];
    for (const network of networks) {
      const nodeDir = join(dir, network.name);
      mkdirSync(nodeDir, { recursive: true });
      const node = await startNode(nodeDir, network, { binaries, packages, containerd, controlPlane, cgroup });
      for (const archive of [pause, ...archives]) await node.importImage(archive);
      started.push(node);
    }
    await startDns(dir, binaries.coredns, controlPlane);
    await controlPlane.kubectl(["wait", "--for=condition=Ready", "--timeout=180s", "node", "--all"]);
    for (const node of started) await node.enforcePolicies();
    return started;
  });
  chmodSync(dir, 0o755);
  return { controlPlane, ...(await starting), nodes, auditLog };
}

/** Answers the path of the image's archive. */
function writePauseImage(dir: string, binary: string): string {
  writeImage(
    dir,
    [
      {
        architecture: hostPlatform().architecture,
        reference: PAUSE_IMAGE,
        layers: [{ title: "pause", files: [file("pause", readFileSync(binary), true)] }],
        user: "65535:65535",
        env: {},
        entrypoint: ["/pause"],
        workingDir: "/",
        labels: {},
      },
    ],
    { time: new Date(0) },
  );
  return `${dir}.tar`;
}
