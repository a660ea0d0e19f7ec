import { avroConverter } from "@headrace/schema-registry/avro";
import {
  BYTES_SCHEMA,
  type Converter,
  compileJsonReader,
  compileJsonWriter,
  DataError,
  defineConverter,
  type Field,
  type JsonNode,
  type JsonWriter,
  jsonTextOf,
  memoizeSchema,
  NULL_VALUE,
  parseConnectJson,
  readJsonSchema,
  type Schema,
  type SchemaAndValue,
  STRING_SCHEMA,
  toSchemaless,
  type Value,
  writeJsonSchema,
} from "@headrace/sdk";
import { fieldNamed, getField, isEnvelope, isStruct, type StructData, structOf } from "../event.ts";
import { adjusted, contextAttributes, type Extension, extensionsOf, partsOf, schemaNameOf } from "./attributes.ts";
import { avroKeys, CONFIG, type Config } from "./config.ts";
import { toLoose } from "./loose.ts";

/** Without them it is no CloudEvent. */
const REQUIRED = ["id", "source", "specversion", "type"] as const;
/** Names of schemas that are kept for one schema of events: one for each server and database. */
const MAX_NAMES = 1000;
const ENVELOPE_SUFFIX = "CloudEvents.Envelope";

/** What is made of one schema of events, once. */
interface Shape {
  readonly data: Schema;
  readonly extensions: readonly Extension[];
  /** Schemas of CloudEvents by their names. */
  readonly schemas: Map<string, Schema>;
}

function compile(settings: Config): Converter {
  const format = settings["data.serializer.type"];
  const asJson = settings["serializer.type"] === "json";
  const avro = format === "avro" ? avroConverter.compile(avroConverter.config.parse(avroKeys(settings)), false) : null;
  const registry = String(settings["avro.schema.registry.url"] ?? "");
  const withSchemas = settings["json.schemas.enable"];
  const replaceNull = settings["json.replace.null.with.default"];
  const numericDecimals = settings["json.decimal.format"] === "NUMERIC";
  const writerOf = memoizeSchema(
    (schema: Schema): JsonWriter => compileJsonWriter(schema, { numericDecimals, replaceNull }),
  );
  const schemaTextOf = memoizeSchema((schema: Schema) => writeJsonSchema(schema, (of, value) => writerOf(of)(value)));
  const shapeOf = memoizeSchema((schema: Schema) => {
    const kinds = new Map<string, Shape>();
    return (event: StructData): Shape => {
      const { source, connector, events } = partsOf(event);
      const known = kinds.get(connector);
      if (known !== undefined) return known;
      const names = events.data ?? (schema.fields ?? []).map((field) => field.name);
      const fields = names.map((name): Field => {
        const field = fieldNamed(schema, name);
        if (field === undefined) throw new DataError(`${name} is not a valid field name`);
        return field;
      });
      const shape: Shape = {
        data: { type: "STRUCT", optional: false, name: `io.debezium.connector.${connector}.Data`, fields },
        extensions: settings["extension.attributes.enable"] ? extensionsOf(source.schema) : [],
        schemas: new Map(),
      };
      kinds.set(connector, shape);
      return shape;
    };
  });

  /** The CloudEvent around data of a schema; `data` null leaves it out. */
  function eventOf(event: StructData, data: SchemaAndValue | null, dataSchema: string | null): StructData {
    const parts = partsOf(event);
    const shape = shapeOf(event.schema)(event);
    const given = schemaNameOf(parts, settings["schema.cloudevents.name"]);
    const name = settings["schema.name.adjustment.mode"] === "avro" ? adjusted(given) : given;
    const attributes = {
      ...contextAttributes(parts, format),
      ...(dataSchema !== null && { dataschema: dataSchema }),
    };
    const known = shape.schemas.get(name);
    const schema: Schema = known ?? {
      type: "STRUCT",
      optional: false,
      name,
      fields: [
        ...Object.keys(attributes).map((attribute): Field => ({ name: attribute, schema: STRING_SCHEMA })),
        ...shape.extensions.map(({ field }) => field),
        ...(data === null || data.schema === null ? [] : [{ name: "data", schema: data.schema }]),
      ],
    };
    if (known === undefined) {
      if (shape.schemas.size >= MAX_NAMES) shape.schemas.clear();
      shape.schemas.set(name, schema);
    }
    const value = structOf([
      ...Object.entries(attributes),
      ...shape.extensions.map(({ field, read }) => [field.name, read(event, parts.source)] as const),
      ...(data === null ? [] : [["data", data.value] as const]),
    ]);
    return { schema, value };
  }

  function dataOf(event: StructData): SchemaAndValue {
    const { data } = shapeOf(event.schema)(event);
    const value = structOf((data.fields ?? []).map(({ name }) => [name, getField(event, name)] as const));
    return { schema: data, value };
  }

  function encodeAvroData(converter: Converter, topic: string, event: StructData): StructData {
    const bytes = converter.encode(topic, dataOf(event));
    if (!Buffer.isBuffer(bytes)) throw new Error("Avro data are bytes");
    return eventOf(event, { schema: BYTES_SCHEMA, value: bytes }, `${registry}/schemas/ids/${bytes.readInt32BE(1)}`);
  }

  function encodeJson(event: StructData): string {
    const data = dataOf(event);
    if (data.schema === null || !withSchemas) {
      const { schema, value } = eventOf(event, data, null);
      return writerOf(schema)(value);
    }
    const { schema, value } = eventOf(event, null, null);
    const text = `{"schema":${schemaTextOf(data.schema)},"payload":${writerOf(data.schema)(data.value)}}`;
    return `${writerOf(schema)(value).slice(0, -1)},"data":${text}}`;
  }

  function decodeJson(topic: string, payload: Buffer): SchemaAndValue {
    const node = parseConnectJson(jsonTextOf(payload), "whole");
    const value = toSchemaless(node);
    if (!isMembers(node) || !isStruct(value) || REQUIRED.some((name) => !Object.hasOwn(value, name))) {
      throw new DataError(
        "A deserialized record's value is not a CloudEvent: an attribute of id, source, specversion, type is missing",
      );
    }
    if (!Object.hasOwn(node, "data")) return { schema: null, value };
    return { schema: null, value: { ...value, data: jsonData(topic, node["data"] ?? null, payload) } };
  }

  function jsonData(topic: string, data: JsonNode, payload: Buffer): Value {
    if (avro !== null) {
      if (typeof data !== "string") throw new DataError("the data of the CloudEvent are no text, as Avro's are");
      const read = avro.decode(topic, Buffer.from(data, "base64"));
      return read.schema === null ? read.value : toLoose(read.schema, read.value);
    }
    if (!withSchemas) return toSchemaless(data);
    // Numbers with all their digits, for decimals.
    const exact = parseConnectJson(jsonTextOf(payload), "exact");
    const envelope = isMembers(exact) ? exact["data"] : null;
    if (!isMembers(data) || !isMembers(envelope) || data["payload"] === undefined) {
      throw new DataError("the data of the CloudEvent have no schema and payload; set json.schemas.enable=false");
    }
    const schema = readJsonSchema(data["schema"] ?? null, replaceNull);
    if (schema === null) return toSchemaless(data["payload"]);
    return toLoose(schema, compileJsonReader(schema, replaceNull)(envelope["payload"]));
  }

  function decodeAvro(converter: Converter, topic: string, payload: Buffer): SchemaAndValue {
    const { schema, value } = converter.decode(topic, payload);
    const wanted = settings["schema.cloudevents.name"];
    const named = wanted === undefined ? schema?.name?.endsWith(ENVELOPE_SUFFIX) === true : schema?.name === wanted;
    if (schema === null || !named || !isStruct(value) || REQUIRED.some((name) => !Object.hasOwn(value, name))) {
      throw new DataError("A deserialized record's value is not a CloudEvent");
    }
    const bytes = value["data"];
    if (!Buffer.isBuffer(bytes)) throw new DataError("the data of the CloudEvent are no bytes");
    const data = converter.decode(`${topic}-data`, bytes);
    const fields = (schema.fields ?? []).map(
      (field): Field => (field.name === "data" && data.schema !== null ? { name: "data", schema: data.schema } : field),
    );
    return { schema: { ...schema, fields }, value: { ...value, data: data.value } };
  }

  return {
    encode(topic, data) {
      // As with Debezium, what is no change event becomes null.
      if (data.value === null || !isEnvelope(data)) return null;
      if (avro === null) return encodeJson(data);
      if (!asJson) return avro.encode(topic, encodeAvroData(avro, `${topic}-data`, data));
      const { schema, value } = encodeAvroData(avro, topic, data);
      return writerOf(schema)(value);
    },
    decode(topic, payload) {
      if (payload === null) return NULL_VALUE;
      return avro === null || asJson ? decodeJson(topic, payload) : decodeAvro(avro, topic, payload);
    },
  };
}

function isMembers(node: JsonNode | undefined): node is { readonly [member: string]: JsonNode } {
  return typeof node === "object" && node !== null && Object.getPrototypeOf(node) === Object.prototype;
}

/** Change events as CloudEvents. Source: io.debezium.converters.CloudEventsConverter, 3.4. */
export const cloudEventsConverter = defineConverter({
  name: "cloud-events",
  version: "1.0.0",
  aliases: ["io.debezium.converters.CloudEventsConverter"],
  config: CONFIG,
  compile,
});
