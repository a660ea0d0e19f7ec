import type { InstanceState } from "@headrace/contract";
import type { StatusStore } from "../store/stores.ts";

/** A state with what explains it. */
export interface Report {
  readonly state: InstanceState;
  readonly trace?: string | null;
  readonly version?: string | null;
}

/** Writes statuses of what runs here, with this worker's id and generation. */
export interface StatusWriter {
  report(item: { readonly connector: string; readonly task: number | null }, report: Report): void;
}

/** Failure and shutdown must not overwrite what a newer owner has written (contract §4: putSafe). */
const SAFE: ReadonlySet<InstanceState> = new Set(["FAILED", "UNASSIGNED"]);

/** States that name the plugin's version even if who reports them has not seen the plugin, as Java's do. */
const WITH_VERSION: ReadonlySet<InstanceState> = new Set(["STOPPED", "FAILED"]);

/** Creates the writer. `generation` gives the group generation at the time of writing. */
export function createStatusWriter(options: {
  readonly store: Pick<StatusStore, "putConnector" | "putTask">;
  readonly workerId: string;
  readonly generation: () => number;
  /** The version of a connector's plugin; null: not known. */
  readonly versionOf: (connector: string) => string | null;
}): StatusWriter {
  const { store, workerId, generation, versionOf } = options;
  return {
    report({ connector, task }, { state, trace, version }) {
      const known = version ?? (WITH_VERSION.has(state) ? versionOf(connector) : null);
      const entry = { state, workerId, generation: generation(), trace: trace ?? null, version: known };
      const safe = SAFE.has(state);
      if (task === null) store.putConnector(connector, entry, { safe });
      else store.putTask({ connector, task }, entry, { safe });
    },
  };
}
