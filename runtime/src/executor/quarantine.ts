/** Suspects are spread over at most so many executors of their own at a time. */
const MAX_UNITS = 8;
/** A suspect that goes on well for so long was not the culprit. */
const PROBATION_MS = 5 * 60_000;

/**
 * Which connectors do not share executors because one of theirs died under them. After a crash nobody knows the culprit, so each
 * suspect gets an executor of its own (or, with many, a small circle). Who crashes alone is the culprit and stays alone for good.
 */
export interface Quarantine {
  /** The unit a connector is confined to; null: none. */
  unit(connector: string, nowMs: number): string | null;
  /** An executor with these connectors died at this instant. */
  crashed(connectors: readonly string[], nowMs: number): void;
  forget(connector: string): void;
}

interface Suspect {
  readonly unit: string;
  readonly sinceMs: number;
  readonly convicted: boolean;
}

/** Creates an empty quarantine. */
export function createQuarantine(): Quarantine {
  const suspects = new Map<string, Suspect>();
  let lastUnit = 0;
  return {
    unit(connector, nowMs) {
      const suspect = suspects.get(connector);
      if (suspect === undefined) return null;
      if (!suspect.convicted && suspect.sinceMs + PROBATION_MS <= nowMs) {
        suspects.delete(connector);
        return null;
      }
      return suspect.unit;
    },
    crashed(connectors, nowMs) {
      const circles = Math.min(connectors.length, MAX_UNITS);
      const convicted = connectors.length === 1;
      for (const [index, connector] of connectors.entries()) {
        const unit = `quarantine ${lastUnit + 1 + (index % Math.max(circles, 1))}`;
        suspects.set(connector, { unit, sinceMs: nowMs, convicted });
      }
      lastUnit += circles;
    },
    forget(connector) {
      suspects.delete(connector);
    },
  };
}
