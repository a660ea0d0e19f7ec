import { DataError, type Schema, type Value } from "@headrace/sdk";
import { writeData } from "./write-data.ts";

export interface JsonSchemaOptions {
  /** `object.additional.properties` */
  readonly additionalProperties: boolean;
  /** `use.optional.for.nonrequired` */
  readonly optionalUnlessRequired: boolean;
  /** `decimal.format` is NUMERIC */
  readonly numericDecimals: boolean;
}

/**
 * The JSON Schema of a Connect schema, as text; null is the schema of schemaless data, which admits anything.
 * Source: io.confluent.connect.json.JsonSchemaData.fromConnectSchema.
 */
export function jsonSchemaText(schema: Schema | null, options: JsonSchemaOptions): string {
  return schema === null ? "{}" : typeOf(schema, options, null);
}

function typeOf(schema: Schema, options: JsonSchemaOptions, index: number | null): string {
  const place = index === null ? [] : [`"connect.index":${index}`];
  if (!schema.optional) return `{${[...membersOf(schema, options), ...place].join(",")}}`;
  return `{"oneOf":[{"type":"null"},{${membersOf(schema, options).join(",")}}]${place.map((each) => `,${each}`).join("")}}`;
}

function membersOf(schema: Schema, options: JsonSchemaOptions): string[] {
  const { doc, name, parameters, version } = schema;
  return [
    ...baseOf(schema, options),
    ...(name === undefined ? [] : [`"title":${JSON.stringify(name)}`]),
    ...(version === undefined ? [] : [`"connect.version":${version}`]),
    ...(doc === undefined ? [] : [`"description":${JSON.stringify(doc)}`]),
    ...(parameters === undefined ? [] : [`"connect.parameters":${JSON.stringify(parameters)}`]),
    ...defaultOf(schema, schema.default ?? null, options),
  ];
}

function defaultOf(schema: Schema, value: Value, options: JsonSchemaOptions): string[] {
  return value === null ? [] : [`"default":${writeData(schema, value, options)}`];
}

function baseOf(schema: Schema, options: JsonSchemaOptions): string[] {
  const typed = (type: string, connect: string) => [`"type":"${type}"`, `"connect.type":"${connect}"`];
  switch (schema.type) {
    case "INT8":
    case "INT16":
    case "INT32":
    case "INT64":
      return typed("integer", schema.type.toLowerCase());
    case "FLOAT32":
    case "FLOAT64":
      return typed("number", schema.type.toLowerCase());
    case "BOOLEAN":
      return ['"type":"boolean"'];
    case "STRING":
      return ['"type":"string"'];
    case "BYTES":
      return typed(schema.name?.endsWith(".Decimal") === true ? "number" : "string", "bytes");
    case "ARRAY":
      return ['"type":"array"', `"items":${typeOf(inner(schema.valueSchema), options, null)}`];
    case "MAP": {
      const [key, value] = [inner(schema.keySchema), inner(schema.valueSchema)];
      if (key.type === "STRING" && !key.optional) {
        return [...typed("object", "map"), `"additionalProperties":${typeOf(value, options, null)}`];
      }
      const entry = `{"type":"object","properties":{"key":${typeOf(key, options, 0)},"value":${typeOf(value, options, 1)}}}`;
      return [...typed("array", "map"), `"items":${entry}`];
    }
    case "STRUCT": {
      const fields = schema.fields ?? [];
      const properties = fields.map(
        (field, index) => `${JSON.stringify(field.name)}:${typeOf(field.schema, options, index)}`,
      );
      const required = fields.filter((field) => !field.schema.optional).map((field) => field.name);
      return [
        '"type":"object"',
        `"properties":{${properties.join(",")}}`,
        ...(options.optionalUnlessRequired && required.length > 0 ? [`"required":${JSON.stringify(required)}`] : []),
        ...(options.additionalProperties ? [] : ['"additionalProperties":false']),
      ];
    }
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

function inner(schema: Schema | undefined): Schema {
  if (schema === undefined) throw new DataError("a schema of items, keys or values is missing");
  return schema;
}
