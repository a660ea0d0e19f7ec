import { hasPlaceholder } from "@headrace/contract";

/**
 * What may be stored of a configuration made from resolved values: every key whose raw value has a placeholder gets the raw value back
 * (contract §2.5).
 */
export function restorePlaceholders(
  made: Readonly<Record<string, string>>,
  raw: Readonly<Record<string, string>>,
): Record<string, string> {
  const restored: Record<string, string> = { ...made };
  for (const key of Object.keys(made)) {
    const rawValue = raw[key];
    if (rawValue !== undefined && hasPlaceholder(rawValue)) restored[key] = rawValue;
  }
  return restored;
}
