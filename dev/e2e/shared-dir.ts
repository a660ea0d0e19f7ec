import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Kubectl } from "../kubectl.ts";

const Nodes = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ taints: z.array(z.object({ effect: z.string() })).default([]) }),
    }),
  ),
});

/** What nodes are to have. */
export interface SharedDir {
  /** Of this machine. */
  readonly dir: string;
  /** What a volume of type hostPath shows of the nodes; by default a directory of the same path. */
  readonly shown?: string;
  /** An image that nodes have or can pull, with Node in it. */
  readonly image: string;
}

/** Where the pods that look are; nothing else is made. */
const NAMESPACE = "default";
const NAME = "headrace-e2e-look";
/** Its image may have to be pulled. */
const TIMEOUT_MS = 180_000;
const POLL_MS = 500;

/**
 * Names of the nodes which do not show the directory of this machine to their pods: a file is put into it, and a pod on each node looks for it. Nodes
 * that take no pods are not asked. Pods and file are gone when this resolves. Throws if nothing can be put there, or nothing asked.
 */
export async function nodesWithoutDir(
  kubectl: Kubectl,
  { dir, shown = dir, image }: SharedDir,
): Promise<readonly string[]> {
  const { items } = Nodes.parse(JSON.parse(await kubectl(["get", "nodes", "--output=json"])));
  const nodes = items
    .filter(({ spec }) => !spec.taints.some(({ effect }) => effect === "NoSchedule" || effect === "NoExecute"))
    .map(({ metadata }) => metadata.name);
  const mark = `.${NAME}-${randomBytes(6).toString("hex")}`;
  const pods = nodes.map((node, index) => lookingPod(`${NAME}-${index}`, { node, image, dir: shown, mark }));
  const remove = ["--namespace", NAMESPACE, "delete", "pod", `--selector=app=${NAME}`, "--grace-period=1"];
  writeFileSync(join(dir, mark), "");
  try {
    await kubectl(remove); // Those of a run that was killed: pods do not change.
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: pods });
    await kubectl(["apply", "--server-side", "-f", "-"], { input });
    const seen = await Promise.all(nodes.map((_, index) => hasSeen(kubectl, `${NAME}-${index}`)));
    return nodes.filter((_, index) => !seen[index]);
  } finally {
    rmSync(join(dir, mark), { force: true });
    await kubectl(remove);
  }
}

/** Whether the pod has ended well; one whose volume or image cannot be had does not end. */
async function hasSeen(kubectl: Kubectl, pod: string): Promise<boolean> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const phase = await kubectl(["--namespace", NAMESPACE, "get", "pod", pod, "--output=jsonpath={.status.phase}"]);
    if (phase === "Succeeded" || phase === "Failed") return phase === "Succeeded";
    await sleep(POLL_MS);
  }
  return false;
}

interface Look {
  readonly node: string;
  readonly image: string;
  readonly dir: string;
  readonly mark: string;
}

/** A pod on the node that ends well if the directory has the file. */
function lookingPod(name: string, { node, image, dir, mark }: Look): object {
  const script = "process.exit(require('node:fs').existsSync(process.argv[1]) ? 0 : 1)";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels: { app: NAME } },
    spec: {
      nodeName: node,
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "look",
          image,
          command: ["node", "-e", script, `/mnt/data/${mark}`],
          volumeMounts: [{ name: "data", mountPath: "/mnt/data", readOnly: true }],
          resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
      volumes: [{ name: "data", hostPath: { path: dir, type: "Directory" } }],
    },
  };
}
