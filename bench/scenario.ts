import type { End } from "./end.ts";
import type { Figure } from "./figure.ts";
import type { SideName } from "./side.ts";
import type { Topics } from "./topic.ts";

/** What one run of one side measured: records per second, microseconds, bytes or milliseconds by the figure; what does not apply is left out. */
export type Measurement = Readonly<Partial<Record<Figure, number>>>;

/** Where scenarios run. */
export interface TestBed {
  readonly bootstrap: string;
  readonly dir: string;
  readonly topics: Topics;
  /** 1: as many records as the figures stand for; less for a trial, whose figures mean nothing. */
  readonly scale: number;
  /** Whether there is time for all repetitions. */
  readonly full: boolean;
  /** A name that no other run uses. */
  name(prefix: string): string;
}

/** Where one scenario runs. */
export interface Bench extends TestBed {
  /** `end` is called when the scenario is over, whatever became of it; what was deferred last comes first. */
  defer(end: End): void;
}

/** Something that each side does, again and again in turn. */
export interface Scenario {
  readonly name: string;
  /** Whether `make bench` without FULL=1 runs it. */
  readonly quick: boolean;
  readonly sides: readonly SideName[];
  /** Runs of each side if fewer are enough, since one run measures many times. */
  readonly maxRuns?: number;
  /** Made once before the runs: what all sides read. */
  prepare(bench: Bench): Promise<(side: SideName) => Promise<Measurement>>;
}
