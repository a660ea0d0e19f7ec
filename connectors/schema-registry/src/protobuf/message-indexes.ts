import { DataError } from "@headrace/sdk";
import { FRAME_SIZE, frameOf } from "../framing.ts";
import { WireWriter } from "./wire-writer.ts";

/** A path deeper than any schema nests messages. */
const MAX_INDEXES = 64;

/**
 * What stands before the data of protobuf messages: `[magic:int8 = 0][schema id:int32][count:zig-zag][index:zig-zag]…`, the path to the
 * message in its file; a single 0 stands for the file's first message. Source: Confluent's wire format, MessageIndexes.
 */
export function protobufFrameOf(id: number, indexes: readonly number[]): Buffer {
  const out = new WireWriter();
  out.raw(frameOf(id));
  const [first, more] = indexes;
  if (first === 0 && more === undefined) out.varint(0);
  else for (const number of [indexes.length, ...indexes]) out.sint32(number);
  return out.take();
}

/** Reads such a path. Throws DataError. */
export function readIndexes(payload: Buffer): { readonly indexes: readonly number[]; readonly end: number } {
  let at = FRAME_SIZE;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = payload[at];
      if (byte === undefined) break;
      at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new DataError("the message does not say which protobuf message it is: its list of indexes ends early");
  };
  const count = next();
  if (count === 0) return { indexes: [0], end: at };
  if (count < 0 || count > MAX_INDEXES) throw new DataError(`the message has ${count} protobuf indexes`);
  return { indexes: Array.from({ length: count }, next), end: at };
}
