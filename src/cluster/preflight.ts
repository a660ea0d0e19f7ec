import { KAFKA_REFUSED_CODE } from "@headrace/contract";
import { clusterOf, NAME_LABEL, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectKey, Store } from "../kube/client.ts";
import type { Pod } from "../kube/resources.ts";
import { jvmChecks, triesKafka } from "./jvm-preflight.ts";
import { lastWords } from "./last-words.ts";
import { objectLabels, objectMeta, REVISION_ANNOTATION } from "./names.ts";
import { containerName, type PodTemplate, revisionOf } from "./stateful-set.ts";
import { FETCH_LIMIT_MS, toWorkerPod } from "./worker-pod.ts";

/**
 * What is known of a revision before any worker has it: a pod made from its template runs `headrace-worker check` instead of the
 * worker. The pod stays as long as its revision is wanted, so that its answer outlives the operator.
 */
export type Preflight =
  | { readonly kind: "missing" }
  /** `message`: why it takes its time, "" if that is not known. */
  | { readonly kind: "running"; readonly message: string }
  /** `untried`: why Kafka was not tried, without a full stop; "" if nothing is to be told. */
  | { readonly kind: "passed"; readonly untried: string }
  /** `endedAtMs` is null while the pod itself may still come up. */
  | { readonly kind: "failed"; readonly message: string; readonly endedAtMs: number | null };

/** A check that failed is made again after this time: Kafka may have been away, a Secret missing. */
export const PREFLIGHT_RETRY_MS = 60_000;

/** On a KafkaConnect: "true" rolls a new configuration out without trying it first. */
export const SKIP_PREFLIGHT_ANNOTATION = "headrace.dev/skip-preflight";

const MAX_MESSAGE = 1_500;
/** A check needs no more; what it may use is limited as for a worker, and a full node should not keep it from running. */
const REQUESTS = { cpu: "10m", memory: "64Mi" };

export function preflightName(cluster: string, revision: string): string {
  return `${workloadName(cluster)}-preflight-${revision}`;
}

/**
 * The pod that tries `template`. No Service, StatefulSet or PodDisruptionBudget selects it. `workerImage`: Headrace's, for what an image of the
 * user's cannot try by itself.
 */
export function buildPreflightPod(connect: KafkaConnect, template: PodTemplate, workerImage: string): Pod {
  const { name } = connect.metadata;
  const revision = revisionOf(template);
  const { affinity, topologySpreadConstraints: _spread, containers = [], ...spec } = template.spec ?? {};
  const worker = containers.find((container) => container.name === containerName(name));
  const meta = objectMeta(connect, preflightName(name, revision), undefined);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...meta,
      labels: { ...template.metadata?.labels, ...objectLabels(name), ...preflightLabels(name) },
      annotations: { ...template.metadata?.annotations, [REVISION_ANNOTATION]: revision },
    },
    spec: {
      ...spec,
      ...(affinity?.nodeAffinity === undefined ? {} : { affinity: { nodeAffinity: affinity.nodeAffinity } }),
      restartPolicy: "Never",
      activeDeadlineSeconds: FETCH_LIMIT_MS / 1000,
      ...(worker === undefined ? { containers: [] } : checksOf(connect, worker, { ...spec, workerImage })),
    },
  };
}

type Container = NonNullable<Pod["spec"]>["containers"][number];

interface Around {
  /** Of the template. */
  readonly initContainers?: readonly Container[];
  readonly volumes?: NonNullable<Pod["spec"]>["volumes"];
  readonly workerImage: string;
}

function checksOf({ spec }: KafkaConnect, worker: Container, { initContainers = [], volumes, workerImage }: Around) {
  const check = toCheck(worker);
  if (spec.runtime !== "Jvm") return { containers: [check] };
  const { before, last } = jvmChecks(spec, { check, volumes, workerImage });
  return { initContainers: [...initContainers, ...before], containers: [last] };
}

/** The worker's container, with what runs Headrace's check instead of the worker. */
function toCheck(worker: Container): Container {
  const { livenessProbe: _l, readinessProbe: _r, startupProbe: _s, lifecycle: _h, ...container } = worker;
  return {
    ...container,
    command: (worker.command ?? []).map((word) => (word === "distributed" ? "check" : word)),
    terminationMessagePolicy: "FallbackToLogsOnError",
    resources: { ...worker.resources, requests: { ...worker.resources?.requests, ...REQUESTS } },
  };
}

/** What Services, StatefulSets and all others that ask for workers select by tells it from one; brokers' NetworkPolicies admit it by the rest. */
function preflightLabels(cluster: string): Readonly<Record<string, string>> {
  return { [NAME_LABEL]: `${workloadName(cluster)}-preflight` };
}

/** The preflight pods of a cluster, whatever their revision. */
export function preflightPods(pods: Store<Pod>, { namespace, name }: ObjectKey): readonly Pod[] {
  const label = preflightLabels(name)[NAME_LABEL];
  return pods.list().filter((pod) => {
    const owner = clusterOf(pod);
    return owner?.name === name && owner.namespace === namespace && pod.metadata.labels?.[NAME_LABEL] === label;
  });
}

/** What `pods` tell of a revision. */
export function readPreflight(pods: readonly Pod[], cluster: string, revision: string): Preflight {
  const pod = pods.find(({ metadata }) => metadata.annotations?.[REVISION_ANNOTATION] === revision);
  if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return { kind: "missing" };
  const { phase, message: podMessage, containerStatuses = [] } = pod.status ?? {};
  if (phase === "Succeeded") return { kind: "passed", untried: "" };
  const kafka = pod.spec?.containers.find(triesKafka);
  if (phase === "Failed") {
    const ended = endedBadly(pod);
    const untried = kafka === undefined ? null : whyUntried(pod, kafka, ended);
    if (untried !== null) return { kind: "passed", untried };
    const finishedAt = Date.parse(ended?.finishedAt ?? pod.metadata.creationTimestamp ?? "");
    const said =
      toSentence(ended?.message) || podMessage || `the check ended with code ${ended?.exitCode ?? "unknown"}`;
    return { kind: "failed", message: said, endedAtMs: Number.isNaN(finishedAt) ? 0 : finishedAt };
  }
  const { trouble } = toWorkerPod(pod, containerName(cluster));
  if (trouble?.lasting === true) {
    const waiting = containerStatuses.find(({ name }) => name === kafka?.name)?.state?.waiting;
    if (waiting?.reason !== trouble.reason) return { kind: "failed", message: trouble.message, endedAtMs: null };
    // A registry may be away for a moment: kubelet tries once more.
    if (trouble.reason === "ErrImagePull") return { kind: "running", message: trouble.message };
    return { kind: "passed", untried: trouble.message };
  }
  return { kind: "running", message: trouble?.message ?? "" };
}

/** Kafka has refused; or the check was killed from outside (SIGKILL, SIGTERM), which is made again. */
const CONCLUSIVE: ReadonlySet<number> = new Set([KAFKA_REFUSED_CODE, 137, 143]);

interface Ended {
  readonly name: string;
  readonly exitCode: number;
  readonly message?: string;
  readonly finishedAt?: string;
}

/** What a pod failed of: the first that ended with an error; one that runs beside the others, and is stopped with them, only if there is no other. */
function endedBadly({ spec, status }: Pod): Ended | undefined {
  const beside = new Set(spec?.initContainers?.flatMap((one) => (one.restartPolicy === "Always" ? [one.name] : [])));
  const { initContainerStatuses = [], containerStatuses = [] } = status ?? {};
  return [...initContainerStatuses, ...containerStatuses]
    .toSorted((a, b) => Number(beside.has(a.name)) - Number(beside.has(b.name)))
    .map(({ name, state }) => state?.terminated && { name, ...state.terminated })
    .find((terminated) => terminated !== undefined && terminated.exitCode !== 0);
}

/** Why `kafka` has not done its work in a pod that failed; null if it has, or something before it failed. */
function whyUntried({ spec, status }: Pod, { name, image = "" }: Container, ended: Ended | undefined): string | null {
  if (ended !== undefined && ended.name !== name) return null;
  if (status?.reason === "DeadlineExceeded") {
    const { initContainers = [] } = spec ?? {};
    const statuses = status.initContainerStatuses ?? [];
    const isDone = (init: Container) =>
      statuses.find((one) => one.name === init.name)?.state?.terminated?.exitCode === 0;
    const isEver = ({ restartPolicy }: Container) => restartPolicy === "Always";
    return initContainers.every((init) => isEver(init) || isDone(init))
      ? `the image ${image} was not there in time`
      : null;
  }
  if (ended === undefined || CONCLUSIVE.has(ended.exitCode)) return null;
  if (/^Usage: /m.test(ended.message ?? ""))
    return `the image ${image} is older than the operator and does not know how`;
  const said = lastWords(ended.message);
  return `the image ${image} ended with code ${ended.exitCode}${said === null ? "" : `: ${said}`}`;
}

/** What went wrong, out of the check's output: its lines for what failed, or all that it said. */
function toSentence(output: string | undefined): string {
  const lines = (output ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^ok\s/.test(line));
  const failed = lines.flatMap((line) => /^failed\s+(.*)$/.exec(line)?.[1] ?? []);
  const text = (failed.length > 0 ? failed : lines).map((line) => line.replace(/\.$/, "")).join("; ");
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}
