import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** One guard of an invariant (docs/invariants.md), and the smallest edit that takes it out. */
export interface Mutant {
  /** Number in docs/invariants.md. */
  readonly invariant: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  /** What the guard keeps from happening. */
  readonly guard: string;
  /** Path from the root of the repository. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files, at least one of which has to turn red. */
  readonly tests: readonly string[];
}

/**
 * The file's text below `root` without the guard. Throws if `find` is not there exactly once, or if what comes out is no TypeScript:
 * a file that cannot be loaded turns every test red and proves nothing.
 */
export function mutate(mutant: Mutant, root: string): string {
  const { file, find, replace } = mutant;
  const parts = readFileSync(join(root, file), "utf8").split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} contains this ${parts.length - 1} times, not once; correct dev/mutants/: ${find}`);
  }
  const text = parts.join(replace);
  try {
    stripTypeScriptTypes(text);
  } catch (error) {
    throw new Error(`${file} is no TypeScript after replacing ${find}`, { cause: error });
  }
  return text;
}
