/** What a test file tells while it runs, one JSON object per line: the part of node:test's events that the report needs. */
export type FileEvent =
  | { readonly kind: "pass"; readonly name: string; readonly durationMs: number; readonly suite: boolean }
  | { readonly kind: "fail"; readonly name: string; readonly where: string; readonly text: string }
  /** A closing line of node:test, or what a test said with `t.diagnostic`. */
  | { readonly kind: "diagnostic"; readonly message: string; readonly closing: boolean };

/** Reads a line that `writer.ts` wrote. Throws if it is no JSON. */
export function parseFileEvent(line: string): FileEvent {
  return JSON.parse(line) as FileEvent;
}
