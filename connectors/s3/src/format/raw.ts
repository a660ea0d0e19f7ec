import { DataError } from "@headrace/sdk";
import type { Layout, SinkFormat } from "./sink-format.ts";

/** The bytes or the text of each value as they are, with a separator behind each. */
export function raw(options: { readonly extension: string; readonly separator: string }): SinkFormat {
  const separator = Buffer.from(options.separator);
  const layout: Layout = {
    open: () => ({
      add: (content) => (Buffer.isBuffer(content) ? content : null),
      end: () => null,
    }),
  };
  return {
    extension: options.extension,
    contentType: "application/octet-stream",
    toRow({ value }) {
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      if (!Buffer.isBuffer(bytes)) throw new DataError("format.class=bytes takes bytes and texts only");
      if (separator.length > 0 && bytes.includes(separator)) {
        throw new DataError("the value has the separator in it (format.bytearray.separator)");
      }
      const content = Buffer.concat([bytes, separator]);
      return { layout, size: content.length, content };
    },
  };
}
