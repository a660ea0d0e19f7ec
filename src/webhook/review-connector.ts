import { isDeepStrictEqual } from "node:util";
import { CONNECTOR_FIELDS, type ConfigValueProblem, clusterKeyOf, hasPlaceholder } from "@headrace/contract";
import { readyWorkers } from "../cluster-pods.ts";
import { isAllowed, type NamespaceLabels } from "../connector/claims.ts";
import { withoutEffectOnJvm } from "../connector/jvm-limits.ts";
import { foreignReferences, sourceProviders } from "../connector/sources.ts";
import { type Refusal, validateConfig } from "../connector/validation.ts";
import { toWanted, type WantedConnector } from "../connector/wanted.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import { type ConnectClient, firstAnswer, isConnectError } from "../worker/connect-client.ts";
import { FINE, type FieldError, type Verdict } from "./admission-review.ts";

export interface ConnectorReviewDeps {
  readonly connects: Pick<Store<KafkaConnect>, "get">;
  readonly pods: Store<Pod>;
  readonly connect: Pick<ConnectClient, "validate" | "hasPlugin">;
  readonly namespaceLabels: NamespaceLabels;
  /** Whether resources of a namespace are reconciled. */
  readonly isWatched: (namespace: string) => boolean;
}

/**
 * Says what would be wrong with a KafkaConnector, by the word of the plugin that runs on its cluster. What cannot be known now (there is
 * no cluster, it is being changed, its workers do not answer) is a warning, never a refusal: resources are applied in any order.
 *
 * Guarantees: nothing is changed anywhere; a cluster is not asked about connectors of namespaces that it does not take. Rejects only
 * if `signal` aborts.
 */
export async function reviewConnector(
  deps: ConnectorReviewDeps,
  change: { readonly object: KafkaConnector; readonly before: KafkaConnector | null },
  signal: AbortSignal,
): Promise<Verdict> {
  const { object, before } = change;
  if (object.metadata.deletionTimestamp !== undefined || isSameWish(object, before)) return FINE;
  const cluster = clusterKeyOf(object.metadata);
  const connect = cluster === undefined ? undefined : deps.connects.get(cluster);
  const { namespace = "" } = object.metadata;
  const takes = connect !== undefined && isAllowed(connect, namespace, deps.namespaceLabels);
  const asked = toWanted(object);
  // Nobody learns of a cluster that takes nothing from them.
  const warnings = [...asked.warnings, ...withoutEffectOnJvm(object, asked.config, takes ? connect : undefined)];
  const wanted = { ...asked, warnings };
  const own = wanted.problems.map(toFieldError);
  if (object.spec.managementPolicy === "Observe") return { errors: own, warnings };
  const unchecked = (why: string): Verdict => ({ errors: own, warnings: [...warnings, `${why} ${UNCHECKED}`] });
  if (cluster === undefined) return unchecked("The label headrace.dev/cluster is missing.");
  const name = `KafkaConnect ${cluster.namespace}/${cluster.name}`;
  if (connect === undefined) {
    return unchecked(
      deps.isWatched(cluster.namespace) ? `${name} does not exist.` : `${name} is not seen by this operator.`,
    );
  }
  if (!takes) {
    return unchecked(`${name} takes no connectors of namespace ${namespace}.`);
  }
  const places = { own: namespace, workers: cluster.namespace };
  const foreign = foreignReferences(wanted.config, sourceProviders(connect), places).map(toFieldError);
  const errors = [...own, ...foreign];
  if (errors.length > 0) return { errors, warnings };
  const unsettled = whyUnsettled(connect);
  if (unsettled !== null) return unchecked(`${name} ${unsettled}.`);
  try {
    const refusal = await ask(deps, { cluster, wanted }, signal);
    return refusal === null ? { errors: [], warnings } : judge(refusal, { wanted, connect });
  } catch (error) {
    if (!isConnectError(error)) throw error;
    return unchecked(`${name}: ${error.message.replace(/[.\s]*$/, ".")}`);
  }
}

const UNCHECKED = "The configuration was not checked.";

/** True for changes that are none of the connector itself: finalizers, annotations, other labels. */
function isSameWish(object: KafkaConnector, before: KafkaConnector | null): boolean {
  if (before === null) return false;
  const cluster = clusterKeyOf(object.metadata);
  return isDeepStrictEqual([object.spec, cluster], [before.spec, clusterKeyOf(before.metadata)]);
}

/** While workers of two configurations may run, or none, their word is not the last one. */
function whyUnsettled({ metadata, spec, status }: KafkaConnect): string | null {
  if (metadata.deletionTimestamp !== undefined) return "is being deleted";
  if (spec.replicas === 0) return "has 0 replicas";
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (status?.observedGeneration !== metadata.generation || ready?.status !== "True") return "is not ready";
  return null;
}

async function ask(
  { pods, connect }: ConnectorReviewDeps,
  { cluster, wanted }: { readonly cluster: ObjectKey; readonly wanted: WantedConnector },
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { config } = wanted;
  const workers = readyWorkers(pods, cluster);
  return (await firstAnswer(workers, (worker) => validateConfig(worker, { connect, config }, signal))).answer;
}

/** A value with a placeholder may be another one by the time the connector reads it: what is wrong with it now is a warning. */
function judge(
  refusal: Refusal,
  { wanted, connect }: { readonly wanted: WantedConnector; readonly connect: KafkaConnect },
): Verdict {
  const isPassing = (key: string) => hasPlaceholder(wanted.config[key] ?? "");
  switch (refusal.kind) {
    case "unknown-class": {
      const plugins = connect.status?.connectorPlugins?.map(({ class: plugin }) => plugin) ?? [];
      const message = `the workers have no connector plugin "${wanted.config["connector.class"]}"${plugins.length === 0 ? "" : `; they have ${plugins.join(", ")}`}`;
      if (!isPassing("connector.class"))
        return { errors: [{ field: "spec.class", message }], warnings: wanted.warnings };
      return { errors: [], warnings: [...wanted.warnings, `spec.class: ${message}`] };
    }
    case "invalid": {
      const passing = refusal.problems.filter(({ key }) => isPassing(key)).map(toFieldError);
      return {
        errors: refusal.problems.filter(({ key }) => !isPassing(key)).map(toFieldError),
        warnings: [...wanted.warnings, ...passing.map(({ field, message }) => `${field}: ${message}`)],
      };
    }
    default:
      throw new Error(`unreachable: ${refusal satisfies never}`);
  }
}

function toFieldError({ key, message }: ConfigValueProblem): FieldError {
  const isField = key === "spec" || key.startsWith("spec.");
  return { field: isField ? key : (CONNECTOR_FIELDS[key] ?? `spec.config.${key}`), message };
}
