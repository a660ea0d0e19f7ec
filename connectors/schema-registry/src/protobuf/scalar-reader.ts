import { DataError, type Schema, type Value } from "@headrace/sdk";
import { type ProtoEnum, type Scalar, simpleName } from "./proto-schema.ts";
import type { WireReader } from "./wire-reader.ts";
import { DELIMITED, FIXED32, FIXED64, VARINT, type WireType } from "./wire-writer.ts";

/** What reads the values of an enum; null: a number that it does not have, where that is no value. */
export function enumReader(given: ProtoEnum, schema: Schema): (data: WireReader) => Value {
  const names = new Map<number, string>();
  for (const [name, number] of given.values) if (!names.has(number)) names.set(number, name);
  const unknown = `UNKNOWN_ENUM_VALUE_${simpleName(given)}_`;
  const asText = schema.type === "STRING";
  return (data) => {
    const number = data.int32();
    const name = names.get(number);
    if (name === undefined && given.closed) return null;
    return asText ? (name ?? `${unknown}${number}`) : number;
  };
}

/** What a field of the type is when it is not there. */
export function zeroOf(scalar: Scalar): Value {
  switch (scalar) {
    case "double":
    case "float":
    case "int32":
    case "sint32":
    case "sfixed32":
      return 0;
    case "bool":
      return false;
    case "string":
      return "";
    case "bytes":
      return Buffer.alloc(0);
    default:
      return 0n;
  }
}

/**
 * What reads values of a schema from a scalar, and the wire type that they have; `name` is the field's. It throws DataError for a number that
 * does not fit INT8 or INT16: protobuf's own types do not bound what others write there.
 */
export function scalarReader(
  scalar: Scalar,
  schema: Schema,
  name: string,
): readonly [WireType, (data: WireReader) => Value] {
  const narrow = schema.type === "INT8" ? 24 : schema.type === "INT16" ? 16 : 0;
  const small = (read: (data: WireReader) => number): ((data: WireReader) => Value) => {
    if (narrow === 0) return read;
    return (data) => {
      const value = read(data);
      if ((value << narrow) >> narrow === value) return value;
      const word = schema.type.toLowerCase();
      throw new DataError(`field ${name}: ${value} does not fit ${word}, which the schema has as its connect.type`);
    };
  };
  switch (scalar) {
    case "double":
      return [FIXED64, (data) => data.double()];
    case "float":
      return [FIXED32, (data) => data.float()];
    case "int32":
      return [VARINT, small((data) => data.int32())];
    case "sint32":
      return [VARINT, small((data) => data.sint32())];
    case "sfixed32":
      return [FIXED32, small((data) => data.fixed32())];
    case "uint32":
      return [VARINT, (data) => BigInt(data.varint())];
    case "fixed32":
      return [FIXED32, (data) => BigInt(data.fixed32() >>> 0)];
    case "int64":
    case "uint64":
      return [VARINT, (data) => data.int64()];
    case "sint64":
      return [VARINT, (data) => data.sint64()];
    case "fixed64":
    case "sfixed64":
      return [FIXED64, (data) => data.fixed64()];
    case "bool":
      return [VARINT, (data) => data.bool()];
    case "string":
      return [DELIMITED, (data) => data.string()];
    case "bytes":
      return [DELIMITED, (data) => data.bytes()];
    default:
      throw new Error(`unreachable: ${scalar satisfies never}`);
  }
}
