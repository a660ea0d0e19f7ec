import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  dateOf,
  decimalText,
  type Schema,
  scaleOf,
  TIME_NAME,
  TIMESTAMP_NAME,
  toJsonText,
  type Value,
  WholeDouble,
} from "@headrace/sdk";
import { fieldsOf } from "./fields.ts";
import type { Layout, SinkFormat } from "./sink-format.ts";
import { textLayout } from "./text-writer.ts";

export interface CsvSettings {
  readonly delimiter: string;
  /** Whether each object starts with a line of names. */
  readonly header: boolean;
}

/**
 * A line per record as RFC 4180 has it, lines ending with a line feed. Columns are the fields of a struct, or the members of a schemaless
 * object; any other value is the one column `value`. Null is an empty field, the empty text is `""`.
 */
export function csv({ delimiter, header }: CsvSettings): SinkFormat {
  const layouts = new Map<string, Layout>();
  return {
    extension: ".csv",
    contentType: "text/csv",
    toRow(data) {
      const fields = fieldsOf(data) ?? [{ name: "value", schema: data.schema, value: data.value }];
      if (fields.length === 0) throw new DataError("CSV has no row without columns");
      const line = (texts: readonly string[]) => `${texts.join(delimiter)}\n`;
      const content = line(fields.map(({ value, schema }) => cell(value, schema, delimiter)));
      const head = line(fields.map(({ name }) => quoted(name, delimiter)));
      let layout = layouts.get(head);
      if (layout === undefined) {
        layout = textLayout(header ? head : "");
        layouts.set(head, layout);
      }
      return { layout, size: Buffer.byteLength(content), content };
    },
  };
}

function cell(value: Value, schema: Schema | null, delimiter: string): string {
  if (value === null) return "";
  if (value === "") return '""';
  return quoted(cellText(value, schema), delimiter);
}

function cellText(value: NonNullable<Value>, schema: Schema | null): string {
  if (schema?.name === TIMESTAMP_NAME) return dateOf(value, schema)?.toISOString() ?? String(value);
  if (schema?.name === DATE_NAME) return dateOf(value, schema)?.toISOString().slice(0, -14) ?? String(value);
  if (schema?.name === TIME_NAME) return dateOf(value, schema)?.toISOString().slice(-13, -1) ?? String(value);
  if (schema?.name === DECIMAL_NAME && Buffer.isBuffer(value)) return decimalText(value, scaleOf(schema));
  if (typeof value !== "object") return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof WholeDouble) return String(value.value);
  if (Buffer.isBuffer(value)) return value.toString("base64");
  return toJsonText({ schema, value });
}

function quoted(text: string, delimiter: string): string {
  return text.includes(delimiter) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
