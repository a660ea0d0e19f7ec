/** A toleration as the API server takes it; users' own are checked there. */
type Toleration = Readonly<Record<string, unknown>>;

/** The taints of a node that does not answer, which Kubernetes' node controller sets after 40 s. */
const LOST_NODE_TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] as const;
/** How long a worker stays on such a node, s. Kubernetes' own default is 300: so long the cluster would be short of a worker. */
const LOST_NODE_SECONDS = 30;

/** The user's tolerations, and a short one for each taint of a lost node that they say nothing of. */
export function toTolerations(given: readonly Toleration[] = []): readonly Toleration[] {
  const missing = LOST_NODE_TAINTS.filter((taint) => !given.some((toleration) => speaksOf(toleration, taint)));
  return [
    ...given,
    ...missing.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: LOST_NODE_SECONDS,
    })),
  ];
}

/** As the admission plugin DefaultTolerationSeconds decides whether to add its own; no key stands for all keys, no effect for all. */
function speaksOf({ key, effect }: Toleration, taint: string): boolean {
  return allows(key, taint) && allows(effect, "NoExecute");
}

function allows(value: unknown, wanted: string): boolean {
  return value === undefined || value === null || value === "" || value === wanted;
}
