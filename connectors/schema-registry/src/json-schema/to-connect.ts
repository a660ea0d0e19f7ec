import {
  arraySchema,
  DataError,
  type Field,
  mapSchema,
  type Schema,
  type SchemaType,
  STRING_SCHEMA,
} from "@headrace/sdk";
import { isObject, type Json } from "./exact-json.ts";
import { readData } from "./read-data.ts";

type Node = { readonly [name: string]: Json };

export interface ToConnectOptions {
  /** `use.optional.for.nonrequired` */
  readonly optionalUnlessRequired: boolean;
  readonly version: number | null;
}

/**
 * The Connect schema of a JSON Schema; null for one that admits anything. `references` are the schemas that it refers to by name. Throws
 * DataError for what has no Connect schema: unions other than with null, and recursion.
 * Source: io.confluent.connect.json.JsonSchemaData.toConnectSchema.
 */
export function connectSchemaOf(
  root: Json,
  references: ReadonlyMap<string, Json>,
  options: ToConnectOptions,
): Schema | null {
  if (root === true || (isObject(root) && Object.keys(root).length === 0)) return null;
  const { version } = options;
  const schema = new Translation(root, references, options.optionalUnlessRequired).schemaOf(root, root, false);
  return version === null || schema.version !== undefined ? schema : { ...schema, version };
}

const INTEGERS: ReadonlyMap<Json, SchemaType> = new Map<Json, SchemaType>([
  ["int8", "INT8"],
  ["int16", "INT16"],
  ["int32", "INT32"],
  ["int64", "INT64"],
]);

class Translation {
  readonly #root: Json;
  readonly #references: ReadonlyMap<string, Json>;
  readonly #optionalUnlessRequired: boolean;
  #depth = 0;

  constructor(root: Json, references: ReadonlyMap<string, Json>, optionalUnlessRequired: boolean) {
    this.#root = root;
    this.#references = references;
    this.#optionalUnlessRequired = optionalUnlessRequired;
  }

  /** `document` is the schema that local references are in. */
  schemaOf(json: Json, document: Json, optional: boolean): Schema {
    if (!isObject(json)) throw new DataError("a JSON Schema is no object");
    if (this.#depth > 64) throw new DataError("the JSON Schema holds itself, or is nested more than 64 deep");
    this.#depth += 1;
    try {
      return this.#schemaOf(json, document, optional);
    } finally {
      this.#depth -= 1;
    }
  }

  #schemaOf(node: Node, document: Json, optional: boolean): Schema {
    const reference = node["$ref"];
    if (typeof reference === "string") {
      const found = this.#resolve(reference, document);
      return this.schemaOf(found.json, found.document, optional);
    }
    const union = node["oneOf"] ?? node["anyOf"];
    if (Array.isArray(union)) {
      const members = union.filter((member: Json) => !(isObject(member) && member["type"] === "null"));
      const [only, more] = members;
      if (only === undefined || more !== undefined)
        throw new DataError("a union other than with null has no Connect schema here");
      return this.schemaOf(only, document, optional || members.length < union.length);
    }
    const { type, nullable } = typesOf(node);
    const base = this.#base(node, type, document);
    const { title, description } = node;
    const version = node["connect.version"];
    const parameters = node["connect.parameters"];
    const schema: Schema = {
      ...base,
      optional: optional || nullable,
      ...(typeof title === "string" && { name: title }),
      ...(typeof version === "number" && { version }),
      ...(typeof description === "string" && { doc: description }),
      ...(isObject(parameters) && { parameters: textsOf(parameters) }),
    };
    const fallback = node["default"];
    return fallback === undefined || fallback === null ? schema : { ...schema, default: readData(schema, fallback) };
  }

  #base(node: Node, type: string, document: Json): Schema {
    const plain = (kind: SchemaType): Schema => ({ type: kind, optional: false });
    const connect = node["connect.type"];
    switch (type) {
      case "boolean":
        return plain("BOOLEAN");
      case "integer":
        return plain(INTEGERS.get(connect ?? "int64") ?? "INT64");
      case "number":
        return plain(connect === "bytes" ? "BYTES" : connect === "float32" ? "FLOAT32" : "FLOAT64");
      case "string":
        return plain(connect === "bytes" ? "BYTES" : "STRING");
      case "array": {
        const items = node["items"];
        if (!isObject(items)) throw new DataError("a JSON Schema of arrays does not say what its items are");
        if (connect !== "map") return arraySchema(this.schemaOf(items, document, false));
        const entry = items["properties"];
        if (!isObject(entry)) throw new DataError("a JSON Schema of map entries has no properties");
        return mapSchema(
          this.schemaOf(entry["key"] ?? null, document, false),
          this.schemaOf(entry["value"] ?? null, document, false),
        );
      }
      case "object":
        return this.#object(node, document, connect === "map");
      default:
        throw new DataError(`the JSON Schema type ${type} has no Connect schema`);
    }
  }

  #object(node: Node, document: Json, isMap: boolean): Schema {
    const { properties, additionalProperties, required } = node;
    if (isMap || (properties === undefined && isObject(additionalProperties))) {
      return mapSchema(STRING_SCHEMA, this.schemaOf(additionalProperties ?? null, document, false));
    }
    const names: readonly Json[] = Array.isArray(required) ? required : [];
    const fields = Object.entries(isObject(properties) ? properties : {}).map(([name, json]) => {
      const index = isObject(json) ? json["connect.index"] : undefined;
      const optional = this.#optionalUnlessRequired && !names.includes(name);
      const field: Field = { name, schema: this.schemaOf(json, document, optional) };
      return { field, index: typeof index === "number" ? index : Number.MAX_SAFE_INTEGER };
    });
    const sorted = fields.toSorted((left, right) => left.index - right.index);
    return { type: "STRUCT", optional: false, fields: sorted.map(({ field }) => field) };
  }

  #resolve(reference: string, document: Json): { readonly json: Json; readonly document: Json } {
    const [name = "", path = ""] = reference.split("#");
    const target = name === "" ? document : this.#references.get(name);
    if (target === undefined)
      throw new DataError(`the JSON Schema refers to ${reference}, which it does not reference`);
    let json: Json | undefined = target;
    for (const part of path.split("/").filter((each) => each !== "")) {
      const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      json = isObject(json) ? json[key] : undefined;
    }
    if (json === undefined || json === this.#root)
      throw new DataError(`the JSON Schema refers to ${reference}, which is not there, or holds itself`);
    return { json, document: target };
  }
}

function typesOf(node: Node): { readonly type: string; readonly nullable: boolean } {
  const { type } = node;
  if (typeof type === "string") return { type, nullable: false };
  if (Array.isArray(type)) {
    const others = type.filter((each: Json) => each !== "null");
    const [only] = others;
    if (others.length === 1 && typeof only === "string") return { type: only, nullable: others.length < type.length };
  }
  if (isObject(node["properties"])) return { type: "object", nullable: false };
  if (Array.isArray(node["enum"])) return { type: "string", nullable: false };
  throw new DataError("a JSON Schema does not say its type, or says several");
}

function textsOf(parameters: Node): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
}
