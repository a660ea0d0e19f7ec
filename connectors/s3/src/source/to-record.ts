import {
  type Header,
  isStructLike,
  NULL_VALUE,
  type SchemaAndValue,
  type SourceRecord,
  toText,
  type Value,
} from "@headrace/sdk";
import { fieldAt, memberOf } from "../format/fields.ts";

type Content = Pick<SourceRecord, "key" | "value" | "headers" | "timestamp">;

/** An item as it is: the record's value. */
export function plainContent(item: SchemaAndValue): Content {
  return { value: item };
}

/** A struct of `value`, `key`, `timestamp` and `headers`, as the sink writes it with `format.output.fields`. */
export function envelopeContent(item: SchemaAndValue): Content {
  const part = (name: string): SchemaAndValue => {
    if (memberOf(item.value, name) === null && item.schema === null) return NULL_VALUE;
    return item.schema === null || item.schema.fields?.some((field) => field.name === name) === true
      ? fieldAt(item, name)
      : NULL_VALUE;
  };
  const key = part("key");
  const timestamp = part("timestamp").value;
  const headers = part("headers");
  return {
    value: part("value"),
    ...(key.value !== null && { key }),
    ...((typeof timestamp === "bigint" || typeof timestamp === "number") && { timestamp: Number(timestamp) }),
    ...(Array.isArray(headers.value) && { headers: headers.value.flatMap(toHeader) }),
  };
}

function toHeader(item: Value): readonly Header[] {
  if (!isStructLike(item)) return [];
  const key = memberOf(item, "key");
  const value = memberOf(item, "value");
  return typeof key === "string"
    ? [{ key, schema: null, value: value === null ? null : toText({ schema: null, value }) }]
    : [];
}
