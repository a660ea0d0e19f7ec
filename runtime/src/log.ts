import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger } from "pino";

export interface LogOptions {
  readonly level: string;
  /** Not given: standard output. */
  readonly destination?: DestinationStream;
}

/** Paths whose values never appear in a log, wherever such an object is logged. */
const REDACTED = [
  "config",
  "*.config",
  "password",
  "*.password",
  "authorization",
  "*.authorization",
  "headers",
  "*.headers",
];

/** The worker's JSON log. */
export function createLog(options: LogOptions): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "[redacted]" },
    serializers: { error: pino.stdSerializers.err },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
