import { connectorNameOf } from "@headrace/contract";
import type { Logger } from "pino";
import { createController } from "../controller/controller.ts";
import { type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import type { KafkaConnector } from "../kinds.ts";
import type { ObjectKey } from "../kube/client.ts";
import { type ConnectClient, isConnectError } from "../worker/connect-client.ts";
import { type ConnectorStores, type LiveCluster, type ObserveInputs, observe } from "./observe.ts";
import { OffsetsError, parseOffsets } from "./offsets-json.ts";
import { keepTime, type OffsetsSummary, summarizeLag, summarizeOffsets } from "./offsets-summary.ts";
import { isRemembered } from "./ownership.ts";

export interface OffsetsWatchDeps extends Pick<ObserveInputs, "viewOf" | "claimOf"> {
  readonly connect: Pick<ConnectClient, "offsets" | "lag">;
  readonly stores: ConnectorStores;
  readonly log: Logger;
  /** How often a connector is looked at, ms. */
  readonly everyMs: number;
  /** A connector has come further. */
  readonly changed: (connector: ObjectKey) => void;
  readonly now: () => number;
  readonly random?: () => number;
}

/** Looks now and then how far the connectors have come. */
export interface OffsetsWatch {
  /** What was found last of this very resource; undefined as long as nothing was. */
  of(resource: KafkaConnector): OffsetsSummary | undefined;
  /** A connector is there, or is not any more. */
  follow(connector: ObjectKey): void;
  run(signal: AbortSignal): Promise<void>;
}

const CONCURRENCY = 8;
/** One at a time of each cluster: this is never urgent. */
const PER_CLUSTER = 1;

/**
 * One question per connector and interval, the questions spread over it: the cost is flat, however fast the offsets change. A worker that
 * has no answer (a connector that is being made, a Kafka that is away) leaves the last one in place.
 */
export function createOffsetsWatch(deps: OffsetsWatchDeps): OffsetsWatch {
  const { connect, stores, log, everyMs, changed, now, random = Math.random } = deps;
  const known = new Map<string, { readonly uid: string; summary: OffsetsSummary | undefined }>();

  async function look(name: string, cluster: LiveCluster, signal: AbortSignal): Promise<OffsetsSummary | null> {
    const { worker, actual } = cluster;
    if (actual === null) return null;
    try {
      if (actual.status?.type === "sink") {
        try {
          return summarizeLag(await connect.lag(worker, name, signal), now());
        } catch (error) {
          // Workers of Apache's have no such question.
          if (!isConnectError(error, "not-found")) throw error;
        }
      }
      return summarizeOffsets(parseOffsets(await connect.offsets(worker, name, signal)), actual.config, now());
    } catch (error) {
      if (!isConnectError(error) && !(error instanceof OffsetsError)) throw error;
      signal.throwIfAborted();
      log.debug({ connector: name, err: error }, "offsets not known");
      return null;
    }
  }

  async function reconcile(key: ObjectKey, signal: AbortSignal): Promise<Outcome> {
    const resource = stores.connectors.get(key);
    const id = idOf(key);
    if (resource === undefined || resource.metadata.deletionTimestamp !== undefined) {
      known.delete(id);
      return settled;
    }
    const { uid = "" } = resource.metadata;
    if (known.get(id)?.uid !== uid) {
      known.set(id, { uid, summary: resource.status?.offsets });
      return retryAfter(everyMs * random());
    }
    const observed = observe(resource, { ...deps, ...stores });
    const { cluster } = observed;
    if (cluster.kind === "live" && (isRemembered(observed, cluster) || resource.spec.managementPolicy === "Observe")) {
      const found = await look(connectorNameOf(resource), cluster, signal);
      const entry = known.get(id);
      if (found !== null && entry?.uid === uid) {
        const summary = keepTime(found, entry.summary);
        if (summary !== entry.summary) changed(key);
        entry.summary = summary;
      }
    }
    return retryAfter(everyMs * (0.9 + 0.2 * random()));
  }

  const controller = createController({
    name: "offsets",
    reconcile,
    log,
    concurrency: CONCURRENCY,
    groupOf: (key) => {
      const resource = stores.connectors.get(key);
      const cluster = resource?.status?.connectCluster;
      return cluster === undefined ? null : `${cluster.namespace ?? key.namespace}/${cluster.name}`;
    },
    groupConcurrency: PER_CLUSTER,
  });

  return {
    of({ metadata, status }) {
      const { uid, namespace = "", name } = metadata;
      const entry = known.get(idOf({ namespace, name }));
      return entry !== undefined && entry.uid === uid ? entry.summary : status?.offsets;
    },
    follow: (connector) => controller.enqueue(connector),
    run(signal) {
      for (const { metadata } of stores.connectors.list()) {
        controller.enqueue({ namespace: metadata.namespace ?? "", name: metadata.name });
      }
      return controller.run(signal);
    },
  };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
