import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import {
  DATE_NAME,
  DATE_SCHEMA,
  DECIMAL_NAME,
  decimalSchema,
  decimalText,
  fromDecimalText,
  optional,
  type Schema,
  scaleOf,
  structSchema,
  TIME_NAME,
  TIME_SCHEMA,
  TIMESTAMP_NAME,
  TIMESTAMP_SCHEMA,
  type Value,
  withAttributes,
} from "@headrace/sdk";
import { z } from "zod";
import { parquetLibraries } from "#dev/setup/parquet.ts";
import { PARQUET_CODECS, parquet } from "../../connectors/s3/src/format/parquet.ts";
import { of, SCHEMA, VALUES } from "../connectors/s3/all-types.ts";

const JAVA_MS = 120_000;
const ANSWER = z.object({
  schema: z.string(),
  codecs: z.array(z.string()),
  groups: z.array(z.number()),
  rows: z.array(z.record(z.string(), z.unknown())),
});
type Answer = z.output<typeof ANSWER>;
type Row = { readonly [field: string]: Value };

/** A value as ParquetPeer.java shows it. */
function shown(schema: Schema, value: Value): unknown {
  if (value === null) return null;
  const { valueSchema: inner = of("STRING"), keySchema = of("STRING") } = schema;
  if (Array.isArray(value)) return value.map((item: Value) => shown(inner, item));
  if (value instanceof Map) return [...value].map(([key, item]) => [shown(keySchema, key), shown(inner, item)]);
  if (Buffer.isBuffer(value))
    return schema.name === DECIMAL_NAME ? decimalText(value, scaleOf(schema)) : value.toString("hex");
  if (schema.type === "STRUCT") {
    const members = new Map(Object.entries(value));
    const fields = (schema.fields ?? []).map(({ name, schema: each }) => [
      name,
      shown(each, members.get(name) ?? null),
    ]);
    return Object.fromEntries(fields);
  }
  if (schema.name === DATE_NAME) return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
  if (schema.name === TIME_NAME)
    return new Date(Number(value))
      .toISOString()
      .slice(11, -1)
      .replace(/(:00)?\.000$/, "");
  if (schema.name === TIMESTAMP_NAME) return new Date(Number(value)).toISOString().replace(/\.000Z$/, "Z");
  return typeof value === "bigint" ? String(value) : value;
}

/** A row as Java shows it, its floating-point numbers as numbers again. */
function withNumbers(schema: Schema, row: Readonly<Record<string, unknown>>): unknown {
  const types = new Map((schema.fields ?? []).map(({ name, schema: { type } }) => [name, type]));
  const toNumber = (name: string, value: unknown) => {
    if (value === null) return null;
    if (types.get(name) === "FLOAT32") return Math.fround(Number(value));
    return types.get(name) === "FLOAT64" ? Number(value) : value;
  };
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toNumber(name, value)]));
}

describe("Parquet as Apache's reader for Java has it", () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-parquet-"));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  function write(name: string, codec: (typeof PARQUET_CODECS)[number], schema: Schema, rows: readonly Row[]): string {
    const format = parquet(codec);
    const made = rows.map((value) => format.toRow({ schema, value }));
    const writer = made[0]?.layout.open() ?? assert.fail("no rows");
    const parts = [...made.map(({ content }) => writer.add(content)), writer.end()];
    const file = join(dir, name);
    writeFileSync(file, Buffer.concat(parts.filter((part) => part !== null)));
    return file;
  }

  async function ask(files: readonly string[]): Promise<readonly Answer[]> {
    const peer = join(import.meta.dirname, "ParquetPeer.java");
    const options = ["-Xmx512m", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"];
    const args = [...options, "-cp", join(await parquetLibraries(), "*"), peer, ...files];
    const { stdout } = await promisify(execFile)("java", args, { maxBuffer: 1 << 27, timeout: JAVA_MS });
    return stdout
      .trim()
      .split("\n")
      .map((line) => ANSWER.parse(JSON.parse(line)));
  }

  const expected = (schema: Schema, rows: readonly Row[]) => rows.map((row) => shown(schema, row));
  const found = (schema: Schema, { rows }: Answer) => rows.map((row) => withNumbers(schema, row));

  it("is what was written: all types, with every codec", async () => {
    const answers = await ask(PARQUET_CODECS.map((codec) => write(`${codec}.parquet`, codec, SCHEMA, VALUES)));
    assert.deepEqual(
      answers.map(({ codecs }) => codecs.join()),
      ["SNAPPY", "GZIP", "ZSTD", "UNCOMPRESSED"],
    );
    for (const answer of answers) assert.deepEqual(found(SCHEMA, answer), expected(SCHEMA, VALUES));
    const types = (answers[0]?.schema ?? "").split("\n").map((line) => line.trim());
    for (const line of [
      "message Row {",
      "required boolean bool;",
      "optional boolean bool_or_null;",
      "required int32 i8 (INTEGER(8,true));",
      "required int32 i16 (INTEGER(16,true));",
      "required int32 i32;",
      "required int64 i64;",
      "required float f32;",
      "required double f64;",
      "required binary text (STRING);",
      "required binary bytes;",
      "required binary decimal (DECIMAL(38,2));",
      "required int32 date (DATE);",
      "required int32 time (TIME(MILLIS,true));",
      "optional int64 timestamp_or_null (TIMESTAMP(MILLIS,true));",
      "required group list (LIST) {",
      "repeated group list {",
      "optional group gaps (LIST) {",
      "optional binary element (STRING);",
      "optional group struct {",
      "required group map (MAP) {",
      "repeated group key_value {",
      "required binary key (STRING);",
    ])
      assert.ok(types.includes(line), `${line} is not in\n${answers[0]?.schema}`);
  });

  it("is what was written at the ends of the types", async () => {
    const precise = withAttributes(decimalSchema(3), { parameters: { scale: "3", "connect.decimal.precision": "5" } });
    const schema = structSchema(
      {
        i8: of("INT8"),
        i16: of("INT16"),
        i32: of("INT32"),
        i64: of("INT64"),
        f32: of("FLOAT32"),
        f64: of("FLOAT64"),
        text: of("STRING"),
        bytes: of("BYTES"),
        decimal: decimalSchema(0),
        precise,
        date: DATE_SCHEMA,
        time: TIME_SCHEMA,
        timestamp: TIMESTAMP_SCHEMA,
      },
      "test.Ends",
    );
    const nines = "9".repeat(38);
    const ends = (sign: 1 | -1): Row => ({
      i8: sign > 0 ? 127 : -128,
      i16: sign > 0 ? 32_767 : -32_768,
      i32: sign > 0 ? 2 ** 31 - 1 : -(2 ** 31),
      i64: sign > 0 ? 2n ** 63n - 1n : -(2n ** 63n),
      f32: sign * Math.fround(3.4028234e38),
      f64: sign * Number.MAX_VALUE,
      text: sign > 0 ? "" : "\u0000\ud83d\ude80",
      bytes: Buffer.alloc(sign > 0 ? 0 : 1),
      decimal: fromDecimalText(sign > 0 ? nines : `-${nines}`, 0),
      precise: fromDecimalText(sign > 0 ? "99.999" : "-0.001", 3),
      date: sign > 0 ? 2_932_896 : -719_162,
      time: sign > 0 ? 86_399_999 : 0,
      timestamp: sign > 0 ? 253_402_300_799_999n : -62_135_596_800_000n,
    });
    const odd = { ...ends(1), f32: Number.NaN, f64: Number.NEGATIVE_INFINITY, time: 3_600_000, timestamp: -1n };
    const negativeZero = { ...ends(1), f32: -0, f64: Number.MIN_VALUE };
    const rows = [ends(1), ends(-1), odd, negativeZero];
    const [answer] = await ask([write("ends.parquet", "snappy", schema, rows)]);
    assert.ok(answer !== undefined);
    assert.deepEqual(found(schema, answer), expected(schema, rows));
    assert.match(answer.schema, /required binary precise \(DECIMAL\(5,3\)\);/);
  });

  it("is what was written over several row groups", async () => {
    const schema = structSchema({ n: of("INT64"), kind: optional(of("STRING")) }, "test.Many");
    const rows = Array.from({ length: 50_003 }, (_, n) => ({
      n: BigInt(n),
      kind: n % 3 === 0 ? null : `kind ${n % 5}`,
    }));
    const [answer] = await ask([write("many.parquet", "zstd", schema, rows)]);
    assert.ok(answer !== undefined);
    assert.deepEqual(answer.groups, [50_000, 3]);
    assert.deepEqual(answer.rows, expected(schema, rows));
  });
});
