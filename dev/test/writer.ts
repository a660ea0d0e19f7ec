import { writeSync } from "node:fs";
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { repoRoot } from "../cache.ts";
import type { FileEvent } from "./event.ts";

/** Where a test file's process has the pipe for its events. */
export const EVENTS_FD = 3;

/**
 * A reporter for node:test, given to each test file's process: writes {@link FileEvent}s to {@link EVENTS_FD}, one per line, and nothing to
 * its own stream. Synchronous, so that nothing is lost when the process ends at once.
 */
export default async function* writer(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const told = toFileEvent(event);
    if (told !== null) writeSync(EVENTS_FD, `${JSON.stringify(told)}\n`);
  }
  yield "";
}

function toFileEvent(event: TestEvent): FileEvent | null {
  switch (event.type) {
    case "test:pass": {
      const { name, details } = event.data;
      return { kind: "pass", name, durationMs: details.duration_ms, suite: details.type === "suite" };
    }
    case "test:fail": {
      const { name, file, line, details } = event.data;
      const cause: unknown = details.error.cause ?? details.error;
      if (/^\d+ subtests? failed$/.test(cause instanceof Error ? cause.message : String(cause))) return null;
      const where = file === undefined ? "" : `${relative(repoRoot, file)}:${line ?? 0}`;
      const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      return { kind: "fail", name, where, text };
    }
    case "test:diagnostic": {
      const { message, nesting } = event.data;
      const closing = nesting === 0 && /^\w+ [\d.]+$/.test(message);
      return { kind: "diagnostic", message, closing };
    }
    default:
      return null;
  }
}
