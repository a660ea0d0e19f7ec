import { createHash } from "node:crypto";

/** What was applied last: of the very same, soon after, nothing would come but work for the API server. */
export interface Applied {
  readonly digest: string;
  /** Wall clock, epoch ms. */
  readonly atMs: number;
}

/** Steps of a roll follow each other in less than this; what somebody else has changed is put right by the next resync at the latest. */
const FRESH_MS = 10_000;

/** Notes that `objects` are applied now. */
export function toApplied(objects: unknown, nowMs: number): Applied {
  return { digest: createHash("sha256").update(JSON.stringify(objects)).digest("base64"), atMs: nowMs };
}

/** Whether what is to be applied was just so applied a moment ago. */
export function isFresh(last: Applied | null, wanted: Applied): boolean {
  if (last?.digest !== wanted.digest) return false;
  const ageMs = wanted.atMs - last.atMs;
  // A clock that was set back tells nothing.
  return ageMs >= 0 && ageMs < FRESH_MS;
}
