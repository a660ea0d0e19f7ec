import type { BackOff } from "./back-off.ts";
import type { PodAddresses } from "./downward.ts";
import type { Container, ContainerState, Pod, PodCondition, PodPhase, Terminated } from "./pod.ts";

/** What the agent knows of one container. */
export interface ContainerRecord {
  /** Runs so far, the present one included: one more than the restart count. */
  readonly runs: number;
  readonly state: ContainerState;
  readonly lastTerminated: Terminated | null;
  /** Its startup probe passed. */
  readonly started: boolean;
  readonly ready: boolean;
  readonly containerID: string | null;
  readonly backOff: BackOff | null;
}

/** What the agent knows of one pod; enough, with the pod's directory, to go on after a crash. */
export interface PodRecord {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: PodAddresses;
  readonly startTime: string;
  readonly containers: Readonly<Record<string, ContainerRecord>>;
}

/** A container that has not run yet. */
export function createContainerRecord(reason: string): ContainerRecord {
  return {
    runs: 0,
    state: { waiting: { reason } },
    lastTerminated: null,
    started: false,
    ready: false,
    containerID: null,
    backOff: null,
  };
}

/**
 * The pod's status as a kubelet reports it. `over`: all containers have ended for good. `previous` are the conditions of the last status;
 * conditions that are not the agent's are left out, the API server keeps them.
 */
export function toPodStatus(
  pod: Pod,
  record: PodRecord,
  options: { readonly over: boolean; readonly previous: readonly PodCondition[]; readonly now: Date },
): object {
  const { spec } = pod;
  const of = ({ name }: Container) => record.containers[name] ?? createContainerRecord("ContainerCreating");
  const inits = spec.initContainers ?? [];
  const phase = phaseOf(pod, record, options.over);
  const terminal = phase === "Succeeded" || phase === "Failed";
  const initialized = inits.every((container) => of(container).state.terminated?.exitCode === 0);
  const unready = spec.containers.filter((container) => !of(container).ready).map(({ name }) => name);
  const gates = (spec.readinessGates ?? []).filter(
    ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== "True",
  );
  const notReady =
    unready.length === 0 && !terminal
      ? null
      : terminal
        ? { reason: phase === "Succeeded" ? "PodCompleted" : "PodFailed" }
        : { reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` };
  const notReadyByGates =
    gates.length === 0
      ? null
      : {
          reason: "ReadinessGatesNotReady",
          message: gates
            .map(
              ({ conditionType }) => `corresponding condition of pod readiness gate "${conditionType}" does not exist.`,
            )
            .join(", "),
        };
  const incomplete = inits.filter((container) => of(container).state.terminated?.exitCode !== 0);
  const conditions: readonly PodCondition[] = [
    condition("PodReadyToStartContainers", options.over ? {} : null),
    condition(
      "Initialized",
      initialized || terminal
        ? null
        : {
            reason: "ContainersNotInitialized",
            message: `containers with incomplete status: [${incomplete.map(({ name }) => name).join(" ")}]`,
          },
    ),
    condition("Ready", notReady ?? notReadyByGates),
    condition("ContainersReady", notReady),
    condition("PodScheduled", null),
  ];
  const generation = pod.metadata.generation;
  return {
    phase,
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: conditions.map((entry) => ({
      ...entry,
      ...(generation !== undefined && { observedGeneration: generation }),
      lastProbeTime: null,
      lastTransitionTime: transitionTime(entry, options.previous, options.now),
    })),
    hostIP: record.addresses.hostIP,
    hostIPs: [{ ip: record.addresses.hostIP }],
    podIP: record.addresses.podIP,
    podIPs: [{ ip: record.addresses.podIP }],
    startTime: record.startTime,
    ...(inits.length > 0 && {
      initContainerStatuses: inits.map((container) => containerStatus(container, of(container), true)),
    }),
    containerStatuses: spec.containers.map((container) => containerStatus(container, of(container), false)),
  };
}

/** Source: kubelet_pods.go, getPhase. */
export function phaseOf({ spec }: Pod, record: PodRecord, over: boolean): PodPhase {
  const policy = spec.restartPolicy ?? "Always";
  const of = ({ name }: Container) => record.containers[name];
  const inits = (spec.initContainers ?? []).map(of);
  const initFailed = inits.some((entry) => (entry?.state.terminated?.exitCode ?? 0) !== 0);
  if (initFailed && (policy === "Never" || over)) return "Failed";
  if (!over && inits.some((entry) => entry?.state.terminated?.exitCode !== 0)) return "Pending";

  const containers = spec.containers.map(of);
  const ended = containers.map(
    (entry) => entry?.state.terminated ?? (entry?.state.waiting ? entry.lastTerminated : null),
  );
  if (over) return ended.every((end) => end?.exitCode === 0) ? "Succeeded" : "Failed";
  if (containers.some((entry) => entry === undefined || (entry.state.waiting && entry.lastTerminated === null))) {
    return "Pending";
  }
  if (containers.some((entry) => entry?.state.running) || policy === "Always") return "Running";
  if (ended.every((end) => end?.exitCode === 0)) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

function containerStatus({ name, image }: Container, record: ContainerRecord, isInit: boolean): object {
  const { state, lastTerminated, runs, containerID } = record;
  return {
    name,
    image,
    imageID: `local://${image}`,
    ...(containerID !== null && { containerID }),
    state,
    lastState: lastTerminated === null || lastTerminated === state.terminated ? {} : { terminated: lastTerminated },
    ready: isInit ? state.terminated?.exitCode === 0 : record.ready,
    started: record.started,
    restartCount: Math.max(0, runs - 1),
  };
}

/** True without a reason, False with one. */
function condition(type: string, not: { readonly reason?: string; readonly message?: string } | null): PodCondition {
  return not === null ? { type, status: "True" } : { type, status: "False", ...not };
}

function transitionTime(entry: PodCondition, previous: readonly PodCondition[], now: Date): string {
  const before = previous.find(({ type }) => type === entry.type);
  if (before?.status === entry.status && before.lastTransitionTime) return before.lastTransitionTime;
  return toTime(now);
}

/** Kubernetes' metav1.Time has whole seconds. */
export function toTime(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
