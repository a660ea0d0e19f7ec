import { ConfigError } from "@headrace/sdk";

/** A text with `${name}` in it, taken apart once. */
export interface Template {
  /** The names between the braces, in their order. */
  readonly names: readonly string[];
  /** The text with each name's value in its place; null if a value is missing. */
  fill(lookUp: (name: string) => string | null): string | null;
}

const PLACE = /\$\{([^{}:]+)\}/g;

/** Takes a template apart. Throws ConfigError for a name that is none of `known`; a known name that ends in a dot stands for all below it. */
export function parseTemplate(text: string, known: readonly string[]): Template {
  const names = [...text.matchAll(PLACE)].map(([, name = ""]) => name);
  for (const name of names) {
    if (known.some((each) => each === name || (each.endsWith(".") && name.startsWith(each)))) continue;
    const offered = known.map((each) => (each.endsWith(".") ? `${each}<name>` : each)).join(", ");
    throw new ConfigError(`\${${name}} is not known; there are ${offered}`);
  }
  return {
    names,
    fill(lookUp) {
      let missing = false;
      const filled = text.replaceAll(PLACE, (_, name: string) => {
        const value = lookUp(name);
        missing ||= value === null;
        return value ?? "";
      });
      return missing ? null : filled;
    },
  };
}

/** What is wrong with a template, or null. */
export function templateProblem(text: string, known: readonly string[]): string | null {
  try {
    parseTemplate(text, known);
    return null;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}
