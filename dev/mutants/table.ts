import { DEADLINE_MUTANTS } from "./deadlines.ts";
import { EXACTLY_ONCE_MUTANTS } from "./exactly-once.ts";
import type { Mutant } from "./mutant.ts";
import { OWNERSHIP_MUTANTS } from "./ownership.ts";
import { RECORD_MUTANTS } from "./records.ts";

/** All of them, in the order of the invariants. */
export const MUTANTS: readonly Mutant[] = [
  ...RECORD_MUTANTS,
  ...EXACTLY_ONCE_MUTANTS,
  ...OWNERSHIP_MUTANTS,
  ...DEADLINE_MUTANTS,
].toSorted((left, right) => left.invariant - right.invariant);
