import type { Schema, SchemaAndValue, Value } from "./schema.ts";

/**
 * A value as Java's `toString` shows it: `{a=1, b=x}` for maps, `[1, 2]` for lists, `Struct{a=1,b=x}` for structs (null fields left
 * out), floating-point numbers with their point.
 */
export function toText(data: SchemaAndValue): string {
  return textOf(data.value, data.schema);
}

function textOf(value: Value, schema: Schema | null | undefined): string {
  if (value === null) return "null";
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value, schema);
  if (typeof value !== "object") return String(value);
  if (Buffer.isBuffer(value)) return value.toString("utf8");
  if (Array.isArray(value)) return `[${value.map((item: Value) => textOf(item, schema?.valueSchema)).join(", ")}]`;
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, item]: [Value, Value]) => `${textOf(key, schema?.keySchema)}=${textOf(item, schema?.valueSchema)}`,
    );
    return `{${entries.join(", ")}}`;
  }
  const entries: [string, Value][] = Object.entries(value);
  if (schema?.type === "STRUCT") {
    const shown = entries.filter(([, item]) => item !== null);
    const text = (field: string, item: Value) =>
      textOf(item, schema.fields?.find((each) => each.name === field)?.schema);
    return `Struct{${shown.map(([field, item]) => `${field}=${text(field, item)}`).join(",")}}`;
  }
  return `{${entries.map(([field, item]) => `${field}=${textOf(item, null)}`).join(", ")}}`;
}

function numberText(value: number, schema: Schema | null | undefined): string {
  if (schema?.type === "FLOAT32") return javaFloat(value, true);
  if (schema?.type === "FLOAT64" || !Number.isInteger(value)) return javaFloat(value, false);
  return String(value);
}

/**
 * A floating-point number as Java's `Double.toString` (or `Float.toString`, `single`) writes it: `1.0`, `1.0E10`, `1.0E-5`.
 * NaN and infinities by their names.
 */
export function javaFloat(value: number, single: boolean): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const magnitude = Math.abs(value);
  const digits = single ? shortestSingle(value) : value;
  if (magnitude >= 1e-3 && magnitude < 1e7) return withPoint(String(digits));
  const [mantissa = "", exponent = "0"] = digits.toExponential().split("e");
  return `${withPoint(mantissa)}E${Number(exponent)}`;
}

function withPoint(text: string): string {
  return text.includes(".") ? text : `${text}.0`;
}

/** The double whose shortest form has just the digits that tell this float from its neighbours. */
function shortestSingle(value: number): number {
  const single = Math.fround(value);
  for (let precision = 1; precision <= 9; precision += 1) {
    const candidate = Number(single.toPrecision(precision));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}
