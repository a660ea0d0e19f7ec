/** What may share an executor: everything, the parts of one connector, or nothing. */
export type Isolation = "shared" | "connector" | "task";

/** One executor as a possible place. */
export interface Place {
  readonly id: number;
  /** null: shared by everything that has no unit of its own. */
  readonly unit: string | null;
  readonly tasks: number;
  readonly connectors: number;
}

export interface Placement {
  /** The executors that are alive. */
  readonly places: readonly Place[];
  /** Where it has to be, alone with others of the same unit; null: anywhere that is shared. */
  readonly unit: string | null;
  readonly isTask: boolean;
  /** Most shared executors. */
  readonly maxShared: number;
}

/** Picks the least loaded suitable executor; null: a new one has to be started. A connector instance alone is worth no new process. */
export function place(wanted: Placement): number | null {
  const suitable = wanted.places.filter((candidate) => candidate.unit === wanted.unit);
  const [best] = suitable.toSorted((a, b) => a.tasks - b.tasks || a.connectors - b.connectors || a.id - b.id);
  if (best === undefined) return null;
  if (wanted.unit !== null || !wanted.isTask || best.tasks === 0) return best.id;
  return suitable.length < wanted.maxShared ? null : best.id;
}

/** The unit that the isolation mode asks for; null under `shared`. */
export function unitOf(isolation: Isolation, connector: string, task: number | null): string | null {
  switch (isolation) {
    case "shared":
      return null;
    case "connector":
      return `connector ${connector}`;
    case "task":
      return task === null ? `connector ${connector}` : `task ${task} of ${connector}`;
    default:
      throw new Error(`unreachable: ${isolation satisfies never}`);
  }
}
