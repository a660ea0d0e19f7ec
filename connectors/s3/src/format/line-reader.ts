import { DataError, OPTIONAL_BYTES_SCHEMA, type SchemaAndValue, STRING_SCHEMA, type Value } from "@headrace/sdk";
import type { ItemReader } from "./source-format.ts";

const LINE_FEED = Buffer.from("\n");

/** Pieces between separators, those of one chunk at a time; what stands behind the last separator is one, too, unless it is empty. */
export async function* split(chunks: AsyncIterable<Uint8Array>, separator: Buffer): AsyncGenerator<readonly Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const data: Buffer = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const pieces: Buffer[] = [];
    let from = 0;
    if (separator.length > 0) {
      // What was searched before has no separator, except where the chunks meet.
      let at = data.indexOf(separator, Math.max(0, rest.length - separator.length + 1));
      for (; at >= 0; at = data.indexOf(separator, from)) {
        pieces.push(data.subarray(from, at));
        from = at + separator.length;
      }
    }
    rest = data.subarray(from);
    if (pieces.length > 0) yield pieces;
  }
  if (rest.length > 0) yield [rest];
}

function lineReader(toItem: (line: string) => SchemaAndValue | null): ItemReader {
  return async function* read(object) {
    let line = 0;
    for await (const pieces of split(object.chunks(), LINE_FEED)) {
      const items: SchemaAndValue[] = [];
      for (const piece of pieces) {
        line += 1;
        const text = piece.toString("utf8");
        try {
          const item = toItem(text.endsWith("\r") ? text.slice(0, -1) : text);
          if (item !== null) items.push(item);
        } catch (cause) {
          // What came before it is good.
          yield items;
          throw new DataError(`${object.key}, line ${line}: ${cause instanceof Error ? cause.message : cause}`, {
            cause,
          });
        }
      }
      yield items;
    }
  };
}

/** A record per line of text. */
export const textReader: ItemReader = lineReader((line) => ({ schema: STRING_SCHEMA, value: line }));

/** A record per line of JSON; blank lines are none. */
export const jsonReader: ItemReader = lineReader((line) =>
  line.trim() === "" ? null : { schema: null, value: parseJson(line) },
);

/** JSON with integers beyond 2^53 as `bigint`. */
function parseJson(text: string): Value {
  if (!/\d{16}/.test(text)) return toValue(JSON.parse(text));
  return toValue(
    JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) => {
      const source = context?.source ?? "";
      const beyond = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
      return beyond ? BigInt(source) : value;
    }),
  );
}

/** Decoder: what JSON has, and integers beyond 2^53, are values. */
const toValue = (parsed: unknown): Value => parsed as Value;

/** A record per piece between separators; without a separator, the whole object is one. */
export function bytesReader(separator: Buffer): ItemReader {
  return async function* read(object) {
    for await (const pieces of split(object.chunks(), separator)) {
      yield pieces.map((value) => ({ schema: OPTIONAL_BYTES_SCHEMA, value }));
    }
  };
}
