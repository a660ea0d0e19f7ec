import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  type Schema,
  schemasEqual,
  TIME_NAME,
  TIMESTAMP_NAME,
} from "@headrace/sdk";
import { isObject, type JsonValue } from "./avro-schema.ts";
import { defaultJson } from "./default-to-avro.ts";
import {
  avroFullName,
  avroName,
  DEFAULT_PRECISION,
  DEFAULT_RECORD,
  ENUM_DEFAULT,
  ENUM_DOC,
  ENUM_PARAMETER,
  FIELD_DEFAULT,
  FIELD_DOC,
  FIXED_SIZE,
  MAP_ENTRY,
  NAMESPACE,
  PRECISION,
  RECORD_DOC,
  splitName,
  UNION_NAME,
} from "./names.ts";

export interface FromConnectOptions {
  /** Enums of Avro stay enums (`enhanced.avro.schema.support`). */
  readonly enhanced: boolean;
  /** Names, versions, docs, parameters and defaults go into `connect.*` attributes (`connect.meta.data`). */
  readonly metaData: boolean;
  /** Names that Avro does not admit are scrubbed instead of refused (`scrub.invalid.names`). */
  readonly scrub: boolean;
  /** Maps with optional string keys are Avro maps too (`allow.optional.map.keys`). */
  readonly optionalMapKeys: boolean;
}

/** The Avro type of schemaless data: one field per type, one of them set. */
export const ANYTHING: JsonValue = {
  type: "record",
  name: "Anything",
  namespace: NAMESPACE,
  fields: [
    ...["boolean", "bytes", "double", "float", "int", "long", "string"].map((name) => ({
      name,
      type: ["null", name],
      default: null,
    })),
    { name: "array", type: ["null", { type: "array", items: "Anything" }], default: null },
    {
      name: "map",
      type: [
        "null",
        {
          type: "array",
          items: {
            type: "record",
            name: "MapEntry",
            fields: [
              { name: "key", type: "Anything" },
              { name: "value", type: "Anything" },
            ],
          },
        },
      ],
      default: null,
    },
  ],
};

/**
 * The Avro schema of a Connect schema as JSON text, laid out as Avro's Java library prints it; null is the schema of schemaless data.
 * Throws DataError for names that Avro does not admit and for two different structs of one name.
 * Source: io.confluent.connect.avro.AvroData.fromConnectSchema.
 */
export function avroSchemaText(schema: Schema | null, options: FromConnectOptions): string {
  if (schema === null) return jsonText(ANYTHING);
  return jsonText(new Translation(options).typeOf(schema, "", false));
}

type JsonObject = { [name: string]: JsonValue };

class Translation {
  readonly #options: FromConnectOptions;
  /** Named types so far, each with the schema that became it. */
  readonly #defined = new Map<string, Schema>();

  constructor(options: FromConnectOptions) {
    this.#options = options;
  }

  /** The type, with null if it is optional; `required` leaves that out. */
  typeOf(schema: Schema, namespace: string, required: boolean): JsonValue {
    if (schema.type === "STRUCT" && schema.name === UNION_NAME) {
      const members = (schema.fields ?? []).map((field) => this.typeOf(field.schema, namespace, true));
      return schema.optional && !required ? ["null", ...members] : members;
    }
    const type = this.#requiredType(schema, namespace);
    if (!schema.optional || required) return type;
    const defaultFirst = schema.type !== "STRUCT" && schema.default !== undefined && schema.default !== null;
    return defaultFirst ? [type, "null"] : ["null", type];
  }

  #requiredType(schema: Schema, namespace: string): JsonValue {
    switch (schema.type) {
      case "INT8":
      case "INT16":
      case "INT32":
        return this.#annotated(schema, { type: "int" });
      case "INT64":
        return this.#annotated(schema, { type: "long" });
      case "FLOAT32":
        return this.#annotated(schema, { type: "float" });
      case "FLOAT64":
        return this.#annotated(schema, { type: "double" });
      case "BOOLEAN":
        return this.#annotated(schema, { type: "boolean" });
      case "STRING":
        return this.#string(schema, namespace);
      case "BYTES":
        return this.#bytes(schema, namespace);
      case "ARRAY":
        return this.#annotated(schema, { type: "array", items: this.#inner(schema.valueSchema, namespace) });
      case "MAP":
        return this.#map(schema, namespace);
      case "STRUCT":
        return this.#record(schema, namespace);
      default:
        throw new Error(`unreachable: ${schema.type satisfies never}`);
    }
  }

  #inner(schema: Schema | undefined, namespace: string): JsonValue {
    return schema === undefined ? ANYTHING : this.typeOf(schema, namespace, false);
  }

  #string(schema: Schema, namespace: string): JsonValue {
    const parameters = schema.parameters ?? {};
    const enumName = parameters[ENUM_PARAMETER];
    if (!this.#options.enhanced || enumName === undefined) return this.#annotated(schema, { type: "string" });
    const symbols = Object.keys(parameters)
      .filter((name) => name.startsWith(`${ENUM_PARAMETER}.`))
      .map((name) => parameters[name] ?? "");
    const { last } = splitName(schema.name ?? enumName);
    const doc = parameters[`${ENUM_DOC}${last}`];
    const fallback = parameters[`${ENUM_DEFAULT}${last}`];
    return this.#named(schema, enumName, namespace, (names) =>
      this.#annotated(schema, {
        type: "enum",
        ...names,
        ...(doc !== undefined && { doc }),
        symbols,
        ...(fallback !== undefined && { default: fallback }),
      }),
    );
  }

  #bytes(schema: Schema, namespace: string): JsonValue {
    if (schema.name === DECIMAL_NAME) {
      const scale = Number(schema.parameters?.["scale"] ?? 0);
      const precision = Number(schema.parameters?.[PRECISION] ?? DEFAULT_PRECISION);
      return this.#annotated(schema, { type: "bytes", scale, precision });
    }
    const size = schema.parameters?.[FIXED_SIZE];
    if (size === undefined || schema.name === undefined) return this.#annotated(schema, { type: "bytes" });
    return this.#named(schema, schema.name, namespace, (names) =>
      this.#annotated(schema, { type: "fixed", ...names, size: Number(size) }),
    );
  }

  #map(schema: Schema, namespace: string): JsonValue {
    const { keySchema, valueSchema } = schema;
    if (keySchema?.type === "STRING" && (!keySchema.optional || this.#options.optionalMapKeys)) {
      return this.#annotated(schema, { type: "map", values: this.#inner(valueSchema, namespace) });
    }
    const entries = this.#named(schema, schema.name ?? MAP_ENTRY, namespace, (names, inner) => ({
      type: "record",
      ...names,
      fields: [this.#field("key", keySchema, inner, undefined), this.#field("value", valueSchema, inner, undefined)],
      ...(schema.name !== undefined && { "connect.internal.type": "MapEntry" }),
    }));
    return this.#annotated(schema, { type: "array", items: entries });
  }

  #record(schema: Schema, namespace: string): JsonValue {
    const doc = schema.parameters?.[RECORD_DOC];
    return this.#named(schema, schema.name ?? DEFAULT_RECORD, namespace, (names, inner) =>
      this.#annotated(schema, {
        type: "record",
        ...names,
        ...(doc !== undefined && { doc }),
        fields: (schema.fields ?? []).map((field) =>
          this.#field(field.name, field.schema, inner, schema.parameters?.[`${FIELD_DOC}${field.name}`]),
        ),
      }),
    );
  }

  #field(name: string, schema: Schema | undefined, namespace: string, doc: string | undefined): JsonObject {
    const fallback = schema?.default ?? null;
    return {
      name: avroName(name, this.#options.scrub),
      type: this.#inner(schema, namespace),
      ...(doc !== undefined && { doc }),
      ...(schema !== undefined && fallback !== null && { default: defaultJson(schema, fallback) }),
      ...(fallback === null && schema?.optional === true && { default: null }),
    };
  }

  /** A named type, defined where it stands first and referred to by name from then on. */
  #named(
    schema: Schema,
    given: string,
    namespace: string,
    define: (names: JsonObject, inner: string) => JsonValue,
  ): JsonValue {
    const full = avroFullName(given, this.#options.scrub);
    const { namespace: own, last } = splitName(full);
    const known = this.#defined.get(full);
    if (known === undefined) {
      this.#defined.set(full, schema);
      return define({ name: last, ...(own !== namespace && { namespace: own }) }, own);
    }
    if (!schemasEqual({ ...known, optional: false }, { ...schema, optional: false })) {
      throw new DataError(`two different types are named ${full}; Avro wants one definition of each name`);
    }
    return own === namespace ? last : full;
  }

  /** The Connect part of a schema as attributes; a type without any is its bare name. */
  #annotated(schema: Schema, type: JsonObject): JsonValue {
    const annotations = { ...(this.#options.metaData ? metaDataOf(schema) : {}), ...logicalOf(schema) };
    for (const [name, value] of Object.entries(schema.parameters ?? {})) {
      if (name.startsWith("avro")) annotations[name] = value;
    }
    const plain = Object.keys(type).length === 1 && Object.keys(annotations).length === 0;
    return plain ? (type["type"] ?? null) : { ...type, ...annotations };
  }
}

function metaDataOf(schema: Schema): JsonObject {
  const parameters = Object.entries(schema.parameters ?? {}).filter(([name]) => name !== FIELD_DEFAULT);
  const fromField = schema.parameters?.[FIELD_DEFAULT] !== undefined;
  const fallback = schema.default ?? null;
  return {
    ...(schema.doc !== undefined && { "connect.doc": schema.doc }),
    ...(schema.version !== undefined && { "connect.version": schema.version }),
    ...(parameters.length > 0 && { "connect.parameters": Object.fromEntries(parameters) }),
    ...(fallback !== null && !fromField && { "connect.default": defaultJson(schema, fallback) }),
    ...(schema.name !== undefined && { "connect.name": schema.name }),
    ...(schema.type === "INT8" && { "connect.type": "int8" }),
    ...(schema.type === "INT16" && { "connect.type": "int16" }),
  };
}

function logicalOf(schema: Schema): JsonObject {
  switch (schema.name) {
    case DATE_NAME:
      return { logicalType: "date" };
    case TIME_NAME:
      return { logicalType: "time-millis" };
    case TIMESTAMP_NAME:
      return { logicalType: "timestamp-millis" };
    case DECIMAL_NAME:
      return { logicalType: "decimal" };
    default:
      return {};
  }
}

/** JSON text with integers exact. */
function jsonText(json: JsonValue): string {
  if (typeof json === "bigint") return String(json);
  if (typeof json === "number" && !Number.isFinite(json)) return `"${json}"`;
  if (Array.isArray(json)) return `[${json.map(jsonText).join(",")}]`;
  if (isObject(json)) {
    return `{${Object.entries(json)
      .map(([name, value]) => `${JSON.stringify(name)}:${jsonText(value)}`)
      .join(",")}}`;
  }
  return JSON.stringify(json);
}
