import { DataError, type Schema, type SchemaType, type Value } from "@headrace/sdk";
import { type JsonNode, readJsonValue } from "./json-reader.ts";

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
export function writeSchema(schema: Schema, writeDefault: (schema: Schema, value: Value) => string): string {
  return `{${membersOf(schema, writeDefault).join(",")}}`;
}

function membersOf(schema: Schema, writeDefault: (schema: Schema, value: Value) => string): string[] {
  const nested = (inner: Schema | undefined) => writeSchema(required(inner, schema), writeDefault);
  const members = [`"type":"${TYPE_NAMES[schema.type]}"`];
  if (schema.type === "ARRAY") members.push(`"items":${nested(schema.valueSchema)}`);
  if (schema.type === "MAP")
    members.push(`"keys":${nested(schema.keySchema)}`, `"values":${nested(schema.valueSchema)}`);
  if (schema.type === "STRUCT") {
    const fields = (schema.fields ?? []).map((field) => {
      const inner = membersOf(field.schema, writeDefault);
      return `{${[...inner, `"field":${JSON.stringify(field.name)}`].join(",")}}`;
    });
    members.push(`"fields":[${fields.join(",")}]`);
  }
  members.push(`"optional":${schema.optional}`);
  if (schema.name !== undefined) members.push(`"name":${JSON.stringify(schema.name)}`);
  if (schema.version !== undefined) members.push(`"version":${schema.version}`);
  if (schema.doc !== undefined) members.push(`"doc":${JSON.stringify(schema.doc)}`);
  if (schema.parameters !== undefined) members.push(`"parameters":${JSON.stringify(schema.parameters)}`);
  if (schema.default !== undefined) members.push(`"default":${writeDefault(schema, schema.default)}`);
  return members;
}

function required(inner: Schema | undefined, outer: Schema): Schema {
  if (inner === undefined) throw new DataError(`${outer.type} schema without the schema of its elements`);
  return inner;
}

/** The schema that a JSON schema node describes; throws DataError for what is none. `null` describes schemaless data. */
export function readSchema(node: JsonNode): Schema | null {
  if (node === null) return null;
  const object = objectOf(node);
  const typeName = object["type"];
  if (typeof typeName !== "string") throw new DataError("Schema must contain 'type' field");
  const type = TYPES.get(typeName);
  if (type === undefined) throw new DataError(`Unknown schema type: ${typeName}`);
  const schema: Schema = {
    type,
    optional: object["optional"] === true,
    ...text(object, "name"),
    ...version(object["version"]),
    ...text(object, "doc"),
    ...parameters(object["parameters"]),
    ...nested(type, object),
  };
  const fallback = object["default"];
  return fallback === undefined || fallback === null ? schema : { ...schema, default: readJsonValue(schema, fallback) };
}

function nested(type: SchemaType, object: Readonly<Record<string, JsonNode>>): Partial<Schema> {
  if (type === "ARRAY") return { valueSchema: element(object, "items") };
  if (type === "MAP") return { keySchema: element(object, "keys"), valueSchema: element(object, "values") };
  if (type !== "STRUCT") return {};
  const fields = object["fields"];
  if (!Array.isArray(fields)) throw new DataError('Struct schema\'s "fields" argument is not an array.');
  return {
    fields: fields.map((field: JsonNode) => {
      const name = objectOf(field)["field"];
      if (typeof name !== "string") throw new DataError("Struct schema's field name not specified properly");
      const schema = readSchema(field);
      if (schema === null) throw new DataError(`Struct schema's field ${name} has no schema`);
      return { name, schema };
    }),
  };
}

function element(object: Readonly<Record<string, JsonNode>>, member: string): Schema {
  const schema = readSchema(object[member] ?? null);
  if (schema === null) throw new DataError(`Array or map schema did not specify its "${member}"`);
  return schema;
}

function text(object: Readonly<Record<string, JsonNode>>, member: "name" | "doc"): Partial<Schema> {
  const value = object[member];
  if (value === undefined || value === null) return {};
  if (typeof value !== "string") throw new DataError(`Invalid schema: "${member}" must be a string`);
  return { [member]: value };
}

function version(value: JsonNode | undefined): Partial<Schema> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new DataError("Invalid schema: version must be an integer");
  return { version: value };
}

function parameters(value: JsonNode | undefined): Partial<Schema> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(objectOf(value)).map(([key, item]): [string, string] => {
    if (typeof item !== "string") throw new DataError("Schema parameters must have string values.");
    return [key, item];
  });
  return { parameters: Object.fromEntries(entries) };
}

function objectOf(node: JsonNode): Readonly<Record<string, JsonNode>> {
  if (node === null || typeof node !== "object" || Array.isArray(node)) {
    throw new DataError("Schema must be a JSON object");
  }
  return node as Readonly<Record<string, JsonNode>>;
}
