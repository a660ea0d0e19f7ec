import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { workloadName } from "../cluster-pods.ts";
import { withoutSlot } from "../controller/slot.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeClient } from "../kube/client.ts";
import { type ClusterRoleBinding, ClusterRoleBindings } from "../kube/resources.ts";
import { orAborted } from "../or-aborted.ts";
import { type Applied, isFresh, toApplied } from "./applied.ts";
import type { ClusterStores } from "./observe.ts";
import { rackSource, readsNode } from "./rack.ts";

export interface RackRightsDeps {
  readonly kube: Pick<KubeClient, "apply">;
  /** Name of the ClusterRoleBinding whose subjects are the operator's to fill in. */
  readonly binding: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

type RackStores = Pick<ClusterStores, "connects" | "statefulSets">;

/** Lets the workers read their nodes whose clusters ask for a label of them, and nobody else. */
export interface RackRights {
  /** These clusters count, too, until the answer is called. */
  follow(stores: RackStores): () => void;
  /**
   * Resolves when the binding has exactly the present clusters' ServiceAccounts. Does nothing if it had the very same a moment ago. The binding itself
   * must exist: the operator has no right to make one. While somebody else's call is under way the reconcile's slot is free.
   */
  keep(signal: AbortSignal): Promise<void>;
}

export function createRackRights({ kube, binding, now }: RackRightsDeps): RackRights {
  const followed = new Set<RackStores>();
  let last: Applied | null = null;
  /** One at a time, so that an older list never follows a newer one. */
  let underWay: { readonly digest: string; readonly signal: AbortSignal; readonly call: Promise<void> } | null = null;

  async function apply(object: ClusterRoleBinding, wanted: Applied, signal: AbortSignal): Promise<void> {
    last = null;
    await kube.apply(ClusterRoleBindings, object, signal);
    last = { ...wanted, atMs: now() };
  }

  return {
    follow(stores) {
      followed.add(stores);
      return () => void followed.delete(stores);
    },
    async keep(signal) {
      for (;;) {
        signal.throwIfAborted();
        const object = toRackBinding(binding, [...followed].flatMap(rackReaders));
        const wanted = toApplied(object, now());
        const other = underWay;
        if (other === null) {
          if (isFresh(last, wanted)) return;
          const call = apply(object, wanted, signal);
          underWay = { digest: wanted.digest, signal, call };
          return await call.finally(() => {
            underWay = null;
          });
        }
        try {
          await withoutSlot(() => orAborted(other.call, signal));
        } catch (error) {
          // The same call would end so again, unless only the other one's time was up.
          if (signal.aborted || (other.digest === wanted.digest && !other.signal.aborted)) throw error;
        }
      }
    },
  };
}

/** Clusters whose workers are to learn a label of their nodes, and those whose pods still look it up when they start anew. */
function rackReaders({ connects, statefulSets }: RackStores): readonly KafkaConnect[] {
  return connects.list().filter(({ metadata, spec }) => {
    if (rackSource(spec, true).kind === "node-label") return true;
    const { namespace = "", name } = metadata;
    return readsNode(statefulSets.get({ namespace, name: workloadName(name) })?.spec?.template);
  });
}

const AGAIN_MS = 60_000;

/**
 * Keeps the rights until `signal` aborts, also those that no reconcile asks for: the last of the clusters may have gone while no operator led.
 * `isComplete`: whether all lists are followed already; if not, they have a while to be, so that nobody loses a right in between.
 */
export async function maintainRackRights(
  { rights, isComplete, log }: { readonly rights: RackRights; readonly isComplete: boolean; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const pause = () => sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  if (!isComplete) await pause();
  while (!signal.aborted) {
    await rights.keep(signal).catch((error: unknown) => {
      if (!signal.aborted) log.warn({ err: error }, NOT_KEPT);
    });
    await pause();
  }
}

/** In the log, when they could not be given or taken. */
export const NOT_KEPT = "the rights of workers to read nodes are not as they should be";

/** The subjects of the binding, in a fixed order; what role it gives is not the operator's business. */
export function toRackBinding(name: string, readers: readonly KafkaConnect[]): ClusterRoleBinding {
  const subjects = readers
    .map(({ metadata }) => ({
      kind: "ServiceAccount",
      name: workloadName(metadata.name),
      namespace: metadata.namespace ?? "",
    }))
    .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name }, subjects };
}
