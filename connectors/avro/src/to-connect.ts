import {
  arraySchema,
  DATE_SCHEMA,
  DataError,
  DECIMAL_NAME,
  type Field,
  mapSchema,
  type Schema,
  type SchemaType,
  STRING_SCHEMA,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
} from "@headrace/sdk";
import { type AvroSchema, isObject, type JsonValue } from "./avro-schema.ts";
import { defaultOf } from "./default-from-avro.ts";
import { entryFields, isAnything, isMapEntry, soleMember, unionFieldName } from "./forms.ts";
import {
  DEFAULT_PRECISION,
  DEFAULT_RECORD,
  ENUM_DEFAULT,
  ENUM_DOC,
  ENUM_PARAMETER,
  FIELD_DEFAULT,
  FIELD_DOC,
  FIXED_SIZE,
  PRECISION,
  RECORD_DOC,
  splitName,
  UNION_NAME,
} from "./names.ts";

export interface ToConnectOptions {
  /** Members of unions have their full names (`enhanced.avro.schema.support`). */
  readonly enhanced: boolean;
  /** Docs and `connect.parameters` are taken over (`connect.meta.data`). */
  readonly metaData: boolean;
  /** The version of a schema that has no `connect.version` of its own; null: none. */
  readonly version: number | null;
}

/**
 * The Connect schema of an Avro schema; null for {@link ANYTHING}, which is schemaless data. Throws DataError for recursive types and for a
 * null type that is in no union. Source: io.confluent.connect.avro.AvroData.toConnectSchema.
 */
export function connectSchemaOf(schema: AvroSchema, options: ToConnectOptions): Schema | null {
  if (isAnything(schema)) return null;
  return new Translation(options).schemaOf(schema, {
    optional: false,
    fieldDefault: undefined,
    version: options.version,
  });
}

interface Place {
  readonly optional: boolean;
  /** The default of the field that has this type; undefined: none. */
  readonly fieldDefault: JsonValue | undefined;
  readonly version: number | null;
}

const INSIDE: Place = { optional: false, fieldDefault: undefined, version: null };
type Attributes = { -readonly [Name in keyof Schema]?: Schema[Name] } & { parameters?: Record<string, string> };

class Translation {
  readonly #options: ToConnectOptions;
  /** Records that are being translated. */
  readonly #open = new Set<AvroSchema>();

  constructor(options: ToConnectOptions) {
    this.#options = options;
  }

  schemaOf(avro: AvroSchema, place: Place): Schema {
    if (avro.kind === "union") {
      const only = soleMember(avro.members);
      if (only !== null) {
        const { member, optional } = only;
        const fieldDefault = place.fieldDefault === null ? undefined : place.fieldDefault;
        return this.schemaOf(member, { ...place, optional: optional || place.optional, fieldDefault });
      }
    }
    const { parameters: baseParameters, ...base } = this.#baseOf(avro);
    const parameters = { ...baseParameters, ...this.#parametersOf(avro) };
    const { properties } = avro;
    const own = properties["connect.default"];
    const fallback = place.fieldDefault ?? own;
    if (place.fieldDefault !== undefined && own === undefined) parameters[FIELD_DEFAULT] = "true";
    const version = base.version ?? versionOf(properties["connect.version"]) ?? place.version;
    const name = base.name ?? nameOf(avro);
    const doc = properties["connect.doc"];
    const schema: Schema = {
      ...base,
      type: base.type ?? "STRING",
      optional: place.optional || base.optional === true,
      ...(name !== undefined && name !== DEFAULT_RECORD && { name }),
      ...(version !== null && version !== undefined && { version }),
      ...(this.#options.metaData && typeof doc === "string" && { doc }),
    };
    const whole = Object.keys(parameters).length === 0 ? schema : { ...schema, parameters };
    if (fallback === undefined || fallback === null) return whole;
    return { ...whole, default: defaultOf(whole, avro, fallback) };
  }

  #parametersOf(avro: AvroSchema): Record<string, string> {
    const parameters: Record<string, string> = {};
    const own = avro.properties["connect.parameters"];
    if (this.#options.metaData && own !== undefined) {
      if (!isObject(own)) throw new DataError("connect.parameters of an Avro schema is no JSON object");
      for (const [name, value] of Object.entries(own)) {
        if (typeof value !== "string") throw new DataError(`the parameter ${name} of an Avro schema is no text`);
        parameters[name] = value;
      }
    }
    for (const [name, value] of Object.entries(avro.properties)) {
      if (name.startsWith("avro")) parameters[name] = String(value);
    }
    return parameters;
  }

  #baseOf(avro: AvroSchema): Attributes {
    const logical = String(avro.properties["logicalType"] ?? "").toLowerCase();
    switch (avro.kind) {
      case "boolean":
        return { type: "BOOLEAN" };
      case "string":
        return { type: "STRING" };
      case "float":
        return { type: "FLOAT32" };
      case "double":
        return { type: "FLOAT64" };
      case "long":
        return logical === "timestamp-millis" ? { ...TIMESTAMP_SCHEMA } : { type: "INT64" };
      case "int":
        if (logical === "date") return { ...DATE_SCHEMA };
        if (logical === "time-millis") return { ...TIME_SCHEMA };
        return { type: intTypeOf(logical === "" ? avro.properties["connect.type"] : undefined) };
      case "bytes":
        return logical === "decimal" ? decimalOf(avro) : { type: "BYTES" };
      case "fixed":
        return logical === "decimal"
          ? decimalOf(avro)
          : { type: "BYTES", parameters: { [FIXED_SIZE]: String(avro.size) } };
      case "enum":
        return this.#enum(avro);
      case "array":
        return this.#array(avro.items);
      case "map":
        return { ...mapSchema(STRING_SCHEMA, this.schemaOf(avro.values, INSIDE)) };
      case "record":
        return this.#record(avro);
      case "union":
        return this.#union(avro.members);
      case "null":
        throw new DataError("an Avro null that is no member of a union has no Connect schema");
      default:
        throw new Error(`unreachable: ${avro satisfies never}`);
    }
  }

  #enum(avro: Extract<AvroSchema, { kind: "enum" }>): Attributes {
    const { last } = splitName(avro.name);
    const docs = this.#options.metaData
      ? {
          ...(avro.doc !== undefined && { [`${ENUM_DOC}${last}`]: avro.doc }),
          ...(avro.default !== undefined && { [`${ENUM_DEFAULT}${last}`]: avro.default }),
        }
      : {};
    const symbols = Object.fromEntries(avro.symbols.map((symbol) => [`${ENUM_PARAMETER}.${symbol}`, symbol]));
    return { type: "STRING", parameters: { ...docs, [ENUM_PARAMETER]: avro.name, ...symbols } };
  }

  #array(items: AvroSchema): Attributes {
    if (!isMapEntry(items)) return { ...arraySchema(this.schemaOf(items, INSIDE)) };
    const { key, value } = entryFields(items);
    return { ...mapSchema(this.schemaOf(key, INSIDE), this.schemaOf(value, INSIDE)) };
  }

  #record(avro: Extract<AvroSchema, { kind: "record" }>): Attributes {
    if (this.#open.has(avro)) {
      throw new DataError(`the Avro record ${avro.name} holds itself; recursive types are not supported`);
    }
    this.#open.add(avro);
    const parameters: Record<string, string> = {};
    if (this.#options.metaData && avro.doc !== undefined) parameters[RECORD_DOC] = avro.doc;
    const fields = avro.fields.map((field): Field => {
      if (this.#options.metaData && field.doc !== undefined) parameters[`${FIELD_DOC}${field.name}`] = field.doc;
      return { name: field.name, schema: this.schemaOf(field.type, { ...INSIDE, fieldDefault: field.default }) };
    });
    this.#open.delete(avro);
    return { type: "STRUCT", fields, parameters };
  }

  #union(members: readonly AvroSchema[]): Attributes {
    const fields: Field[] = [];
    for (const member of members) {
      if (member.kind === "null") continue;
      const name = unionFieldName(member, this.#options.enhanced);
      if (fields.some((field) => field.name === name)) {
        throw new DataError(
          `two members of an Avro union are named ${name}; set enhanced.avro.schema.support=true for full names`,
        );
      }
      fields.push({ name, schema: this.schemaOf(member, { ...INSIDE, optional: true }) });
    }
    return { type: "STRUCT", name: UNION_NAME, fields, optional: members.some((member) => member.kind === "null") };
  }
}

function nameOf(avro: AvroSchema): string | undefined {
  const given = avro.properties["connect.name"];
  if (given !== undefined) {
    if (typeof given !== "string") throw new DataError("connect.name of an Avro schema is no text");
    return given;
  }
  return avro.kind === "record" || avro.kind === "enum" || avro.kind === "fixed" ? avro.name : undefined;
}

function versionOf(given: JsonValue | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "number") throw new DataError("connect.version of an Avro schema is no number");
  return given;
}

function intTypeOf(connectType: JsonValue | undefined): SchemaType {
  switch (connectType) {
    case undefined:
      return "INT32";
    case "int8":
      return "INT8";
    case "int16":
      return "INT16";
    default:
      throw new DataError(`connect.type ${JSON.stringify(connectType)} of an Avro int is not known`);
  }
}

function decimalOf({ properties }: AvroSchema): Attributes {
  const { scale, precision } = properties;
  if (scale !== undefined && typeof scale !== "number")
    throw new DataError("the scale of an Avro decimal is no number");
  return {
    type: "BYTES",
    name: DECIMAL_NAME,
    version: 1,
    parameters: {
      scale: String(scale ?? 0),
      ...(typeof precision === "number" && precision !== DEFAULT_PRECISION && { [PRECISION]: String(precision) }),
    },
  };
}
