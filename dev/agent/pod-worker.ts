import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubernetesApi } from "../kubernetes-api.ts";
import { aborted } from "./aborted.ts";
import type { AddressPool } from "./addresses.ts";
import type { BackOffLimits } from "./back-off.ts";
import { killContainersBelow } from "./container-process.ts";
import { runContainer } from "./container-runner.ts";
import type { RecordEvent } from "./events.ts";
import { createGracePeriod } from "./grace-period.ts";
import { nameInHosts } from "./hosts.ts";
import type { LocalImage } from "./images.ts";
import type { Container, Pod, PodCondition, RestartPolicy } from "./pod.ts";
import { createRecord, writeRecord } from "./pod-record.ts";
import { retryDelayMs, TOLD_FAILURES } from "./retry-delay.ts";
import type { Sources } from "./sources.ts";
import { createContainerRecord, type PodRecord, toPodStatus } from "./status.ts";
import { createStatusWriter } from "./status-writer.ts";
import { createPodVolumes } from "./volumes.ts";

/** The life of one pod on this node, from its binding to its removal. */
export interface PodWorker {
  readonly uid: string;
  /** The pod changed, or is to be deleted. */
  update(pod: Pod): void;
  /** The pod is gone from the API server (a forced deletion): its processes end within {@link FORCED_GRACE_SECONDS}. */
  gone(): void;
  /** The agent stops: ends the processes and keeps record and object, so that the next agent starts them again. */
  shutdown(graceMs: number): void;
  /** Resolves when none of its processes is left and nothing more will be done. */
  readonly done: Promise<void>;
}

/** What all pods of a node share. */
export interface PodSurroundings {
  readonly api: KubernetesApi;
  readonly sources: Sources;
  readonly images: ReadonlyMap<string, LocalImage>;
  readonly addresses: AddressPool;
  readonly event: RecordEvent;
  readonly limits: BackOffLimits;
  /** Below it `pods/<uid>` and `logs/`. */
  readonly dir: string;
}

const FORCED_GRACE_SECONDS = 2;
const DEFAULT_GRACE_SECONDS = 30;
const DELETE_RETRY_MS = 1000;
const VOLUME_REFRESH_MS = 5000;
/** How long a stopping agent waits for the API server when everything else is done. */
const API_GRACE_MS = 3000;

/**
 * Starts the worker of a pod; with the record that a former agent left it goes on from there. `after` is awaited before anything starts: the
 * end of the pod that had the same name before, so that there are never two.
 */
export function startPodWorker(
  first: Pod,
  former: PodRecord | undefined,
  surroundings: PodSurroundings,
  after: Promise<void>,
): PodWorker {
  const { api, addresses, event, dir } = surroundings;
  const { uid, namespace, name } = first.metadata;
  const podDir = join(dir, "pods", uid);
  const grace = createGracePeriod();
  const { ending, expired } = grace;
  const finished = new AbortController();
  const writer = createStatusWriter(api, first, finished.signal);
  let pod = first;
  let keep = false;
  let inApi = true;
  let over = false;
  let conditions: readonly PodCondition[] = first.status?.conditions ?? [];
  let record = former ?? createRecord(first, addresses);
  if (former !== undefined) addresses.keep(former.addresses.podIP);
  const hosts = join(dir, "hosts");
  nameInHosts(hosts, first, record.addresses.podIP);

  const publish = () => {
    const status = toPodStatus(pod, record, { over, previous: conditions, now: new Date() });
    conditions = conditionsOf(status);
    writer.publish(status);
  };
  const save = (next: PodRecord) => {
    record = next;
    writeRecord(podDir, record);
    publish();
  };

  const runOne = (container: Container, policy: RestartPolicy) =>
    runContainer({
      pod,
      container,
      policy,
      addresses: record.addresses,
      dir: join(podDir, "containers", container.name),
      logDir: join(dir, "logs", `${namespace}_${name}_${uid}`, container.name),
      tmpDir: join(podDir, "tmp"),
      hosts,
      images: surroundings.images,
      sources: surroundings.sources,
      volumes,
      limits: surroundings.limits,
      record: () => record.containers[container.name] ?? createContainerRecord("ContainerCreating"),
      update: (change) => {
        const before = record.containers[container.name] ?? createContainerRecord("ContainerCreating");
        save({ ...record, containers: { ...record.containers, [container.name]: { ...before, ...change } } });
      },
      event: (type, reason, message) => event(pod, type, reason, message),
      ending,
      expired,
    });
  const { sources, images } = surroundings;
  const volumes = createPodVolumes(() => pod, {
    dir: join(podDir, "volumes"),
    addresses: record.addresses,
    sources,
    images,
  });

  const runContainers = async () => {
    const { initContainers = [], containers, restartPolicy = "Always" } = pod.spec;
    for (const container of initContainers) {
      await runOne(container, restartPolicy === "Always" ? "OnFailure" : restartPolicy);
      if (record.containers[container.name]?.state.terminated?.exitCode !== 0) return;
    }
    for (const { name: each } of containers) {
      const known = record.containers[each];
      if (known?.state.waiting?.reason === "PodInitializing") {
        save({ ...record, containers: { ...record.containers, [each]: createContainerRecord("ContainerCreating") } });
      }
    }
    await Promise.all(containers.map((container) => runOne(container, restartPolicy)));
  };

  const run = async () => {
    await after;
    if (former !== undefined || !ending.aborted) {
      save(record);
      await mount();
      const refreshed = refreshVolumes();
      await runContainers();
      await aborted(ending);
      await refreshed;
    }
    if (!keep) await remove();
    finished.abort();
    grace.stop();
  };

  /** Writes the volumes, again and again while something that they name is missing. */
  const mount = async () => {
    for (let failures = 1; !ending.aborted; failures += 1) {
      try {
        return await volumes.sync(ending);
      } catch (error) {
        if (ending.aborted) return;
        if (failures >= TOLD_FAILURES) {
          event(pod, "Warning", "FailedMount", `MountVolume.SetUp failed: ${messageOf(error)}`);
        }
        await sleep(retryDelayMs(failures), undefined, { signal: ending }).catch(() => {});
      }
    }
  };

  const refreshVolumes = async () => {
    while (!ending.aborted) {
      await sleep(VOLUME_REFRESH_MS, undefined, { signal: ending }).catch(() => {});
      if (!ending.aborted) await volumes.sync(ending).catch(() => {}); // What is there stays until the next try.
    }
  };

  /** The end: status, object, directory, address; in this order, so that a crash in between finds what is left to do. */
  const remove = async () => {
    over = true;
    await killContainersBelow(podDir);
    if (inApi) {
      publish();
      await writer.flush(finished.signal);
      await deleteObject();
    }
    rmSync(podDir, { recursive: true, force: true });
    addresses.release(record.addresses.podIP);
  };

  const deleteObject = async () => {
    while (inApi && !finished.signal.aborted) {
      try {
        await api.request(
          {
            method: "DELETE",
            path: `/api/v1/namespaces/${namespace}/pods/${name}`,
            body: { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0, preconditions: { uid } },
          },
          finished.signal,
        );
        return;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return;
        await sleep(DELETE_RETRY_MS, undefined, { signal: finished.signal }).catch(() => {});
      }
    }
  };

  return {
    uid,
    update(next) {
      const changed = next.metadata.generation !== pod.metadata.generation || !sameGates(next, pod);
      pod = next;
      const { deletionTimestamp, deletionGracePeriodSeconds = DEFAULT_GRACE_SECONDS } = next.metadata;
      if (deletionTimestamp !== undefined) grace.end(deletionGracePeriodSeconds * 1000);
      else if (changed) publish();
      else if (readyIn(next.status?.conditions) !== readyIn(conditions)) writer.repeat();
    },
    gone() {
      inApi = false;
      grace.end(FORCED_GRACE_SECONDS * 1000);
    },
    shutdown(graceMs) {
      keep = inApi && pod.metadata.deletionTimestamp === undefined;
      grace.end(graceMs);
      setTimeout(() => finished.abort(), graceMs + API_GRACE_MS).unref();
    },
    done: run(),
  };
}

function conditionsOf(status: object): readonly PodCondition[] {
  return "conditions" in status ? (status.conditions as readonly PodCondition[]) : [];
}

/** The node controller sets it to False while the node is silent, and leaves it to the node to correct that. */
function readyIn(conditions: readonly PodCondition[] = []): string | undefined {
  return conditions.find(({ type }) => type === "Ready")?.status;
}

function sameGates(a: Pod, b: Pod): boolean {
  const gates = (pod: Pod) =>
    (pod.spec.readinessGates ?? []).map(
      ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status,
    );
  return JSON.stringify(gates(a)) === JSON.stringify(gates(b));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
