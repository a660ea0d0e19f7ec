import assert from "node:assert/strict";
import { RetriableError } from "../errors.ts";
import { WaitError } from "./waiting.ts";

/** Wants an end that is meant: neither "later", nor a wait or an assertion of the suite's own; its message finds the item. */
export function assertDefinite(failure: unknown, tells: RegExp): void {
  assert.ok(failure instanceof Error, `ended with ${failure}, not with an error`);
  assert.ok(!(failure instanceof RetriableError), `would be tried again for ever: ${failure.message}`);
  assert.ok(!(failure instanceof WaitError) && !(failure instanceof assert.AssertionError), failure.message);
  assert.match(failure.message, tells);
}
