import { ConfigError, type OffsetMap } from "@headrace/sdk";
import { fromOffset } from "./position.ts";

/** Throws ConfigError for offsets given over REST that no query source has. `table` is how a full name looks, for the message. */
export function checkOffsets(
  offsets: readonly { readonly partition: OffsetMap; readonly offset: OffsetMap | null }[],
  table: string,
): true {
  for (const { partition, offset } of offsets) {
    if (typeof partition["query"] !== "string" && typeof partition["table"] !== "string")
      throw new ConfigError(`A partition is {"protocol":"1","table":"${table}"} or {"query":"query"}`);
    fromOffset(offset);
  }
  return true;
}
