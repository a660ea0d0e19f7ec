import { type DestinationStream, type Logger, pino } from "pino";

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

/** The operator's log: JSON lines on standard output, secrets redacted by path. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "[redacted]" },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
