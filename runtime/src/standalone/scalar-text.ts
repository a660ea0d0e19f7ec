/** A configuration value as Kafka Connect's text; null for what is no scalar. */
export function toText(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}
