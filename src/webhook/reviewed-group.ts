import { API_GROUP, clusterKeyOf } from "@headrace/contract";
import { type KafkaConnect, type KafkaConnector, KafkaConnectors, KafkaConnects } from "../kinds.ts";
import type { Store } from "../kube/client.ts";
import { decodeObject } from "../kube/decode.ts";
import type { Pod } from "../kube/resources.ts";

/** Resources of one API group, as far as the webhook looks at them. */
export interface ReviewedGroup {
  readonly group: string;
  /** A KafkaConnect as it came from the API server, in our form; null: it is not this operator's. */
  toConnect(object: unknown, version: string): KafkaConnect | null;
  /** Likewise, a KafkaConnector. */
  toConnector(object: unknown, version: string): KafkaConnector | null;
  readonly connects: Pick<Store<KafkaConnect>, "get">;
  /** The workers' pods. */
  readonly pods: Store<Pod>;
}

export interface OwnGroupOptions extends Pick<ReviewedGroup, "connects" | "pods"> {
  /** Whether a KafkaConnect is this operator's; what is on another operator's is not either. */
  readonly isOurs: (connect: KafkaConnect) => boolean;
  /** All of them, whoever works on them. */
  readonly all: Pick<Store<KafkaConnect>, "get">;
}

/** Our own kinds. */
export function ownGroup({ connects, pods, isOurs, all }: OwnGroupOptions): ReviewedGroup {
  return {
    group: API_GROUP,
    toConnect(object) {
      const connect = decodeObject(KafkaConnects, object);
      return isOurs(connect) ? connect : null;
    },
    toConnector(object) {
      const connector = decodeObject(KafkaConnectors, object);
      const cluster = clusterKeyOf(connector.metadata);
      const connect = cluster === undefined ? undefined : all.get(cluster);
      return connect === undefined || isOurs(connect) ? connector : null;
    },
    connects,
    pods,
  };
}
