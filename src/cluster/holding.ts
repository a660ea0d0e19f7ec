import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeClient, Store } from "../kube/client.ts";
import { ConfigMaps, type Pod, type StatefulSet, StatefulSets } from "../kube/resources.ts";
import { type Claim, namesSame, readClaim, toAnnotations, toClaim, withBrokersOf } from "./claim.ts";
import { describeHolder } from "./group-taken.ts";
import { lastGoodName } from "./last-good.ts";
import { isVacant, type Neighbours } from "./neighbours.ts";
import type { ObservedCluster } from "./observe.ts";
import { isOutdated } from "./worker-pod.ts";

export interface HoldingDeps {
  readonly kube: Pick<KubeClient, "patch" | "delete">;
  readonly pods: Store<Pod>;
  /** Who may have the same group or topics; not given: nobody has. */
  readonly neighbours?: Pick<Neighbours, "holderOf"> | undefined;
}

/** What is with the workers of another group, or with other topics, than those that the spec asks for now. */
export type Former = "none" | "there" | "gone";

/** What a cluster has of its Kafka: a group and topics that no other one may have meanwhile. */
export interface Holding {
  /** Who has what it asks for, and what to do, as sentences; null if it may have it. `workers`: how many it has itself. */
  takenFrom(resource: KafkaConnect, workers: number): string | null;
  /** Writes down what the workers have, of those from before it was: only now does the spec still say so. */
  keep(resource: KafkaConnect, statefulSet: StatefulSet, signal: AbortSignal): Promise<void>;
  /**
   * Workers of two groups, or with two topics, would run one connector twice: those of the former end before others begin. Once they are
   * gone, what was good with the former cannot come back: it is removed here, and must not be remembered either.
   */
  formerOf(resource: KafkaConnect, statefulSet: StatefulSet | undefined, signal: AbortSignal): Promise<Former>;
}

export function createHolding({ kube, pods, neighbours }: HoldingDeps): Holding {
  return {
    takenFrom(resource, workers) {
      const holder = neighbours?.holderOf(resource) ?? null;
      return holder === null ? null : describeHolder(holder, workers);
    },
    async keep(resource, statefulSet, signal) {
      if (readClaim(statefulSet) !== null) return;
      const { namespace = "", name } = resource.metadata;
      const metadata = { annotations: toAnnotations(toClaim(resource)) };
      await kube.patch(StatefulSets, { namespace, name: workloadName(name) }, { metadata }, signal);
    },
    async formerOf(resource, statefulSet, signal) {
      const former = statefulSet === undefined ? null : readClaim(statefulSet);
      if (statefulSet === undefined || former === null || namesSame(former, toClaim(resource))) return "none";
      if (!isVacant(statefulSet, pods)) return "there";
      const { namespace = "", name } = resource.metadata;
      await kube.delete(ConfigMaps, { namespace, name: lastGoodName(name) }, {}, signal);
      return "gone";
    },
  };
}

/** What the workers have once this revision is applied: those that are not replaced yet may be at other brokers. */
export function claimFor(
  resource: KafkaConnect,
  { statefulSet, pods }: Pick<ObservedCluster, "statefulSet" | "pods">,
  revision: string,
): Claim {
  const claim = toClaim(resource);
  const former = statefulSet === undefined ? null : readClaim(statefulSet);
  return former !== null && pods.some((pod) => isOutdated(pod, revision)) ? withBrokersOf(claim, former) : claim;
}
