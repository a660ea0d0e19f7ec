import { CONNECTOR_FINALIZER, isObject } from "@headrace/contract";
import type { KubeObject, ObjectKey, Store } from "./kube/client.ts";
import { createDerivedStore, ownedStore } from "./kube/derived-store.ts";

/** KafkaConnects and KafkaConnectors of one API group. */
export interface ShardStores<Connect extends KubeObject, Connector extends KubeObject> {
  readonly connects: Store<Connect>;
  readonly connectors: Store<Connector>;
  /** Whether a KafkaConnect that is there is another operator's; not given: none is. */
  readonly isOthers?: (cluster: ObjectKey) => boolean;
}

export interface ShardOptions<Connect extends KubeObject, Connector extends KubeObject>
  extends ShardStores<Connect, Connector> {
  /** Whether a KafkaConnect has the labels that this operator looks for. */
  readonly isOurs: (connect: Connect) => boolean;
  /** The KafkaConnect that a connector's labels name. */
  readonly namedBy: (connector: Connector) => ObjectKey | undefined;
  /** Whether this operator sees what is in a namespace. */
  readonly isWatched: (namespace: string) => boolean;
  /** The one that it was made on, by its status. */
  readonly madeOn: (connector: Connector) => (ObjectKey & { readonly uid: string }) | undefined;
}

/**
 * The KafkaConnects that are this operator's among several, and the KafkaConnectors on them. A connector belongs to where it was made, as
 * long as that is there: nobody else may start it before it is stopped there. Of those on no cluster at all only such show that are being
 * deleted and carry our finalizer, to every operator that would see the cluster if it were there: somebody has to let them go. `close`
 * ends following the stores.
 */
export function openShard<Connect extends KubeObject, Connector extends KubeObject>({
  connects,
  connectors,
  isOurs,
  isWatched,
  namedBy,
  madeOn,
}: ShardOptions<Connect, Connector>): ShardStores<Connect, Connector> & { readonly close: () => void } {
  const ours = createDerivedStore<Connector>();

  function homeOf(connector: Connector): Connect | undefined {
    const former = madeOn(connector);
    const place = former === undefined ? undefined : connects.get(former);
    if (place !== undefined && place.metadata.uid === former?.uid) return place;
    const named = namedBy(connector);
    return named === undefined ? undefined : connects.get(named);
  }

  function isVisible(connector: Connector): boolean {
    const home = homeOf(connector);
    if (home !== undefined) return isOurs(home);
    const { deletionTimestamp, finalizers } = connector.metadata;
    const places = [madeOn(connector), namedBy(connector)];
    if (!places.every((place) => place === undefined || isWatched(place.namespace))) return false;
    return deletionTimestamp !== undefined && finalizers?.includes(CONNECTOR_FINALIZER) === true;
  }

  function look(connector: Connector): void {
    if (isVisible(connector)) ours.put(keyOf(connector), connector);
    else ours.remove(keyOf(connector));
  }

  function lookAtAll(): void {
    for (const connector of connectors.list()) look(connector);
  }

  const subscriptions = [
    connectors.onChange(({ previous, current }) => {
      if (current !== undefined) look(current);
      else if (previous !== undefined) ours.remove(keyOf(previous));
    }),
    connects.onChange(({ previous, current }) => {
      const [before, after] = [previous, current].map((connect) => connect !== undefined && isOurs(connect));
      if (previous?.metadata.uid !== current?.metadata.uid || before !== after) lookAtAll();
    }),
  ];
  lookAtAll();

  return {
    connects: ownedStore(connects, isOurs),
    connectors: ours.store(() => connects.synced() && connectors.synced()),
    isOthers(key) {
      const connect = connects.get(key);
      return connect !== undefined && !isOurs(connect);
    },
    close() {
      for (const unsubscribe of subscriptions) unsubscribe();
    },
  };
}

/** Where a connector was made, as its status remembers it. */
export function formerCluster({
  metadata,
  status,
}: Pick<KubeObject, "metadata"> & { readonly status?: unknown }): (ObjectKey & { readonly uid: string }) | undefined {
  const remembered = isObject(status) ? status["connectCluster"] : undefined;
  if (!isObject(remembered)) return undefined;
  const { namespace = metadata.namespace, name, uid } = remembered;
  if (typeof namespace !== "string" || typeof name !== "string" || typeof uid !== "string") return undefined;
  return { namespace, name, uid };
}

function keyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
