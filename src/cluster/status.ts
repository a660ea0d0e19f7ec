import type { ConfigValueProblem, KafkaConnectStatus } from "@headrace/contract";
import { labelSelector } from "../cluster-pods.ts";
import { type Assessment, toConditions } from "../conditions.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { RollAction } from "./roll.ts";
import { apiUrl } from "./service.ts";
import type { Target } from "./target.ts";
import type { WorkerPod } from "./worker-pod.ts";

/** What one reconcile of a cluster found out. */
export type ClusterFindings =
  /** It is new: nothing has been looked at yet. */
  | { readonly kind: "new" }
  /** `spec.config` cannot be used; the workers stay as they are, and may become fewer. */
  | { readonly kind: "invalid-config"; readonly problems: readonly ConfigValueProblem[] }
  /** Something that the workers need is not there; nothing was changed. `missing`: sentences. */
  | { readonly kind: "missing"; readonly missing: readonly string[] }
  /** Another cluster has its group or one of its topics; what it has was not changed. `message`: sentences. */
  | { readonly kind: "group-taken"; readonly message: string }
  /** Group or topics are others; so many workers with the former ones are there. */
  | { readonly kind: "leaving-former"; readonly workers: number }
  /** The API server refuses an object. */
  | { readonly kind: "refused"; readonly message: string }
  /** The API server fails at an object, and has for a while. */
  | { readonly kind: "failing"; readonly message: string }
  | {
      readonly kind: "applied";
      /** The one that every pod should have now; null: none is replaced for its revision. */
      readonly revision: string | null;
      /** Number of pods that the StatefulSet is asked for now. */
      readonly replicas: number;
      readonly roll: RollAction;
      /** Which worker does not have its new resources yet, without a full stop; null if all have them. */
      readonly resizing: string | null;
      readonly target: Target;
      /** What the new revision changes, in words; "" if nothing is being changed. */
      readonly change: string;
      /** Why no worker gets ready; null if that is not known. */
      readonly diagnosis: string | null;
    };

export interface ClusterStatusInputs {
  readonly connect: KafkaConnect;
  readonly findings: ClusterFindings;
  readonly pods: readonly WorkerPod[];
  readonly plugins: KafkaConnectStatus["connectorPlugins"];
  readonly warnings: readonly string[];
  /** Why none of the ready workers tells about the cluster, without a full stop; null if one does. */
  readonly lostBecause: string | null;
  readonly nowMs: number;
}

/** The status of a KafkaConnect. `replicas` counts pods that are ready, not pods that are wanted. */
export function toClusterStatus(inputs: ClusterStatusInputs): KafkaConnectStatus {
  const { connect, pods, plugins, warnings, nowMs } = inputs;
  const assessment = { ...assess(inputs), warnings };
  return {
    conditions: toConditions(assessment, connect.status?.conditions, nowMs),
    observedGeneration: connect.metadata.generation ?? 0,
    ...(connect.spec.replicas === 0 ? {} : { url: apiUrl(connect) }),
    ...(plugins === undefined || plugins.length === 0 ? {} : { connectorPlugins: plugins }),
    replicas: pods.filter(({ ready }) => ready).length,
    labelSelector: labelSelector(connect.metadata.name),
  };
}

function assess({ connect, findings, pods, lostBecause }: ClusterStatusInputs): Assessment {
  switch (findings.kind) {
    case "new":
      return reconciling("Preparing", "What the workers need is being made.");
    case "invalid-config": {
      const list = findings.problems.map(({ key, message }) => `${key} ${message}`).join("; ");
      return stalled("InvalidConfig", `spec.config cannot be used: ${list}.`);
    }
    case "missing":
      return reconciling("MissingReference", `${findings.missing.join("; ")}.`);
    case "group-taken":
      return stalled("GroupTaken", findings.message);
    case "leaving-former": {
      const leaving = count(findings.workers, "worker is", "workers are");
      return reconciling("Scaling", `${leaving} leaving the former group, before others begin with the new one.`);
    }
    case "refused":
      return stalled("Refused", `An object of this cluster cannot be made: ${findings.message}`);
    case "failing":
      return reconciling("RequestFailed", `The API server fails, which is tried again: ${findings.message}`);
    case "applied":
      return assessWorkers(connect.spec.replicas, findings, { pods, lostBecause });
    default:
      throw new Error(`unreachable: ${findings satisfies never}`);
  }
}

function assessWorkers(
  wanted: number,
  { revision, replicas, roll, resizing, target, change, diagnosis }: Extract<ClusterFindings, { kind: "applied" }>,
  { pods, lostBecause }: Pick<ClusterStatusInputs, "pods" | "lostBecause">,
): Assessment {
  if (replicas > wanted || pods.length > wanted) {
    const leaving = Math.max(pods.length, replicas) - wanted;
    return reconciling("Scaling", `${count(leaving, "worker is", "workers are")} leaving; ${wanted} will stay.`);
  }
  if (wanted === 0) return settled("ScaledToZero", "No workers are wanted; the cluster's state is kept in Kafka.");
  const aside = assessTarget(target, change, pods);
  if (aside !== null) return aside;
  const stuck = pods.find((pod) => pod.revision === revision && !pod.ready && pod.trouble?.lasting === true);
  const ready = pods.filter((pod) => pod.ready).length;
  if (stuck?.trouble) {
    return stalled(
      "WorkersFailing",
      `${ready} of ${wanted} workers are ready; ${stuck.name}: ${stuck.trouble.message}.`,
    );
  }
  if (roll.kind !== "none") {
    const done = pods.filter((pod) => pod.revision === revision && pod.ready).length;
    const what = change === "" ? "" : ` (${change})`;
    return reconciling("Rolling", `${done} of ${wanted} workers have the new configuration${what}; ${roll.message}.`);
  }
  if (ready < wanted) {
    return reconciling("WorkersNotReady", `${ready} of ${wanted} workers are ready${whyNotReady(pods, diagnosis)}.`);
  }
  if (resizing !== null) return reconciling("Resizing", `${resizing}.`);
  if (lostBecause !== null) {
    return reconciling(
      "WorkersUnreachable",
      `${capitalized(lostBecause)}. Nothing is known of the connectors meanwhile.`,
    );
  }
  return settled("Ready", wanted === 1 ? "The worker is ready." : `All ${wanted} workers are ready.`);
}

/** What there is to say while the workers are not brought to the wanted revision; null if they are. */
function assessTarget(target: Target, change: string, pods: readonly WorkerPod[]): Assessment | null {
  const ready = pods.filter((pod) => pod.ready).length;
  const meanwhile = `${count(ready, "worker goes", "workers go")} on with the former configuration`;
  switch (target.kind) {
    case "desired":
      return null;
    case "checking": {
      const why = target.message === "" ? "" : ` (${target.message})`;
      return reconciling("Preflight", `The new configuration (${change}) is being checked${why}; ${meanwhile}.`);
    }
    case "refused":
      return stalled(
        "PreflightFailed",
        `The new configuration (${change}) was not applied: ${target.message}. ${meanwhile}.`,
      );
    case "last-good":
      return stalled(
        "RolledBack",
        `The new configuration (${change}) was taken back, since a worker did not get ready with it: ${target.message}. ${meanwhile}; change spec to try again.`,
      );
    default:
      throw new Error(`unreachable: ${target satisfies never}`);
  }
}

/** A worker that cannot reach Kafka runs and never gets ready: only its log knows. */
function whyNotReady(pods: readonly WorkerPod[], diagnosis: string | null): string {
  if (diagnosis !== null) return `; a check says: ${diagnosis}`;
  const troubled = pods.find((pod) => !pod.ready && pod.trouble !== null);
  if (troubled?.trouble) return `; ${troubled.name}: ${troubled.trouble.message}`;
  const silent = pods.find((pod) => !pod.ready && !pod.terminating && pod.ip !== null);
  return silent === undefined ? "" : `; ${silent.name} is not in the workers' group; if this lasts, its log tells why`;
}

function capitalized(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}

function settled(reason: string, message: string): Assessment {
  return { ready: "True", reason, message, progress: "settled" };
}

function reconciling(reason: string, message: string): Assessment {
  return { ready: "False", reason, message, progress: "reconciling" };
}

function stalled(reason: string, message: string): Assessment {
  return { ready: "False", reason, message, progress: "stalled" };
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
