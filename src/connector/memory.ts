import type { KafkaConnectorStatus, StringMap } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";
import type { ObjectKey } from "../kube/client.ts";

import type { RestartBook } from "./auto-restart.ts";
import type { Echo } from "./echo.ts";
import type { OperationStatus } from "./operation.ts";
import type { Request } from "./requests.ts";
import type { Settling } from "./settling.ts";
import type { SourcesRead } from "./source-watch.ts";
import type { Refusal } from "./validation.ts";

/** What is kept between reconciles of one connector; losing it costs repeated calls, never a wrong step. */
export interface Memory {
  readonly uid: string;
  echo: Echo | null;
  settling: Settling | null;
  /** A refusal, so that the same is not asked again at every event. */
  refusal: {
    readonly of: StringMap;
    readonly clusterUid: string;
    readonly refusal: Refusal;
    readonly untilMs: number;
  } | null;
  /** What was obeyed last, and the version of the resource without its annotation; null while that could not be removed. */
  obeyed: { readonly request: Request; readonly version: string | null } | null;
  /** Since when a request has been tried in vain. */
  trying: { readonly request: Request; readonly sinceMs: number } | null;
  /** How the requests of each kind have ended. */
  operations: readonly OperationStatus[];
  startFrom: KafkaConnectorStatus["startFrom"];
  /** The Secrets and ConfigMaps as the connector has read them. */
  sources: SourcesRead | null;
  /** Restarts of the instances, and the generation that they count for. */
  book: { readonly entries: RestartBook; readonly generation: number };
}

/** The memories of all connectors. */
export interface Memories {
  /** That of this very resource: another one of the same name has its own. */
  of(resource: KafkaConnector): Memory;
  /** Forgets the resource; answers the uid that it had. */
  forget(key: ObjectKey): string | undefined;
}

export function createMemories(): Memories {
  const memories = new Map<string, Memory>();
  return {
    of({ metadata, status }) {
      const id = idOf({ namespace: metadata.namespace ?? "", name: metadata.name });
      const { uid = "" } = metadata;
      const known = memories.get(id);
      if (known?.uid === uid) return known;
      const memory: Memory = {
        uid,
        echo: null,
        settling: null,
        refusal: null,
        obeyed: null,
        trying: null,
        operations: status?.operations ?? [],
        startFrom: status?.startFrom,
        sources: null,
        book: { entries: new Map(), generation: status?.observedGeneration ?? 0 },
      };
      memories.set(id, memory);
      return memory;
    },
    forget(key) {
      const uid = memories.get(idOf(key))?.uid;
      memories.delete(idOf(key));
      return uid;
    },
  };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
