import { clusterOf, podsOf, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod, StatefulSet } from "../kube/resources.ts";
import { type Claim, namesSame, readClaim, toClaim } from "./claim.ts";
import { type Holder, holderOf, type Party, toParty } from "./group-taken.ts";

type Connects = Pick<Store<KafkaConnect>, "list" | "onChange">;

/** Of all clusters, whoever works on them. */
export interface Workloads {
  readonly statefulSets: Store<StatefulSet>;
  readonly pods: Store<Pod>;
}

/** All clusters that this operator knows, of every API group: what they have, or ask for, of one Kafka must not be the same. */
export interface Neighbours {
  list(): readonly KafkaConnect[];
  /** Who has what `connect` asks for; null if it may have it. */
  holderOf(connect: KafkaConnect): Holder | null;
  /**
   * Notes that the workers of `connect` are about to get this: until their StatefulSet tells, it counts as theirs. Two operators on one
   * API server see of each other what their watches have told. Answers how to take it back, if nothing was made.
   */
  reserve(connect: KafkaConnect, claim: Claim): () => void;
  /** Counts those of a store from now on. Answers what ends it. */
  follow(connects: Connects): () => void;
  /** Tells of each KafkaConnect whose spec is another one, that has come, or that is gone. Answers how to stop. */
  onChange(listener: (changed: readonly KafkaConnect[]) => void): () => void;
}

export function createNeighbours({ statefulSets, pods }: Workloads): Neighbours {
  const followed = new Set<Connects>();
  const listeners = new Set<(changed: readonly KafkaConnect[]) => void>();
  /** By uid of the KafkaConnect. */
  const reserved = new Map<string, Claim>();
  /** StatefulSets that are gone, while pods of them may be there, by their keys. */
  const gone = new Map<string, StatefulSet>();

  function tell(changed: readonly KafkaConnect[]): void {
    for (const listener of listeners) listener(changed);
  }

  statefulSets.onChange(({ previous, current }) => {
    const set = current ?? previous;
    if (set === undefined) return;
    if (current === undefined) gone.set(idOf(keyOf(set)), set);
    else gone.delete(idOf(keyOf(set)));
  });

  function lingering(): readonly StatefulSet[] {
    for (const [id, set] of gone) if (podsOf(pods, ownerKey(set)).length === 0) gone.delete(id);
    return [...gone.values()];
  }

  function list(): readonly KafkaConnect[] {
    return [...followed].flatMap((connects) => connects.list());
  }

  function reservationOf({ metadata: { uid = "" } }: KafkaConnect, recorded: Claim | null): readonly Claim[] {
    const claim = reserved.get(uid);
    if (claim === undefined) return [];
    if (JSON.stringify(claim) !== JSON.stringify(recorded)) return [claim];
    reserved.delete(uid);
    return [];
  }

  /** What the workers of a KafkaConnect have. From a time before it was written down, they have what the spec says. */
  function holdsOf(connect: KafkaConnect): readonly Claim[] {
    const set = workloadOf(connect);
    const recorded = set === undefined ? null : readClaim(set);
    const reservation = reservationOf(connect, recorded);
    if (set === undefined) return reservation;
    const wants = toClaim(connect);
    const claim = recorded ?? wants;
    // What it had without any workers it may lose by asking for another one.
    if (isVacant(set, pods) && !namesSame(claim, wants)) return reservation;
    return [claim, ...reservation];
  }

  function workloadOf({ apiVersion, metadata: { namespace = "", name } }: KafkaConnect): StatefulSet | undefined {
    const key = { namespace, name: workloadName(name) };
    const set = statefulSets.get(key) ?? lingering().find((one) => idOf(keyOf(one)) === idOf(key));
    const group = set === undefined ? undefined : groupOf(set);
    return group === undefined || apiVersion.startsWith(`${group}/`) ? set : undefined;
  }

  /** Those whose KafkaConnect is gone, is not claimed any more, or is not known yet. */
  function ownerless(connects: readonly KafkaConnect[]): readonly Party[] {
    const owned = new Set(connects.flatMap((connect) => workloadOf(connect) ?? []));
    return [...statefulSets.list(), ...lingering()].flatMap((set) => {
      const claim = owned.has(set) ? null : readClaim(set);
      if (claim === null || isVacant(set, pods)) return [];
      const { namespace, name } = set.metadata;
      return [{ title: `the StatefulSet ${namespace}/${name}`, rank: "~", wants: null, holds: [claim] }];
    });
  }

  return {
    list,
    holderOf(connect) {
      const connects = list().filter(({ metadata }) => metadata.uid !== connect.metadata.uid);
      const others = connects.map((one) => toParty(one, holdsOf(one)));
      return holderOf(toParty(connect, holdsOf(connect)), [...others, ...ownerless([connect, ...connects])]);
    },
    reserve(connect, claim) {
      const { uid = "" } = connect.metadata;
      reserved.set(uid, claim);
      return () => reserved.delete(uid);
    },
    follow(connects) {
      followed.add(connects);
      const unsubscribe = connects.onChange(({ previous, current }) => {
        const [before, after] = [previous?.metadata, current?.metadata];
        if (before?.uid !== undefined && current === undefined) reserved.delete(before.uid);
        if (before?.uid === after?.uid && before?.generation === after?.generation) return;
        tell([previous, current].filter((one) => one !== undefined));
      });
      tell(connects.list());
      return () => {
        unsubscribe();
        const lost = connects.list();
        followed.delete(connects);
        tell(lost);
      };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** True if a StatefulSet is to have no pods, and has none. */
export function isVacant(set: StatefulSet, pods: Store<Pod>): boolean {
  const { spec, status, metadata } = set;
  const { observedGeneration = metadata.generation ?? 0, replicas = 0 } = status ?? {};
  if ((spec?.replicas ?? 1) > 0 || replicas > 0 || observedGeneration < (metadata.generation ?? 0)) return false;
  return podsOf(pods, ownerKey(set)).length === 0;
}

function ownerKey(set: StatefulSet): ObjectKey {
  return clusterOf(set) ?? { namespace: set.metadata.namespace ?? "", name: "" };
}

/** The API group of the KafkaConnect that a StatefulSet was made for; undefined if it was let go. */
function groupOf({ metadata }: StatefulSet): string | undefined {
  return metadata.ownerReferences?.find(({ kind }) => kind === "KafkaConnect")?.apiVersion.split("/")[0];
}

function keyOf({ metadata }: StatefulSet): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
