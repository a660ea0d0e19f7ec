import {
  arraySchema,
  DATE_NAME,
  DECIMAL_NAME,
  mapSchema,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
  type SchemaType,
  STRING_SCHEMA,
  TIME_NAME,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { fromUnscaled } from "./decimal.ts";

/**
 * Guesses the type of a text, by the rules of Java's `Values.parseString` (contract §8.3): null, booleans, arrays, maps, dates, the
 * smallest number type that fits, and otherwise text.
 */
export function parseValueText(text: string): SchemaAndValue {
  if (text === "") return { schema: STRING_SCHEMA, value: "" };
  if (text.startsWith("[") || text.startsWith("{"))
    return parseCollection(text) ?? { schema: STRING_SCHEMA, value: text };
  return parseScalar(text);
}

function parseScalar(text: string): SchemaAndValue {
  if (text === "null") return NULL_VALUE;
  if (text === "true" || text === "false")
    return { schema: { type: "BOOLEAN", optional: false }, value: text === "true" };
  return parseTemporal(text) ?? parseNumber(text) ?? { schema: STRING_SCHEMA, value: text };
}

const DATE_SCHEMA: Schema = { type: "INT32", optional: false, name: DATE_NAME, version: 1 };
const TIME_SCHEMA: Schema = { type: "INT32", optional: false, name: TIME_NAME, version: 1 };

function parseTemporal(text: string): SchemaAndValue | null {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const epochMs = Date.parse(`${text}T00:00:00.000Z`);
    return Number.isNaN(epochMs) ? null : { schema: DATE_SCHEMA, value: epochMs / 86_400_000 };
  }
  if (/^\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text)) {
    const epochMs = Date.parse(`1970-01-01T${text}`);
    return Number.isNaN(epochMs) ? null : { schema: TIME_SCHEMA, value: epochMs };
  }
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text)) {
    const epochMs = Date.parse(text);
    return Number.isNaN(epochMs) ? null : { schema: TIMESTAMP_SCHEMA, value: BigInt(epochMs) };
  }
  return null;
}

const NUMBER = /^([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,4}))?$/;
const INTEGER_TYPES: readonly { readonly type: SchemaType; readonly bits: number }[] = [
  { type: "INT8", bits: 8 },
  { type: "INT16", bits: 16 },
  { type: "INT32", bits: 32 },
  { type: "INT64", bits: 64 },
];

function parseNumber(text: string): SchemaAndValue | null {
  const match = NUMBER.exec(text);
  if (match === null || !/^[\d+-]/.test(text)) return null;
  const integer = toInteger(match);
  if (integer !== null) return fromInteger(integer);
  const value = Number(text);
  const single = Math.fround(value);
  if (Number.isFinite(single)) return { schema: { type: "FLOAT32", optional: false }, value: single };
  return Number.isFinite(value) ? { schema: { type: "FLOAT64", optional: false }, value } : null;
}

/** The whole number that a decimal stands for, for instance of `1.0` and `1e3`; null if it has a fraction. */
function toInteger([, sign = "", digits = "", exponent = "0"]: RegExpExecArray): bigint | null {
  const [whole = "", fraction = ""] = digits.split(".");
  const shift = Number(exponent) - fraction.length;
  const unscaled = BigInt(`${whole}${fraction}`);
  const magnitude = shift >= 0 ? unscaled * 10n ** BigInt(shift) : divideExactly(unscaled, 10n ** BigInt(-shift));
  if (magnitude === null) return null;
  return sign === "-" ? -magnitude : magnitude;
}

function divideExactly(value: bigint, divisor: bigint): bigint | null {
  return value % divisor === 0n ? value / divisor : null;
}

function fromInteger(integer: bigint): SchemaAndValue {
  const fitting = INTEGER_TYPES.find(({ bits }) => BigInt.asIntN(bits, integer) === integer);
  if (fitting === undefined) {
    const parameters = { scale: "0" };
    const schema: Schema = { type: "BYTES", optional: false, name: DECIMAL_NAME, version: 1, parameters };
    return { schema, value: fromUnscaled(integer) };
  }
  const value = fitting.type === "INT64" ? integer : Number(integer);
  return { schema: { type: fitting.type, optional: false }, value };
}

/** Null for what is not a well-formed array or map. */
function parseCollection(text: string): SchemaAndValue | null {
  const reader = new CollectionReader(text);
  const parsed = reader.value();
  return parsed !== null && reader.isAtEnd() ? parsed : null;
}

class CollectionReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#skipBlanks();
    return this.#at === this.#text.length;
  }

  value(): SchemaAndValue | null {
    this.#skipBlanks();
    switch (this.#text[this.#at]) {
      case "[":
        return this.#array();
      case "{":
        return this.#map();
      case '"':
        return this.#quoted();
      default:
        return this.#bare();
    }
  }

  #array(): SchemaAndValue | null {
    this.#at += 1;
    const items: SchemaAndValue[] = [];
    while (!this.#accept("]")) {
      if (items.length > 0 && !this.#accept(",")) return null;
      const item = this.value();
      if (item === null) return null;
      items.push(item);
    }
    const schema = commonSchema(items);
    return {
      schema: schema === null ? { type: "ARRAY", optional: false } : arraySchema(schema),
      value: items.map((item) => widen(item, schema)),
    };
  }

  #map(): SchemaAndValue | null {
    this.#at += 1;
    const keys: SchemaAndValue[] = [];
    const items: SchemaAndValue[] = [];
    while (!this.#accept("}")) {
      if (items.length > 0 && !this.#accept(",")) return null;
      const name = this.value();
      if (name === null || name.value === null || !this.#accept(":")) return null;
      const item = this.value();
      if (item === null) return null;
      keys.push(name);
      items.push(item);
    }
    const keySchema = commonSchema(keys);
    const itemSchema = commonSchema(items);
    const entries = items.map((item, index): [Value, Value] => [
      widen(keys[index] ?? NULL_VALUE, keySchema),
      widen(item, itemSchema),
    ]);
    const schema: Schema =
      keySchema !== null && itemSchema !== null
        ? mapSchema(keySchema, itemSchema)
        : { type: "MAP", optional: false, ...(keySchema === null ? {} : { keySchema }) };
    return { schema, value: new Map(entries) };
  }

  #quoted(): SchemaAndValue | null {
    let text = "";
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at];
      if (character === '"') {
        this.#at += 1;
        return parseTemporal(text) ?? { schema: STRING_SCHEMA, value: text };
      }
      if (character === "\\") this.#at += 1;
      text += this.#text[this.#at] ?? "";
    }
    return null;
  }

  #bare(): SchemaAndValue | null {
    const [word = ""] = /^[^,:[\]{}"]*/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += word.length;
    const trimmed = word.trim();
    return trimmed === "" ? null : parseScalar(trimmed);
  }

  #accept(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? "x")) this.#at += 1;
  }
}

/** The one schema of all non-null items, integers widened; null if there is none. */
function commonSchema(items: readonly SchemaAndValue[]): Schema | null {
  let common: Schema | null = null;
  for (const { schema } of items) {
    if (schema === null) continue;
    if (common === null) common = schema;
    else if (common.type !== schema.type || common.name !== schema.name) {
      const known: number = rankOf(common);
      const other = rankOf(schema);
      if (known < 0 || other < 0) return null;
      if (other > known) common = schema;
    }
  }
  return common;
}

function rankOf(schema: Schema): number {
  return schema.name === undefined ? INTEGER_TYPES.findIndex(({ type }) => type === schema.type) : -1;
}

function widen({ value }: SchemaAndValue, schema: Schema | null): Value {
  return schema?.type === "INT64" && typeof value === "number" ? BigInt(value) : value;
}
