import type { ObjectKey } from "../kube/client.ts";
import type { Outcome } from "./outcome.ts";

/** Brings one object of one kind to its wanted state. Level-based: reads the world, acts, writes status if it changed. */
export type Reconcile = (key: ObjectKey, signal: AbortSignal) => Promise<Outcome>;

/** Runs a reconcile function over a keyed queue. */
export interface Controller {
  /** Asks for a reconcile of `key`; several requests before it starts become one. */
  enqueue(key: ObjectKey): void;
  /** Works until `signal` aborts; resolves when the last reconcile in flight has ended. */
  run(signal: AbortSignal): Promise<void>;
}
