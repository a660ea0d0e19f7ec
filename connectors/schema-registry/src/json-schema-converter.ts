import { type Converter, config, DataError, defineConverter, NULL_VALUE, type Schema } from "@headrace/sdk";
import { z } from "zod";
import { createRegistryClient, type RegistryClient } from "./client/registry.ts";
import { checkRegistrySettings, REGISTRY_KEYS } from "./client/settings.ts";
import { Fetched } from "./fetched.ts";
import { FRAME_SIZE, frameOf, idOf } from "./framing.ts";
import { createIdSource } from "./ids.ts";
import { isObject, type Json, parseExact } from "./json-schema/exact-json.ts";
import { jsonSchemaText } from "./json-schema/from-connect.ts";
import { readData } from "./json-schema/read-data.ts";
import { connectSchemaOf } from "./json-schema/to-connect.ts";
import { writeData, writeLoose } from "./json-schema/write-data.ts";
import { fetchReferences } from "./references.ts";
import { subjectStrategy } from "./subject.ts";

const CONFIG = z
  .object({
    ...REGISTRY_KEYS,
    ...config.group("JSON Schema", {
      "object.additional.properties": config
        .boolean()
        .default(true)
        .describe("Whether objects may have properties that their schema does not name."),
      "use.optional.for.nonrequired": config
        .boolean()
        .default(false)
        .describe("Properties that are not in `required` are optional; otherwise only those that admit null are."),
      "decimal.format": config.anyCaseOf("BASE64", "NUMERIC").default("BASE64").describe("How decimals are written."),
    }),
  })
  .superRefine(checkRegistrySettings);
type Config = z.output<typeof CONFIG>;

function compileJsonSchema(settings: Config, isKey: boolean, client: RegistryClient): Converter {
  const options = {
    additionalProperties: settings["object.additional.properties"],
    optionalUnlessRequired: settings["use.optional.for.nonrequired"],
    numericDecimals: settings["decimal.format"] === "NUMERIC",
  };
  const subjectOf = subjectStrategy(settings, isKey);
  const size = settings["schemas.cache.config"];
  const ids = createIdSource(settings, client, Date.now);
  /** By schema and topic: what stands before the data, once the registry has told the id. */
  const frames = new WeakMap<Schema, Map<string, { readonly frame: Uint8Array; readonly until: number }>>();
  const schemas = new Fetched<Schema | null>({ size });

  function frameFor(topic: string, schema: Schema | null): Uint8Array {
    const byTopic = schema === null ? undefined : frames.get(schema);
    const ready = byTopic?.get(topic);
    if (ready !== undefined && Date.now() < ready.until) return ready.frame;
    const subject = subjectOf(topic, schema?.name ?? null);
    const text = jsonSchemaText(schema, options);
    const { id, until } = ids.get(subject, { type: "JSON", text, references: [] });
    const frame = frameOf(id);
    if (schema !== null) {
      const known = byTopic ?? new Map();
      if (known.size >= size) known.clear();
      frames.set(schema, known.set(topic, { frame, until }));
    }
    return frame;
  }

  async function fetchSchema(topic: string, id: number): Promise<Schema | null> {
    const schema = await client.schemaById(id);
    if (schema.type !== "JSON") throw new DataError(`schema ${id} is no JSON Schema but ${schema.type}`);
    const root = parseExact(schema.text, `schema ${id}`);
    const found = await fetchReferences(client, schema);
    const references = new Map(
      found.map(({ name, text }): [string, Json] => [name, parseExact(text, `the schema ${name}`)]),
    );
    const version = await client.versionOf(id, subjectOf(topic, titleOf(root)));
    return connectSchemaOf(root, references, { optionalUnlessRequired: options.optionalUnlessRequired, version });
  }

  return {
    encode(topic, { schema, value }) {
      if (value === null && (schema === null || schema.optional)) return null;
      const frame = frameFor(topic, schema);
      return Buffer.concat([
        frame,
        Buffer.from(schema === null ? writeLoose(value) : writeData(schema, value, options)),
      ]);
    },
    decode(topic, payload) {
      if (payload === null) return NULL_VALUE;
      const id = idOf(payload);
      const schema = schemas.get(`${id} ${topic}`, () => fetchSchema(topic, id));
      const json = parseExact(payload.toString("utf8", FRAME_SIZE), "the message");
      return json === null ? { schema, value: null } : { schema, value: readData(schema, json) };
    },
  };
}

function titleOf(root: Json): string | null {
  const title = isObject(root) ? root["title"] : null;
  return typeof title === "string" ? title : null;
}

/** JSON with a JSON Schema in a registry. Source: io.confluent.connect.json.JsonSchemaConverter. */
export const jsonSchemaConverter = defineConverter({
  name: "json-schema",
  version: "1.0.0",
  aliases: ["io.confluent.connect.json.JsonSchemaConverter"],
  config: CONFIG,
  compile: (settings, isKey) => compileJsonSchema(settings, isKey, createRegistryClient({ settings })),
});
