import type { KafkaConnect } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey, Store } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { ConfigMaps, type Pod, Pods } from "../kube/resources.ts";
import type { ConnectClient } from "../worker/connect-client.ts";
import { PROPERTIES_FILE } from "./config-map.ts";
import type { Desired } from "./desired.ts";
import { fromLastGoodMap, type LastGood, lastGoodName, toLastGoodMap } from "./last-good.ts";
import { REVISION_ANNOTATION } from "./names.ts";
import type { ObservedCluster } from "./observe.ts";
import {
  buildPreflightPod,
  PREFLIGHT_RETRY_MS,
  type Preflight,
  preflightPods,
  readPreflight,
  SKIP_PREFLIGHT_ANNOTATION,
} from "./preflight.ts";
import { type PodTemplate, revisionOf } from "./stateful-set.ts";
import { chooseTarget, type Target } from "./target.ts";
import { describeChange } from "./template-change.ts";

export interface RolloutDeps {
  readonly kube: KubeClient;
  readonly connect: ConnectClient;
  readonly pods: Store<Pod>;
  readonly events: EventRecorder;
  readonly now: () => number;
  /** Headrace's worker image. */
  readonly defaultImage: string;
  /** How long a pod of a new revision may take to get ready, ms. */
  readonly readyLimitMs: number;
}

/** What is kept of a cluster's rollout between reconciles; all of it can be read or found out again. */
export interface RolloutMemory {
  /** Undefined until it was read. */
  lastGood: LastGood | null | undefined;
  /** Of the revision that is being rolled out: why its check has not tried Kafka, as a sentence. */
  untried: { readonly revision: string; readonly message: string } | null;
  /** The last check that failed: what is told while it is made again. */
  refusal: { readonly revision: string; readonly message: string } | null;
  change: { readonly between: string; readonly words: string } | null;
  /** What was told last, so that each Event is written once. */
  told: string;
}

export interface RolloutSubject {
  readonly resource: KafkaConnect;
  readonly desired: Desired;
  readonly seen: ObservedCluster;
  readonly memory: RolloutMemory;
}

/** Where the pods of a cluster are to be brought now. */
export interface Aim {
  readonly target: Target;
  /** Template of the StatefulSet; null: it stays as it is. */
  readonly template: PodTemplate | null;
  /** Revision that every pod should have; null: none is replaced for its revision. */
  readonly revision: string | null;
  /** What the new revision changes, in words; "" if nothing is being changed. */
  readonly change: string;
  /** Why no worker gets ready, as a check found out; null if that is not known. */
  readonly diagnosis: string | null;
}

/** Workers of which none is ready for so long are looked at with a check, since only their logs would tell. */
const DIAGNOSE_AFTER_MS = 20_000;
/** Java's take longer to start, with agents above all. */
const DIAGNOSE_JVM_AFTER_MS = 60_000;

export function createRolloutMemory(): RolloutMemory {
  return { lastGood: undefined, untried: null, refusal: null, change: null, told: "" };
}

/** Keeps what a rollout needs besides the StatefulSet: preflight pods and the last good revision. */
export interface Rollouts {
  /** Has the new revision checked, and decides which one to bring about. */
  aim(subject: RolloutSubject, signal: AbortSignal): Promise<Aim>;
  /** All workers are ready with the wanted revision: remembers it as the last good one, and drops what was for its check. */
  complete(subject: RolloutSubject, signal: AbortSignal): Promise<void>;
}

export function createRollouts(deps: RolloutDeps): Rollouts {
  const { kube, pods, events, now, defaultImage, readyLimitMs } = deps;

  async function lastGoodOf({ resource, memory }: RolloutSubject, signal: AbortSignal): Promise<LastGood | null> {
    if (memory.lastGood === undefined) {
      const { namespace = "", name } = resource.metadata;
      memory.lastGood = fromLastGoodMap(await kube.get(ConfigMaps, { namespace, name: lastGoodName(name) }, signal));
    }
    return memory.lastGood;
  }

  async function keep({ resource, memory }: RolloutSubject, lastGood: LastGood, signal: AbortSignal): Promise<void> {
    await kube.apply(ConfigMaps, toLastGoodMap(resource, lastGood), signal);
    memory.lastGood = lastGood;
  }

  async function removePod({ metadata }: Pod, signal: AbortSignal): Promise<void> {
    const { namespace = "", name, uid = "" } = metadata;
    await kube.delete(Pods, { namespace, name }, { uid, gracePeriodSeconds: 0 }, signal);
  }

  /** The check of the desired revision, made if there is none yet and again some time after it failed. */
  async function check({ resource, desired, memory }: RolloutSubject, signal: AbortSignal): Promise<Preflight> {
    const { revision, template } = desired;
    const own = preflightPods(pods, keyOf(resource));
    const result = readPreflight(own, resource.metadata.name, revision);
    switch (result.kind) {
      case "missing":
        await createPod(buildPreflightPod(resource, template, defaultImage), signal);
        break;
      case "failed":
        memory.refusal = { revision, message: result.message };
        if (result.endedAtMs !== null && now() - result.endedAtMs >= PREFLIGHT_RETRY_MS) {
          for (const pod of own.filter((one) => revisionOf(one) === revision)) await removePod(pod, signal);
        }
        break;
      case "passed":
        memory.refusal = null;
        if (result.untried !== "") warnOf(result.untried, { resource, memory, revision });
        break;
      case "running":
        break;
      default:
        throw new Error(`unreachable: ${result satisfies never}`);
    }
    const again = result.kind === "missing" || result.kind === "running";
    const { refusal } = memory;
    return again && refusal?.revision === revision
      ? { kind: "failed", message: refusal.message, endedAtMs: null }
      : result;
  }

  /** Once for each revision, as an Event; the status says so until the revision is everywhere. */
  function warnOf(
    untried: string,
    { resource, memory, revision }: Pick<RolloutSubject, "resource" | "memory"> & { readonly revision: string },
  ): void {
    if (memory.untried?.revision === revision) return;
    const message = `Kafka was not tried before the workers start with the new configuration: ${untried}.`;
    memory.untried = { revision, message };
    events.record(resource, { type: "Warning", reason: "KafkaNotTried", message });
  }

  async function createPod(pod: Pod, signal: AbortSignal): Promise<void> {
    try {
      await kube.create(Pods, pod, signal);
    } catch (error) {
      if (!isKubeError(error, "already-exists")) throw error;
    }
  }

  async function dropChecks({ resource }: RolloutSubject, kept: string | null, signal: AbortSignal): Promise<void> {
    for (const pod of preflightPods(pods, keyOf(resource))) {
      if (pod.metadata.annotations?.[REVISION_ANNOTATION] !== kept) await removePod(pod, signal);
    }
  }

  function changeOf({ desired, seen, memory }: RolloutSubject, lastGood: LastGood | null): string {
    const current = seen.statefulSet?.spec?.template;
    if (current === undefined) return "";
    const base = lastGood ?? { revision: revisionOf(current), template: current, properties: null };
    if (base.revision === desired.revision) return "";
    const between = `${base.revision} ${desired.revision}`;
    if (memory.change?.between !== between) {
      const properties = desired.configMap.data?.[PROPERTIES_FILE] ?? null;
      const words = describeChange(base, { template: desired.template, properties });
      memory.change = { between, words: words.length === 0 ? "the pods' template" : words.join("; ") };
    }
    return memory.change.words;
  }

  function tell({ resource, desired, memory }: RolloutSubject, aim: Aim, current: string | null): void {
    const { target, change } = aim;
    const begins = target.kind === "desired" && current !== null && current !== desired.revision;
    const key = `${target.kind} ${desired.revision}`;
    if (memory.told === key || (target.kind === "desired" && !begins)) return;
    memory.told = key;
    switch (target.kind) {
      case "desired":
        events.record(resource, { type: "Normal", reason: "RollStarted", message: `Rolling out: ${change}.` });
        break;
      case "checking":
        break;
      case "refused": {
        const message = `Not applied, since its check failed (${change}): ${target.message}.`;
        events.record(resource, { type: "Warning", reason: "PreflightFailed", message });
        break;
      }
      case "last-good": {
        const message = `Taken back, since a worker did not get ready with it (${change}): ${target.message}.`;
        events.record(resource, { type: "Warning", reason: "RolledBack", message });
        break;
      }
      default:
        throw new Error(`unreachable: ${target satisfies never}`);
    }
  }

  return {
    async aim(subject, signal) {
      const { resource, desired, seen } = subject;
      const { revision, template } = desired;
      const current = seen.statefulSet?.spec === undefined ? null : revisionOf(seen.statefulSet.spec.template);
      const lastGood = await lastGoodOf(subject, signal);
      const known = [lastGood?.revision, lastGood?.failed?.revision].includes(revision);
      const gate = current !== null && current !== revision && !known && seen.pods.some(({ ready }) => ready);
      const patienceMs = resource.spec.runtime === "Jvm" ? DIAGNOSE_JVM_AFTER_MS : DIAGNOSE_AFTER_MS;
      const diagnose = isSilent(seen, now() - patienceMs);
      const checked = isCheckable(resource) && (gate || diagnose);
      await dropChecks(subject, revision, signal);
      const preflight = checked ? await check(subject, signal) : null;
      const inputs = { desired: revision, current, pods: seen.pods, lastGood, preflight, nowMs: now(), readyLimitMs };
      const target = chooseTarget(inputs);
      const aim = {
        target,
        change: changeOf(subject, lastGood),
        diagnosis: diagnose && preflight?.kind === "failed" ? preflight.message : null,
        ...placeOf(target, { desired: { revision, template }, lastGood }),
      };
      tell(subject, aim, current);
      if (
        target.kind === "last-good" &&
        lastGood !== null &&
        lastGood.failed?.revision !== revision &&
        current === revision
      )
        await keep(subject, { ...lastGood, failed: { revision, message: target.message } }, signal);
      return aim;
    },

    async complete(subject, signal) {
      const { resource, desired, memory } = subject;
      const { revision, template } = desired;
      const lastGood = await lastGoodOf(subject, signal);
      if (lastGood?.revision !== revision || lastGood.failed !== null) {
        const properties = desired.configMap.data?.[PROPERTIES_FILE] ?? null;
        await keep(subject, { revision, template, properties, failed: null }, signal);
      }
      await dropChecks(subject, null, signal);
      if (memory.told.startsWith("desired") && lastGood !== null) {
        const message = `All ${resource.spec.replicas} workers are ready with the wanted configuration.`;
        events.record(resource, { type: "Normal", reason: "RollFinished", message });
      }
      memory.told = "";
      memory.untried = null;
      memory.refusal = null;
    },
  };
}

interface Places {
  readonly desired: { readonly revision: string; readonly template: PodTemplate };
  readonly lastGood: LastGood | null;
}

function placeOf(target: Target, { desired, lastGood }: Places): Pick<Aim, "template" | "revision"> {
  switch (target.kind) {
    case "desired":
      return desired;
    case "checking":
    case "refused":
      return { template: null, revision: null };
    case "last-good":
      return lastGood === null ? { template: null, revision: null } : lastGood;
    default:
      throw new Error(`unreachable: ${target satisfies never}`);
  }
}

function isCheckable({ metadata }: KafkaConnect): boolean {
  return metadata.annotations?.[SKIP_PREFLIGHT_ANNOTATION] !== "true";
}

/** True if all workers run, none is ready, and it has been so since then or longer. */
function isSilent({ pods }: ObservedCluster, sinceMs: number): boolean {
  if (pods.length === 0) return false;
  return pods.every(
    ({ ip, terminating, trouble, unreadySinceMs }) =>
      ip !== null && !terminating && trouble === null && unreadySinceMs !== null && unreadySinceMs <= sinceMs,
  );
}

function keyOf({ metadata }: KafkaConnect): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
