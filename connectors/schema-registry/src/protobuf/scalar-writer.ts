import { DataError, javaClassOf, type Schema, type Value } from "@headrace/sdk";
import { enumParameter } from "./from-connect.ts";
import { ENUM_PARAMETER } from "./names.ts";
import type { ProtoEnum, ProtoField, Scalar } from "./proto-schema.ts";
import { DELIMITED, FIXED32, FIXED64, VARINT, type WireType, type WireWriter } from "./wire-writer.ts";

/** Appends a value's encoding. Throws DataError for a value that the schema does not admit. */
export type Write = (out: WireWriter, value: Value) => void;

/** Whether a value is what a field of implicit presence stands for when it is not there. */
export function isZeroOf({ type, fallback }: ProtoField): (value: Value) => boolean {
  if (fallback !== null && !Buffer.isBuffer(fallback)) return (value) => sameNumber(value, fallback);
  if (type.kind === "enum") {
    const [first] = type.enum.values.values();
    const zeros = new Set<Value>([first ?? 0]);
    for (const [name, number] of type.enum.values) if (number === first) zeros.add(name);
    return (value) => zeros.has(value);
  }
  return (value) => {
    switch (typeof value) {
      case "number":
        return Object.is(value, 0);
      case "bigint":
        return value === 0n;
      case "string":
        return value === "";
      case "boolean":
        return !value;
      default:
        return Buffer.isBuffer(value) && value.length === 0;
    }
  };
}

function sameNumber(value: Value, fallback: Value): boolean {
  if (typeof value === "bigint" && typeof fallback === "number") return value === BigInt(fallback);
  return Object.is(value, fallback);
}

/** What writes the values of an enum; null if they do not fit. Throws DataError when it writes a value that the enum does not have. */
export function enumWriter(given: ProtoEnum, schema: Schema): Write | null {
  if (schema.type === "INT32") {
    const known = given.closed ? new Set(given.values.values()) : null;
    return (out, value) => {
      const number = integer(value, schema, 32);
      if (known?.has(number) === false) throw new DataError(`${number} is no value of ${given.fullName}`);
      out.int32(number);
    };
  }
  if (schema.type !== "STRING") return null;
  const prefix = `${ENUM_PARAMETER}.`;
  const numbers = new Map<Value, number>(given.values);
  // A value that only the Connect schema knows has its number from there.
  for (const [name, number] of Object.entries(enumParameter(schema) === null ? {} : (schema.parameters ?? {}))) {
    const value = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (value !== "" && !numbers.has(value) && !given.closed) numbers.set(value, Number(number));
  }
  return (out, value) => {
    const number = numbers.get(value);
    if (number === undefined) throw new DataError(`${JSON.stringify(value)} is no value of ${given.fullName}`);
    out.int32(number);
  };
}

const INTEGERS = { INT8: 8, INT16: 16, INT32: 32 } as const;

function isSmall(type: Schema["type"]): type is keyof typeof INTEGERS {
  return type in INTEGERS;
}

/** What writes values of a schema as a scalar; null if they do not fit. */
export function scalarWriter(scalar: Scalar, schema: Schema): readonly [WireType, Write] | null {
  const { type } = schema;
  switch (scalar) {
    case "double":
    case "float": {
      if (type !== "FLOAT32" && !(type === "FLOAT64" && scalar === "double")) return null;
      return scalar === "double"
        ? [FIXED64, (out, value) => out.double(typed(value, schema, typeof value === "number"))]
        : [FIXED32, (out, value) => out.float(typed(value, schema, typeof value === "number"))];
    }
    case "bool":
      if (type !== "BOOLEAN") return null;
      return [VARINT, (out, value) => out.bool(typed(value, schema, typeof value === "boolean"))];
    case "string":
      if (type !== "STRING") return null;
      return [DELIMITED, (out, value) => out.string(typed(value, schema, typeof value === "string"))];
    case "bytes":
      if (type !== "BYTES") return null;
      return [DELIMITED, (out, value) => out.bytes(typed<Buffer>(value, schema, Buffer.isBuffer(value)))];
    default:
      return integerWriter(scalar, schema);
  }
}

type IntegerScalar = Exclude<Scalar, "double" | "float" | "bool" | "string" | "bytes">;

function integerWriter(scalar: IntegerScalar, schema: Schema): readonly [WireType, Write] | null {
  const { type } = schema;
  if (!isSmall(type) && type !== "INT64") return null;
  const bits = isSmall(type) ? INTEGERS[type] : 64;
  const small = (value: Value) => (bits === 64 ? narrowed(value, schema, scalar) : integer(value, schema, bits));
  const unsigned = (value: Value) => {
    const number = small(value);
    if (number >= 0) return number;
    throw new DataError(`${number} does not fit ${scalar}`);
  };
  const large = (value: Value) => (bits === 64 ? long(value, schema) : BigInt(integer(value, schema, bits)));
  switch (scalar) {
    case "int32":
      return [VARINT, (out, value) => out.int32(small(value))];
    case "sint32":
      return [VARINT, (out, value) => out.sint32(small(value))];
    case "sfixed32":
      return [FIXED32, (out, value) => out.fixed32(small(value))];
    case "uint32":
      return [VARINT, (out, value) => out.varint(unsigned(value))];
    case "fixed32":
      return [FIXED32, (out, value) => out.fixed32(unsigned(value))];
    case "int64":
    case "uint64":
      return [VARINT, (out, value) => out.int64(large(value))];
    case "sint64":
      return [VARINT, (out, value) => out.sint64(large(value))];
    case "fixed64":
    case "sfixed64":
      return [FIXED64, (out, value) => out.fixed64(large(value))];
    default:
      throw new Error(`unreachable: ${scalar satisfies never}`);
  }
}

function long(value: Value, schema: Schema): bigint {
  const given: bigint = typed(value, schema, typeof value === "bigint");
  if (!Number.isSafeInteger(Number(given)) && BigInt.asIntN(64, given) !== given) throw mismatch(value, schema);
  return given;
}

/** A 64-bit integer that has to fit 32. */
function narrowed(value: Value, schema: Schema, scalar: IntegerScalar): number {
  const given: bigint = typed(value, schema, typeof value === "bigint");
  const isUnsigned = scalar === "uint32" || scalar === "fixed32";
  if ((isUnsigned ? BigInt.asUintN(32, given) : BigInt.asIntN(32, given)) === given) return Number(given);
  throw new DataError(`${given} does not fit ${scalar}`);
}

/** An integer of so many bits. */
function integer(value: Value, schema: Schema, bits: number): number {
  const less = 32 - bits;
  if (typeof value === "number" && (value << less) >> less === value) return value;
  throw mismatch(value, schema);
}

/** The value, whose type the caller has looked at. */
export function typed<T extends Value>(value: Value, schema: Schema, fits: boolean): T {
  if (!fits) throw mismatch(value, schema);
  return value as T;
}

/** What a value of another type than its schema's is told as. */
export function mismatch(value: Value, schema: Schema): DataError {
  return new DataError(`Invalid type for ${schema.type}: ${javaClassOf(value, null)}`);
}
