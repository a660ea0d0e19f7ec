import { API_GROUP } from "@headrace/contract";
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

/** Our own kinds: all of them are this operator's. */
export function ownGroup({ connects, pods }: Pick<ReviewedGroup, "connects" | "pods">): ReviewedGroup {
  return {
    group: API_GROUP,
    toConnect: (object) => decodeObject(KafkaConnects, object),
    toConnector: (object) => decodeObject(KafkaConnectors, object),
    connects,
    pods,
  };
}
