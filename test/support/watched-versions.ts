import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, openKubernetesApi, type WatchEvent } from "#dev/kubernetes-api.ts";

/** A watch that goes on until it is closed. */
export interface Watching {
  /** Rejects with what ended the watch, other than the server's own time. */
  close(): Promise<void>;
}

const AGAIN_MS = 100;

/**
 * Tells of every version of the objects at a path, from what is there when it begins: `path` without a query. Versions that come while the
 * server's end of the watch is being noticed are lost, which happens once in half an hour at most.
 */
export function watchVersions<T>(kubeconfig: string, path: string, tell: (event: WatchEvent<T>) => void): Watching {
  const api = openKubernetesApi(kubeconfig);
  const closing = new AbortController();
  const watching = (async () => {
    while (!closing.signal.aborted) {
      await follow();
      await sleep(AGAIN_MS, undefined, { signal: closing.signal });
    }
  })().catch((error: unknown) => {
    if (!closing.signal.aborted) throw error;
  });

  /** Until the server ends it. Of a kind that has just been made known the server says at first that it is busy. */
  async function follow(): Promise<void> {
    try {
      for await (const event of api.watch<T>(`${path}?watch=1`, closing.signal)) tell(event);
    } catch (error) {
      if (!(error instanceof ApiError && error.status >= 429)) throw error;
    }
  }

  watching.catch(() => undefined);
  return {
    async close() {
      closing.abort();
      try {
        await watching;
      } finally {
        api.close();
      }
    },
  };
}
