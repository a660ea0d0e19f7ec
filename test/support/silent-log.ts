import type { Logger } from "@headrace/sdk";

/** A log that prints nothing and keeps what it is told in `entries`. */
export function createSilentLog(): Logger & {
  readonly entries: readonly { readonly level: string; readonly message: string; readonly fields: object }[];
} {
  const entries: { level: string; message: string; fields: object }[] = [];
  const take = (level: string) => (fields: object, message: string) => void entries.push({ level, message, fields });
  return { entries, error: take("error"), warn: take("warn"), info: take("info"), debug: take("debug") };
}
