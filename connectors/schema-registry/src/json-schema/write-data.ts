import { checkValue, DECIMAL_NAME, decimalText, type Schema, scaleOf, type Value, WholeDouble } from "@headrace/sdk";

/** Data of a schema as JSON text. Throws DataError for data that does not fit. Source: JsonSchemaData.fromConnectData. */
export function writeData(schema: Schema, value: Value, options: { readonly numericDecimals: boolean }): string {
  checkValue(schema, value);
  return write(schema, value, options.numericDecimals);
}

function write(schema: Schema | undefined, given: Value, numeric: boolean): string {
  const value = given ?? schema?.default ?? null;
  if (value === null) return "null";
  if (schema === undefined) return writeLoose(value);
  if (Buffer.isBuffer(value)) {
    const asNumber = numeric && schema.name === DECIMAL_NAME;
    return asNumber ? decimalText(value, scaleOf(schema)) : `"${value.toString("base64")}"`;
  }
  if (typeof value !== "object") return scalar(value);
  if (Array.isArray(value))
    return `[${value.map((item: Value) => write(schema.valueSchema, item, numeric)).join(",")}]`;
  if (value instanceof Map) {
    const entries = [...value].map(
      ([key, item]: [Value, Value]) => [key, write(schema.valueSchema, item, numeric)] as const,
    );
    if (schema.keySchema?.type === "STRING" && !schema.keySchema.optional) {
      return `{${entries.map(([key, item]) => `${JSON.stringify(String(key))}:${item}`).join(",")}}`;
    }
    return `[${entries.map(([key, item]) => `{"key":${write(schema.keySchema, key, numeric)},"value":${item}}`).join(",")}]`;
  }
  const struct = value as Readonly<Record<string, Value>>;
  const members = (schema.fields ?? []).map(
    (field) =>
      `${JSON.stringify(field.name)}:${write(field.schema, Object.hasOwn(struct, field.name) ? (struct[field.name] ?? null) : null, numeric)}`,
  );
  return `{${members.join(",")}}`;
}

/** Data without a schema as JSON text. */
export function writeLoose(value: Value): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : scalar(value);
  if (Buffer.isBuffer(value)) return `"${value.toString("base64")}"`;
  if (value instanceof WholeDouble) return `${value.value}.0`;
  if (value instanceof Date) return String(value.getTime());
  if (Array.isArray(value)) return `[${value.map(writeLoose).join(",")}]`;
  const entries: [Value, Value][] = value instanceof Map ? [...value] : Object.entries(value);
  return `{${entries.map(([name, item]) => `${JSON.stringify(String(name))}:${writeLoose(item)}`).join(",")}}`;
}

function scalar(value: string | number | bigint | boolean): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" && !Number.isFinite(value) ? `"${value}"` : String(value);
}
