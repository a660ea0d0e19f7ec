import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubernetesApi } from "../kubernetes-api.ts";
import type { Pod } from "./pod.ts";

/** Writes one pod's status to the API server: the latest one wins, failures are tried again for as long as the pod exists. */
export interface StatusWriter {
  /** Asks for a write. */
  publish(status: object): void;
  /** Somebody else has written another status: writes the latest one again. */
  repeat(): void;
  /** Resolves when the latest status is written, the pod is gone, or `signal` is aborted. */
  flush(signal: AbortSignal): Promise<void>;
}

const RETRY_MS = 1000;

export function createStatusWriter(api: KubernetesApi, pod: Pod, signal: AbortSignal): StatusWriter {
  const { namespace, name, uid } = pod.metadata;
  let wanted: object | undefined;
  let written: string | undefined;
  let gone = false;
  let writing: Promise<void> | undefined;

  const isDue = () => !signal.aborted && !gone && wanted !== undefined && JSON.stringify(wanted) !== written;
  const isGone = async () => {
    try {
      const found = await api.request<Pod>({ path: `/api/v1/namespaces/${namespace}/pods/${name}` }, signal);
      return found.metadata.uid !== uid;
    } catch (error) {
      return error instanceof ApiError && error.status === 404;
    }
  };
  const write = async () => {
    while (isDue()) {
      const text = JSON.stringify(wanted);
      try {
        await api.request(
          {
            method: "PATCH",
            path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
            contentType: "application/strategic-merge-patch+json",
            body: { metadata: { uid }, status: wanted },
          },
          signal,
        );
        written = text;
      } catch (error) {
        // Refused for good only if the pod is gone or another one has its name by now: then with 404, 403, 409 or 422.
        gone = error instanceof ApiError && error.status < 500 && (await isGone());
        if (!gone) await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
    writing = undefined;
  };

  return {
    publish(status) {
      wanted = status;
      if (isDue()) writing ??= write();
    },
    repeat() {
      written = undefined;
      if (isDue()) writing ??= write();
    },
    async flush(until) {
      const stopped = new Promise<void>((resolve) => until.addEventListener("abort", () => resolve(), { once: true }));
      while (writing !== undefined && !until.aborted) await Promise.race([writing, stopped]);
    },
  };
}
