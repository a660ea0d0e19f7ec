import { isReady } from "../cluster-pods.ts";
import type { Pod } from "../kube/resources.ts";
import { lastWords } from "./last-words.ts";
import { isRollRequested } from "./manual-roll.ts";
import { CERTIFICATES_ANNOTATION, DRAINING_ANNOTATION, REVISION_ANNOTATION } from "./names.ts";

/** A worker pod, as far as decisions need it. */
export interface WorkerPod {
  readonly name: string;
  readonly uid: string;
  readonly ordinal: number;
  /** Null until it has one. */
  readonly ip: string | null;
  readonly ready: boolean;
  /**
   * Since when it has not been ready, epoch ms, without what is fetched for it before it starts: while that is under way, `FETCH_LIMIT_MS` after the
   * pod was made, which may be to come. Null if it is ready, or nobody knows.
   */
  readonly unreadySinceMs: number | null;
  readonly terminating: boolean;
  /** When it should have been gone at the latest, epoch ms; null unless it is terminating. */
  readonly goneByMs: number | null;
  readonly revision: string;
  /** The certificates that its worker has read at its start; null if it follows new ones. */
  readonly certificates: string | null;
  /** Since when it has been giving its work away on the operator's demand, epoch ms; null if it was not asked. */
  readonly drainingSinceMs: number | null;
  /** Somebody asks by an annotation to replace it. */
  readonly rollRequested: boolean;
  /** Why it does not run, if that is known. */
  readonly trouble: Trouble | null;
  /** The ended run of the worker's container, while no new one runs. */
  readonly ended: { readonly containerId: string } | null;
}

/** A reason why a pod does not come up. `lasting`: it needs a change from outside. */
export interface Trouble {
  readonly reason: string;
  readonly message: string;
  readonly lasting: boolean;
}

/** How long the containers that run before a worker may work, such as Maven's, images included. */
export const FETCH_LIMIT_MS = 600_000;

const INITIALIZING = "PodInitializing";

/** Kubelet's waiting reasons that no waiting cures. */
const LASTING: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "CrashLoopBackOff",
  "RunContainerError",
]);

/** Reads a pod of the cluster. `container` is the name of the container that runs the worker. */
export function toWorkerPod(pod: Pod, container: string): WorkerPod {
  const { metadata, status } = pod;
  const annotations = metadata.annotations ?? {};
  const state = status?.containerStatuses?.find(({ name }) => name === container);
  const ended =
    state?.state?.running === undefined ? (state?.state?.terminated ?? state?.lastState?.terminated) : undefined;
  const drainingSince = annotations[DRAINING_ANNOTATION];
  const trouble = troubleOf(pod, container);
  return {
    name: metadata.name,
    uid: metadata.uid ?? "",
    ordinal: Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? Number.NaN),
    ip: status?.podIP ?? null,
    ready: isReady(pod),
    unreadySinceMs: unreadySince(pod, trouble),
    terminating: metadata.deletionTimestamp !== undefined,
    goneByMs: timeOf(metadata.deletionTimestamp),
    revision: annotations[REVISION_ANNOTATION] ?? "",
    certificates: annotations[CERTIFICATES_ANNOTATION] ?? null,
    drainingSinceMs: drainingSince === undefined ? null : Date.parse(drainingSince),
    rollRequested: isRollRequested(pod),
    trouble,
    ended: ended?.containerID === undefined ? null : { containerId: ended.containerID },
  };
}

function unreadySince(pod: Pod, trouble: Trouble | null): number | null {
  if (isReady(pod)) return null;
  const { conditions = [] } = pod.status ?? {};
  const changedAt = (wanted: string) => conditions.find(({ type }) => type === wanted)?.lastTransitionTime ?? undefined;
  const since = timeOf(changedAt("Ready")) ?? timeOf(pod.metadata.creationTimestamp);
  const begun = conditions.some(({ type, status }) => type === "Initialized" && status === "True");
  const begunAt = begun ? timeOf(changedAt("Initialized")) : null;
  if (since !== null && !begun && trouble?.reason === INITIALIZING) return since + FETCH_LIMIT_MS;
  return since === null || begunAt === null ? since : Math.max(since, begunAt);
}

function timeOf(text: string | undefined): number | null {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? null : time;
}

function troubleOf({ spec, status }: Pod, container: string): Trouble | null {
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") {
    return { reason: "Unschedulable", message: scheduled.message ?? "no node takes it", lasting: false };
  }
  const worker = status?.containerStatuses?.find(({ name }) => name === container);
  const beside = new Set(spec?.initContainers?.flatMap((one) => (one.restartPolicy === "Always" ? [one.name] : [])));
  const inits = (status?.initContainerStatuses ?? []).filter(
    (init) => !beside.has(init.name) || (init.started !== true && !hasBegun(worker)),
  );
  const early = inits.find(hasFailed);
  const state = early ?? worker;
  const what = early === undefined ? "the worker" : early.name;
  const waiting = state?.state?.waiting;
  const ended = state?.state?.terminated ?? state?.lastState?.terminated;
  const running = state?.state?.running !== undefined;
  if (!running && ended !== undefined) {
    const last = lastWords(ended.message);
    const why = last === null ? "" : `: ${last}`;
    const reason = waiting?.reason ?? ended.reason ?? "Ended";
    return { reason, message: `${what} ended with code ${ended.exitCode}${why}`, lasting: LASTING.has(reason) };
  }
  if (waiting?.reason !== undefined && LASTING.has(waiting.reason)) {
    return { reason: waiting.reason, message: waiting.message ?? waiting.reason, lasting: true };
  }
  const busy = running ? undefined : inits.find((init) => init.state?.terminated === undefined);
  return busy === undefined ? null : { reason: INITIALIZING, message: `${busy.name} is at work`, lasting: false };
}

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

/** Whether the container has run, so that nothing beside it keeps it from starting. */
function hasBegun({ state, lastState }: Partial<ContainerStatus> = {}): boolean {
  return state?.running !== undefined || (state?.terminated ?? lastState?.terminated) !== undefined;
}

/** One that runs before the worker and keeps it from starting. */
function hasFailed({ state, lastState }: ContainerStatus): boolean {
  if (state?.running !== undefined) return false;
  const ended = state?.terminated ?? lastState?.terminated;
  return (ended !== undefined && ended.exitCode !== 0) || LASTING.has(state?.waiting?.reason ?? "");
}

/** Whether the pod is to be replaced. `revision`: the wanted one; null: none is replaced for its revision. */
export function isOutdated(pod: WorkerPod, revision: string | null): boolean {
  return (revision !== null && pod.revision !== revision) || pod.drainingSinceMs !== null || pod.rollRequested;
}
