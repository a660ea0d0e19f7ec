import { AsyncLocalStorage } from "node:async_hooks";

const ids = new AsyncLocalStorage<string>();

/** Runs `work`; whatever is logged from within it, calls of clients included, carries `id`. */
export function withReconcileId<T>(id: string, work: () => Promise<T>): Promise<T> {
  return ids.run(id, work);
}

/** The id of the reconcile from within which this is called; undefined outside of any. */
export function reconcileId(): string | undefined {
  return ids.getStore();
}
