import { z } from "zod";

/** A resource of ours as the API server gave it, with the parts that health is read from. */
export const RecordedResource = z.object({
  apiVersion: z.string(),
  kind: z.enum(["KafkaConnect", "KafkaConnector"]),
  metadata: z.looseObject({ deletionTimestamp: z.string().optional(), generation: z.number() }),
  spec: z.unknown(),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(
          z.looseObject({ type: z.string(), status: z.string(), reason: z.string(), message: z.string().optional() }),
        )
        .optional(),
    })
    .optional(),
});
export type RecordedResource = z.output<typeof RecordedResource>;

/** What Argo CD is to show of a resource. */
export interface ExpectedHealth {
  readonly status: "Progressing" | "Healthy" | "Degraded" | "Suspended";
  readonly message: string;
}

/** States that every run of `make e2e` passes through; it may see more of them. */
export const WANTED_STATES = [
  "KafkaConnect/progressing_new",
  "KafkaConnect/progressing_workers_not_ready",
  "KafkaConnect/progressing_ready_stale",
  "KafkaConnect/progressing_rolling",
  "KafkaConnect/progressing_ready_deleting",
  "KafkaConnect/healthy_ready",
  "KafkaConnect/healthy_scaled_to_zero",
  "KafkaConnect/suspended_ready",
  "KafkaConnect/degraded_workers_failing",
  "KafkaConnect/degraded_preflight_failed",
  "KafkaConnect/degraded_rolled_back",
  "KafkaConnect/degraded_group_taken",
  "KafkaConnector/progressing_new",
  "KafkaConnector/progressing_cluster_not_found",
  "KafkaConnector/progressing_running_stale",
  "KafkaConnector/progressing_running_deleting",
  "KafkaConnector/healthy_running",
  "KafkaConnector/healthy_paused",
  "KafkaConnector/healthy_stopped",
  "KafkaConnector/suspended_running",
  "KafkaConnector/degraded_tasks_failed",
  "KafkaConnector/degraded_invalid_config",
  "KafkaConnector/degraded_unknown_class",
] as const;
export type WantedState = (typeof WANTED_STATES)[number];

/** What the health scripts are to answer, by the rules that they implement in Lua. */
export function expectedHealth(resource: RecordedResource): ExpectedHealth {
  const { metadata, status } = resource;
  const progressing = (message: string) => ({ status: "Progressing", message }) as const;
  if (metadata.deletionTimestamp !== undefined) return progressing("Being deleted");
  if (status?.conditions === undefined) return progressing("Waiting for the operator");
  if (isStale(resource)) return progressing("The operator has not seen the latest change yet");
  const ready = conditionOf(resource, "Ready");
  const message = ready?.message ?? "";
  if (conditionOf(resource, "Stalled")?.status === "True") return { status: "Degraded", message };
  const paused = conditionOf(resource, "ReconciliationPaused");
  if (paused?.status === "True") return { status: "Suspended", message: paused.message ?? "" };
  return { status: ready?.status === "True" ? "Healthy" : "Progressing", message };
}

/**
 * Name of a state, as that of a file of Argo CD's tests: `<kind>/<health>_<reason of Ready>`, with `_stale` while the operator has not looked
 * at the present spec, `_deleting` on the way out, and `<kind>/progressing_new` before it has said anything.
 */
export function nameOfState(resource: RecordedResource): string {
  const { kind, metadata } = resource;
  const reason = conditionOf(resource, "Ready")?.reason;
  const health = expectedHealth(resource).status.toLowerCase();
  const suffix = metadata.deletionTimestamp !== undefined ? "_deleting" : isStale(resource) ? "_stale" : "";
  if (reason === undefined) return `${kind}/${health}_new${suffix === "_deleting" ? suffix : ""}`;
  return `${kind}/${health}_${snakeCase(reason)}${suffix}`;
}

function isStale({ metadata, status }: RecordedResource): boolean {
  return status?.observedGeneration !== metadata.generation;
}

function conditionOf({ status }: RecordedResource, wanted: string) {
  return status?.conditions?.find(({ type }) => type === wanted);
}

/** `RolledBack` as `rolled_back`. */
function snakeCase(reason: string): string {
  return reason.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toLowerCase();
}
