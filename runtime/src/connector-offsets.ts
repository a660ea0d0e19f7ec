import type { StringMap } from "@headrace/contract";
import type { ExecutorPool } from "./executor/pool.ts";
import { isExactlyOnce, offsetsPlace } from "./offsets-place.ts";
import type { OwnOffsets } from "./store/source-offsets.ts";
import type { OffsetStore } from "./store/stores.ts";

/** Offsets topics of source connectors as the worker process reaches them: through executors, which know the connectors' secrets. */
export function createOwnOffsets(options: {
  readonly worker: StringMap;
  readonly pool: Pick<ExecutorPool, "ownOffsets" | "writeOwnOffsets">;
  readonly store: Pick<OffsetStore, "list" | "encode" | "read">;
}): OwnOffsets {
  const { worker, pool, store } = options;
  // A placeholder in the connector's configuration can name any topic: then the executor finds out.
  const isOwn = (config: StringMap) => offsetsPlace(worker, config).kind === "own";
  return {
    storeOf(config) {
      if (isOwn(config)) return "own";
      return isExactlyOnce(worker) ? "exclusive" : "worker";
    },
    list: (owner, signal) =>
      isOwn(owner.config) ? pool.ownOffsets(owner, signal) : store.list(owner.connector, signal),
    async write({ connector, config }, offsets, signal) {
      await store.read(connector, [], signal); // What the topic has decides the keys.
      const records = store.encode(connector, offsets);
      await pool.writeOwnOffsets({ connector, config, offsets, records }, signal);
    },
  };
}
