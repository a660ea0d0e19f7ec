import { CONNECTOR_FINALIZER } from "@headrace/contract";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeObject, ObjectKey, Store } from "../kube/client.ts";
import { createDerivedStore } from "../kube/derived-store.ts";
import { type ForeignApi, type ForeignObject, foreignClusterOf, isClaimed } from "./dialect.ts";
import type { StatusMemory } from "./status-memory.ts";
import { viewConnect, viewConnector } from "./view.ts";

export interface ClaimedStoresOptions {
  readonly api: ForeignApi;
  readonly connects: Store<ForeignObject>;
  /** Also those that other operators work on; `connects` if not given. */
  readonly everywhere?: Store<ForeignObject>;
  readonly connectors: Store<ForeignObject>;
  readonly memory: StatusMemory;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
}

/** What is ours of another group, in our form. */
export interface ClaimedStores {
  readonly connects: Store<KafkaConnect>;
  readonly connectors: Store<KafkaConnector>;
  /** Whether a KafkaConnect is claimed, and for another operator. */
  readonly isOthers: (cluster: ObjectKey) => boolean;
  /** A resource as its own API serves it. */
  readonly original: (kind: string, key: ObjectKey) => ForeignObject | undefined;
  /** Reads the status of a resource from the memory again. */
  readonly refresh: (kind: string, key: ObjectKey) => void;
  /** Ends following the stores. */
  readonly close: () => void;
}

/**
 * The claimed KafkaConnects of a group, and the KafkaConnectors on them.
 *
 * A KafkaConnector that carries our finalizer and whose cluster is not claimed (any more) reads as deleted: it is taken from where we
 * put it, and let go. On a cluster that is given back it stays, since that KafkaConnect is not in the store any more. One that names
 * a cluster that is claimed for another operator stays where it is, as those of our own kinds do.
 */
export function createClaimedStores({
  api,
  connects,
  everywhere = connects,
  connectors,
  memory,
  now,
}: ClaimedStoresOptions): ClaimedStores {
  const ours = createDerivedStore<KafkaConnect>();
  const theirs = createDerivedStore<KafkaConnector>();
  const leaving = new Map<string, string>();

  function leavingSince(uid: string): string {
    const since = leaving.get(uid) ?? new Date(now()).toISOString();
    leaving.set(uid, since);
    return since;
  }

  function refreshConnect(key: ObjectKey): void {
    const object = connects.get(key);
    if (object === undefined || !isClaimed(object)) ours.remove(key);
    else ours.put(key, viewConnect(api, object, memory.read(object)));
  }

  function refreshConnector(key: ObjectKey): void {
    const object = connectors.get(key);
    const cluster = object === undefined ? undefined : foreignClusterOf(api, object);
    if (object === undefined) {
      theirs.remove(key);
      return;
    }
    const uid = object.metadata.uid ?? "";
    const claimed = cluster !== undefined && isClaimed(everywhere.get({ namespace: key.namespace, name: cluster }));
    const held = object.metadata.finalizers?.includes(CONNECTOR_FINALIZER) === true;
    if (claimed) leaving.delete(uid);
    if (!claimed && !held) {
      leaving.delete(uid);
      theirs.remove(key);
      return;
    }
    const since = claimed ? undefined : leavingSince(uid);
    theirs.put(key, viewConnector(api, object, { status: memory.read(object), leavingSince: since }));
  }

  const subscriptions = [
    connects.onChange(({ previous, current }) => {
      const object = current ?? previous;
      if (object === undefined) return;
      const key = keyOf(object);
      refreshConnect(key);
      if (current === undefined) memory.forget(object.metadata.uid ?? "");
    }),
    everywhere.onChange(({ previous, current }) => {
      const object = current ?? previous;
      if (object === undefined || isClaimed(previous) === isClaimed(current)) return;
      const key = keyOf(object);
      for (const connector of connectors.list())
        if (connector.metadata.namespace === key.namespace && foreignClusterOf(api, connector) === key.name)
          refreshConnector(keyOf(connector));
    }),
    connectors.onChange(({ previous, current }) => {
      const object = current ?? previous;
      if (object === undefined) return;
      refreshConnector(keyOf(object));
      if (current === undefined) {
        memory.forget(object.metadata.uid ?? "");
        leaving.delete(object.metadata.uid ?? "");
      }
    }),
  ];
  for (const connect of connects.list()) refreshConnect(keyOf(connect));
  for (const connector of connectors.list()) refreshConnector(keyOf(connector));

  return {
    connects: ours.store(() => connects.synced() && connectors.synced()),
    connectors: theirs.store(() => connects.synced() && connectors.synced()),
    isOthers: (key) => isClaimed(everywhere.get(key)) && connects.get(key) === undefined,
    original: (kind, key) => (kind === api.connects.kind ? connects : connectors).get(key),
    refresh: (kind, key) => (kind === api.connects.kind ? refreshConnect(key) : refreshConnector(key)),
    close() {
      for (const unsubscribe of subscriptions) unsubscribe();
    },
  };
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
