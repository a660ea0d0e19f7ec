import { DATE_NAME, DataError, DECIMAL_NAME, type Schema, TIME_NAME, TIMESTAMP_NAME, type Value } from "@headrace/sdk";
import { DATE_FILE, DECIMAL_FILE, KNOWN_FILES, TIME_FILE, TIMESTAMP_FILE, WRAPPERS_FILE } from "./known-types.ts";
import { logicalOf } from "./logical.ts";
import {
  CONNECT_TYPE,
  DATE_MESSAGE,
  DECIMAL_MESSAGE,
  DEFAULT_NAME,
  ENUM_PARAMETER,
  PRECISION,
  protoName,
  TAG,
  TIME_MESSAGE,
  TIMESTAMP_MESSAGE,
  TYPE,
  toMapEntry,
  UNION_NAME,
  WRAPPER,
} from "./names.ts";
import { parseProtoFile } from "./parse.ts";
import { printProtoFile } from "./print.ts";
import {
  isScalar,
  messageNamed,
  type ProtoEnum,
  type ProtoField,
  type ProtoFile,
  type ProtoMessage,
  type ProtoType,
  type Scalar,
  simpleName,
} from "./proto-schema.ts";

export interface FromConnectOptions {
  /** `scrub.invalid.names` */
  readonly scrub: boolean;
  /** `optional.for.nullables` */
  readonly optionalForNullables: boolean;
  /** `wrapper.for.nullables` */
  readonly wrapperForNullables: boolean;
}

/** A schema of the registry's with the message of it that a Connect schema is. */
export interface OwnSchema {
  readonly text: string;
  readonly file: ProtoFile;
  readonly message: ProtoMessage;
}

/** Wrapper messages at the root, by Connect type. */
const ROOT_WRAPPERS = {
  INT8: "Int32Value",
  INT16: "Int32Value",
  INT32: "Int32Value",
  INT64: "Int64Value",
  FLOAT32: "FloatValue",
  FLOAT64: "DoubleValue",
  BOOLEAN: "BoolValue",
  STRING: "StringValue",
  BYTES: "BytesValue",
} as const;

/**
 * The protobuf schema of a Connect schema: a message for a struct, one of the wrappers for what is none. Throws DataError for what has no
 * protobuf type. Source: io.confluent.connect.protobuf.ProtobufData.fromConnectSchema.
 */
export function protoSchemaOf(schema: Schema, options: FromConnectOptions): OwnSchema {
  const { type } = schema;
  if (type === "ARRAY" || type === "MAP")
    throw new DataError(`a ${type} has no protobuf type unless it is in a struct`);
  if (type !== "STRUCT") {
    if (logicalOf(schema) !== null)
      throw new DataError(`a ${schema.name} has no protobuf type unless it is in a struct`);
    const message = knownMessage(WRAPPERS_FILE, `google.protobuf.${ROOT_WRAPPERS[type]}`);
    const file = knownFile(WRAPPERS_FILE);
    return { text: printProtoFile(file), file, message };
  }
  const file = new Translation(options).file(schema);
  const [message] = file.messages;
  if (message === undefined) throw new Error("a file of no message");
  return { text: printProtoFile(file), file, message };
}

const files = new Map<string, ProtoFile>();

function knownFile(path: string): ProtoFile {
  const found = files.get(path) ?? parseProtoFile(KNOWN_FILES.get(path) ?? "");
  files.set(path, found);
  return found;
}

function knownMessage(path: string, name: string): ProtoMessage {
  const found = messageNamed(knownFile(path).messages, name);
  if (found === null) throw new Error(`${path} has no ${name}`);
  return found.message;
}

/** A message that is not complete yet. */
interface Growing extends ProtoMessage {
  readonly fields: ProtoField[];
  readonly oneofs: string[];
  readonly messages: ProtoMessage[];
  readonly enums: ProtoEnum[];
}

const growing = (fullName: string): Growing => ({
  fullName,
  fields: [],
  oneofs: [],
  messages: [],
  enums: [],
  fault: null,
});

interface FieldPlace {
  readonly name: string;
  readonly number: number;
  readonly oneof: string | null;
}

class Translation {
  readonly #options: FromConnectOptions;
  readonly #imports = new Set<string>();
  #unnamed = 0;

  constructor(options: FromConnectOptions) {
    this.#options = options;
  }

  file(schema: Schema): ProtoFile {
    const parts = this.#nameOf(schema.name).split(".");
    const fullName = parts.map((part) => this.#scrubbed(part)).join(".");
    const message = this.#message(schema, fullName);
    return {
      package: fullName.includes(".") ? fullName.slice(0, fullName.lastIndexOf(".")) : "",
      imports: [...this.#imports],
      messages: [message],
    };
  }

  #nameOf(name: string | undefined): string {
    if (name !== undefined && name !== "") return name;
    this.#unnamed += 1;
    return `${DEFAULT_NAME}${this.#unnamed}`;
  }

  #scrubbed(name: string): string {
    return protoName(name, this.#options.scrub);
  }

  #lastPart(name: string | undefined): string {
    const full = this.#nameOf(name);
    return this.#scrubbed(full.slice(full.lastIndexOf(".") + 1));
  }

  #message(schema: Schema, fullName: string): ProtoMessage {
    const message = growing(fullName);
    let next = 1;
    const numberOf = ({ parameters }: Schema): number => {
      const tag = parameters?.[TAG];
      if (tag !== undefined) return tagOf(tag);
      next += 1;
      return next - 1;
    };
    for (const field of schema.fields ?? []) {
      const number = numberOf(field.schema);
      if (!isUnion(field.schema)) {
        this.#field(message, field.schema, { name: this.#scrubbed(field.name), number, oneof: null });
        continue;
      }
      const union = field.schema.name?.slice(UNION_NAME.length + 1) ?? "";
      const oneof = this.#lastPart(union);
      message.oneofs.push(oneof);
      for (const member of field.schema.fields ?? []) {
        const place = { name: this.#scrubbed(member.name), number: numberOf(member.schema), oneof };
        this.#field(message, member.schema, place);
      }
    }
    checkNumbers(message);
    return message;
  }

  #field(message: Growing, schema: Schema, { name, number, oneof }: FieldPlace): void {
    const repeated = schema.type === "ARRAY" || schema.type === "MAP";
    if (repeated && oneof !== null) throw new DataError(`${name}, an array or a map, has no protobuf type in a union`);
    const item = schema.type === "ARRAY" ? inner(schema.valueSchema) : schema;
    if (schema.type === "ARRAY" && item.type === "MAP") throw new DataError("a map in an array has no protobuf type");
    const params: Record<string, string> = {};
    const type = this.#type(message, item, name, oneof !== null, params);
    const optional = this.#options.optionalForNullables && schema.optional;
    message.fields.push({
      name,
      number,
      type,
      presence: repeated ? "repeated" : oneof !== null ? "member" : optional ? "optional" : "implicit",
      oneof,
      packed: repeated && type.kind !== "message" && !(type.kind === "scalar" && isText(type.scalar)),
      fallback: !repeated && type.kind === "scalar" ? defaultOf(item) : null,
      params,
    });
  }

  #type(message: Growing, schema: Schema, field: string, member: boolean, params: Record<string, string>): ProtoType {
    const logical = this.#logical(schema, params);
    if (logical !== null) return logical;
    switch (schema.type) {
      case "ARRAY":
        throw new DataError("an array in an array has no protobuf type");
      case "MAP":
        return { kind: "message", message: this.#mapEntry(message, schema) };
      case "STRUCT":
        if (isUnion(schema)) throw new DataError("a union has no protobuf type unless it is a field of a struct");
        return { kind: "message", message: this.#nested(message, schema, field) };
      default:
        break;
    }
    if (enumParameter(schema) !== null) return { kind: "enum", enum: this.#enum(message, schema) };
    const scalar = scalarOf(schema);
    if (schema.type === "INT8" || schema.type === "INT16") params[CONNECT_TYPE] = schema.type.toLowerCase();
    const wraps =
      this.#options.wrapperForNullables &&
      schema.optional &&
      (!member || schema.parameters?.[WRAPPER]?.toLowerCase() === "true");
    return wraps ? this.#known(WRAPPERS_FILE, `google.protobuf.${wrapperOf(scalar)}`) : { kind: "scalar", scalar };
  }

  #logical(schema: Schema, params: Record<string, string>): ProtoType | null {
    switch (schema.name) {
      case DECIMAL_NAME: {
        const { [PRECISION]: precision, scale } = schema.parameters ?? {};
        if (precision !== undefined) params["precision"] = precision;
        if (scale !== undefined) params["scale"] = scale;
        return this.#known(DECIMAL_FILE, DECIMAL_MESSAGE);
      }
      case DATE_NAME:
        return this.#known(DATE_FILE, DATE_MESSAGE);
      case TIME_NAME:
        return this.#known(TIME_FILE, TIME_MESSAGE);
      case TIMESTAMP_NAME:
        return this.#known(TIMESTAMP_FILE, TIMESTAMP_MESSAGE);
      default:
        return null;
    }
  }

  #known(path: string, name: string): ProtoType {
    this.#imports.add(path);
    return { kind: "message", message: knownMessage(path, name) };
  }

  /** A message inside another one; of those with one name the first counts, and the name of the outer one is that itself. */
  #nested(outer: Growing, schema: Schema, field: string): ProtoMessage {
    const name = this.#lastPart(schema.name);
    // A field and a type may not have one name.
    const own = name === field ? `${name}Message` : name;
    if (simpleName(outer) === own) return outer;
    const found = outer.messages.find((each) => simpleName(each) === own);
    if (found !== undefined) return found;
    const made = this.#message(schema, `${outer.fullName}.${own}`);
    outer.messages.push(made);
    return made;
  }

  #mapEntry(outer: Growing, { name, keySchema, valueSchema }: Schema): ProtoMessage {
    const entry = growing(`${outer.fullName}.${toMapEntry(this.#lastPart(name))}`);
    if (outer.messages.some((each) => each.fullName === entry.fullName)) {
      throw new DataError(`two maps of ${outer.fullName} are named ${name}`);
    }
    this.#field(entry, inner(keySchema), { name: "key", number: 1, oneof: null });
    this.#field(entry, inner(valueSchema), { name: "value", number: 2, oneof: null });
    outer.messages.push(entry);
    return entry;
  }

  #enum(outer: Growing, schema: Schema): ProtoEnum {
    const name = this.#lastPart(schema.name ?? enumParameter(schema) ?? undefined);
    const found = outer.enums.find((each) => simpleName(each) === name);
    if (found !== undefined) return found;
    const prefix = `${ENUM_PARAMETER}.`;
    const values = Object.entries(schema.parameters ?? {})
      .filter(([parameter]) => parameter.startsWith(prefix))
      .map(([parameter, number]): [string, number] => [parameter.slice(prefix.length), Number(number)]);
    if (values.length === 0 || values.some(([, number]) => !Number.isInteger(number))) {
      throw new DataError(`the enum ${name} has no values, or one without a number`);
    }
    const made = { fullName: `${outer.fullName}.${name}`, values: new Map(values), closed: false };
    outer.enums.push(made);
    return made;
  }
}

/** Whether a struct stands for a oneof. */
export function isUnion({ type, name }: Schema): boolean {
  return type === "STRUCT" && name?.startsWith(UNION_NAME) === true;
}

/** The name of the enum that a text or number stands for. */
export function enumParameter({ type, parameters }: Schema): string | null {
  return type === "STRING" || type === "INT32" ? (parameters?.[ENUM_PARAMETER] ?? null) : null;
}

function inner(schema: Schema | undefined): Schema {
  if (schema === undefined) throw new DataError("a schema of items, keys or values is missing");
  return schema;
}

function tagOf(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number < 2 ** 29) return number;
  throw new DataError(`${TAG} is ${text}, which is no field number`);
}

function checkNumbers({ fullName, fields }: ProtoMessage): void {
  const numbers = new Set(fields.map((field) => field.number));
  const names = new Set(fields.map((field) => field.name));
  if (numbers.size < fields.length) throw new DataError(`two fields of ${fullName} have the same number`);
  if (names.size < fields.length) throw new DataError(`two fields of ${fullName} have the same name`);
}

const isText = (scalar: Scalar) => scalar === "string" || scalar === "bytes";

const USUAL = {
  INT8: "int32",
  INT16: "int32",
  INT32: "int32",
  INT64: "int64",
  FLOAT32: "float",
  FLOAT64: "double",
  BOOLEAN: "bool",
  STRING: "string",
  BYTES: "bytes",
} as const satisfies Partial<Record<Schema["type"], Scalar>>;

function scalarOf({ type, parameters }: Schema): Scalar {
  if (type === "ARRAY" || type === "MAP" || type === "STRUCT") throw new Error(`${type} is no scalar`);
  const given = parameters?.[TYPE];
  if (given === undefined || (type !== "INT32" && type !== "INT64")) return USUAL[type];
  if (!isScalar(given)) throw new DataError(`${TYPE} is ${given}, which is no protobuf type`);
  return given;
}

function wrapperOf(scalar: Scalar): string {
  switch (scalar) {
    case "double":
      return "DoubleValue";
    case "float":
      return "FloatValue";
    case "bool":
      return "BoolValue";
    case "string":
      return "StringValue";
    case "bytes":
      return "BytesValue";
    case "uint32":
    case "fixed32":
      return "UInt32Value";
    case "uint64":
    case "fixed64":
      return "UInt64Value";
    case "int64":
    case "sint64":
    case "sfixed64":
      return "Int64Value";
    case "int32":
    case "sint32":
    case "sfixed32":
      return "Int32Value";
    default:
      throw new Error(`unreachable: ${scalar satisfies never}`);
  }
}

/** What the schema says a field is when it is not there; a number beyond 2^53, which not every parser reads exactly, is always written. */
function defaultOf({ type, default: given = null }: Schema): Value {
  const isExact = typeof given !== "bigint" || Number.isSafeInteger(Number(given));
  return type !== "BYTES" && isExact ? given : null;
}
