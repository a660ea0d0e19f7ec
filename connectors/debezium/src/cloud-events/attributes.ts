import {
  BOOLEAN_SCHEMA,
  DataError,
  type Field,
  INT32_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { fieldNamed, getField, getText, requireStruct, type StructData } from "../event.ts";
import { CONNECTORS, type ConnectorEvents } from "./connectors.ts";

/** What a CloudEvent of a change event is made of. */
export interface EventParts {
  readonly source: StructData;
  /** Name of the connector, such as postgresql. */
  readonly connector: string;
  readonly events: ConnectorEvents;
}

/** Throws DataError for an event without a source, or of a connector that is not known. */
export function partsOf(event: StructData): EventParts {
  const field = fieldNamed(event.schema, "source");
  if (field === undefined) throw new DataError("source is not a valid field name");
  const source = requireStruct({ schema: field.schema, value: getField(event, "source") }, "CloudEvents converter");
  const connector = getText(source, "connector") ?? "";
  const events = CONNECTORS.get(connector);
  if (events === undefined) throw new DataError(`No usable CloudEvents converters for connector type "${connector}"`);
  return { source, connector, events };
}

/** The schema's name: the given one, or one of the server's and the database's names. */
export function schemaNameOf({ source }: EventParts, given: string | undefined): string {
  return given ?? `${getField(source, "name")}.${getField(source, "db")}.CloudEvents.Envelope`;
}

/** What Avro does not admit in a full name becomes an underscore. Source: io.debezium.schema.SchemaNameAdjuster. */
export function adjusted(name: string): string {
  if (name.length <= 1) return name;
  return name.replace(/^[^A-Za-z_]/, "_").replaceAll(/[^A-Za-z0-9_.]/g, "_");
}

/** The attributes that every CloudEvent has, by name and in their order; `format` is that of the data. */
export function contextAttributes(parts: EventParts, format: "json" | "avro"): Readonly<Record<string, string>> {
  const { source, connector, events } = parts;
  const id = [["name", "name"] as const, ...events.id].map(([name, field]) => `${name}:${getField(source, field)}`);
  const at = getField(source, "ts_ms");
  if (typeof at !== "bigint") throw new DataError("source.ts_ms is no number");
  return {
    id: id.join(";"),
    source: `/debezium/${connector}/${getText(source, "name")}`,
    specversion: "1.0",
    type: `io.debezium.connector.${connector}.DataChangeEvent`,
    time: new Date(Number(at)).toISOString(),
    datacontenttype: `application/${format}`,
  };
}

/** Fields of the attributes that Debezium adds, with how each is read. */
export interface Extension {
  readonly field: Field;
  read(event: StructData, source: StructData): Value;
}

const TRANSACTION = ["id", "total_order", "data_collection_order"] as const;

/** The extension attributes of events of a schema. Throws DataError for a field of `source` that cannot be one. */
export function extensionsOf(source: Schema): readonly Extension[] {
  const operation: Extension = {
    field: { name: attributeName("op"), schema: STRING_SCHEMA },
    read: (event) => getText(event, "op"),
  };
  const ofSource = (source.fields ?? []).map(
    ({ name, schema }): Extension => ({
      field: { name: attributeName(name), schema: attributeSchema(schema) },
      read: (_, data) => asAttribute(getField(data, name)),
    }),
  );
  const ofTransaction = TRANSACTION.map(
    (name): Extension => ({
      field: { name: attributeName(`tx${name}`), schema: OPTIONAL_STRING_SCHEMA },
      read(event) {
        const schema = fieldNamed(event.schema, "transaction")?.schema;
        const value = schema === undefined ? null : getField(event, "transaction");
        if (schema === undefined || value === null) return null;
        return asAttribute(getField(requireStruct({ schema, value }, "CloudEvents converter"), name));
      },
    }),
  );
  return [operation, ...ofSource, ...ofTransaction];
}

/** Only letters and digits may be in the name of an attribute. */
function attributeName(name: string): string {
  return `iodebezium${name.replaceAll(/[^A-Za-z0-9]/g, "")}`;
}

/** CloudEvents have no 64-bit integers: they become texts. */
function attributeSchema(schema: Schema): Schema {
  const plain = attributeType(schema.type);
  return schema.optional ? optional(plain) : plain;
}

function attributeType(type: Schema["type"]): Schema {
  switch (type) {
    case "BOOLEAN":
      return BOOLEAN_SCHEMA;
    case "INT8":
    case "INT16":
    case "INT32":
      return INT32_SCHEMA;
    case "STRING":
    case "INT64":
      return STRING_SCHEMA;
    default:
      throw new DataError(`Source field of type ${type} cannot be converted into CloudEvents extension attribute.`);
  }
}

function asAttribute(value: Value): Value {
  return typeof value === "bigint" ? String(value) : value;
}
