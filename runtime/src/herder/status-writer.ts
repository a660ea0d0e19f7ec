import type { InstanceState } from "@headrace/contract";
import type { StatusEntry, StatusStore } from "../store/stores.ts";

/** A state with what explains it. */
export interface Report {
  readonly state: InstanceState;
  readonly trace?: string | null;
  readonly version?: string | null;
}

/** Writes statuses of what runs here, with this worker's id and generation. */
export interface StatusWriter {
  report(item: Item, report: Report): void;
  /**
   * The last record in the topic about an item that runs here is `word`, of another worker. Writes `report`, which is true, over it if it
   * is a late one of a former owner: this worker does not count it, but those who only look at the last record would believe it. Once per
   * call.
   */
  answer(item: Item, word: StatusEntry, report: Report): void;
}

interface Item {
  readonly connector: string;
  readonly task: number | null;
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
  function put({ connector, task }: Item, { state, trace, version }: Report, safe: boolean): void {
    const known = version ?? (WITH_VERSION.has(state) ? versionOf(connector) : null);
    const entry = { state, workerId, generation: generation(), trace: trace ?? null, version: known };
    if (task === null) store.putConnector(connector, entry, { safe });
    else store.putTask({ connector, task }, entry, { safe });
  }

  return {
    report: (item, report) => put(item, report, SAFE.has(report.state)),
    answer(item, word, report) {
      // Safe: whoever has it by then knows better, and two that believe to have it must not answer each other.
      if (isLate(word, generation())) put(item, report, true);
    },
  };
}

/**
 * Whether a status is from before this worker had the item: the writer's generation is older, or it says itself, in this one, that it has
 * let go. Two workers of which each believes to have an item do not take each other's states for late, so they do not go on and on.
 */
function isLate(word: StatusEntry, generation: number): boolean {
  return word.generation < generation || (word.generation === generation && word.state === "UNASSIGNED");
}
