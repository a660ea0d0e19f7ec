import type { KafkaConnectSpec } from "@headrace/contract";
import { parse } from "dot-properties";
import { parseLogLevels } from "./log-levels.ts";
import type { WantedLogging } from "./logging.ts";

/**
 * What `spec.logging` asks for. `text` is what its ConfigMap holds; null if there is no such key. `unread`: why it could not be read,
 * without a full stop. While it is missing, `logging` is null: workers keep the levels that they have.
 */
export function wantedLogging(
  { config = {}, logging }: KafkaConnectSpec,
  text: string | null,
  unread: string | null = null,
): { readonly logging: WantedLogging | null; readonly warnings: readonly string[] } {
  const start = String(config["headrace.log.level"] ?? "INFO").toUpperCase();
  if (logging === undefined) return { logging: { levels: null, start }, warnings: [] };
  if (logging.type === "external" && unread !== null) {
    return { logging: null, warnings: [`spec.logging is as it was: ${unread}.`] };
  }
  if (logging.type === "external" && text === null) {
    const { name = "", key = "", optional = false } = logging.valueFrom?.configMapKeyRef ?? {};
    const missing = `spec.logging is not applied: ConfigMap ${name} with the key ${key} does not exist.`;
    return { logging: null, warnings: optional ? [] : [missing] };
  }
  const properties = logging.type === "inline" ? (logging.loggers ?? {}) : toProperties(text ?? "");
  const { levels, warnings } = parseLogLevels(properties);
  return { logging: { levels, start }, warnings: warnings.map((warning) => `spec.logging: ${warning}.`) };
}

function toProperties(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(parse(text)).map(([key, value]) => [key, String(value)]));
}
