import {
  type ConnectRecord,
  config,
  DataError,
  defineTransform,
  type Field,
  type Header,
  memoizeSchema,
  NULL_VALUE,
  parseReplacement,
  type Schema,
  type SchemaAndValue,
  STRING_SCHEMA,
  type TransformFunction,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import {
  fieldNamed,
  getField,
  getText,
  isEnvelope,
  requireStruct,
  type StructData,
  structOf,
  valueOfField,
} from "./event.ts";
import { expandJson } from "./json-payload.ts";

const column = (text: string) => config.text().describe(text).meta({ importance: "LOW" });
function isPattern(text: string): boolean {
  try {
    config.fullMatch(text);
    return true;
  } catch {
    return false; // Told as an invalid configuration.
  }
}

const PLACEMENT = /^([^:]+):(header|envelope|partition)(?::([^:]+))?$/i;

const CONFIG = z.object({
  ...config.group("Table", {
    "table.field.event.id": column("Column with the event's id, which becomes the header id.").default("id"),
    "table.field.event.key": column("Column with the record's key.").default("aggregateid"),
    "table.field.event.type": column(
      "Column with the event's type; only told apart by table.fields.additional.placement.",
    ).default("type"),
    "table.field.event.timestamp": column(
      "Column with the record's timestamp; not given: the event's ts_ms.",
    ).optional(),
    "table.field.event.payload": column("Column with the payload.").default("payload"),
    "table.field.event.schema.version": column("Column with the version of the value's schema.").optional(),
    "table.fields.additional.placement": config
      .list()
      .refine(
        (items) => items.every((item) => PLACEMENT.test(item)),
        "an item is column:header, column:envelope or column:partition, with or without :name",
      )
      .default([])
      .describe("More columns: column:header, column:envelope or column:partition, each with or without :name.")
      .meta({ importance: "HIGH" }),
    "table.fields.additional.error.on.missing": config
      .boolean()
      .default(true)
      .describe("Fail when such a column is not there.")
      .meta({ importance: "HIGH" }),
    "table.expand.json.payload": config
      .boolean()
      .default(false)
      .describe("Parse a payload that is JSON text into a struct."),
    "table.json.payload.null.behavior": config
      .anyCaseOf("ignore", "optional_bytes")
      .default("ignore")
      .describe("Nulls in such a payload: left out, or fields of optional bytes."),
    "table.op.invalid.behavior": config
      .anyCaseOf("warn", "error", "fatal")
      .default("warn")
      .describe("Of an update in the outbox table: warn and error leave it out, fatal fails."),
  }),
  ...config.group("Router", {
    "route.by.field": config
      .text()
      .default("aggregatetype")
      .describe("Column that decides about the topic.")
      .meta({ importance: "HIGH" }),
    "route.topic.regex": config
      .text()
      .default("(?<routedByValue>.*)")
      .refine(isPattern, "Invalid regex")
      .describe("Regular expression that the whole value has to match; otherwise the value itself is the topic.")
      .meta({ importance: "LOW" }),
    "route.topic.replacement": config
      .text()
      .default("outbox.event.${routedByValue}")
      .describe("The topic; $1 and the name of a group in braces stand for what the expression found.")
      .meta({ importance: "HIGH" }),
    "route.tombstone.on.empty.payload": config
      .boolean()
      .default(false)
      .describe("An event without payload becomes a tombstone.")
      .meta({ importance: "HIGH" }),
  }),
});
type Config = z.output<typeof CONFIG>;

interface Placed {
  readonly column: string;
  readonly place: "header" | "envelope" | "partition";
  readonly name: string;
}

function placedOf(settings: Config): readonly Placed[] {
  return settings["table.fields.additional.placement"].map((item) => {
    const [, column = "", place = "", name] = PLACEMENT.exec(item) ?? [];
    const word = place.toLowerCase();
    return { column, place: word === "header" || word === "partition" ? word : "envelope", name: name ?? column };
  });
}

function compile(settings: Config): TransformFunction {
  const placed = placedOf(settings);
  const inEnvelope = placed.filter(({ place }) => place === "envelope");
  const lenient = !settings["table.fields.additional.error.on.missing"];
  const regex = config.fullMatch(settings["route.topic.regex"]);
  const replace = parseReplacement(settings["route.topic.replacement"], regex);
  const payloadColumn = settings["table.field.event.payload"];
  const schemas = memoizeSchema((_: Schema) => new WeakMap<Schema, Map<string, Schema>>());

  /** The struct around payload and columns. */
  function envelopeSchema(row: Schema, payload: Schema, topic: string, version: number | null): Schema {
    const byPayload = schemas(row);
    const known = byPayload.get(payload) ?? new Map<string, Schema>();
    byPayload.set(payload, known);
    const key = `${version} ${topic}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const columns = inEnvelope.flatMap(({ column, name }): Field[] => {
      const field = fieldNamed(row, column);
      return field === undefined ? [] : [{ name, schema: field.schema }];
    });
    const schema: Schema = {
      type: "STRUCT",
      optional: false,
      name: schemaName(row.name, topic),
      ...(version !== null && { version }),
      fields: [{ name: "payload", schema: payload }, ...columns],
    };
    known.set(key, schema);
    return schema;
  }

  function payloadOf(row: StructData): { readonly schema: Schema; readonly value: Value } {
    const field = fieldNamed(row.schema, payloadColumn);
    if (field === undefined) throw new DataError(`Unable to find payload field ${payloadColumn} in event`);
    const value = valueOfField(row.value, payloadColumn) ?? field.schema.default ?? null;
    const plain = { schema: field.schema, value };
    if (!settings["table.expand.json.payload"] || typeof value !== "string") return plain;
    try {
      const expanded = expandJson(
        value,
        payloadColumn,
        settings["table.json.payload.null.behavior"] === "optional_bytes",
      );
      return expanded.schema === null ? plain : { schema: expanded.schema, value: expanded.value };
    } catch (error) {
      if (error instanceof DataError) return plain; // As the text that it is.
      throw error;
    }
  }

  function recordValue(
    row: StructData,
    payload: { readonly schema: Schema; readonly value: Value },
    topic: string,
  ): SchemaAndValue {
    const empty = payload.value === null || (typeof payload.value === "string" && payload.value.trim() === "");
    if (empty && settings["route.tombstone.on.empty.payload"]) return NULL_VALUE;
    if (inEnvelope.length === 0) return payload;
    const versionColumn = settings["table.field.event.schema.version"];
    const version = versionColumn === undefined ? null : integerOf(row, versionColumn);
    const columns = inEnvelope.filter(({ column }) => !lenient || fieldNamed(row.schema, column) !== undefined);
    const entries = columns.map(({ column, name }) => [name, getField(row, column)] as const);
    return {
      schema: envelopeSchema(row.schema, payload.schema, topic, version),
      value: structOf([["payload", payload.value], ...entries]),
    };
  }

  return (record) => {
    if (record.value.value === null) return null;
    if (!isEnvelope(record.value)) return record;
    const event = record.value;
    const operation = getText(event, "op");
    if (operation === "d") return null;
    if (operation === "u") {
      if (settings["table.op.invalid.behavior"] !== "fatal") return null;
      throw new DataError("Unexpected update message received, fail.");
    }
    const after = fieldNamed(event.schema, "after");
    if (after === undefined) throw new DataError("Unknown field: after");
    const row = requireStruct({ schema: after.schema, value: valueOfField(event.value, "after") }, "Read Outbox Event");
    const payload = payloadOf(row);
    const timestamp = timestampOf(event, row, settings["table.field.event.timestamp"]);
    const idColumn = settings["table.field.event.id"];
    const id = fieldNamed(row.schema, idColumn);
    if (id === undefined) throw new DataError(`Unable to find event-id field ${idColumn} in event`);
    const headers: Header[] = [{ key: "id", schema: id.schema, value: getField(row, idColumn) }];
    let partition: number | null = null;
    for (const { column, place, name } of placed) {
      const field = fieldNamed(row.schema, column);
      if (field === undefined && lenient) continue;
      const value = getField(row, column);
      if (place === "header" && field !== undefined) headers.push({ key: name, schema: field.schema, value });
      if (place === "partition") partition = integerOf(row, column);
    }
    const routedBy = getText(row, settings["route.by.field"]);
    if (routedBy === null)
      throw new DataError(`The column ${settings["route.by.field"]}, which names the topic, is null`);
    const match = regex.exec(routedBy);
    const keyColumn = settings["table.field.event.key"];
    const key = { schema: fieldNamed(row.schema, keyColumn)?.schema ?? STRING_SCHEMA, value: getField(row, keyColumn) };
    return {
      ...record,
      topic: match === null ? routedBy : replace(match),
      partition,
      key,
      value: recordValue(row, payload, routedBy),
      headers: [...record.headers, ...headers],
      timestamp,
    } satisfies ConnectRecord;
  };
}

function integerOf(row: StructData, column: string): number | null {
  const value = getField(row, column);
  if (fieldNamed(row.schema, column)?.schema.type !== "INT32" || (value !== null && typeof value !== "number")) {
    throw new DataError(`Field '${column}' is not of type INT32`);
  }
  return value;
}

/** How many of a column's units make a millisecond. */
const UNITS: ReadonlyMap<string | undefined, bigint> = new Map([
  ["io.debezium.time.Timestamp", 1n],
  ["io.debezium.time.MicroTimestamp", 1_000n],
  ["io.debezium.time.NanoTimestamp", 1_000_000n],
]);

function timestampOf(event: StructData, row: StructData, column: string | undefined): number | null {
  const eventTime = () => {
    const value = getField(event, "ts_ms");
    return value === null ? null : Number(value);
  };
  if (column === undefined) return eventTime();
  const field = fieldNamed(row.schema, column);
  if (field === undefined) throw new DataError(`Unable to find timestamp field ${column} in event`);
  if (field.schema.type !== "INT64") throw new DataError(`Field '${column}' is not of type INT64`);
  const value = getField(row, column);
  if (value === null) return eventTime();
  const unit = UNITS.get(field.schema.name);
  if (unit === undefined || typeof value !== "bigint") {
    throw new DataError(`Unsupported field type ${field.schema.name ?? field.schema.type} for event timestamp`);
  }
  return Number(value / unit);
}

/** The topic goes between the namespace and the last part of the row's name. */
function schemaName(row: string | undefined, topic: string): string {
  if (row === undefined) return topic;
  const dot = row.lastIndexOf(".");
  return `${row.slice(0, dot + 1)}${topic}.${row.slice(dot + 1)}`;
}

/** Events of an outbox table to topics of their own. Source: io.debezium.transforms.outbox.EventRouter, 3.4. */
export const eventRouter = defineTransform({
  name: "event-router",
  version: "1.0.0",
  aliases: ["io.debezium.transforms.outbox.EventRouter"],
  config: CONFIG,
  compile,
});
