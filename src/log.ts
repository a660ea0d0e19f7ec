import { type DestinationStream, type Logger, pino } from "pino";
import { reconcileId } from "./reconcile-id.ts";

/** Paths whose values never reach a log line. */
export const REDACTED = [
  "password",
  "token",
  "authorization",
  "headers.authorization",
  "headers.Authorization",
  "*.password",
  "*.token",
  "*.authorization",
  "data",
  "stringData",
  "*.stringData",
];

/**
 * The operator's log: JSON lines on standard output, secrets redacted by path. What is logged from within a reconcile carries its
 * `reconcileID`, as controller-runtime names it.
 */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => {
      const id = reconcileId();
      return id === undefined ? {} : { reconcileID: id };
    },
    redact: { paths: REDACTED, censor: "[redacted]" },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
