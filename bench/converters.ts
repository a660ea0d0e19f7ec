import { parseArgs } from "node:util";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  type Converter,
  FLOAT64_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  type SchemaAndValue,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
} from "@headrace/sdk";
import { jsonConverter } from "#runtime/converters/json.ts";
import { avroConverter, compileAvro } from "../connectors/schema-registry/src/avro-converter.ts";
import type { RegisteredSchema, RegistryClient } from "../connectors/schema-registry/src/client/registry.ts";
import { compileProtobuf, protobufConverter } from "../connectors/schema-registry/src/protobuf-converter.ts";
import { whenReady } from "../test/connectors/schema-registry/converting.ts";

/**
 * `npm run bench-converters`: what one record of ten fields costs in a converter, without Kafka: bytes, and CPU time of the one thread that
 * converts. Prints a Markdown table of medians; with --json, the medians of the one that --only names.
 */
const SCHEMA = structSchema(
  {
    id: INT64_SCHEMA,
    customer: STRING_SCHEMA,
    street: STRING_SCHEMA,
    city: OPTIONAL_STRING_SCHEMA,
    note: OPTIONAL_STRING_SCHEMA,
    quantity: INT32_SCHEMA,
    price: FLOAT64_SCHEMA,
    paid: BOOLEAN_SCHEMA,
    at: TIMESTAMP_SCHEMA,
    tags: arraySchema(STRING_SCHEMA),
  },
  "com.acme.Order",
);

const record = (index: number): SchemaAndValue => ({
  schema: SCHEMA,
  value: {
    id: BigInt(index) * 1_000_003n,
    customer: `customer-${index % 1000}`,
    street: "Hauptstraße 12",
    city: "Zürich",
    note: index % 2 === 0 ? null : "leave it at the door",
    quantity: index % 50,
    price: index / 7,
    paid: index % 3 === 0,
    at: 1_700_000_000_000n + BigInt(index),
    tags: ["new", "web"],
  },
});

/** A registry of one schema, in this process. */
function openRegistry(): RegistryClient {
  let stored: RegisteredSchema | null = null;
  const found = () => {
    if (stored === null) throw new Error("nothing is registered");
    return stored;
  };
  return {
    schemaById: async () => found(),
    versionOf: async () => 1,
    subjectVersion: async () => ({ ...found(), id: 1, version: 1 }),
    register: async (_, schema) => {
      stored = schema;
      return 1;
    },
    lookUp: async () => 1,
  };
}

const REGISTRY = { "schema.registry.url": "http://localhost" } as const;
const CONVERTERS: Readonly<Record<string, () => Converter>> = {
  JSON: () => jsonConverter.compile(jsonConverter.config.parse({ "schemas.enable": "false" }), false),
  "JSON with schemas": () => jsonConverter.compile(jsonConverter.config.parse({}), false),
  Avro: () => compileAvro(avroConverter.config.parse(REGISTRY), false, openRegistry()),
  Protobuf: () => compileProtobuf(protobufConverter.config.parse(REGISTRY), false, openRegistry()),
  "Protobuf, optional.for.nullables": () =>
    compileProtobuf(
      protobufConverter.config.parse({ ...REGISTRY, "optional.for.nullables": "true" }),
      false,
      openRegistry(),
    ),
};

/** Microseconds of CPU time per record; the median of the rounds. */
function cost(rounds: number, count: number, convert: (index: number) => void): number {
  const costs = Array.from({ length: rounds }, () => {
    const before = process.threadCpuUsage();
    for (let index = 0; index < count; index += 1) convert(index);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / count;
  });
  return costs.toSorted((left, right) => left - right)[Math.floor(rounds / 2)] ?? 0;
}

/** Of one record: its bytes, and what writing and reading it costs. */
interface Costs {
  readonly bytes: number;
  readonly encodeMicros: number;
  readonly decodeMicros: number;
}

async function measure(converter: Converter, count: number, rounds: number): Promise<Costs> {
  const records = Array.from({ length: 1000 }, (_, index) => record(index));
  const payloads: Buffer[] = [];
  for (const each of records) {
    payloads.push(Buffer.from((await whenReady(() => converter.encode("orders", each))) ?? ""));
  }
  await whenReady(() => converter.decode("orders", payloads[0] ?? null));
  const encode = (index: number) => {
    // What Kafka gets is bytes.
    const made = converter.encode("orders", records[index % 1000] ?? record(0));
    if (typeof made === "string") Buffer.from(made);
  };
  const decode = (index: number) => converter.decode("orders", payloads[index % 1000] ?? null);
  for (let index = 0; index < count; index += 1) {
    encode(index);
    decode(index);
  }
  const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0) / payloads.length;
  return { bytes, encodeMicros: cost(rounds, count, encode), decodeMicros: cost(rounds, count, decode) };
}

function toRow(name: string, { bytes, ...costs }: Costs): string {
  const rates = [costs.encodeMicros, costs.decodeMicros].map((micros) => `${(1000 / micros).toFixed(0)} k/s`);
  return `| ${name} | ${bytes.toFixed(0)} | ${rates.join(" | ")} |`;
}

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const { only, json } = values;
const wanted = Object.entries(CONVERTERS).filter(([name]) => only === undefined || name === only);
if (wanted.length === 0) throw new Error(`no converter ${only}: there are ${Object.keys(CONVERTERS).join(", ")}`);
if (!json) console.log("| converter | bytes | written | read |\n|---|---|---|---|");
for (const [name, make] of wanted) {
  const costs = await measure(make(), Number(values.count), Number(values.rounds));
  console.log(json ? JSON.stringify(costs) : toRow(name, costs));
}
