import {
  type ConnectRecord,
  config,
  DataError,
  defineTransform,
  type Header,
  memoizeSchema,
  NULL_VALUE,
  OPTIONAL_STRING_SCHEMA,
  type Schema,
  type SchemaAndValue,
  STRING_SCHEMA,
  type TransformFunction,
} from "@headrace/sdk";
import { z } from "zod";
import {
  fieldNamed,
  getText,
  isEnvelope,
  isStruct,
  requireStruct,
  type StructData,
  structLike,
  structOf,
  valueOfField,
} from "./event.ts";
import { parseReferences, type Resolved, resolveReferences } from "./field-reference.ts";

const low = { importance: "LOW" } as const;

const CONFIG = z
  .object({
    "delete.tombstone.handling.mode": config
      .anyCaseOf("drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone")
      .optional()
      .describe(
        "Of deletions and the tombstones behind them: drop both; tombstone (the default): the deletion becomes a record without value; rewrite: the row as it was, with __deleted; rewrite-with-tombstone: also the tombstone; delete-to-tombstone: a record without value and schema, and the tombstone dropped.",
      ),
    "drop.tombstones": config
      .boolean()
      .optional()
      .describe("Before Debezium 3, without delete.tombstone.handling.mode: leave tombstones out (true, the default).")
      .meta(low),
    "delete.handling.mode": config
      .anyCaseOf("drop", "none", "rewrite")
      .optional()
      .describe(
        "Before Debezium 3, without delete.tombstone.handling.mode: drop deletions (the default), none: as records without value, rewrite: the row as it was, with __deleted.",
      )
      .meta(low),
    "route.by.field": config.text().default("").describe("Column whose value becomes the topic.").meta(low),
    "add.fields": config
      .list()
      .default([])
      .describe("Fields of the event to add, such as op,source.ts_ms or lsn:position.")
      .meta(low),
    "add.fields.prefix": config.text().default("__").describe("Prefix of their names.").meta(low),
    "add.headers": config.list().default([]).describe("Fields of the event to add as headers.").meta(low),
    "add.headers.prefix": config.text().default("__").describe("Prefix of their names.").meta(low),
    "drop.fields.header.name": config
      .text()
      .optional()
      .describe("Header with a list of fields to leave out.")
      .meta(low),
    "drop.fields.from.key": config.boolean().default(false).describe("Leave them out of the key too.").meta(low),
    "drop.fields.keep.schema.compatible": config
      .boolean()
      .default(true)
      .describe("Leave only optional fields out.")
      .meta(low),
    "replace.null.with.default": config
      .boolean()
      .default(true)
      .describe("With __deleted, give a null field that has a default its default.")
      .meta(low),
  })
  .superRefine((settings, context) => {
    for (const key of ["add.fields", "add.headers"] as const) {
      if (settings[key].some((item) => item.split(":").length > 2)) {
        context.addIssue({
          code: "custom",
          path: [key],
          message: "an item is field, struct.field or either of them with :name",
        });
      }
    }
  });
type Config = z.output<typeof CONFIG>;

/** What becomes of deletions and tombstones. */
interface Handling {
  readonly deletions: "drop" | "null" | "tombstone" | "rewrite";
  readonly keepTombstones: boolean;
}

function handlingOf(settings: Config): Handling {
  const legacy = settings["delete.handling.mode"];
  const mode = settings["delete.tombstone.handling.mode"];
  if (mode === undefined && (legacy !== undefined || settings["drop.tombstones"] !== undefined)) {
    const deletions = legacy === "none" ? "null" : (legacy ?? "drop");
    return { deletions, keepTombstones: settings["drop.tombstones"] === false };
  }
  switch (mode) {
    case "drop":
      return { deletions: "drop", keepTombstones: false };
    case undefined:
    case "tombstone":
      return { deletions: "null", keepTombstones: false };
    case "rewrite":
      return { deletions: "rewrite", keepTombstones: false };
    case "rewrite-with-tombstone":
      return { deletions: "rewrite", keepTombstones: true };
    case "delete-to-tombstone":
      return { deletions: "tombstone", keepTombstones: false };
    default:
      throw new Error(`unreachable: ${mode satisfies never}`);
  }
}

function compile(settings: Config): TransformFunction {
  const handling = handlingOf(settings);
  const headers = parseReferences(settings["add.headers"], settings["add.headers.prefix"]);
  const fields = parseReferences(settings["add.fields"], settings["add.fields.prefix"]);
  const route = settings["route.by.field"];
  const headersOf = memoizeSchema((event) => resolveReferences(event, headers));
  const fieldsOf = memoizeSchema((event) => resolveReferences(event, fields));
  const addDeleted = createDeletedMark(settings["replace.null.with.default"]);
  const addFields = createFieldAdder();
  const dropFields = createFieldDropper(settings);

  const withHeaders = (record: ConnectRecord, added: readonly Header[]): ConnectRecord =>
    added.length === 0 ? record : { ...record, headers: [...record.headers, ...added] };
  const routed = (record: ConnectRecord, row: StructData): ConnectRecord => {
    const topic = route === "" ? null : getText(row, route);
    return topic === null || topic.trim() === "" ? record : { ...record, topic };
  };

  function tombstone(record: ConnectRecord): ConnectRecord | null {
    if (!handling.keepTombstones) return null;
    const operation = headers.filter(({ field }) => field === "op");
    return withHeaders(
      record,
      operation.map(({ name }) => ({ key: name, schema: STRING_SCHEMA, value: "d" })),
    );
  }

  function deletion(record: ConnectRecord, event: StructData): ConnectRecord | null {
    const before = part(event, "before");
    switch (handling.deletions) {
      case "drop":
        return null;
      case "null":
      case "tombstone": {
        const value = handling.deletions === "tombstone" ? NULL_VALUE : part(event, "after");
        const row = route === "" ? null : requireStruct(before, "Read record to set topic routing for DELETE");
        const next = { ...record, value };
        return dropFields(row === null ? next : routed(next, row));
      }
      case "rewrite": {
        const marked = addDeleted(requireStruct(before, "rewrite"), "true");
        const next = dropFields(routed({ ...record, value: marked }, requireStruct(before, "rewrite")));
        const value = addFields(requireStruct(next.value, "source field insertion"), event, fieldsOf(event.schema));
        return { ...next, value };
      }
      default:
        throw new Error(`unreachable: ${handling.deletions satisfies never}`);
    }
  }

  return (given) => {
    if (given.value.value === null) return tombstone(given);
    if (!isEnvelope(given.value)) return given;
    const event = given.value;
    const added = headersOf(event.schema).map((each) => ({
      key: each.name,
      schema: each.schema,
      value: each.read(event),
    }));
    const record = withHeaders(given, added);
    const after = part(event, "after");
    if (after.value === null) {
      // Neither row: a truncation.
      return part(event, "before").value === null ? null : deletion(record, event);
    }
    const row = requireStruct(after, "source field insertion");
    const marked = handling.deletions === "rewrite" ? addDeleted(row, "false") : row;
    const next = routed(record, marked);
    return dropFields({ ...next, value: addFields(marked, event, fieldsOf(event.schema)) });
  };
}

/** `before` or `after` of an event, with its schema. */
function part(event: StructData, name: "before" | "after"): SchemaAndValue {
  const field = fieldNamed(event.schema, name);
  if (field === undefined) throw new DataError(`Unknown field: ${name}`);
  return { schema: field.schema, value: valueOfField(event.value, name) };
}

/** Adds `__deleted`, as Connect's InsertField does. */
function createDeletedMark(replaceNull: boolean): (row: StructData, deleted: "true" | "false") => StructData {
  const schemaOf = memoizeSchema((schema) =>
    structLike(schema, [...(schema.fields ?? []), { name: "__deleted", schema: OPTIONAL_STRING_SCHEMA }]),
  );
  return ({ schema, value }, deleted) => {
    const fallback = (field: Schema) => (replaceNull ? (field.default ?? null) : null);
    const entries = (schema.fields ?? []).map(
      (field) => [field.name, valueOfField(value, field.name) ?? fallback(field.schema)] as const,
    );
    return { schema: schemaOf(schema), value: structOf([...entries, ["__deleted", deleted]]) };
  };
}

/** Adds fields of the event; the schema is a required one, also if there is nothing to add. */
function createFieldAdder(): (row: StructData, event: StructData, added: readonly Resolved[]) => StructData {
  /** By the event's schema, then by the row's. */
  const schemas = memoizeSchema(() => new WeakMap<Schema, Schema>());
  return (row, event, added) => {
    const known = schemas(event.schema);
    let schema = known.get(row.schema);
    if (schema === undefined) {
      const fields = added.map(({ name, schema: own }) => ({ name, schema: own }));
      schema = structLike(row.schema, [...(row.schema.fields ?? []), ...fields]);
      known.set(row.schema, schema);
    }
    const entries = added.map((each) => [each.name, each.read(event)] as const);
    return { schema, value: entries.length === 0 ? row.value : structOf([...Object.entries(row.value), ...entries]) };
  };
}

/** Leaves out the fields that a header lists. */
function createFieldDropper(settings: Config): (record: ConnectRecord) => ConnectRecord {
  const header = settings["drop.fields.header.name"] ?? "";
  const onlyOptional = settings["drop.fields.keep.schema.compatible"];
  if (header.trim() === "") return (record) => record;
  const schemas = memoizeSchema((schema) => new Map<string, Schema>([["", schema]]));

  function without(data: SchemaAndValue, names: readonly string[]): SchemaAndValue {
    const { schema, value } = data;
    if (schema?.type !== "STRUCT" || !isStruct(value)) return data;
    const drops = (schema.fields ?? []).filter(
      (field) => names.includes(field.name) && (!onlyOptional || field.schema.optional),
    );
    if (drops.length === 0 && onlyOptional) return data;
    const kept = (schema.fields ?? []).filter((field) => !drops.includes(field));
    const key = JSON.stringify(drops.map((field) => field.name));
    const cached = schemas(schema);
    const next = cached.get(key) ?? structLike(schema, kept);
    cached.set(key, next);
    const entries = kept.map(
      (field) => [field.name, valueOfField(value, field.name) ?? field.schema.default ?? null] as const,
    );
    return { schema: next, value: structOf(entries) };
  }

  return (record) => {
    const names = record.headers.find((each) => each.key === header)?.value ?? null;
    if (names === null) return record;
    if (!Array.isArray(names)) throw new DataError(`The header ${header} is no list of field names`);
    const list = names.map(String);
    if (list.length === 0) return record;
    const key = settings["drop.fields.from.key"] ? without(record.key, list) : record.key;
    return { ...record, key, value: without(record.value, list) };
  };
}

/** The row of a change event in place of the event. Source: io.debezium.transforms.ExtractNewRecordState, 3.4. */
export const extractNewRecordState = defineTransform({
  name: "extract-new-record-state",
  version: "1.0.0",
  aliases: ["io.debezium.transforms.ExtractNewRecordState"],
  config: CONFIG,
  compile,
});
