/** kubectl in one namespace. */
type Kubectl = (args: readonly string[]) => Promise<string>;

/** What is looked at of a pod. */
export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** The pods that `kubectl` sees. */
export async function listPods(kubectl: Kubectl): Promise<readonly Pod[]> {
  const { items }: { items: readonly Pod[] } = JSON.parse(await kubectl(["get", "pods", "-o", "json"]));
  return items;
}

/** The pod whose worker has this id (`address:port`). */
export async function podAt(
  kubectl: Kubectl,
  workerId: string | undefined,
): Promise<{ readonly name: string; readonly uid: string }> {
  const pods = await listPods(kubectl);
  const found = pods.find(({ status }) => status.podIP !== undefined && workerId?.startsWith(`${status.podIP}:`));
  if (found === undefined) throw new Error(`no pod has the address of worker ${workerId}`);
  return found.metadata;
}
