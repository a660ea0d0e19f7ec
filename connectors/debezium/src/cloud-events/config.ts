import { avroConverter } from "@headrace/schema-registry/avro";
import { config } from "@headrace/sdk";
import { z } from "zod";

/** Where the attributes may come from; those of headers cannot, as converters here do not see them. */
const SOURCES = ["value", "id:generate", "type:generate", "traceparent:header", "dataSchemaName:generate"] as const;

const refused = (key: string) =>
  config
    .boolean()
    .refine((given) => !given, `${key}=true is not supported`)
    .default(false)
    .describe("Not supported: true is refused.")
    .meta({ importance: "LOW" });

const format = () => config.anyCaseOf("json", "avro").default("json");

/** The keys of Debezium's converter; those of the converters inside stand behind `json.` and `avro.`. */
export const CONFIG = z
  .looseObject({
    "converter.type": z
      .string()
      .optional()
      .describe("What the converter is used for: key or value; set by the worker.")
      .meta({ importance: "LOW" }),
    ...config.group("CloudEvents", {
      "serializer.type": format().describe("Format of the events: json or avro.").meta({ importance: "HIGH" }),
      "data.serializer.type": format()
        .describe("Format of their data: json or avro; avro with events in Avro.")
        .meta({ importance: "HIGH" }),
      "extension.attributes.enable": config
        .boolean()
        .default(true)
        .describe("Add what is in the event's source and transaction as attributes named iodebezium….")
        .meta({ importance: "HIGH" }),
      "schema.cloudevents.name": config
        .text()
        .optional()
        .describe("Name of the events' schema; not given: the server's name, the database's, CloudEvents.Envelope.")
        .meta({ importance: "LOW" }),
      "schema.name.adjustment.mode": config
        .oneOf("avro", "none")
        .default("avro")
        .describe("avro: what Avro does not admit in the name of that schema becomes _.")
        .meta({ importance: "LOW" }),
      "metadata.source": config
        .listOf(...SOURCES)
        .refine(([first]) => first === "value", "The first item has to be value")
        .default([...SOURCES])
        .describe(
          "Where attributes come from. Only this default, or parts of it behind value, is supported: no headers.",
        )
        .meta({ importance: "HIGH" }),
      "opentelemetry.tracing.attributes.enable": refused("opentelemetry.tracing.attributes.enable"),
      "schema.data.name.source.header.enable": refused("schema.data.name.source.header.enable"),
    }),
    ...config.group("JSON", {
      "json.schemas.enable": config
        .boolean()
        .default(true)
        .describe('JSON data carry their schema: {"schema": …, "payload": …}.'),
      "json.decimal.format": config
        .anyCaseOf("BASE64", "NUMERIC")
        .default("BASE64")
        .describe("How decimals are written."),
      "json.replace.null.with.default": config
        .boolean()
        .default(true)
        .describe("Write the default of a field that has one in place of null."),
    }),
    ...config.group("Avro", {
      "avro.schema.registry.url": config
        .text()
        .optional()
        .describe("URLs of the registry, for avro. All keys of the converter avro may stand behind avro."),
      "avro.apicurio.registry.url": config
        .text()
        .refine(() => false, "Use avro.schema.registry.url, with Apicurio's API under /apis/ccompat/v7")
        .optional()
        .describe("Not supported: Apicurio is used by its compatible API.")
        .meta({ importance: "LOW" }),
    }),
  })
  .superRefine((settings, context) => {
    const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (settings["serializer.type"] === "avro" && settings["data.serializer.type"] === "json") {
      complain("data.serializer.type", "Events in Avro need data.serializer.type=avro");
    }
    if (settings["data.serializer.type"] !== "avro") return;
    const parsed = avroConverter.config.safeParse(avroKeys(settings));
    for (const issue of parsed.error?.issues ?? []) complain(`avro.${issue.path.join(".")}`, issue.message);
  });
export type Config = z.output<typeof CONFIG>;

/** The keys behind `avro.`, without it. */
export function avroKeys(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const prefix = "avro.";
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) =>
      key.startsWith(prefix) && value !== undefined ? [[key.slice(prefix.length), value]] : [],
    ),
  );
}
