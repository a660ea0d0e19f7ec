import { z } from "zod";
import { fullMatch, groupPlaces } from "./java-regex.ts";

export { fullMatch, groupPlaces };

/**
 * Building blocks for a plugin's configuration schema. Configurations arrive as flat maps of strings; each helper turns the text of one
 * key into its type, by Java's rules and with Java's wording of what is wrong (org.apache.kafka.common.config.ConfigDef). Chain
 * `.default()`, `.optional()`, `.describe()` and `.meta({ importance })` as with any zod schema. Plain zod works as well, except
 * `z.coerce.boolean()`, to which "false" is true.
 */

/** What a key's `.meta()` may say about how it is shown; all optional. */
export interface KeyMeta {
  readonly configType?: "BOOLEAN" | "STRING" | "INT" | "SHORT" | "LONG" | "DOUBLE" | "LIST" | "CLASS" | "PASSWORD";
  /** Not given: HIGH for a required key, MEDIUM otherwise. */
  readonly importance?: "HIGH" | "MEDIUM" | "LOW";
  readonly displayName?: string;
  readonly group?: string;
  readonly order?: number;
  readonly width?: "NONE" | "SHORT" | "MEDIUM" | "LONG";
  /** Names of keys whose validity depends on this one. */
  readonly dependents?: readonly string[];
  /** Values to offer to the user. */
  readonly recommended?: readonly string[];
  /** Whether a number has bounds; set by {@link int}, {@link long} and {@link double}. */
  readonly bounded?: boolean;
}

/** Inclusive bounds of a number. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

type Parsed<T> = { readonly value: T } | { readonly fault: string };

function parsed<T>(configType: KeyMeta["configType"], parse: (text: string) => Parsed<T>, bounded = false) {
  return z
    .string()
    .transform((text, context): T => {
      const result = parse(text);
      if ("value" in result) return result.value;
      context.addIssue({ code: "custom", message: result.fault, input: text });
      return z.NEVER;
    })
    .meta(bounded ? { configType, bounded } : { configType });
}

function isBounded(range: Range): boolean {
  return range.min !== undefined || range.max !== undefined;
}

function within(value: number, range: Range): Parsed<number> {
  if (range.min !== undefined && value < range.min) return { fault: `Value must be at least ${range.min}` };
  if (range.max !== undefined && value > range.max) return { fault: `Value must be no more than ${range.max}` };
  return { value };
}

function integer(configType: "SHORT" | "INT" | "LONG", limit: number, range: Range) {
  return parsed<number>(
    configType,
    (text) => {
      const trimmed = text.trim();
      const value = Number(trimmed);
      if (!/^[+-]?\d+$/.test(trimmed) || Math.abs(value) > limit)
        return { fault: `Not a number of type ${configType}` };
      return within(value, range);
    },
    isBounded(range),
  );
}

/** A 16-bit integer. */
export const short = (range: Range = {}) => integer("SHORT", 2 ** 15 - 1, range);

/** A 32-bit integer. */
export const int = (range: Range = {}) => integer("INT", 2 ** 31 - 1, range);

/** An integer up to 2^53. */
export const long = (range: Range = {}) => integer("LONG", Number.MAX_SAFE_INTEGER, range);

/** A floating-point number. */
export const double = (range: Range = {}) =>
  parsed<number>(
    "DOUBLE",
    (text) => {
      const value = Number(text);
      if (text.trim() === "" || Number.isNaN(value)) return { fault: "Not a number of type DOUBLE" };
      return within(value, range);
    },
    isBounded(range),
  );

/** "true" or "false", in any case. */
export const boolean = () =>
  parsed<boolean>("BOOLEAN", (text) => {
    const word = text.trim().toLowerCase();
    if (word === "true") return { value: true };
    if (word === "false") return { value: false };
    return { fault: "Expected value to be either true or false" };
  });

/** Items separated by commas, trimmed; the empty text is the empty list. */
export const list = () =>
  parsed<readonly string[]>("LIST", (text) => {
    const trimmed = text.trim();
    return { value: trimmed === "" ? [] : trimmed.split(/\s*,\s*/) };
  });

/** The items of such a list, empty ones left out; none of a text that is not there. */
export function splitList(text: string | undefined): readonly string[] {
  return (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** A regular expression that a whole text has to match. */
export const pattern = () =>
  parsed<RegExp>("STRING", (text) => {
    try {
      return { value: fullMatch(text.trim()) };
    } catch {
      return { fault: "Invalid regex" };
    }
  });

/** One of the given words, exactly. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words).meta({ configType: "STRING" });

/** One of the given words, in any case; gives the word as it is spelled here. */
export const anyCaseOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z
    .string()
    .transform((given, context): Words[number] => {
      const found = words.find((word) => word.toLowerCase() === given.trim().toLowerCase());
      if (found !== undefined) return found;
      context.addIssue({ code: "custom", message: `String must be one of: ${words.join(", ")}`, input: given });
      return z.NEVER;
    })
    .meta({ configType: "STRING", recommended: [...words] });

/** A list whose items are all of the given words, each at most once. */
export const listOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  parsed<readonly Words[number][]>("LIST", (text) => {
    const items: Words[number][] = [];
    for (const item of splitList(text)) {
      const found = words.find((word) => word === item);
      if (found === undefined) return { fault: `Item ${item} must be one of: ${words.join(", ")}` };
      if (items.includes(found)) return { fault: `Item ${item} is there twice` };
      items.push(found);
    }
    return { value: items };
  }).meta({ configType: "LIST", recommended: [...words] });

/** An absolute http or https URL. */
export const httpUrl = () =>
  parsed<string>("STRING", (text) => {
    const url = URL.parse(text.trim());
    if (url === null) return { fault: "Not a URL" };
    if (url.protocol !== "http:" && url.protocol !== "https:")
      return { fault: "URL must start with http:// or https://" };
    return { value: text.trim() };
  });

/**
 * Puts keys into a group, in their order, for user interfaces and generated documentation. Give each group's keys to one call and spread the
 * results into the schema: `z.object({ ...group("Connection", { … }), ...group("Writes", { … }) })`.
 */
export function group<const Shape extends Readonly<Record<string, z.ZodType>>>(name: string, shape: Shape): Shape {
  for (const [index, key] of Object.values(shape).entries()) {
    z.globalRegistry.add(key, { ...key.meta(), group: name, order: index + 1 });
  }
  return shape;
}

/** Text, without the blanks around it, as Java's ConfigDef takes every string. */
export const text = () => z.string().trim().meta({ configType: "STRING" });

/** Text that is not empty; blanks around it do not count. */
export const nonEmpty = () => z.string().trim().min(1).meta({ configType: "STRING" });

/** The name of a plugin: a short name, or a Java class name. */
export const className = () =>
  parsed<string>("CLASS", (text) => (text.trim() === "" ? { fault: "Class name is empty" } : { value: text.trim() }));

/** A secret: never logged; held in a wrapper whose text form is `[hidden]`. */
export const password = () => parsed<Password>("PASSWORD", (text) => ({ value: new Password(text) }));

/** A secret value. Source: org.apache.kafka.common.config.types.Password. */
export class Password {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The secret itself. */
  reveal(): string {
    return this.#secret;
  }

  toString(): string {
    return "[hidden]";
  }

  toJSON(): string {
    return "[hidden]";
  }
}
