import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { protobufConverter } from "@headrace/schema-registry";
import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  javaFloat,
  type Schema,
  scaleOf,
  TIME_NAME,
  TIMESTAMP_NAME,
  toUnscaled,
  type Value,
} from "@headrace/sdk";
import { compileFor, decoded, encoded } from "../connectors/schema-registry/converting.ts";
import { type FakeRegistry, openFakeRegistry } from "../connectors/schema-registry/fake-registry.ts";
import { askProtobufPeer, type PeerMessage } from "./protobuf-peer.ts";
import { toData } from "./transforms/ours.ts";
import { type JsonValue, Random } from "./transforms/random.ts";
import { randomSchema, randomValue } from "./transforms/random-data.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES = 1000;

/** How optional fields are written; what a null becomes in protobuf's JSON depends on it. */
const SETTINGS = [
  {},
  { "optional.for.nullables": "true" },
  { "wrapper.for.nullables": "true" },
] as const satisfies readonly Record<string, string>[];

/** Stands for confluent.type.Decimal, which the peer's parser does not know. */
const DECIMAL = "message PeerDecimal {\n  bytes value = 1;\n  uint32 precision = 2;\n  int32 scale = 3;\n}\n";

/** A schema's text without what only Confluent's registry knows. */
function forPeer(text: string): string {
  const bare = text.replaceAll(/ \[\(confluent\.field_meta\) = \{[\s\S]*?\n *\}\]/g, "");
  const imported = 'import "confluent/type/decimal.proto";\n';
  return bare.includes(imported)
    ? bare.replace(imported, "").replaceAll("confluent.type.Decimal", "PeerDecimal").concat(DECIMAL)
    : bare;
}

/** Schemas as others write them, with a message in protobuf's JSON, and what it is in Connect. */
const FOREIGN: readonly {
  readonly schema: string;
  readonly json: unknown;
  readonly value: Value;
  readonly settings?: Record<string, string>;
}[] = [
  {
    schema: `syntax = "proto3"; package peer; message M {
      sint32 a = 1; sint64 b = 2; fixed32 c = 3; fixed64 d = 4; sfixed32 e = 5; sfixed64 f = 6; uint32 g = 7; uint64 h = 8; int32 i = 9;
      int64 j = 10; float k = 11; double l = 12; bool m = 13; string n = 14; bytes o = 15; int32 far = 536870911; }`,
    json: {
      ...{
        a: -2147483648,
        b: "-9223372036854775808",
        c: 4294967295,
        d: "18446744073709551615",
        e: -1,
        f: "-1",
        g: 4294967295,
      },
      ...{
        h: "18446744073709551615",
        i: -1,
        j: "-9007199254740993",
        k: 0.1,
        l: -1e300,
        m: true,
        n: "ü€😀",
        o: "AP8=",
        far: 1,
      },
    },
    value: {
      ...{ a: -2147483648, b: -(2n ** 63n), c: 4294967295n, d: -1n, e: -1, f: -1n, g: 4294967295n, h: -1n, i: -1 },
      ...{
        j: -9007199254740993n,
        k: Math.fround(0.1),
        l: -1e300,
        m: true,
        n: "ü€😀",
        o: Buffer.from([0, 255]),
        far: 1,
      },
    },
  },
  {
    schema: `syntax = "proto3"; package peer; message M {
      repeated sint32 packed = 1; repeated int64 loose = 2 [packed = false]; repeated string texts = 3; repeated K kinds = 4;
      map<string, int32> counts = 5; map<int64, Part> parts = 6; map<bool, K> flags = 7; repeated Part list = 8;
      enum K { A = 0; B = 3; C = -1; } message Part { string x = 1; } }`,
    json: {
      ...{ packed: [1, -1, 0], loose: ["1", "-1"], texts: ["", "b"], kinds: ["A", "C", "B"], counts: { "": 0, k: 7 } },
      ...{ parts: { "-5": { x: "y" }, "0": {} }, flags: { false: "C" }, list: [{}, { x: "z" }] },
    },
    value: {
      ...{ packed: [1, -1, 0], loose: [1n, -1n], texts: ["", "b"], kinds: ["A", "C", "B"] },
      counts: new Map([
        ["", 0],
        ["k", 7],
      ]),
      parts: new Map([
        [-5n, { x: "y" }],
        [0n, { x: "" }],
      ]),
      flags: new Map([[false, "C"]]),
      list: [{ x: "" }, { x: "z" }],
    },
  },
  {
    schema: `syntax = "proto3"; package peer; import "google/protobuf/wrappers.proto"; import "google/protobuf/timestamp.proto";
      import "google/protobuf/duration.proto"; message M {
      google.protobuf.StringValue a = 1; google.protobuf.UInt32Value b = 2; google.protobuf.BytesValue c = 3; google.protobuf.Timestamp d = 4;
      google.protobuf.Duration e = 5; google.protobuf.BoolValue f = 6; optional string g = 7; optional int32 h = 8; }`,
    json: { a: "", b: 4294967295, d: "1969-12-31T23:59:59.999Z", e: "-1.500s", g: "" },
    value: {
      a: "",
      b: 4294967295n,
      c: null,
      d: -1n,
      e: { seconds: -1n, nanos: -500_000_000 },
      f: null,
      g: "",
      h: null,
    },
  },
  {
    schema: `syntax = "proto3"; package peer; message M { int32 id = 1; oneof what { string text = 2; Part part = 3; bool yes = 4; }
      oneof other { int64 number = 5; } message Part { int32 n = 1; } }`,
    json: { id: 1, part: { n: 5 }, number: "0" },
    value: { what_0: { text: null, part: { n: 5 }, yes: null }, other_1: { number: 0n }, id: 1 },
  },
  {
    schema: `syntax = "proto2"; package peer; message M { required string a = 1; optional int32 b = 2 [default = 7]; repeated int32 c = 3;
      repeated int32 d = 4 [packed = true]; optional K k = 5; enum K { ONE = 1; TWO = 2; } }`,
    json: { a: "", c: [1, 2], d: [3, 4], k: "TWO" },
    value: { a: "", b: null, c: [1, 2], d: [3, 4], k: "TWO" },
  },
];

describe(`protobuf as Apicurio's parser and protobuf-java read and write it (HEADRACE_SEED=${SEED})`, () => {
  let registry: FakeRegistry;
  before(async () => {
    registry = await openFakeRegistry();
  });
  after(() => registry.close());

  async function textOf(payload: Buffer): Promise<string> {
    const answer = await fetch(`${registry.url}/schemas/ids/${payload.readInt32BE(1)}`);
    const { schema } = (await answer.json()) as { readonly schema: string };
    return forPeer(schema);
  }

  it("what we write: the same bytes, and the same data of them", { timeout: 600_000 }, async (t) => {
    const random = new Random(SEED);
    const cases: { readonly asked: PeerMessage; readonly expected: unknown }[] = [];
    let refused = 0;
    for (let index = 0; index < CASES; index += 1) {
      const given = forProtobuf(randomSchema(random, 3));
      const { schema, value } = toData({ schema: given, value: randomValue(random, given) });
      const settings = { ...SETTINGS[index % SETTINGS.length], "scrub.invalid.names": "true" };
      const converter = compileFor(protobufConverter, registry.url, settings);
      const payload = await encoded(converter, `t${index}`, { schema, value }).catch((error: unknown) => {
        if (error instanceof DataError) return null;
        throw error;
      });
      if (payload === null || schema === null) {
        refused += 1;
        continue;
      }
      const read = await decoded(converter, `t${index}`, payload);
      const plain = compileFor(protobufConverter, registry.url, { ...settings, "scrub.invalid.names": "false" });
      const again = await encoded(plain, `again${index}`, read);
      assert.deepEqual((await decoded(converter, `again${index}`, again)).value, read.value, JSON.stringify(given));
      // With wrappers, items that were none become some: all that is read is optional.
      const same = "wrapper.for.nullables" in settings || again?.toString("hex", 5) === payload.toString("hex", 5);
      assert.ok(same, JSON.stringify(given));
      const at = payload[5] === 0 ? 6 : 7;
      const message = schema.type === "STRUCT" ? (schema.name ?? "ConnectDefault1") : wrapperName(schema);
      const bytes = payload.subarray(at).toString("base64");
      cases.push({
        asked: { schema: await textOf(payload), message, bytes },
        expected: jsonOf(schema, value, settings),
      });
    }
    const answers = await askProtobufPeer(
      cases.map(({ asked }) => asked),
      t.signal,
    );
    const different = cases.flatMap<object>(({ asked, expected }, index) => {
      const answer = answers[index];
      if (answer === undefined || "error" in answer) return [{ asked, answer }];
      const same = answer.bytes === asked.bytes && answer.unknown === 0 && isEqual(JSON.parse(answer.json), expected);
      return same ? [] : [{ asked, answer, expected }];
    });
    assert.equal(
      different.length,
      0,
      `${different.length} of ${cases.length}: ${JSON.stringify(different.slice(0, 3), null, 1)}`,
    );
    assert.ok(cases.length > CASES / 2, `${refused} of ${CASES} were refused`);
    t.diagnostic(
      `interop | Protobuf, written | ${cases.length} schemas and values, ${refused} refused | 0 differences`,
    );
  });

  it("what Java writes: the same data of it", { timeout: 600_000 }, async (t) => {
    const asked = FOREIGN.map(({ schema, json }): PeerMessage => ({ schema, message: "peer.M", json }));
    const answers = await askProtobufPeer(asked, t.signal);
    for (const [index, { schema, value, settings = {} }] of FOREIGN.entries()) {
      const answer = answers[index];
      if (answer === undefined || "error" in answer) throw new Error(`${schema}: ${answer?.error}`);
      const frame = Buffer.alloc(6);
      frame.writeInt32BE(registry.add(`foreign${index}-value`, schema, { schemaType: "PROTOBUF" }), 1);
      const payload = Buffer.concat([frame, Buffer.from(answer.bytes, "base64")]);
      const converter = compileFor(protobufConverter, registry.url, settings);
      assert.deepEqual((await decoded(converter, `foreign${index}`, payload)).value, value, schema);
    }
    t.diagnostic(`interop | Protobuf, read | ${FOREIGN.length} schemas and values | 0 differences`);
  });
});

function wrapperName({ type }: Schema): string {
  const name = {
    INT64: "Int64",
    FLOAT32: "Float",
    FLOAT64: "Double",
    BOOLEAN: "Bool",
    STRING: "String",
    BYTES: "Bytes",
  };
  return `google.protobuf.${type in name ? name[type as keyof typeof name] : "Int32"}Value`;
}

function isEqual(left: unknown, right: unknown): boolean {
  try {
    assert.deepEqual(left, right);
    return true;
  } catch {
    return false;
  }
}

type Settings = Readonly<Record<string, string>>;

/** A value as protobuf's JSON, with fields that are not there where they have a zero. */
function jsonOf(schema: Schema, value: Value, settings: Settings): unknown {
  if (value === null) return undefined;
  switch (schema.name) {
    case DECIMAL_NAME: {
      if (!Buffer.isBuffer(value)) throw new Error("a decimal is bytes");
      const digits = String(toUnscaled(value)).replace("-", "").length;
      return { value: value.toString("base64"), precision: digits, scale: scaleOf(schema) };
    }
    case DATE_NAME: {
      const date = new Date(Number(value) * 86_400_000);
      return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
    }
    case TIME_NAME: {
      const date = new Date(Number(value));
      const [hours, minutes, seconds] = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
      return { hours, minutes, seconds, nanos: date.getUTCMilliseconds() * 1_000_000 };
    }
    case TIMESTAMP_NAME:
      return new Date(Number(value)).toISOString().replace(".000Z", "Z");
    default:
      break;
  }
  switch (schema.type) {
    case "INT64":
      return String(value);
    case "FLOAT32":
    case "FLOAT64":
      if (!Number.isFinite(value)) return String(value);
      return Number(javaFloat(Number(value), schema.type === "FLOAT32"));
    case "BYTES":
      return (value as Buffer).toString("base64");
    case "ARRAY":
      return (value as readonly Value[]).map((item) => jsonOf(schema.valueSchema as Schema, item, settings));
    case "MAP": {
      const { keySchema, valueSchema } = schema as Required<Schema>;
      return [...(value as ReadonlyMap<Value, Value>)].map(([key, item]) =>
        present([
          ["key", fieldJson(keySchema, key, settings)],
          ["value", fieldJson(valueSchema, item, settings)],
        ]),
      );
    }
    case "STRUCT": {
      const struct = value as Readonly<Record<string, Value>>;
      return present(
        (schema.fields ?? []).map(({ name, schema: inner }) => {
          const scrubbed = name.replace("a.b", "a_b").replace("é", "_C3_A9");
          return [scrubbed, fieldJson(inner, struct[name] ?? inner.default ?? null, settings)];
        }),
      );
    }
    default:
      return value;
  }
}

function present(entries: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function fieldJson(schema: Schema, value: Value, settings: Settings): unknown {
  if (value !== null) return jsonOf(schema, value, settings);
  if (schema.type === "ARRAY" || schema.type === "MAP") return [];
  if (schema.type === "STRUCT" || schema.name?.startsWith("org.apache.kafka.connect.data.") === true) return undefined;
  if (settings["optional.for.nullables"] !== undefined || settings["wrapper.for.nullables"] !== undefined)
    return undefined;
  const zeros = { BOOLEAN: false, STRING: "", BYTES: "", INT64: "0" } as const;
  return schema.type in zeros ? zeros[schema.type as keyof typeof zeros] : 0;
}

type JsonSchema = { readonly [member: string]: JsonValue };

/** The schema with a name of its own for each struct, and without defaults, which the peer's parser does not keep. */
function forProtobuf(schema: JsonSchema): JsonSchema {
  let structs = 0;
  const walk = (node: JsonValue): JsonValue => {
    if (Array.isArray(node)) return node.map(walk);
    if (node === null || typeof node !== "object") return node;
    const {
      name,
      default: _,
      ...rest
    } = Object.fromEntries(
      Object.entries(node).map(([member, value]) => [member, member === "parameters" ? value : walk(value)]),
    );
    if (rest["type"] === "struct") {
      structs += 1;
      return { ...rest, name: `org.example.S${structs}` };
    }
    return String(name).startsWith("org.apache") ? { ...rest, name: name ?? null } : rest;
  };
  const made = walk(schema);
  if (made === null || typeof made !== "object" || Array.isArray(made)) throw new Error("a schema is an object");
  return made as JsonSchema;
}
