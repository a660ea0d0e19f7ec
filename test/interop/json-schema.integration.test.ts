import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { jsonSchemaConverter } from "@headrace/schema-registry";
import { INT32_SCHEMA, parseExactJson, structSchema } from "@headrace/sdk";
import { z } from "zod";
import { apicurioConverters } from "#dev/setup/apicurio.ts";
import { kafkaLibs } from "#dev/setup/kafka.ts";
import { type ApicurioServer, startApicurio } from "#support/apicurio-server.ts";
import { compileFor, encoded } from "../connectors/schema-registry/converting.ts";
import { toData } from "./transforms/ours.ts";
import { Random } from "./transforms/random.ts";
import { randomSchema, randomValue } from "./transforms/random-data.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES = 60;

const ANSWER = z.union([z.object({ error: z.string() }), z.object({ json: z.string() })]);
type Answer = z.output<typeof ANSWER>;

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
}

/** What Java reads of the messages, in their order (JsonSchemaPeer.java). Rejects if Java fails or is aborted. */
async function askPeer(url: string, messages: readonly Message[], signal: AbortSignal): Promise<readonly Answer[]> {
  const libraries = [`${await apicurioConverters()}/*`, `${await kafkaLibs()}/*`].join(":");
  const options = ["-Xmx512m", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-Dorg.apache.logging.log4j.level=OFF"];
  const args = [...options, "-cp", libraries, join(import.meta.dirname, "JsonSchemaPeer.java"), url];
  const java = spawn("java", args, { signal, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  java.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  java.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const closed = once(java, "close");
  const lines = messages.map(({ topic, payload }) => JSON.stringify({ topic, bytes: payload.toString("base64") }));
  java.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [code] = await closed;
  if (code !== 0) throw new Error(`java ended with ${code}: ${errors}`);
  return output
    .trimEnd()
    .split("\n")
    .map((line) => ANSWER.parse(JSON.parse(line)));
}

/** JSON with its numbers as texts without what two writers may do differently. */
function normal(text: string): unknown {
  return parseExactJson(text, "the JSON", (source) => {
    const [digits = "", exponent = "0"] = source.toLowerCase().split("e");
    const [whole = "", fraction = ""] = digits.split(".");
    const places = fraction.length - Number(exponent);
    const unscaled = BigInt(`${whole}${fraction}` === "-0" ? "0" : `${whole}${fraction}`);
    if (unscaled === 0n) return "0";
    const plain = String(unscaled).replace(/0+$/, "");
    return `${plain}e${String(unscaled).length - plain.length - places}`;
  });
}

describe(`JSON Schema as Apicurio's Java deserialiser reads and checks it (HEADRACE_SEED=${SEED})`, () => {
  let server: ApicurioServer;
  before(async () => {
    server = await startApicurio();
  });
  after(() => server.stop());

  it("finds each value to be what its schema in the registry says, and the same", { timeout: 600_000 }, async (t) => {
    const random = new Random(SEED);
    const converter = compileFor(jsonSchemaConverter, server.compatibleUrl, { "decimal.format": "NUMERIC" });
    const messages: (Message & { readonly input: string })[] = [];
    while (messages.length < CASES) {
      // Apicurio Registry takes nothing but objects for JSON Schemas.
      const fields = [{ ...randomSchema(random, 3), field: "v" }];
      const schema = { type: "struct", optional: false, fields };
      const input = { schema, value: randomValue(random, schema) };
      const text = JSON.stringify(input);
      // They are written as texts, as Confluent's converter does, which no schema of numbers admits.
      if (/NaN|Infinity/.test(text)) continue;
      const topic = `case-${messages.length}`;
      const payload = await encoded(converter, topic, toData(input));
      assert.ok(payload !== null);
      messages.push({ topic, payload, input: text });
    }
    const answers = await askPeer(`${server.url}/apis/registry/v2`, messages, t.signal);
    const different = messages.flatMap(({ payload, input }, index) => {
      const answer = answers[index];
      const own = payload.toString("utf8", 5);
      if (answer !== undefined && "json" in answer) {
        try {
          assert.deepEqual(normal(answer.json), normal(own));
          return [];
        } catch {
          // Shown below.
        }
      }
      return [{ input, own, answer }];
    });
    assert.equal(different.length, 0, `${different.length}: ${JSON.stringify(different.slice(0, 3))}`);
    t.diagnostic(`interop | JSON Schema | ${messages.length} schemas and values | 0 differences`);
  });

  it("refuses what a schema does not admit, which shows that it looks", { timeout: 300_000 }, async (t) => {
    const converter = compileFor(jsonSchemaConverter, server.compatibleUrl, {
      "object.additional.properties": "false",
    });
    const schema = structSchema({ a: INT32_SCHEMA }, "com.acme.Strict");
    const payload = await encoded(converter, "strict", { schema, value: { a: 1 } });
    assert.ok(payload !== null);
    const frame = payload.subarray(0, 5);
    const texts = ['{"a":1}', '{"a":"1"}', '{"a":1,"b":2}', "[]"];
    const messages = texts.map((text) => ({ topic: "strict", payload: Buffer.concat([frame, Buffer.from(text)]) }));
    const answers = await askPeer(`${server.url}/apis/registry/v2`, messages, t.signal);
    assert.deepEqual(
      answers.map((answer) => "json" in answer),
      [true, false, false, false],
      JSON.stringify(answers),
    );
  });
});
