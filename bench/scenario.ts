import type { SideName } from "./side.ts";
import type { Topics } from "./topic.ts";

/** What one run of one side measured; what does not apply is left out. */
export interface Measurement {
  readonly recordsPerSecond?: number;
  /** CPU time of all processes of the worker per record, microseconds. */
  readonly cpuMicrosPerRecord?: number;
  /** Greatest resident memory of all processes of the worker together, bytes. */
  readonly peakBytes?: number;
  /** A time that is to be short, ms. */
  readonly elapsedMs?: number;
}

/** Where scenarios run. */
export interface Bench {
  readonly bootstrap: string;
  readonly dir: string;
  readonly topics: Topics;
  /** A name that no other run uses. */
  name(prefix: string): string;
}

/** Something that each side does, again and again in turn. */
export interface Scenario {
  readonly name: string;
  /** Whether `make bench` without FULL=1 runs it. */
  readonly quick: boolean;
  readonly sides: readonly SideName[];
  /** Made once before the runs: what all sides read. */
  prepare(bench: Bench): Promise<(side: SideName) => Promise<Measurement>>;
}
