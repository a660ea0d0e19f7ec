/** Levels by logger, `root` among them. */
export type LogLevels = ReadonlyMap<string, string>;

export interface ParsedLogLevels {
  readonly levels: LogLevels;
  /** What was not understood, each as a sentence. */
  readonly warnings: readonly string[];
}

/** What a worker says of its loggers (GET /admin/loggers). `last_modified` is null for those that are as at the start. */
export type WorkerLoggers = Readonly<
  Record<string, { readonly level: string | null; readonly last_modified: number | null }>
>;

const LEVELS: ReadonlySet<string> = new Set(["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"]);

/**
 * Reads levels from logging properties as Strimzi's users have them: log4j2's (`rootLogger.level`, `logger.<id>.name` with
 * `logger.<id>.level`) and log4j's (`log4j.rootLogger`, `log4j.logger.<name>`, `connect.root.logger.level`). Appenders and layouts do
 * not matter here: workers log JSON to standard output.
 */
export function parseLogLevels(properties: Readonly<Record<string, string>>): ParsedLogLevels {
  const levels = new Map<string, string>();
  const warnings: string[] = [];
  const set = (logger: string, key: string) => {
    const level = levelIn(properties[key] ?? "", properties);
    if (level === null) warnings.push(`${key} has no log level`);
    else levels.set(logger, level);
  };
  for (const key of Object.keys(properties).sort()) {
    const root = /^(connect\.root\.logger\.level|log4j\.rootLogger|rootLogger|rootLogger\.level)$/.test(key);
    const named = /^log4j\.logger\.(.+)$/.exec(key)?.[1];
    const id = /^logger\.([^.]+)(\.level)?$/.exec(key)?.[1];
    if (root) set("root", key);
    else if (named !== undefined) set(named, key);
    else if (id !== undefined) {
      const name = properties[`logger.${id}.name`]?.trim();
      if (name === undefined || name === "") warnings.push(`${key} has no logger.${id}.name beside it`);
      else set(name, key);
    }
  }
  return { levels, warnings };
}

/** No level, nor a variable with one, is as long: what is behind is not looked at, however much a ConfigMap holds. */
const LONGEST = 200;

/** The level at the beginning of `INFO, CONSOLE`; `${name}` stands for another property. */
function levelIn(value: string, properties: Readonly<Record<string, string>>): string | null {
  const fill = (whole: string, name: string) => (properties[name] ?? whole).slice(0, LONGEST);
  const filled = value.slice(0, LONGEST).replace(/\$\{([^}]+)\}/g, fill);
  const level = (filled.split(",")[0] ?? "").trim().toUpperCase();
  return LEVELS.has(level) ? level : null;
}

/** One level to set. */
export interface LevelChange {
  readonly logger: string;
  readonly level: string;
}

/**
 * The calls that bring a worker's loggers to `wanted`, in order. A logger that is not named has the level of the nearest one above it
 * that is; one that was changed and is named no longer goes back to that. Setting a level sets those below it, too, so the
 * upper ones come first. `start` is the level of `root` if nothing is said about it.
 */
export function planLogLevels(current: WorkerLoggers, wanted: LogLevels, start: string): readonly LevelChange[] {
  const known = new Map(Object.entries(current).map(([name, { level }]) => [name, level ?? ""]));
  const changed = Object.entries(current).filter(([, { last_modified }]) => last_modified !== null);
  const names = new Set([...wanted.keys(), ...changed.map(([name]) => name)]);
  const changes: LevelChange[] = [];
  for (const logger of [...names].sort(upperFirst)) {
    const level = nearest(logger, wanted) ?? start;
    if ((nearest(logger, known) ?? start) === level) continue;
    changes.push({ logger, level });
    known.set(logger, level);
    for (const other of known.keys()) if (isUnder(other, logger)) known.set(other, level);
  }
  return changes;
}

function upperFirst(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "root" || b === "root") return a === "root" ? -1 : 1;
  return a.split(".").length - b.split(".").length || (a < b ? -1 : 1);
}

function isUnder(name: string, above: string): boolean {
  return name !== above && (above === "root" || name.startsWith(`${above}.`));
}

/** Of the logger itself, or of the nearest one above it. */
function nearest(logger: string, levels: ReadonlyMap<string, string>): string | undefined {
  const parts = logger.split(".");
  for (let length = parts.length; length > 0; length -= 1) {
    const level = levels.get(parts.slice(0, length).join("."));
    if (level !== undefined) return level;
  }
  return levels.get("root");
}
