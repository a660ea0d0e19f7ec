import { parseNumberText } from "./number-text.ts";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  mapSchema,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
  STRING_SCHEMA,
  type Value,
} from "./schema.ts";
import { compileDateFormat, type DateFormat } from "./simple-date-format.ts";
import { alignTo, mergeSchemas, type Parsed, TEMPORAL_SCHEMAS, toMixed, toValue } from "./value-alignment.ts";
import { isBlank, trimText, ValueTokens } from "./value-tokens.ts";

/**
 * Takes the type of a text from the text itself, by the rules of Java's `Values.parseString` (contract §8.3): null, booleans, arrays,
 * maps, dates, the smallest number type that fits, and otherwise text. As there, what follows a number or date and a delimiter is lost:
 * `12:34` is 12.
 */
export function parseValueText(text: string): SchemaAndValue {
  if (text === "") return { schema: STRING_SCHEMA, value: "" };
  const parsed = new ValueReader(new ValueTokens(text)).read(false);
  return parsed === null ? NULL_VALUE : { schema: parsed.schema, value: toValue(parsed.value, parsed.schema) };
}

/** The text is no collection; it is taken for a string then. */
class NoCollection extends Error {}

class ValueReader {
  readonly #tokens: ValueTokens;

  constructor(tokens: ValueTokens) {
    this.#tokens = tokens;
  }

  /** Null for null. */
  read(embedded: boolean): Parsed | null {
    const tokens = this.#tokens;
    if (!tokens.hasNext()) return null;
    if (embedded && tokens.accept('"')) return this.#quoted();
    if (this.#literal(embedded, "null")) return null;
    if (this.#literal(embedded, "true")) return { schema: BOOLEAN_SCHEMA, value: true };
    if (this.#literal(embedded, "false")) return { schema: BOOLEAN_SCHEMA, value: false };
    const start = tokens.mark();
    try {
      if (tokens.accept("[")) return this.#array();
      if (tokens.accept("{")) return this.#map();
    } catch (error) {
      if (!(error instanceof NoCollection)) throw error;
      tokens.rewind(start);
    }
    const token = tokens.next();
    return isBlank(token) ? { schema: STRING_SCHEMA, value: token } : this.#scalar(embedded, trimText(token));
  }

  /** A word that is a value: at the top it must stand alone. */
  #literal(embedded: boolean, word: string): boolean {
    const start = this.#tokens.mark();
    if (this.#tokens.accept(word) && (embedded || !this.#tokens.hasNext())) return true;
    this.#tokens.rewind(start);
    return false;
  }

  #scalar(embedded: boolean, token: string): Parsed {
    if (/^\d/.test(token)) {
      const temporal = this.#temporal(token);
      if (temporal !== null) return temporal;
    }
    if (/^[\d+-]/.test(token)) {
      const number = parseNumberText(token);
      if (number !== null) return number;
    }
    if (embedded) throw new NoCollection();
    return { schema: STRING_SCHEMA, value: this.#tokens.text };
  }

  /** Times hold two colons, which are tokens of their own. */
  #temporal(token: string): Parsed | null {
    const start = this.#tokens.mark();
    const rest = this.#tokens.take(4);
    if (rest !== null) {
      const temporal = parseTemporal(token + rest);
      if (temporal !== null) return temporal;
    }
    this.#tokens.rewind(start);
    return parseTemporal(token);
  }

  #quoted(): Parsed {
    let text = "";
    while (this.#tokens.hasNext() && !this.#tokens.accept('"')) text += this.#tokens.next();
    return parseTemporal(text) ?? { schema: STRING_SCHEMA, value: text };
  }

  #array(): Parsed {
    const items: (Parsed | null)[] = [];
    while (this.#tokens.hasNext()) {
      if (this.#tokens.accept("]")) return toArray(items);
      if (this.#tokens.accept(",")) throw new NoCollection();
      items.push(this.read(true));
      const next = this.#tokens.mark();
      if (this.#tokens.accept("]")) this.#tokens.rewind(next);
      else if (!this.#tokens.accept(",")) throw new NoCollection();
    }
    throw new NoCollection();
  }

  #map(): Parsed {
    const entries: [Parsed, Parsed | null][] = [];
    while (this.#tokens.hasNext()) {
      if (this.#tokens.accept("}")) return toMap(entries);
      if (this.#tokens.accept(",")) throw new NoCollection();
      const key = this.read(true);
      if (key === null || !this.#tokens.accept(":")) throw new NoCollection();
      entries.push([key, this.read(true)]);
      this.#tokens.accept(",");
    }
    throw new NoCollection();
  }
}

function toArray(items: readonly (Parsed | null)[]): Parsed {
  const common = mergeSchemas(items);
  if (common === null) {
    const value = items.map((item) => (item === null ? null : toMixed(item)));
    return { schema: { type: "ARRAY", optional: false }, value };
  }
  return { schema: arraySchema(common), value: items.map((item) => align(item, common)) };
}

function toMap(entries: readonly (readonly [Parsed, Parsed | null])[]): Parsed {
  const keySchema = mergeSchemas(entries.map(([key]) => key));
  const valueSchema = mergeSchemas(entries.map(([, item]) => item));
  const bare = (item: Parsed | null): Value => (item === null ? null : toMixed(item));
  if (keySchema === null) {
    return {
      schema: { type: "MAP", optional: false },
      value: new Map(entries.map(([key, item]) => [bare(key), bare(item)])),
    };
  }
  const schema: Schema =
    valueSchema === null ? { type: "MAP", optional: false, keySchema } : mapSchema(keySchema, valueSchema);
  const value = new Map(
    entries.map(([key, item]): [Value, Value] => [
      align(key, keySchema),
      valueSchema === null ? bare(item) : align(item, valueSchema),
    ]),
  );
  return { schema, value };
}

function align(item: Parsed | null, schema: Schema): Value {
  const aligned = item === null ? undefined : alignTo(item, schema);
  if (aligned === undefined) throw new NoCollection();
  return aligned;
}

/** Formats by the length of their texts. */
const FORMATS: ReadonlyMap<number, { readonly format: DateFormat; readonly schema: Schema }> = new Map([
  [10, { format: formatOf("yyyy-MM-dd"), schema: TEMPORAL_SCHEMAS.date }],
  [13, { format: formatOf("HH:mm:ss.SSS'Z'"), schema: TEMPORAL_SCHEMAS.time }],
  [24, { format: formatOf("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"), schema: TEMPORAL_SCHEMAS.timestamp }],
]);

function formatOf(pattern: string): DateFormat {
  const format = compileDateFormat(pattern);
  if ("fault" in format) throw new Error(format.fault);
  return format;
}

function parseTemporal(token: string): Parsed | null {
  const text = token.replaceAll("\\:", ":");
  const known = FORMATS.get(text.length);
  const millis = known?.format.parse(text) ?? null;
  return known === undefined || millis === null ? null : { schema: known.schema, value: new Date(millis) };
}
