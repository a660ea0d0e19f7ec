import type { Placeholder } from "@headrace/contract";

/** Shorter values are too likely to stand in a text by chance. */
const SHORTEST = 4;
/** Values that change by and by, such as tokens, must not pile up for ever. */
const MOST = 10_000;

/** What config providers have given in this process, so that no text that leaves it shows any of it. */
export interface GivenValues {
  add(value: string, placeholder: Omit<Placeholder, "text">): void;
  /** The text with placeholders where such values stood, also trimmed or encoded for a URL; values of less than four characters stay. */
  hide(text: string): string;
}

/** Nothing is known at first. The oldest of more than 10,000 values are forgotten. */
export function createGivenValues(): GivenValues {
  const shown = new Map<string, string>();
  /** All of them in one pass, longest first: a placeholder that was put in must not be looked at again. */
  let pattern: RegExp | null = null;
  return {
    add(value, { provider, path, key }) {
      const placeholder = `\${${provider}:${path === "" ? "" : `${path}:`}${key}}`;
      for (const form of new Set([value, value.trim(), encodeURIComponent(value.trim().toWellFormed())])) {
        if (form.length < SHORTEST || shown.get(form) === placeholder) continue;
        shown.delete(form);
        shown.set(form, placeholder);
        pattern = null;
        const [oldest] = shown.keys();
        if (shown.size > MOST && oldest !== undefined) shown.delete(oldest);
      }
    },
    hide(text) {
      if (shown.size === 0) return text;
      pattern ??= new RegExp(
        [...shown.keys()]
          .sort((a, b) => b.length - a.length)
          .map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
          .join("|"),
        "g",
      );
      return text.replace(pattern, (value) => shown.get(value) ?? value);
    },
  };
}
