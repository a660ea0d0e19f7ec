import type { ObjectKey } from "../kube/client.ts";
import type { WorkResult } from "./queue.ts";

/** What a controller tells about itself; `src/metrics/` turns it into controller-runtime's series. Times are milliseconds. */
export interface ControllerMetrics {
  /** So many reconciles may be at work at a time. */
  limit(reconciles: number): void;
  /** A request came in. */
  added(): void;
  /** A key is to be looked at for no other reason than the time. */
  resynced(key: ObjectKey): void;
  /** The reconcile of a key starts after it was due for `queuedMs`. */
  started(queuedMs: number, key: ObjectKey): void;
  ended(result: WorkResult["kind"], durationMs: number, key: ObjectKey): void;
  /** Keys that are due and wait. */
  depth(keys: number): void;
}
