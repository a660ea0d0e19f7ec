import type { Logger } from "@headrace/sdk";
import type { ExecutorNotice } from "./channel.ts";

/** A log whose lines are written by the worker process; `bound` goes into each. */
export function createNoticeLog(notify: (notice: ExecutorNotice) => void, bound: object): Logger {
  const write =
    (level: "error" | "warn" | "info" | "debug") =>
    (fields: object, message: string): void =>
      notify({ kind: "log", level, fields: toPlain({ ...bound, ...fields }), message });
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

/** Connectors may log anything; only plain data crosses the channel. */
function toPlain(fields: object): object {
  const plain: unknown = JSON.parse(JSON.stringify(fields, replaceOdd));
  return typeof plain === "object" && plain !== null ? plain : {};
}

function replaceOdd(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) return { type: value.name, message: value.message, stack: value.stack };
  return value;
}
