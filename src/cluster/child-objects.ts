import type { KubeClient, KubeObject, ResourceType } from "../kube/client.ts";
import {
  ConfigMaps,
  NetworkPolicies,
  PodDisruptionBudgets,
  RoleBindings,
  Roles,
  Secrets,
  ServiceAccounts,
  Services,
} from "../kube/resources.ts";
import { allEnded } from "./all-ended.ts";
import { type Applied, isFresh, toApplied } from "./applied.ts";
import type { Desired } from "./desired.ts";

export interface ChildObjectsDeps {
  readonly kube: Pick<KubeClient, "apply">;
  /** Whether workers get a NetworkPolicy; true if not given. */
  readonly networkPolicies?: boolean;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** Applies everything that a worker's pod needs before it is made. */
export interface ChildObjects {
  /**
   * Applies what depends on nothing else at the same time, and answers what to give as `last` the next time. Does nothing if the very
   * same was applied a moment ago. If something fails it throws after the others have ended.
   */
  apply(desired: Desired, last: Applied | null, signal: AbortSignal): Promise<Applied>;
}

export function createChildObjects({ kube, networkPolicies = true, now }: ChildObjectsDeps): ChildObjects {
  return {
    async apply(desired, last, signal) {
      const chains = chainsOf(desired, networkPolicies);
      const objects = chains.map((chain) => chain.map(({ object }) => object));
      const wanted = toApplied(objects, now());
      if (last !== null && isFresh(last, wanted)) return last;
      await allEnded(
        chains.map(async (chain) => {
          for (const { type, object } of chain) await kube.apply(type, object, signal);
        }),
      );
      return { ...wanted, atMs: now() };
    },
  };
}

interface Wanted {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** A RoleBinding is refused as long as its Role is not there; nothing else waits for anything. */
function chainsOf(desired: Desired, networkPolicies: boolean): readonly (readonly Wanted[])[] {
  return [
    [
      { type: Roles, object: desired.role },
      { type: RoleBindings, object: desired.roleBinding },
    ],
    [{ type: ServiceAccounts, object: desired.serviceAccount }],
    [{ type: ConfigMaps, object: desired.configMap }],
    ...(desired.trustSecret === null ? [] : [[{ type: Secrets, object: desired.trustSecret }]]),
    ...desired.services.map((object) => [{ type: Services, object }]),
    [{ type: PodDisruptionBudgets, object: desired.disruptionBudget }],
    ...(networkPolicies ? [[{ type: NetworkPolicies, object: desired.networkPolicy }]] : []),
  ];
}
