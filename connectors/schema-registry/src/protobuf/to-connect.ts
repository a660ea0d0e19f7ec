import {
  arraySchema,
  DATE_SCHEMA,
  DataError,
  decimalSchema,
  type Field,
  mapSchema,
  optional,
  type Schema,
  type SchemaType,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
} from "@headrace/sdk";
import { WRAPPED } from "./known-types.ts";
import {
  CONNECT_TYPE,
  DATE_MESSAGE,
  DECIMAL_MESSAGE,
  ENUM_PARAMETER,
  PRECISION,
  TAG,
  TIME_MESSAGE,
  TIMESTAMP_MESSAGE,
  TYPE,
  toMapName,
  UNION_NAME,
  WRAPPER,
} from "./names.ts";
import {
  mapEntryOf,
  type ProtoEnum,
  type ProtoField,
  type ProtoMessage,
  type Scalar,
  simpleName,
} from "./proto-schema.ts";

export interface ToConnectOptions {
  /** `enhanced.protobuf.schema.support` */
  readonly enhanced: boolean;
  /** `int.for.enums` */
  readonly intForEnums: boolean;
  /** `optional.for.nullables` */
  readonly optionalForNullables: boolean;
  /** `wrapper.for.nullables` */
  readonly wrapperForNullables: boolean;
  /** `wrapper.for.raw.primitives` */
  readonly wrapperForRawPrimitives: boolean;
  /** `generate.index.for.unions` */
  readonly indexForUnions: boolean;
  /** `flatten.unions` */
  readonly flattenUnions: boolean;
}

/**
 * The Connect schema of a message. Throws DataError for messages that hold themselves. `version` is the subject's.
 * Source: io.confluent.connect.protobuf.ProtobufData.toConnectSchema.
 */
export function connectSchemaOf(message: ProtoMessage, options: ToConnectOptions, version: number | null): Schema {
  const schema = new Translation(options).message(message);
  return version === null ? schema : { ...schema, version };
}

/** The name of the field that a oneof is, in a struct. */
export function unionFieldName(message: ProtoMessage, oneof: string, options: ToConnectOptions): string {
  return options.indexForUnions ? `${oneof}_${message.oneofs.indexOf(oneof)}` : oneof;
}

/** Whether a field of this wrapper's type is the value in it. */
export function isUnwrapped({ fullName }: ProtoMessage, options: ToConnectOptions): boolean {
  return (options.wrapperForNullables || options.wrapperForRawPrimitives) && WRAPPED.has(fullName);
}

class Translation {
  readonly #options: ToConnectOptions;
  readonly #open = new Set<ProtoMessage>();
  /** Made once each: messages that are in many others do not multiply. */
  readonly #made = new Map<ProtoMessage, Schema>();

  constructor(options: ToConnectOptions) {
    this.#options = options;
  }

  message(message: ProtoMessage): Schema {
    if (isUnwrapped(message, this.#options)) return { type: wrappedType(message), optional: false };
    const made = this.#made.get(message);
    if (made !== undefined) return made;
    if (this.#open.has(message)) {
      throw new DataError(`${message.fullName} holds itself; recursive types are not supported`);
    }
    if (message.fault !== null) throw new DataError(message.fault);
    this.#open.add(message);
    const unions = message.oneofs.flatMap((oneof) => this.#union(message, oneof));
    const fields = message.fields
      .filter((field) => field.oneof === null)
      .map((field): Field => ({ name: field.name, schema: this.#field(field) }));
    this.#open.delete(message);
    const schema: Schema = {
      type: "STRUCT",
      optional: false,
      name: this.#name(message),
      fields: [...unions, ...fields],
    };
    this.#made.set(message, schema);
    return schema;
  }

  #name(named: ProtoMessage | ProtoEnum): string {
    return this.#options.enhanced ? named.fullName : simpleName(named);
  }

  #union(message: ProtoMessage, oneof: string): readonly Field[] {
    const members = message.fields
      .filter((field) => field.oneof === oneof)
      .map((field): Field => ({ name: field.name, schema: this.#field(field) }));
    if (this.#options.flattenUnions) return members;
    const full = this.#options.enhanced ? `${message.fullName}.${oneof}` : oneof;
    const schema: Schema = { type: "STRUCT", optional: true, name: `${UNION_NAME}.${full}`, fields: members };
    return [{ name: unionFieldName(message, oneof, this.#options), schema }];
  }

  #field(field: ProtoField): Schema {
    const entry = mapEntryOf(field);
    const base = entry !== null ? this.#map(field, entry) : this.#type(field);
    const whole = field.presence === "repeated" && entry === null ? optional(arraySchema(optional(base))) : base;
    const { optionalForNullables, wrapperForNullables } = this.#options;
    const says = field.presence === "optional" || field.presence === "legacy";
    const isMember = field.oneof !== null;
    const nullable = isMember || (optionalForNullables ? says : !wrapperForNullables);
    const wrapped =
      isMember && wrapperForNullables && field.type.kind === "message" && WRAPPED.has(field.type.message.fullName);
    return {
      ...whole,
      optional: whole.optional || nullable,
      parameters: { ...whole.parameters, ...(wrapped && { [WRAPPER]: "true" }), [TAG]: String(field.number) },
    };
  }

  #map(field: ProtoField, entry: { readonly key: ProtoField; readonly value: ProtoField }): Schema {
    if (field.type.kind !== "message") throw new Error(`${field.name} is no map`);
    const { message } = field.type;
    const name = toMapName(this.#options.enhanced ? message.fullName : simpleName(message));
    return { ...optional(mapSchema(this.#field(entry.key), this.#field(entry.value))), name };
  }

  #type(field: ProtoField): Schema {
    const { type } = field;
    switch (type.kind) {
      case "scalar":
        return scalarSchema(type.scalar, field.params);
      case "enum":
        return this.#enum(type.enum);
      case "message":
        return optional(logicalSchema(type.message, field.params) ?? this.message(type.message));
      default:
        throw new Error(`unreachable: ${type satisfies never}`);
    }
  }

  #enum(given: ProtoEnum): Schema {
    const values = [...given.values].map(([name, number]) => [`${ENUM_PARAMETER}.${name}`, String(number)] as const);
    return {
      type: this.#options.intForEnums ? "INT32" : "STRING",
      optional: true,
      name: this.#name(given),
      parameters: { [ENUM_PARAMETER]: simpleName(given), ...Object.fromEntries(values) },
    };
  }
}

function logicalSchema(message: ProtoMessage, params: ProtoField["params"]): Schema | null {
  switch (message.fullName) {
    case DECIMAL_MESSAGE: {
      const { precision, scale } = params;
      const schema = decimalSchema(integerOf(scale) ?? 0);
      const digits = integerOf(precision);
      return digits === null
        ? schema
        : { ...schema, parameters: { ...schema.parameters, [PRECISION]: String(digits) } };
    }
    case DATE_MESSAGE:
      return DATE_SCHEMA;
    case TIME_MESSAGE:
      return TIME_SCHEMA;
    case TIMESTAMP_MESSAGE:
      return TIMESTAMP_SCHEMA;
    default:
      return null;
  }
}

/** An integer's text; null for any other. */
function integerOf(text: string | undefined): number | null {
  return text !== undefined && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : null;
}

const TYPES = {
  double: "FLOAT64",
  float: "FLOAT32",
  int32: "INT32",
  sint32: "INT32",
  sfixed32: "INT32",
  int64: "INT64",
  uint32: "INT64",
  uint64: "INT64",
  sint64: "INT64",
  fixed32: "INT64",
  fixed64: "INT64",
  sfixed64: "INT64",
  bool: "BOOLEAN",
  string: "STRING",
  bytes: "BYTES",
} as const satisfies Record<Scalar, SchemaType>;

function wrappedType({ fullName }: ProtoMessage): SchemaType {
  const scalar = WRAPPED.get(fullName);
  if (scalar === undefined) throw new Error(`${fullName} is no wrapper`);
  return TYPES[scalar];
}

function scalarSchema(scalar: Scalar, params: ProtoField["params"]): Schema {
  const type = TYPES[scalar];
  if (type === "INT32" && params[CONNECT_TYPE] === "int8") return { type: "INT8", optional: false };
  if (type === "INT32" && params[CONNECT_TYPE] === "int16") return { type: "INT16", optional: false };
  const usual = scalar === "int32" || scalar === "int64" || (type !== "INT32" && type !== "INT64");
  return { type, optional: false, ...(!usual && { parameters: { [TYPE]: scalar } }) };
}
