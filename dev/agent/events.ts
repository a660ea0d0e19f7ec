import type { KubernetesApi } from "../kubernetes-api.ts";
import type { Pod } from "./pod.ts";

/** Writes a pod's Events. Never throws, never delays; the same one is written at most once in {@link REPEAT_AFTER_MS}. */
export type RecordEvent = (pod: Pod, type: "Normal" | "Warning", reason: string, message: string) => void;

const REPEAT_AFTER_MS = 10_000;
const MAX_PENDING = 50;
const MAX_MESSAGE = 1024;

export function createEventRecorder(api: KubernetesApi, node: string, signal: AbortSignal): RecordEvent {
  const recent = new Map<string, number>();
  let pending = 0;
  return (pod, type, reason, message) => {
    const { namespace, name, uid } = pod.metadata;
    const key = `${uid} ${reason} ${message}`;
    const now = Date.now();
    for (const [old, at] of recent) if (now - at > REPEAT_AFTER_MS) recent.delete(old);
    if (recent.has(key) || pending >= MAX_PENDING || signal.aborted) return;
    recent.set(key, now);
    pending += 1;
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
    const body = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
      type,
      reason,
      message: message.slice(0, MAX_MESSAGE),
      source: { component: "kubelet", host: node },
      reportingComponent: "kubelet",
      reportingInstance: node,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    void api
      .request({ method: "POST", path: `/api/v1/namespaces/${namespace}/events`, body }, signal)
      .catch(() => {}) // Events are a courtesy; the status tells what matters.
      .finally(() => {
        pending -= 1;
      });
  };
}
