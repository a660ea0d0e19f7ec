import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeClient } from "../kube/client.ts";
import { type ClusterRoleBinding, ClusterRoleBindings } from "../kube/resources.ts";
import { type Applied, isFresh, toApplied } from "./applied.ts";
import { rackSource } from "./rack.ts";

export interface RackRightsDeps {
  readonly kube: Pick<KubeClient, "apply">;
  /** Name of the ClusterRoleBinding whose subjects are the operator's to fill in. */
  readonly binding: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** Lets the workers read their nodes whose KafkaConnects ask for a label of them, and nobody else. */
export interface RackRights {
  /** These KafkaConnects count, too, until the answer is called. */
  follow(list: () => readonly KafkaConnect[]): () => void;
  /**
   * Resolves when the binding has exactly the present clusters' ServiceAccounts. Does nothing if it had the very same a moment ago. The binding itself
   * must exist: the operator has no right to make one.
   */
  keep(signal: AbortSignal): Promise<void>;
}

export function createRackRights({ kube, binding, now }: RackRightsDeps): RackRights {
  const lists = new Set<() => readonly KafkaConnect[]>();
  let last: Applied | null = null;
  /** One at a time, so that an older list never follows a newer one. */
  let turn: Promise<void> = Promise.resolve();

  async function apply(signal: AbortSignal): Promise<void> {
    const object = toRackBinding(
      binding,
      [...lists].flatMap((list) => list()),
    );
    const wanted = toApplied(object, now());
    if (isFresh(last, wanted)) return;
    last = null;
    await kube.apply(ClusterRoleBindings, object, signal);
    last = { ...wanted, atMs: now() };
  }

  return {
    follow(list) {
      lists.add(list);
      return () => void lists.delete(list);
    },
    async keep(signal) {
      const mine = turn.then(() => apply(signal));
      turn = mine.catch(() => {}); // Whoever asked is told.
      await mine;
    },
  };
}

/** The subjects of the binding, in a fixed order; what role it gives is not the operator's business. */
export function toRackBinding(name: string, connects: readonly KafkaConnect[]): ClusterRoleBinding {
  const subjects = connects
    .filter(({ spec }) => rackSource(spec, true).kind === "node-label")
    .map(({ metadata }) => ({
      kind: "ServiceAccount",
      name: workloadName(metadata.name),
      namespace: metadata.namespace ?? "",
    }))
    .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name }, subjects };
}
