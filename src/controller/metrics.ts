import type { ObjectKey } from "../kube/client.ts";
import type { WorkResult } from "./queue.ts";

/** What a controller tells about itself; `src/metrics.ts` turns it into controller-runtime's series. Times are milliseconds. */
export interface ControllerMetrics {
  /** A request came in. */
  added(): void;
  /** A reconcile starts after its key was due for `queuedMs`. */
  started(queuedMs: number): void;
  ended(result: WorkResult["kind"], durationMs: number, key: ObjectKey): void;
  /** Keys that are due and wait. */
  depth(keys: number): void;
}
