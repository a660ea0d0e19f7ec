import type { Logger } from "./log.ts";

/** What is known of a logger's level. `lastModifiedMs` null: it is as it was at the start. */
export interface LoggerLevel {
  readonly level: string;
  readonly lastModifiedMs: number | null;
}

/** The log levels of this worker by logger name, as log4j has them: a name is under those that it begins with, up to a dot (KIP-495). */
export interface Loggers {
  /** All loggers that are known, `root` among them, by name. */
  all(): ReadonlyMap<string, LoggerLevel>;
  /** null: nobody has logged under this name nor set its level. */
  get(name: string): LoggerLevel | null;
  /** Sets the level of a logger and of those under it; gives the names of those that have another level now, sorted. */
  set(name: string, level: string): readonly string[];
  /** The log that writes under this name, at its level. */
  logger(name: string): Logger;
}

/** log4j's levels with pino's. */
const LEVELS = {
  OFF: "silent",
  FATAL: "fatal",
  ERROR: "error",
  WARN: "warn",
  INFO: "info",
  DEBUG: "debug",
  TRACE: "trace",
  ALL: "trace",
} as const;
export type Level = keyof typeof LEVELS;

/** A level in log4j's spelling, in any case; null: there is no such level. */
export function parseLevel(text: string): Level | null {
  const wanted = text.toUpperCase();
  for (const [level] of Object.entries(LEVELS)) if (level === wanted && isLevel(level)) return level;
  return null;
}

function isLevel(text: string): text is Level {
  return text in LEVELS;
}

/** Creates the registry over the worker's log, whose level is that of `root`. `wallClock`: milliseconds since the epoch. */
export function createLoggers(root: Logger, wallClock: () => number): Loggers {
  const logs = new Map<string, Logger>([["root", root]]);
  const levels = new Map<string, { level: Level; lastModifiedMs: number | null }>();
  levels.set("root", { level: fromPino(root.level), lastModifiedMs: null });

  /** The nearest name above that is known. */
  const inherited = (name: string): Level => {
    for (let dot = name.lastIndexOf("."); dot > 0; dot = name.lastIndexOf(".", dot - 1)) {
      const above = levels.get(name.slice(0, dot));
      if (above !== undefined) return above.level;
    }
    return levels.get("root")?.level ?? "INFO";
  };
  const write = (name: string, level: Level) => {
    levels.set(name, { level, lastModifiedMs: wallClock() });
    const log = logs.get(name);
    if (log !== undefined) log.level = LEVELS[level];
  };

  return {
    all: () => new Map([...levels].toSorted(([left], [right]) => (left < right ? -1 : 1))),
    get: (name) => levels.get(name) ?? null,
    set(name, text) {
      const level = parseLevel(text);
      if (level === null) throw new Error(`${text} is no log level`);
      if (!levels.has(name)) levels.set(name, { level: inherited(name), lastModifiedMs: null });
      const meant = [...levels.keys()].filter(
        (other) => name === "root" || other === name || other.startsWith(`${name}.`),
      );
      const changed = meant.filter((other) => levels.get(other)?.level !== level);
      for (const other of changed) write(other, level);
      return changed.sort();
    },
    logger(name) {
      const present = logs.get(name);
      if (present !== undefined) return present;
      const level = levels.get(name)?.level ?? inherited(name);
      const log = root.child({ logger: name }, { level: LEVELS[level] });
      logs.set(name, log);
      if (!levels.has(name)) levels.set(name, { level, lastModifiedMs: null });
      return log;
    },
  };
}

function fromPino(level: string): Level {
  for (const [name, pino] of Object.entries(LEVELS)) if (pino === level && isLevel(name)) return name;
  return "INFO";
}
