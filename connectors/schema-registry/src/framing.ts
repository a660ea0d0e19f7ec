import { DataError } from "@headrace/sdk";

/**
 * What stands before the data of every message: `[magic:int8 = 0][schema id:int32]`, big-endian. Source: Confluent's wire format.
 */
export const FRAME_SIZE = 5;

/** The bytes before the data of messages of this schema. */
export function frameOf(id: number): Buffer {
  const frame = Buffer.alloc(FRAME_SIZE);
  frame.writeInt32BE(id, 1);
  return frame;
}

/** The schema's id. Throws DataError for a payload that does not start like that. */
export function idOf(payload: Buffer): number {
  if (payload.length < FRAME_SIZE || payload[0] !== 0) {
    const found = payload.length === 0 ? "it is empty" : `it starts with 0x${payload.subarray(0, 1).toString("hex")}`;
    throw new DataError(`Unknown magic byte: the message was not written with a schema registry (${found})`);
  }
  return payload.readInt32BE(1);
}
