import type { OffsetMap, OffsetScalar } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { NewSourceOffset } from "../store/source-offsets.ts";
import type { RequestedOffset } from "./sink-offsets.ts";

/** Reads a source's new offset. Throws if its values are not what the offsets topic can hold (contract §3). */
export function readSourceOffset({ partition, offset }: RequestedOffset): NewSourceOffset {
  if (partition === null) {
    throw new ConnectError("bad-request", "The partition for a source connector offset cannot be null or missing");
  }
  return { partition: readMap(partition), offset: offset === null ? null : readMap(offset) };
}

function readMap(map: Readonly<Record<string, unknown>>): OffsetMap {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, readScalar(name, value)]));
}

function readScalar(name: string, value: unknown): OffsetScalar {
  switch (typeof value) {
    case "boolean":
    case "number":
    case "bigint":
    case "string":
      return value;
    default:
      if (value === null) return null;
      throw new ConnectError(
        "internal",
        "Offsets may only contain primitive types as values, " +
          `but field ${name} contains ${Array.isArray(value) ? "ARRAY" : "MAP"}`,
      );
  }
}
