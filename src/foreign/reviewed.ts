import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { Store } from "../kube/client.ts";
import { decodeObject } from "../kube/decode.ts";
import type { Pod } from "../kube/resources.ts";
import { type ForeignApi, type ForeignObject, foreignClusterOf, isClaimed, parseForeignApi } from "./dialect.ts";
import { prunedPart } from "./status-memory.ts";
import { viewConnect, viewConnector } from "./view.ts";

/** What is claimed of another group, for a look at a change before it is made: nothing is remembered between two looks. */
export interface ReviewedClaims {
  readonly group: string;
  /** Null: it is not claimed. */
  toConnect(object: unknown, version: string): KafkaConnect | null;
  /** Null: it is on no cluster that is claimed. */
  toConnector(object: unknown, version: string): KafkaConnector | null;
  readonly connects: Pick<Store<KafkaConnect>, "get">;
  readonly pods: Store<Pod>;
}

export function reviewedClaims(
  api: ForeignApi,
  { connects, pods }: { readonly connects: Store<ForeignObject>; readonly pods: Store<Pod> },
): ReviewedClaims {
  const { group } = api.dialect;
  /** The API server asks in the version of the rule that it has found. */
  const inVersion = (version: string) => parseForeignApi(`${group}/${version}`) ?? api;
  const seen = (of: ForeignApi, object: ForeignObject) =>
    viewConnect(of, object, { ...object.status, ...prunedPart(object) });
  return {
    group,
    pods,
    toConnect(object, version) {
      const of = inVersion(version);
      const connect = decodeObject(of.connects, object);
      return isClaimed(connect) ? seen(of, connect) : null;
    },
    toConnector(object, version) {
      const of = inVersion(version);
      const connector = decodeObject(of.connectors, object);
      const name = foreignClusterOf(of, connector);
      const { namespace = "" } = connector.metadata;
      if (name === undefined || !isClaimed(connects.get({ namespace, name }))) return null;
      return viewConnector(of, connector, { status: undefined, leavingSince: undefined });
    },
    connects: {
      get(key) {
        const connect = connects.get(key);
        return connect !== undefined && isClaimed(connect) ? seen(api, connect) : undefined;
      },
    },
  };
}
