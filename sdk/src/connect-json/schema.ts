import { DataError } from "../errors.ts";
import type { Schema, SchemaType, Value } from "../schema.ts";
import { compileJsonReader } from "./reader.ts";
import type { JsonNode } from "./text.ts";
import { writeString } from "./writer.ts";

/** Names of the types in a JSON schema. Source: org.apache.kafka.connect.json.JsonSchema. */
const TYPE_NAMES = {
  BOOLEAN: "boolean",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FLOAT32: "float",
  FLOAT64: "double",
  BYTES: "bytes",
  STRING: "string",
  ARRAY: "array",
  MAP: "map",
  STRUCT: "struct",
} as const satisfies Record<SchemaType, string>;

const TYPES: ReadonlyMap<string, SchemaType> = new Map(
  Object.entries(TYPE_NAMES).map(([type, name]) => [name, type as SchemaType]),
);

/**
 * A schema as JSON text, with the members in Java's order: type, items | keys, values | fields, optional, name, version, doc,
 * parameters, default, and inside a struct `field`. `writeDefault` serialises a default value by its schema.
 */
export function writeJsonSchema(schema: Schema, writeDefault: (schema: Schema, value: Value) => string): string {
  return `{${membersOf(schema, writeDefault).join(",")}}`;
}

function membersOf(schema: Schema, writeDefault: (schema: Schema, value: Value) => string): string[] {
  const nested = (inner: Schema | undefined) => (inner === undefined ? "null" : writeJsonSchema(inner, writeDefault));
  const members = [`"type":"${TYPE_NAMES[schema.type]}"`];
  if (schema.type === "ARRAY") members.push(`"items":${nested(schema.valueSchema)}`);
  if (schema.type === "MAP")
    members.push(`"keys":${nested(schema.keySchema)}`, `"values":${nested(schema.valueSchema)}`);
  if (schema.type === "STRUCT") {
    const fields = (schema.fields ?? []).map((field) => {
      const inner = membersOf(field.schema, writeDefault);
      return `{${[...inner, `"field":${writeString(field.name)}`].join(",")}}`;
    });
    members.push(`"fields":[${fields.join(",")}]`);
  }
  members.push(`"optional":${schema.optional}`);
  if (schema.name !== undefined) members.push(`"name":${writeString(schema.name)}`);
  if (schema.version !== undefined) members.push(`"version":${schema.version}`);
  if (schema.doc !== undefined) members.push(`"doc":${writeString(schema.doc)}`);
  if (schema.parameters !== undefined) members.push(`"parameters":${writeParameters(schema.parameters)}`);
  if (schema.default !== undefined && schema.default !== null)
    members.push(`"default":${writeDefault(schema, schema.default)}`);
  return members;
}

function writeParameters(parameters: Readonly<Record<string, string>>): string {
  return `{${Object.entries(parameters)
    .map(([name, value]) => `${writeString(name)}:${writeString(value)}`)
    .join(",")}}`;
}

/**
 * The schema that a JSON schema node describes; throws DataError for what is none. `null` describes schemaless data. Attributes of a wrong
 * type are left out, as Java's JsonConverter does. `replaceNull` is the converter's, for defaults.
 */
export function readJsonSchema(node: JsonNode, replaceNull = true): Schema | null {
  if (node === null) return null;
  const object = membersOfNode(node);
  const typeName = object["type"];
  if (typeof typeName !== "string") throw new DataError("Schema must contain 'type' field");
  const type = TYPES.get(typeName);
  if (type === undefined) throw new DataError(`Unknown schema type: ${typeName}`);
  const parts = nested(type, object, replaceNull);
  const { name, version, doc } = object;
  const parameters = readParameters(object["parameters"]);
  const schema: Schema = {
    type,
    optional: object["optional"] === true,
    ...(typeof name === "string" && { name }),
    ...((typeof version === "number" || typeof version === "bigint") &&
      Number.isInteger(Number(version)) && { version: Number(BigInt.asIntN(32, BigInt(version))) }),
    ...(typeof doc === "string" && { doc }),
    ...(parameters !== null && { parameters }),
    ...parts,
  };
  const fallback = object["default"];
  if (fallback === undefined) return schema;
  const value = compileJsonReader(schema, replaceNull)(fallback);
  if (value === null && !schema.optional) throw new DataError("Invalid default value");
  return value === null ? schema : { ...schema, default: value };
}

function nested(type: SchemaType, object: Members, replaceNull: boolean): Partial<Schema> {
  if (type === "ARRAY") {
    const items = object["items"] ?? null;
    if (items === null) throw new DataError("Array schema did not specify the element type");
    const valueSchema = readJsonSchema(items, replaceNull);
    return valueSchema === null ? {} : { valueSchema };
  }
  if (type === "MAP") {
    for (const what of ["key", "value"] as const) {
      if (object[`${what}s`] === undefined) throw new DataError(`Map schema did not specify the ${what} type`);
    }
    return {
      keySchema: entrySchema(object, "keys", "key", replaceNull),
      valueSchema: entrySchema(object, "values", "value", replaceNull),
    };
  }
  if (type !== "STRUCT") return {};
  const fields = object["fields"];
  if (!Array.isArray(fields)) throw new DataError('Struct schema\'s "fields" argument is not an array.');
  const known = new Set<string>();
  return {
    fields: fields.map((field: JsonNode) => {
      const name = membersOfNode(field)["field"];
      if (typeof name !== "string") throw new DataError("Struct schema's field name not specified properly");
      const schema = readJsonSchema(field, replaceNull);
      if (schema === null) throw new DataError(`fieldSchema for field ${name} cannot be null.`);
      if (name === "") throw new DataError("fieldName cannot be null.");
      if (known.has(name)) throw new DataError(`Cannot create field because of field name duplication ${name}`);
      known.add(name);
      return { name, schema };
    }),
  };
}

function entrySchema(object: Members, member: "keys" | "values", what: "key" | "value", replaceNull: boolean): Schema {
  const schema = readJsonSchema(object[member] ?? null, replaceNull);
  if (schema === null) throw new DataError(`${what}Schema cannot be null.`);
  return schema;
}

function readParameters(value: JsonNode | undefined): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const entries = Object.entries(membersOfNode(value)).map(([key, item]): [string, string] => {
    if (typeof item !== "string") throw new DataError("Schema parameters must have string values.");
    return [key, item];
  });
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

type Members = Readonly<Record<string, JsonNode>>;

/** The members of an object; none of anything else. */
function membersOfNode(node: JsonNode): Members {
  return node === null || typeof node !== "object" || Array.isArray(node) ? {} : (node as Members);
}
