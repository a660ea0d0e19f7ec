import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { avroConverter } from "@headrace/schema-registry";
import { apicurioConverters } from "#dev/setup/apicurio.ts";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { compileFor, decoded, encoded } from "../connectors/schema-registry/converting.ts";
import type { Case, EncodedData } from "./transforms/cases.ts";
import { runJava } from "./transforms/java.ts";
import { describe as describeData, toData } from "./transforms/ours.ts";
import { type JsonValue, Random } from "./transforms/random.ts";
import { randomSchema, randomValue } from "./transforms/random-data.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES = 40;

type JsonSchema = { readonly [member: string]: JsonValue };

describe(`Avro as Apicurio's Java converter writes and reads it, with one registry (HEADRACE_SEED=${SEED})`, () => {
  let server: ApicurioServer;
  let jars = "";
  before(async () => {
    [server, jars] = await Promise.all([startApicurio(), apicurioConverters()]);
  });
  after(() => server.stop());

  const java = async (direction: "encode" | "decode", inputs: readonly unknown[], signal: AbortSignal) => {
    const config = {
      "apicurio.registry.url": `${server.url}/apis/registry/v2`,
      "apicurio.registry.as-confluent": "true",
      "apicurio.registry.use-id": "contentId",
      "apicurio.registry.auto-register": "true",
      "apicurio.registry.headers.enabled": "false",
    };
    const test = {
      kind: "converter",
      class: "io.apicurio.registry.utils.converter.AvroConverter",
      config,
      direction,
      inputs,
    };
    const [answers = []] = await runJava([test as Case], signal, [`${jars}/*`]);
    return answers;
  };

  it("the same bytes, and the same data of them", { timeout: 600_000 }, async (t) => {
    const random = new Random(SEED);
    const inputs = Array.from({ length: CASES }, (): EncodedData => {
      const schema = forAvro(randomSchema(random, 3));
      return { schema, value: randomValue(random, schema) };
    });
    const theirs = await java("encode", inputs, t.signal);
    const converter = compileFor(avroConverter, server.compatibleUrl, { "enhanced.avro.schema.support": "true" });
    const different: unknown[] = [];
    const payloads: (Buffer | null)[] = [];
    for (const [index, input] of inputs.entries()) {
      const own = await encoded(converter, "topic", toData(input)).catch((error: unknown) => error);
      const base64 = Buffer.isBuffer(own) ? own.toString("base64") : own;
      payloads.push(Buffer.isBuffer(own) ? own : null);
      if (base64 !== theirs[index]) different.push({ input, theirs: theirs[index], own: base64 });
    }
    assert.equal(different.length, 0, JSON.stringify(different.slice(0, 3)));
    const read = await java(
      "decode",
      payloads.map((payload) => payload?.toString("base64") ?? null),
      t.signal,
    );
    for (const [index, payload] of payloads.entries()) {
      // In another topic there is no version of the subject's, which Apicurio's converter does not give either.
      const own = JSON.stringify(describeData(await decoded(converter, "elsewhere", payload)));
      const other = JSON.stringify(read[index]);
      // Of data that is no record it gives no schema, and of a plain text nothing at all.
      const input = inputs[index];
      const expected = input === undefined ? "" : JSON.stringify(describeData(toData(input)));
      const silent = other.includes("Utf8 does not have corresponding schema type");
      const same = silent
        ? own === expected
        : other.includes('{\\"schema\\":null,')
          ? payloadOf(own) === payloadOf(other)
          : own === other;
      if (!same) different.push({ input: inputs[index], theirs: other, own });
    }
    assert.equal(different.length, 0, `${different.length}: ${JSON.stringify(different.slice(0, 3))}`);
    t.diagnostic(`interop | Avro | ${inputs.length} schemas and values | 0 differences`);
  });
});

function payloadOf(answer: string): string {
  return answer.slice(answer.indexOf('\\"payload\\":'));
}

/** The schema with names that Avro admits, each struct's its own. */
function forAvro(schema: JsonSchema): JsonSchema {
  let structs = 0;
  const walk = (node: JsonValue): JsonValue => {
    if (Array.isArray(node)) return node.map(walk);
    if (node === null || typeof node !== "object") return node;
    const members = Object.entries(node).map(([name, value]): [string, JsonValue] => [
      name,
      name === "field"
        ? String(value).replace("a.b", "a_b").replace("é", "e")
        : name === "parameters" || name === "default"
          ? value
          : walk(value),
    ]);
    const { name, ...rest } = Object.fromEntries(members);
    if (rest["type"] === "struct") {
      structs += 1;
      return { ...rest, name: `org.example.S${structs}` };
    }
    return String(name).startsWith("org.apache") ? { ...rest, name: name ?? null } : rest;
  };
  const made = walk(schema);
  if (made === null || typeof made !== "object" || Array.isArray(made)) throw new Error("a schema is an object");
  // Of optional records Apicurio's serialiser takes the record's own schema, Confluent's (and ours) the union with null.
  return { ...made, optional: false } as JsonSchema;
}
