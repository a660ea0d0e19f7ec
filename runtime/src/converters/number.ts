import {
  type Converter,
  DataError,
  defineConverter,
  type HeaderConverter,
  javaClassOf,
  type SchemaAndValue,
  type SchemaType,
  typeOfValue,
} from "@headrace/sdk";
import { z } from "zod";
import { CONVERTER_TYPE } from "./converter-type.ts";

/** How one type of number is laid out. */
interface Layout {
  readonly name: "short" | "integer" | "long" | "float" | "double";
  readonly java: string;
  readonly type: SchemaType;
  readonly size: number;
  write(value: number | bigint): Buffer;
  read(payload: Buffer): number | bigint;
}

function bufferOf(size: number, write: (buffer: Buffer) => number): Buffer {
  const buffer = Buffer.allocUnsafe(size);
  write(buffer);
  return buffer;
}

const LAYOUTS: readonly Layout[] = [
  {
    name: "short",
    java: "ShortConverter",
    type: "INT16",
    size: 2,
    write: (value) => bufferOf(2, (buffer) => buffer.writeInt16BE(Number(value))),
    read: (payload) => payload.readInt16BE(),
  },
  {
    name: "integer",
    java: "IntegerConverter",
    type: "INT32",
    size: 4,
    write: (value) => bufferOf(4, (buffer) => buffer.writeInt32BE(Number(value))),
    read: (payload) => payload.readInt32BE(),
  },
  {
    name: "long",
    java: "LongConverter",
    type: "INT64",
    size: 8,
    write: (value) => bufferOf(8, (buffer) => buffer.writeBigInt64BE(BigInt(value))),
    read: (payload) => payload.readBigInt64BE(),
  },
  {
    name: "float",
    java: "FloatConverter",
    type: "FLOAT32",
    size: 4,
    write: (value) => bufferOf(4, (buffer) => buffer.writeFloatBE(Number(value))),
    read: (payload) => payload.readFloatBE(),
  },
  {
    name: "double",
    java: "DoubleConverter",
    type: "FLOAT64",
    size: 8,
    write: (value) => bufferOf(8, (buffer) => buffer.writeDoubleBE(Number(value))),
    read: (payload) => payload.readDoubleBE(),
  },
];

const WHOLE: ReadonlySet<SchemaType> = new Set(["INT8", "INT16", "INT32", "INT64"]);

function compileNumber(layout: Layout): Converter & HeaderConverter {
  const schema = { type: layout.type, optional: true } as const;
  const encode = ({ schema: from, value }: SchemaAndValue): Buffer | null => {
    if (value === null) return null;
    const refuse = () =>
      new DataError(`Failed to serialize to ${layout.name} (was class ${javaClassOf(value, from)}): `);
    if (from !== null && (from.type !== layout.type || javaClassOf(value, from) === "java.util.Date")) throw refuse();
    const found = from === null ? typeOfValue(value) : from.type;
    if (WHOLE.has(layout.type)) {
      // Schemaless integers have one form for all widths; one that fits is written.
      if (found === null || !WHOLE.has(found)) throw refuse();
      const integer = BigInt(value as number | bigint);
      if (BigInt.asIntN(layout.size * 8, integer) !== integer) throw refuse();
      return layout.write(integer);
    }
    const number = Number(value);
    if (found !== "FLOAT64" && found !== layout.type) throw refuse();
    if (layout.type === "FLOAT32" && Number.isFinite(number) && !Number.isFinite(Math.fround(number))) throw refuse();
    return layout.write(number);
  };
  const decode = (payload: Buffer | null): SchemaAndValue => {
    if (payload === null) return { schema, value: null };
    if (payload.length !== layout.size) {
      throw new DataError(`Failed to deserialize ${layout.name}: `, {
        cause: new Error(`${payload.length} bytes instead of ${layout.size}`),
      });
    }
    return { schema, value: layout.read(payload) };
  };
  return {
    encode: (_, data) => encode(data),
    decode: (_, payload) => decode(payload),
    encodeHeader: (_topic, _key, data) => encode(data),
    decodeHeader: (_topic, _key, payload) => decode(payload),
  };
}

/** Numbers as big-endian bytes. Source: org.apache.kafka.connect.converters.{Short,Integer,Long,Float,Double}Converter. */
export const numberConverters = LAYOUTS.map((layout) =>
  defineConverter({
    name: layout.name,
    version: "1.0.0",
    aliases: [`org.apache.kafka.connect.converters.${layout.java}`],
    config: z.object(CONVERTER_TYPE),
    compile: () => compileNumber(layout),
    compileHeader: () => compileNumber(layout),
  }),
);
