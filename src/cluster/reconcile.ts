import type { KafkaConnectStatus, PluginInfo } from "@headrace/contract";
import type { Logger } from "pino";
import { labelSelector, podsOf, workloadName } from "../cluster-pods.ts";
import type { Reconcile } from "../controller/controller.ts";
import { noLaterThan, type Outcome, retryAfter, settled } from "../controller/outcome.ts";
import { type KafkaConnect, KafkaConnects } from "../kinds.ts";
import type { EventRecorder, KubeClient, ObjectKey } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { ConfigMaps, Pods, type StatefulSet, StatefulSets } from "../kube/resources.ts";
import type { Reachability } from "../reachability.ts";
import { createStatusWriter, STATUS_WRITES } from "../status-writer.ts";
import { type ConnectClient, firstAnswer, isConnectError } from "../worker/connect-client.ts";
import type { WorkerTrust } from "../worker/trust.ts";
import { type Applied, isFresh, toApplied } from "./applied.ts";
import { type Attempt, type Failing, toRefusal } from "./attempt.ts";
import { createCertificates } from "./certificates.ts";
import { createChildObjects } from "./child-objects.ts";
import { withClaim } from "./claim.ts";
import { type Desired, desire } from "./desired.ts";
import { reportEnded } from "./gone.ts";
import { claimFor, createHolding } from "./holding.ts";
import { JMX_HASH_ANNOTATION } from "./jmx-access.ts";
import { createJmxSecrets } from "./jmx-secret.ts";
import { lastGoodName, mountedConfigMaps } from "./last-good.ts";
import { createLogging } from "./logging.ts";
import { passOnRollRequest } from "./manual-roll.ts";
import { CERTIFICATES_ANNOTATION, DRAINING_ANNOTATION } from "./names.ts";
import type { Neighbours } from "./neighbours.ts";
import type { OperatorPods } from "./network-policy.ts";
import { type ClusterStores, type ObservedCluster, observe, observeGroup } from "./observe.ts";
import { isPaused, toPausedStatus } from "./paused.ts";
import { rackMissing } from "./rack.ts";
import { NOT_KEPT, type RackRights } from "./rack-rights.ts";
import { type Resized, resizePods } from "./resize.ts";
import { readsCertificatesOnce } from "./rest-security.ts";
import { NO_WAITS, planRoll, type RollAction, type RollWaits, waitsAfter } from "./roll.ts";
import { type Aim, createRolloutMemory, createRollouts, type RolloutMemory } from "./rollout.ts";
import { planScale } from "./scale.ts";
import { observeStarting } from "./starting.ts";
import { buildStatefulSet, revisionOf } from "./stateful-set.ts";
import { type ClusterFindings, toClusterStatus } from "./status.ts";
import { createSurroundings, type ReadSurroundings } from "./surroundings.ts";
import { lostPods, overduePods } from "./unreachable.ts";
import { isOutdated, type WorkerPod } from "./worker-pod.ts";

export interface ClusterReconcileDeps {
  readonly kube: KubeClient;
  readonly connect: ConnectClient;
  readonly trust: Pick<WorkerTrust, "learn" | "forget">;
  readonly stores: ClusterStores;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** Worker image of a KafkaConnect that names none. */
  readonly defaultImage: string;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  /** How long a worker of a new revision may take to get ready before the last good one is restored, ms. */
  readonly readyLimitMs?: number;
  /** Image that runs Maven for `spec.build`. */
  readonly mavenImage?: string;
  /** Lets workers read their nodes; without it they may not. */
  readonly rackRights?: RackRights;
  /** What the streams of events tell of the workers; without it only their pods are looked at. */
  readonly reachability?: Pick<Reachability, "lostBecause">;
  /** Who may have the same group or topics; not given: nobody has. */
  readonly neighbours?: Pick<Neighbours, "holderOf" | "reserve">;
  /** Where the operator's own pods are. */
  readonly operator?: OperatorPods;
  /** Whether workers get a NetworkPolicy; true if not given. */
  readonly networkPolicies?: boolean;
}

/** What is kept between reconciles of one cluster; losing it costs repeated calls, never a wrong step. */
interface Memory {
  /** Its first status was written, or was to be. */
  announced: boolean;
  waits: RollWaits;
  /** Ended containers that the group knows of. */
  readonly reported: Set<string>;
  /** Plugins, as the workers with these pod uids offer them. */
  plugins: { readonly of: string; readonly list: PluginInfo[] } | null;
  /** ConfigMap that was the only one left; null as long as pods change, since they may bring another one. */
  collectedFor: string | null;
  children: Applied | null;
  workload: Applied | null;
  readonly resized: Resized;
  readonly rollout: RolloutMemory;
  readonly failing: Failing;
}

/** How soon to look at the group again while something waits for it. */
const GROUP_POLL_MS = 500;
const PLUGINS_RETRY_MS = 5_000;
/** How soon to look at pods again that are not ready: how long they have not been is what decides. */
const UNREADY_POLL_MS = 2_000;
const READY_LIMIT_MS = 300_000;
/** How soon to look again for a Secret that is not there, or whether a group is free: others' workers end without a change of a KafkaConnect. */
const LESS_RETRY_MS = 5_000;
/** The workers stay what they are. */
const AS_THEY_ARE: Aim = { target: { kind: "desired" }, template: null, revision: null, change: "", diagnosis: null };

/**
 * Reconciles a KafkaConnect: observe, build what is wanted, apply it, take one step of a roll, write the status. What is new to a cluster
 * comes in several reconciles, one after the other: a status, certificates, child objects, pods.
 */
export function createClusterReconcile(deps: ClusterReconcileDeps): Reconcile {
  const { kube, connect, stores, events, defaultImage, now } = deps;
  const statuses = createStatusWriter<KafkaConnectStatus>(kube, KafkaConnects, STATUS_WRITES);
  const memories = new Map<string, Memory>();
  const { readyLimitMs = READY_LIMIT_MS } = deps;
  const rollouts = createRollouts({ ...deps, pods: stores.pods, readyLimitMs });
  const surroundings = createSurroundings(deps);
  const logging = createLogging({ ...deps, pods: stores.pods });
  const certificates = createCertificates(deps);
  const jmxSecrets = createJmxSecrets(deps);
  const children = createChildObjects(deps);
  const holding = createHolding({ kube, pods: stores.pods, neighbours: deps.neighbours });

  function memoryOf(resource: KafkaConnect): Memory {
    const uid = resource.metadata.uid ?? "";
    const memory = memories.get(uid) ?? {
      announced: false,
      waits: NO_WAITS,
      reported: new Set(),
      plugins: null,
      collectedFor: null,
      children: null,
      workload: null,
      resized: new Map(),
      rollout: createRolloutMemory(),
      failing: { sinceMs: null },
    };
    memories.set(uid, memory);
    return memory;
  }

  function forgetGone(): void {
    const present = new Set(stores.connects.list().map(({ metadata }) => metadata.uid));
    certificates.retain(present);
    for (const uid of memories.keys()) {
      if (present.has(uid)) continue;
      memories.delete(uid);
      statuses.forget(uid);
    }
  }

  /**
   * What the pods need before they are made. Answers false after a part that had not been applied in this form before: then the reconcile
   * ends, and other clusters have their turn at the API server before this one comes to its next part.
   */
  async function prepare({ resource, desired, seen, memory }: Subject, signal: AbortSignal): Promise<boolean> {
    const areNew = !certificates.isKept(resource);
    await certificates.keep(resource, seen.pods, signal);
    if (areNew) return false;
    await keepRackRights(desired.rack.kind === "node-label" ? "asking" : "other", signal);
    const last = memory.children;
    memory.children = await children.apply(desired, last, signal);
    return memory.children.digest === last?.digest;
  }

  /**
   * Gives and takes the rights to read nodes. A cluster that asks for no label of its nodes does not wait until others get, or lose, them; one
   * that is gone comes back until its own are taken, unless they may not be.
   */
  async function keepRackRights(whose: "asking" | "other" | "gone", signal: AbortSignal): Promise<void> {
    try {
      await deps.rackRights?.keep(signal);
    } catch (error) {
      const matters = whose === "asking" || (whose === "gone" && !isKubeError(error, "invalid", "forbidden"));
      if (matters || signal.aborted) throw error;
      deps.log.warn({ err: error }, NOT_KEPT);
    }
  }

  /** Applies the StatefulSet, unless nobody has changed it since it was applied just so a moment ago; answers it as it is then. */
  async function applyWorkload(
    unmarked: StatefulSet,
    { resource, seen, memory }: Subject,
    signal: AbortSignal,
  ): Promise<StatefulSet | undefined> {
    const claim = claimFor(resource, seen, revisionOf(unmarked.spec?.template ?? {}));
    const wanted = withClaim(unmarked, claim);
    const generation = seen.statefulSet?.metadata.generation;
    if (isFresh(memory.workload, toApplied([wanted, generation], now()))) return seen.statefulSet;
    const release = deps.neighbours?.reserve(resource, claim);
    try {
      const after = await kube.apply(StatefulSets, wanted, signal);
      memory.workload = toApplied([wanted, after.metadata.generation], now());
      return after;
    } catch (error) {
      if (isKubeError(error, "invalid", "forbidden")) release?.();
      throw error;
    }
  }

  async function drain(cluster: ObjectKey, pod: WorkerPod, signal: AbortSignal): Promise<void> {
    if (pod.drainingSinceMs === null) {
      const annotations = { [DRAINING_ANNOTATION]: new Date(now()).toISOString() };
      await kube.patch(Pods, keyOf(cluster, pod), { metadata: { annotations, uid: pod.uid } }, signal);
    }
    if (pod.ip === null) return;
    try {
      await connect.drain({ cluster, ip: pod.ip }, signal);
    } catch (error) {
      if (!isConnectError(error)) throw error;
      deps.log.warn({ ...cluster, pod: pod.name, err: error }, "drain failed");
    }
  }

  async function takeStep(resource: KafkaConnect, roll: RollAction, signal: AbortSignal): Promise<Outcome> {
    const cluster = keyOfResource(resource);
    switch (roll.kind) {
      case "none":
      case "await-pods":
        return settled;
      case "await-balance":
      case "await-start":
      case "await-handover":
        return retryAfter(GROUP_POLL_MS);
      case "drain":
        await drain(cluster, roll.pod, signal);
        return retryAfter(GROUP_POLL_MS);
      case "delete":
        events.record(resource, { type: "Normal", reason: "RollingPod", message: `${roll.message}.` });
        await kube.delete(Pods, keyOf(cluster, roll.pod), { uid: roll.pod.uid }, signal);
        return settled;
      default:
        throw new Error(`unreachable: ${roll satisfies never}`);
    }
  }

  /**
   * Applies what is wanted and takes at most one step that disturbs a worker. `atMost`: the workers stay what they are, and become no
   * more than that many.
   */
  async function bringAbout(subject: Subject, atMost: number | null, signal: AbortSignal): Promise<Attempt> {
    const { resource, desired, seen, memory } = subject;
    const cluster = keyOfResource(resource);
    const { pods, statefulSet, workers } = seen;
    const wanted = Math.min(resource.spec.replicas, atMost ?? resource.spec.replicas);
    await passOnRollRequest(kube, cluster, seen, signal);
    const aim =
      atMost === null ? await rollouts.aim({ resource, desired, seen, memory: memory.rollout }, signal) : AS_THEY_ARE;
    const { revision, template } = aim;

    const current = statefulSet?.spec?.replicas ?? null;
    const drains = resource.spec.runtime !== "Jvm";
    const ended = drains ? pods.filter((pod) => pod.ended !== null && !memory.reported.has(pod.ended.containerId)) : [];
    const shrinking = current !== null && wanted < current;
    const outdated = pods.some((pod) => isOutdated(pod, revision));
    const needsGroup = shrinking || outdated || ended.length > 0 || overduePods(pods, now()).length > 0;
    const group = needsGroup ? await observeGroup(connect, seen, signal) : null;

    for (const pod of lostPods(pods, group, now())) {
      const message = `${pod.name} did not end in time, and its worker has left the group: its node does not answer.`;
      events.record(resource, { type: "Warning", reason: "ForceDeletedPod", message });
      await kube.delete(Pods, keyOf(cluster, pod), { uid: pod.uid, gracePeriodSeconds: 0 }, signal);
    }

    const { replicas, drain: leaving } = planScale({ pods, current, wanted, group, drains, nowMs: now() });
    for (const pod of leaving) await drain(cluster, pod, signal);
    let workload = statefulSet;
    if (template !== null) {
      workload = await applyWorkload(buildStatefulSet(resource, template, replicas), subject, signal);
    } else if (replicas !== current) {
      const name = workloadName(cluster.name);
      await kube.patch(StatefulSets, { ...cluster, name }, { spec: { replicas } }, signal);
    }

    const sizes = { connect: resource, statefulSet: workload, resized: memory.resized };
    const resizing = atMost === null ? await resizePods({ ...deps, pods: stores.pods }, sizes, signal) : null;

    const settles = outdated && drains && group?.balanced === true && pods.every(isCalm);
    const starting = settles ? await observeStarting(connect, workers, signal) : 0;
    const roll: RollAction =
      replicas > wanted
        ? { kind: "await-balance", message: "workers are leaving" }
        : planRoll({ pods, revision, replicas, group, starting, drains, ...memory.waits, nowMs: now() });
    memory.waits = waitsAfter(roll, memory.waits, now());
    const outcome = await takeStep(resource, roll, signal);

    if (group !== null) {
      for (const pod of ended) {
        const told = await reportEnded(connect, { cluster, pod, group, workers }, signal);
        if (told && pod.ended !== null) memory.reported.add(pod.ended.containerId);
      }
    }
    const { target, change, diagnosis } = aim;
    return { findings: { kind: "applied", revision, replicas, roll, resizing, target, change, diagnosis }, outcome };
  }

  /** Removes ConfigMaps of older revisions once no pod can need them. */
  async function collectConfigMaps(
    cluster: ObjectKey,
    { desired, seen, memory }: Subject,
    signal: AbortSignal,
  ): Promise<void> {
    const kept = desired.configMap.metadata.name;
    const { lastGood } = memory.rollout;
    const restorable = lastGood ? [lastGoodName(cluster.name), ...mountedConfigMaps(lastGood.template)] : [];
    if (memory.collectedFor === kept) return;
    const { namespace } = cluster;
    for (const { metadata } of await kube.list(ConfigMaps, namespace, labelSelector(cluster.name), signal)) {
      if (metadata.name === kept || seen.configMapsInUse.has(metadata.name)) continue;
      if (restorable.includes(metadata.name)) continue;
      await kube.delete(ConfigMaps, { namespace, name: metadata.name }, {}, signal);
    }
    memory.collectedFor = kept;
  }

  /** Asks for the plugins again when the set of ready pods is another one. Undefined: nobody told, keep what is known. */
  async function observePlugins(
    seen: ObservedCluster,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<PluginInfo[] | undefined> {
    const of = seen.pods.flatMap((pod) => (pod.ready ? [pod.uid] : [])).join();
    if (memory.plugins?.of === of) return memory.plugins.list;
    if (of === "") return undefined;
    try {
      const { answer: list } = await firstAnswer(seen.workers, (worker) => connect.plugins(worker, signal));
      memory.plugins = { of, list };
      return list;
    } catch (error) {
      if (isConnectError(error)) return undefined;
      throw error;
    }
  }

  return async (key, signal) => {
    const cached = stores.connects.get(key);
    if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) {
      forgetGone();
      await keepRackRights("gone", signal);
      return settled;
    }
    const resource = statuses.latest(cached);
    if (isPaused(resource)) {
      return noLaterThan(settled, await statuses.write(resource, toPausedStatus(resource, now()), signal));
    }
    const memory = memoryOf(resource);
    const seen = observe(stores, key);
    if (resource.status?.observedGeneration === undefined && !memory.announced) {
      // Without a status it would count as done by kstatus's rules, or as paused: that it is not is said before anything else.
      memory.announced = true;
      await tell(resource, { kind: "new" }, seen, signal);
      return retryAfter(0);
    }
    const around = await surroundingsOf(resource, memory, signal);
    if (around.kind === "refused") {
      const { findings, outcome } = around.attempt;
      return noLaterThan(outcome, await tell(resource, findings, seen, signal));
    }
    const taken = holding.takenFrom(resource, seen.pods.length);
    const { marks, refusal: unmarked } = taken === null ? await marksOf(resource, seen, memory, signal) : NO_MARKS;
    const desired = desire(resource, defaultImage, { ...around.surroundings, ...marks });
    const subject = { resource, desired, seen, memory };
    const { held } = around.surroundings;
    const refusal = unmarked ?? (held === null ? null : toRefusal(held, memory.failing, now()));
    // Two clusters with one group, or one topic of state, would take each other's work.
    const attempted =
      taken !== null
        ? await attemptLess(subject, until({ kind: "group-taken", message: taken }), signal)
        : refusal !== null
          ? await attemptLess(subject, refusal, signal)
          : await attempt(subject, signal);
    if (attempted === "preparing") return retryAfter(0);
    const { findings, outcome } = attempted;
    if (findings.kind !== "failing") memory.failing.sinceMs = null;
    if (isComplete(findings, seen, resource.spec.replicas)) {
      await rollouts.complete({ resource, desired, seen, memory: memory.rollout }, signal);
      await collectConfigMaps(key, subject, signal);
    } else {
      memory.collectedFor = null;
    }
    const told = await logging.apply(key, desired.logging, signal);
    const observed = await observePlugins(seen, memory, signal);
    const plugins = observed ?? resource.status?.connectorPlugins;
    const { pods } = seen;
    const { untried } = memory.rollout;
    const notTried = untried?.revision === desired.revision ? [untried.message] : [];
    const warnings = [...desired.warnings, ...rackMissing(desired.rack, podsOf(stores.pods, key)), ...notTried];
    const lostBecause = deps.reachability?.lostBecause(key) ?? null;
    const about = { connect: resource, findings, pods, plugins, warnings, lostBecause };
    const status = toClusterStatus({ ...about, nowMs: now() });
    const writableInMs = await statuses.write(resource, status, signal);
    const isUntold = (observed === undefined || !told) && seen.workers.length > 0;
    const { readAgain } = around.surroundings;
    return noLaterThan(
      lookAgain(outcome, { isUntold: isUntold || readAgain, isUnready: pods.some((pod) => !pod.ready) }),
      writableInMs,
    );
  };

  /** Says in the status what is known without a look at anything but pods; answers as a status writer does. */
  async function tell(
    connect: KafkaConnect,
    findings: ClusterFindings,
    { pods }: ObservedCluster,
    signal: AbortSignal,
  ): Promise<number> {
    const plugins = connect.status?.connectorPlugins;
    const nothing = { plugins, warnings: [], lostBecause: null } as const;
    const status = toClusterStatus({ connect, findings, pods, ...nothing, nowMs: now() });
    return await statuses.write(connect, status, signal);
  }

  /** What there is beside the KafkaConnect; or why new workers have to wait for it. */
  async function surroundingsOf(
    resource: KafkaConnect,
    { failing }: Memory,
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: "read"; readonly surroundings: ReadSurroundings }
    | { readonly kind: "refused"; readonly attempt: Attempt }
  > {
    try {
      return { kind: "read", surroundings: await surroundings.of(resource, signal) };
    } catch (error) {
      return { kind: "refused", attempt: toRefusal(error, failing, now()) };
    }
  }

  /** It makes nothing. What it has runs on, is cared for, and may become less. `why`: what keeps it, and when to look again. */
  async function attemptLess(subject: Subject, why: Attempt, signal: AbortSignal): Promise<Attempt> {
    const { resource, seen, memory } = subject;
    const { statefulSet } = seen;
    const { findings, outcome: again } = why;
    if (statefulSet === undefined) return why;
    try {
      // What the API server refuses may be just these.
      if (findings.kind !== "refused" && findings.kind !== "failing") {
        await certificates.keep(resource, seen.pods, signal);
      }
      if (findings.kind === "group-taken") await holding.keep(resource, statefulSet, signal);
      const { outcome } = await bringAbout(subject, statefulSet.spec?.replicas ?? 0, signal);
      return { findings, outcome: outcome.kind === "settled" ? again : outcome };
    } catch (error) {
      return toRefusal(error, memory.failing, now());
    }
  }

  /** What has workers of a former group ends before others begin; null: nothing is in the way. */
  async function leaveFormer(subject: Subject, signal: AbortSignal): Promise<Attempt | null> {
    const { resource, seen, memory } = subject;
    const former = await holding.formerOf(resource, seen.statefulSet, signal);
    if (former === "gone") memory.rollout.lastGood = null;
    if (former !== "there") return null;
    const { outcome } = await bringAbout(subject, 0, signal);
    return { findings: { kind: "leaving-former", workers: seen.pods.length }, outcome };
  }

  /** What the template says of Secrets of the operator's that are read once: they are kept before anything is built from them. */
  async function marksOf(
    resource: KafkaConnect,
    { pods, statefulSet }: ObservedCluster,
    { failing }: Memory,
    signal: AbortSignal,
  ): Promise<Marked> {
    const isMarked = readsCertificatesOnce(resource.spec);
    try {
      const mark = isMarked ? await certificates.keep(resource, pods, signal) : "";
      return { marks: { certificates: mark, jmxHash: await jmxSecrets.keep(resource, signal) }, refusal: null };
    } catch (error) {
      return { marks: marksIn(statefulSet), refusal: toRefusal(error, failing, now()) };
    }
  }

  async function attempt(subject: Subject, signal: AbortSignal): Promise<Attempt | "preparing"> {
    const { memory, desired } = subject;
    const { problems, missing } = desired;
    if (problems.length > 0) {
      return await attemptLess(subject, { findings: { kind: "invalid-config", problems }, outcome: settled }, signal);
    }
    if (missing.length > 0) return await attemptLess(subject, until({ kind: "missing", missing }), signal);
    try {
      if (!(await prepare(subject, signal))) return "preparing";
      return (await leaveFormer(subject, signal)) ?? (await bringAbout(subject, null, signal));
    } catch (error) {
      return toRefusal(error, memory.failing, now());
    }
  }
}

/** One reconcile of one cluster. */
interface Subject {
  readonly resource: KafkaConnect;
  readonly desired: Desired;
  readonly seen: ObservedCluster;
  readonly memory: Memory;
}

/** Changes with what workers read once, at their start; "" where there is nothing. */
interface Marked {
  readonly marks: { readonly certificates: string; readonly jmxHash: string };
  readonly refusal: Attempt | null;
}

/** Those that the workers have. */
function marksIn(set: StatefulSet | undefined): Marked["marks"] {
  const annotations = set?.spec?.template.metadata?.annotations;
  return {
    certificates: annotations?.[CERTIFICATES_ANNOTATION] ?? "",
    jmxHash: annotations?.[JMX_HASH_ANNOTATION] ?? "",
  };
}

/** Nothing tells that it is over. */
function until(findings: ClusterFindings): Attempt {
  return { findings, outcome: retryAfter(LESS_RETRY_MS) };
}

const NO_MARKS: Marked = { marks: { certificates: "", jmxHash: "" }, refusal: null };

/** True if every pod that is wanted is ready, with the wanted revision. */
function isComplete(findings: ClusterFindings, { pods }: ObservedCluster, wanted: number): boolean {
  if (findings.kind !== "applied" || findings.target.kind !== "desired" || findings.roll.kind !== "none") return false;
  return pods.length === wanted && pods.every((pod) => pod.ready && pod.revision === findings.revision);
}

/** Neither on its way in nor out. */
function isCalm({ ready, terminating, drainingSinceMs }: WorkerPod): boolean {
  return ready && !terminating && drainingSinceMs === null;
}

function keyOf({ namespace }: ObjectKey, { name }: WorkerPod): ObjectKey {
  return { namespace, name };
}

function keyOfResource({ metadata }: KafkaConnect): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

/** Changes come by watch; what the workers have not told, and why they are not ready, does not. */
function lookAgain(
  outcome: Outcome,
  { isUntold, isUnready }: { readonly isUntold: boolean; readonly isUnready: boolean },
): Outcome {
  if (outcome.kind !== "settled") return outcome;
  if (isUntold) return retryAfter(PLUGINS_RETRY_MS);
  return isUnready ? retryAfter(UNREADY_POLL_MS) : outcome;
}
