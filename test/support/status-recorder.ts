import type { KafkaConnect, KafkaConnector } from "#operator/kinds.ts";
import { contradictions, type Kstatus, kstatusOf } from "./kstatus.ts";
import { watchVersions } from "./watched-versions.ts";

/** One version of a resource, as the API server has had it. */
export interface RecordedVersion {
  readonly kind: string;
  readonly name: string;
  readonly generation: number;
  readonly kstatus: Kstatus;
  /** Reason of Ready; "" before there is one. */
  readonly reason: string;
  /** When it came, `performance.now()`. */
  readonly atMs: number;
}

/** Follows all KafkaConnects and KafkaConnectors of an API server, with every status that the operator writes. */
export interface StatusRecorder {
  /** In the order in which they came, by kind; grows. */
  readonly versions: readonly RecordedVersion[];
  /** What kstatus says of a generation, each once in a row. */
  story(kind: "KafkaConnect" | "KafkaConnector", name: string, generation: number): readonly Kstatus[];
  /** What is wrong with a status at any moment, each as a sentence: it contradicts itself, or counts as done while it is not. */
  faults(): readonly string[];
  close(): Promise<void>;
}

const REACHED = { running: "RUNNING", paused: "PAUSED", stopped: "STOPPED" } as const;

export function recordStatuses(kubeconfig: string): StatusRecorder {
  const versions: RecordedVersion[] = [];
  const faults = new Set<string>();

  function keep(kind: string, resource: KafkaConnect | KafkaConnector, unfounded: string | null): void {
    const { name, generation = 0 } = resource.metadata;
    const ready = resource.status?.conditions?.find(({ type }) => type === "Ready");
    const reason = ready?.reason ?? "";
    versions.push({ kind, name, generation, kstatus: kstatusOf(resource), reason, atMs: performance.now() });
    const found = [...contradictions(resource), ...(unfounded === null ? [] : [unfounded])];
    for (const text of found) faults.add(`${kind} ${name}: ${text} (${ready?.reason}: ${ready?.message})`);
  }

  const path = (plural: string) => `/apis/headrace.dev/v1/${plural}`;
  const watches = [
    watchVersions<KafkaConnect>(kubeconfig, path("kafkaconnects"), ({ type, object }) => {
      if (type !== "DELETED") keep("KafkaConnect", object, whyNoCluster(object));
    }),
    watchVersions<KafkaConnector>(kubeconfig, path("kafkaconnectors"), ({ type, object }) => {
      if (type !== "DELETED") keep("KafkaConnector", object, whyNoConnector(object));
    }),
  ];

  return {
    versions,
    story(kind, name, generation) {
      const all = versions.filter((one) => one.kind === kind && one.name === name && one.generation === generation);
      return all.map(({ kstatus }) => kstatus).filter((kstatus, index, list) => kstatus !== list[index - 1]);
    },
    faults: () => [...faults],
    async close() {
      await Promise.all(watches.map((watch) => watch.close()));
    },
  };
}

/** Whether it counts as done, by a status that the operator has written while it may change things. */
function isDone(resource: KafkaConnect | KafkaConnector): boolean {
  const paused = resource.status?.conditions?.some(({ type }) => type === "ReconciliationPaused") === true;
  return !paused && kstatusOf(resource) === "Current";
}

/** Why a cluster that counts as done is not, as a sentence; null if it is, or does not. */
function whyNoCluster(resource: KafkaConnect): string | null {
  const { replicas = 0 } = resource.status ?? {};
  if (!isDone(resource) || replicas === resource.spec.replicas) return null;
  return `it counts as done with ${replicas} of ${resource.spec.replicas} workers`;
}

/** Why a connector that counts as done is not, as a sentence; null if it is, or does not. */
function whyNoConnector(resource: KafkaConnector): string | null {
  const { state, managementPolicy } = resource.spec;
  if (!isDone(resource) || managementPolicy === "Observe") return null;
  const { connectorStatus, tasks = "" } = resource.status ?? {};
  if (connectorStatus?.connector.state !== REACHED[state]) {
    return `it counts as done, wanted ${state}, and is ${connectorStatus?.connector.state}`;
  }
  const [reached, expected] = tasks.split("/");
  return state === "stopped" || reached === expected ? null : `it counts as done with ${tasks} tasks`;
}
