/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** null: all is well. */
  readonly problem: string | null;
  /** What `problem` was made of, where something was thrown. */
  readonly error?: unknown;
}

const STEP_TIMEOUT_MS = 30_000;

/** Tries one thing for at most half a minute. Never rejects. */
export async function find(
  what: string,
  attempt: (limit: AbortSignal) => Promise<unknown>,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    await attempt(AbortSignal.any([signal, AbortSignal.timeout(STEP_TIMEOUT_MS)]));
    return { what, problem: null };
  } catch (error) {
    return { what, problem: error instanceof Error ? error.message : String(error), error };
  }
}
