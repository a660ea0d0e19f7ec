/** Something that a user has to put right; the message says what and how. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** A wrong command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Exit codes of the process. `findings`: the work is done, and there is something to look at. */
export const EXIT = { ok: 0, failed: 1, usage: 2, findings: 3 } as const;
