import { DataError, exactInteger, type Json, parseExactJson } from "@headrace/sdk";

/** What JSON can hold; integers beyond 2^53 as `bigint`, so that defaults of longs stay exact. */
export type JsonValue = Json<number | bigint>;

/** Attributes of a type that Avro itself gives no meaning, and `logicalType` with those that belong to it. */
export type Properties = Readonly<Record<string, JsonValue>>;

export interface AvroField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly doc?: string;
  /** undefined: the field has none; null is the default null. */
  readonly default?: JsonValue;
}

/** A parsed Avro schema; names are full names. Source: Apache Avro 1.12 specification, "Schema Declaration". */
export type AvroSchema =
  | {
      readonly kind: "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string";
      readonly properties: Properties;
    }
  | { readonly kind: "fixed"; readonly name: string; readonly size: number; readonly properties: Properties }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly symbols: readonly string[];
      readonly doc?: string;
      readonly default?: string;
      readonly properties: Properties;
    }
  | { readonly kind: "array"; readonly items: AvroSchema; readonly properties: Properties }
  | { readonly kind: "map"; readonly values: AvroSchema; readonly properties: Properties }
  | {
      readonly kind: "record";
      readonly name: string;
      /** Filled once the whole schema is parsed: a record may hold itself. */
      readonly fields: readonly AvroField[];
      readonly doc?: string;
      readonly properties: Properties;
    }
  | { readonly kind: "union"; readonly members: readonly AvroSchema[]; readonly properties: Properties };

/** Named types that a schema may refer to: its own so far, and those of the schemas that it references. */
export type NamedTypes = Map<string, AvroSchema>;
export const NamedTypes: new () => NamedTypes = Map;

const PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"] as const;
type Primitive = (typeof PRIMITIVES)[number];

/** Attributes with a meaning of their own, by kind. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  record: ["type", "name", "namespace", "doc", "aliases", "fields"],
  enum: ["type", "name", "namespace", "doc", "aliases", "symbols", "default"],
  fixed: ["type", "name", "namespace", "doc", "aliases", "size"],
  array: ["type", "items"],
  map: ["type", "values"],
};

/** Parses a schema's JSON text; types that it defines are added to `named`. Throws DataError. */
export function parseAvroSchema(text: string, named: NamedTypes = new NamedTypes()): AvroSchema {
  return parseType(parseText(text), "", named);
}

function parseText(text: string): JsonValue {
  // A bare name is what some registries answer for a primitive type.
  if (isPrimitive(text.trim())) return text.trim();
  return parseExactJson(text, "the Avro schema", (source, value) => exactInteger(source, value) ?? value);
}

function parseType(json: JsonValue, namespace: string, named: NamedTypes): AvroSchema {
  if (typeof json === "string") return typeNamed(json, namespace, named);
  if (Array.isArray(json)) {
    const members: readonly JsonValue[] = json;
    return { kind: "union", members: members.map((member) => parseType(member, namespace, named)), properties: {} };
  }
  if (!isObject(json)) throw new DataError(`not an Avro schema: ${JSON.stringify(json)}`);
  const type = json["type"];
  if (typeof type !== "string") return parseType(type ?? null, namespace, named);
  const properties = Object.fromEntries(
    Object.entries(json).filter(([name]) => !(OWN[type] ?? ["type"]).includes(name)),
  );
  switch (type) {
    case "array":
      return { kind: "array", items: parseType(json["items"] ?? null, namespace, named), properties };
    case "map":
      return { kind: "map", values: parseType(json["values"] ?? null, namespace, named), properties };
    case "record":
    case "error":
      return parseRecord(json, namespace, named, properties);
    case "enum": {
      const name = fullName(json, namespace);
      const symbols = json["symbols"];
      if (!Array.isArray(symbols)) throw new DataError(`the Avro enum ${name} has no symbols`);
      const fallback = json["default"];
      return define(named, name, {
        kind: "enum",
        name,
        symbols: symbols.map(String),
        ...docOf(json),
        ...(typeof fallback === "string" && { default: fallback }),
        properties,
      });
    }
    case "fixed": {
      const name = fullName(json, namespace);
      const size = json["size"];
      if (typeof size !== "number" || size < 0) throw new DataError(`the Avro fixed ${name} has no size`);
      return define(named, name, { kind: "fixed", name, size, properties });
    }
    default:
      return isPrimitive(type) ? { kind: type, properties } : typeNamed(type, namespace, named);
  }
}

function parseRecord(
  json: { readonly [name: string]: JsonValue },
  namespace: string,
  named: NamedTypes,
  properties: Properties,
): AvroSchema {
  const name = fullName(json, namespace);
  const fields: AvroField[] = [];
  const record = define(named, name, { kind: "record", name, fields, ...docOf(json), properties });
  const inner = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
  const list = json["fields"];
  if (!Array.isArray(list)) throw new DataError(`the Avro record ${name} has no fields`);
  for (const each of list) {
    if (!isObject(each) || typeof each["name"] !== "string") {
      throw new DataError(`the Avro record ${name} has a field without a name`);
    }
    const fallback = each["default"];
    fields.push({
      name: each["name"],
      type: parseType(each["type"] ?? null, inner, named),
      ...docOf(each),
      ...(fallback !== undefined && { default: fallback }),
    });
  }
  return record;
}

function docOf(json: { readonly [name: string]: JsonValue }): { readonly doc?: string } {
  return typeof json["doc"] === "string" ? { doc: json["doc"] } : {};
}

function define(named: NamedTypes, name: string, schema: AvroSchema): AvroSchema {
  if (named.has(name)) throw new DataError(`the Avro schema defines ${name} twice`);
  named.set(name, schema);
  return schema;
}

function typeNamed(name: string, namespace: string, named: NamedTypes): AvroSchema {
  if (isPrimitive(name)) return { kind: name, properties: {} };
  const found =
    (name.includes(".") || namespace === "" ? undefined : named.get(`${namespace}.${name}`)) ?? named.get(name);
  if (found === undefined) throw new DataError(`the Avro schema refers to ${name}, which it does not define`);
  return found;
}

function fullName(json: { readonly [name: string]: JsonValue }, namespace: string): string {
  const { name, namespace: own } = json;
  if (typeof name !== "string" || name === "") throw new DataError("an Avro type has no name");
  if (name.includes(".")) return name;
  const space = typeof own === "string" ? own : namespace;
  return space === "" ? name : `${space}.${name}`;
}

function isPrimitive(name: string): name is Primitive {
  return PRIMITIVES.some((each) => each === name);
}

/** An object of JSON, no array. */
export function isObject(json: JsonValue | undefined): json is { readonly [name: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
