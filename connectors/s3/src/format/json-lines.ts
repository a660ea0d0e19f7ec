import { toJsonText } from "@headrace/sdk";
import type { SinkFormat } from "./sink-format.ts";
import { textLayout } from "./text-writer.ts";

/** A line of JSON per record: integers and decimals with all their digits, bytes as base64, dates and times as their numbers. */
export function jsonLines(): SinkFormat {
  const layout = textLayout("");
  return {
    extension: ".json",
    contentType: "application/json",
    toRow(data) {
      const content = `${toJsonText(data)}\n`;
      return { layout, size: Buffer.byteLength(content), content };
    },
  };
}
