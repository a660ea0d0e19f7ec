import type { Settings } from "./settings.ts";

/** Whether a table is captured. */
export function isCaptured(settings: Settings, schema: string, table: string): boolean {
  if (/^(pg_|information_schema$)/.test(schema)) return false;
  return (
    admits(settings["schema.include.list"], settings["schema.exclude.list"], schema) &&
    admits(settings["table.include.list"], settings["table.exclude.list"], `${schema}.${table}`)
  );
}

/** Whether changes of a table are to be published: it is captured, or tells of signals. */
export function isFollowed(settings: Settings, schema: string, table: string): boolean {
  return isCaptured(settings, schema, table) || settings["signal.data.collection"] === `${schema}.${table}`;
}

/** Whether the first reading is to read a captured table. */
export function isRead(settings: Settings, schema: string, table: string): boolean {
  return admits(settings["snapshot.include.collection.list"], [], `${schema}.${table}`);
}

/** Whether a column's values are in the events. */
export function isColumnCaptured(settings: Settings, schema: string, table: string, column: string): boolean {
  const name = `${schema}.${table}.${column}`;
  return admits(settings["column.include.list"], settings["column.exclude.list"], name);
}

/** Whether logical messages with a prefix are captured. */
export function isMessageCaptured(rules: MessageRules, prefix: string): boolean {
  if (prefix === OWN_MESSAGES) return false;
  return admits(rules["message.prefix.include.list"], rules["message.prefix.exclude.list"], prefix);
}

export type MessageRules = Pick<Settings, "message.prefix.include.list" | "message.prefix.exclude.list">;

/** Prefix of the messages that mark places of the log for this connector itself. */
export const OWN_MESSAGES = "headrace";

function admits(include: readonly RegExp[], exclude: readonly RegExp[], name: string): boolean {
  if (exclude.some((pattern) => pattern.test(name))) return false;
  return include.length === 0 || include.some((pattern) => pattern.test(name));
}
