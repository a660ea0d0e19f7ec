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

/** Creates the writer. `generation` gives the group generation at the time of writing. */
export function createStatusWriter(options: {
  readonly store: Pick<StatusStore, "putConnector" | "putTask">;
  readonly workerId: string;
  readonly generation: () => number;
}): StatusWriter {
  const { store, workerId, generation } = options;
  return {
    report({ connector, task }, { state, trace, version }) {
      const entry = { state, workerId, generation: generation(), trace: trace ?? null, version: version ?? null };
      const safe = SAFE.has(state);
      if (task === null) store.putConnector(connector, entry, { safe });
      else store.putTask({ connector, task }, entry, { safe });
    },
  };
}
