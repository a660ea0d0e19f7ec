/** A reference to a value outside of a configuration. */
export interface Placeholder {
  /** All of it, as it stands there. */
  readonly text: string;
  readonly provider: string;
  /** "" if it has none. */
  readonly path: string;
  readonly key: string;
}

/**
 * The placeholders of a value, in their order: `${provider:key}` or `${provider:path:key}`; all further colons belong to the key. Takes
 * time in proportion to the value's length, whatever is in it. Source: org.apache.kafka.common.config.ConfigTransformer.
 */
export function placeholdersIn(value: string): readonly Placeholder[] {
  return [...scan(value)].map(({ placeholder }) => placeholder);
}

/** Whether a value contains a placeholder. */
export function hasPlaceholder(value: string): boolean {
  return scan(value).next().done !== true;
}

/** Puts values in; what `lookUp` does not know stays as it is. Values are not looked at again. */
export function fillPlaceholders(value: string, lookUp: (placeholder: Placeholder) => string | undefined): string {
  let filled = "";
  let end = 0;
  for (const { placeholder, at } of scan(value)) {
    filled += value.slice(end, at) + (lookUp(placeholder) ?? placeholder.text);
    end = at + placeholder.text.length;
  }
  return filled + value.slice(end);
}

/** A beginning without a colon before the next `}` is text, and so is all that is in it. */
function* scan(value: string): Generator<{ readonly placeholder: Placeholder; readonly at: number }, void> {
  let at = value.indexOf("${");
  while (at >= 0) {
    const end = value.indexOf("}", at + 2);
    if (end < 0) return;
    const inner = value.slice(at + 2, end);
    const colon = inner.indexOf(":");
    if (colon >= 0) yield { placeholder: { text: value.slice(at, end + 1), ...split(inner, colon) }, at };
    at = value.indexOf("${", end + 1);
  }
}

function split(inner: string, colon: number): Omit<Placeholder, "text"> {
  const provider = inner.slice(0, colon);
  const second = inner.indexOf(":", colon + 1);
  if (second < 0) return { provider, path: "", key: inner.slice(colon + 1) };
  return { provider, path: inner.slice(colon + 1, second), key: inner.slice(second + 1) };
}
