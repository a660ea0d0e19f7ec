/** `${provider:key}` or `${provider:path:key}`; all further colons belong to the key. Source: org.apache.kafka.common.config.ConfigTransformer. */
const PLACEHOLDER = /\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}/g;

/** A reference to a value outside of the configuration. */
export interface Placeholder {
  readonly provider: string;
  /** Empty if the text has none. */
  readonly path: string;
  readonly key: string;
}

/** The placeholders of a value, in their order. */
export function placeholdersOf(value: string): readonly Placeholder[] {
  return [...value.matchAll(PLACEHOLDER)].map(([, provider = "", , path = "", key = ""]) => ({ provider, path, key }));
}

/** Whether a raw value contains a placeholder. */
export function hasPlaceholder(value: string): boolean {
  return value.search(PLACEHOLDER) >= 0;
}

/** Puts values in; what `lookUp` does not know stays as it is. Values are not looked at again. */
export function fillPlaceholders(value: string, lookUp: (placeholder: Placeholder) => string | undefined): string {
  return value.replace(
    PLACEHOLDER,
    (text, provider: string, _: unknown, path: string | undefined, key: string) =>
      lookUp({ provider, path: path ?? "", key }) ?? text,
  );
}

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
