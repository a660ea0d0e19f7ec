import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { inflateRaw, zstdDecompress } from "node:zlib";
import { DataError, optional, type SchemaAndValue, structSchema } from "@headrace/sdk";
import avsc from "avsc";
import { parquetReadObjects } from "hyparquet";
import { AVRO_CODECS, avro } from "../../../connectors/s3/src/format/avro.ts";
import { avroReader } from "../../../connectors/s3/src/format/avro-reader.ts";
import { CsvParser } from "../../../connectors/s3/src/format/csv-reader.ts";
import { split } from "../../../connectors/s3/src/format/line-reader.ts";
import { PARQUET_CODECS, parquet } from "../../../connectors/s3/src/format/parquet.ts";
import { parquetReader } from "../../../connectors/s3/src/format/parquet-reader.ts";
import type { SinkFormat } from "../../../connectors/s3/src/format/sink-format.ts";
import type { ItemReader } from "../../../connectors/s3/src/format/source-format.ts";
import { of, SCHEMA, VALUES } from "./all-types.ts";

function write(format: SinkFormat, records: readonly SchemaAndValue[]): Buffer {
  const rows = records.map((record) => format.toRow(record));
  const writer = rows[0]?.layout.open() ?? assert.fail("no rows");
  const parts = [...rows.map(({ content }) => writer.add(content)), writer.end()];
  return Buffer.concat(parts.filter((part) => part !== null));
}

async function read(reader: ItemReader, bytes: Buffer, chunkSize = 7): Promise<readonly SchemaAndValue[]> {
  const items: SchemaAndValue[] = [];
  const content = {
    key: "object",
    size: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
    },
    range: async (from: number, to: number) => bytes.subarray(from, to),
  };
  for await (const some of reader(content)) items.push(...some);
  return items;
}

const records = VALUES.map((value) => ({ schema: SCHEMA, value }));

describe("parquet", () => {
  for (const codec of PARQUET_CODECS) {
    it(`comes back as it was, types and values: ${codec}`, async () => {
      const back = await read(parquetReader, write(parquet(codec), records));
      assert.deepEqual(
        back.map(({ value }) => value),
        VALUES,
      );
      const types = back[0]?.schema?.fields?.map(({ name, schema }) => [
        name,
        schema.type,
        schema.optional,
        schema.name,
      ]);
      const wanted = SCHEMA.fields?.map(({ name, schema: { type, optional: may, name: logical } }) => [
        ...[name, type, may, type === "STRUCT" ? undefined : logical],
      ]);
      assert.deepEqual(types, wanted);
    });
  }

  it("is read by hyparquet alone, without the source's reader around it", async () => {
    const bytes = write(parquet("snappy"), records);
    const [row] = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
    assert.deepEqual(
      [row?.["text"], row?.["i64"], row?.["date"], row?.["timestamp"], row?.["structs"]],
      ["Grüße 🚰", -(2n ** 63n), new Date(20_000 * 86_400_000), new Date(1_700_000_000_123), VALUES[0]?.["structs"]],
    );
  });

  it("has several row groups when there are many rows", async () => {
    const schema = structSchema({ n: of("INT64") });
    const many = Array.from({ length: 120_000 }, (_, n) => ({ schema, value: { n: BigInt(n) } }));
    const back = await read(parquetReader, write(parquet("zstd"), many), 1 << 20);
    assert.equal(back.length, many.length);
    assert.ok(back.every(({ value }, n) => JSON.stringify(value, text) === `{"n":"${n}"}`));
  });

  it("refuses what it cannot hold", () => {
    const format = parquet("none");
    assert.throws(() => format.toRow({ schema: null, value: { a: 1 } }), DataError);
    assert.throws(() => format.toRow({ schema: of("STRING"), value: "a" }), DataError);
    assert.throws(() => format.toRow({ schema: structSchema({ a: structSchema({}) }), value: { a: {} } }), DataError);
    assert.throws(
      () => format.toRow({ schema: structSchema({ a: of("INT32") }), value: { a: null } }),
      /null used for required/,
    );
  });

  it("says of what is no Parquet that it is none", async () => {
    await assert.rejects(read(parquetReader, Buffer.from("not a file at all")), /object cannot be read as Parquet/);
  });
});

describe("avro", () => {
  for (const codec of AVRO_CODECS) {
    it(`comes back as it was: ${codec}`, async () => {
      const back = await read(avroReader, write(avro(codec), records));
      assert.deepEqual(
        back.map(({ value }) => value),
        VALUES,
      );
      assert.deepEqual(
        back[0]?.schema?.fields?.map(({ name, schema }) => [name, schema.type, schema.optional, schema.name]),
        SCHEMA.fields?.map(({ name, schema }) => [name, schema.type, schema.optional, schema.name]),
      );
    });

    it(`is read by avsc: ${codec}`, async () => {
      const schema = structSchema({ n: of("INT32"), text: optional(of("STRING")) }, "test.Small");
      const many = Array.from({ length: 20_000 }, (_, n) => ({
        schema,
        value: { n, text: n % 2 === 0 ? null : `t${n}` },
      }));
      const decoder = new avsc.streams.BlockDecoder({
        codecs: {
          null: (data, done) => done(null, data),
          deflate: (data, done) => inflateRaw(data, done),
          zstandard: (data, done) => zstdDecompress(data, done),
        },
      });
      decoder.end(write(avro(codec), many));
      const seen: unknown[] = [];
      for await (const item of decoder) seen.push(JSON.parse(JSON.stringify(item)));
      assert.equal(seen.length, many.length);
      assert.deepEqual(seen[1], { n: 1, text: "t1" });
      assert.deepEqual(seen[19_998], { n: 19_998, text: null });
    });
  }

  it("makes equal objects of equal records", () => {
    assert.deepEqual(write(avro("deflate"), records), write(avro("deflate"), records));
  });

  it("says what is wrong with a file", async () => {
    const good = write(avro("null"), records);
    await assert.rejects(read(avroReader, Buffer.from("Obj?")), /does not start as Avro's files do/);
    await assert.rejects(read(avroReader, good.subarray(0, 20)), DataError);
    await assert.rejects(read(avroReader, good.subarray(0, -1)), /ends in the middle/);
    const broken = Buffer.from(good);
    broken[good.length - 1] = (broken[good.length - 1] ?? 0) ^ 1;
    await assert.rejects(read(avroReader, broken), /does not end with the marker/);
    assert.throws(() => avro("null").toRow({ schema: null, value: 1 }), /needs a schema/);
  });
});

describe("a layout", () => {
  it("is the same for equal schemas only", () => {
    const format = avro("null");
    const schema = () => structSchema({ a: of("INT32") }, "A");
    const first = format.toRow({ schema: schema(), value: { a: 1 } });
    assert.equal(format.toRow({ schema: schema(), value: { a: 2 } }).layout, first.layout);
    const other = structSchema({ a: of("INT32"), b: optional(of("INT32")) }, "A");
    assert.notEqual(format.toRow({ schema: other, value: { a: 2, b: null } }).layout, first.layout);
  });
});

describe("pieces of text", () => {
  it("are the same however the bytes come", async () => {
    const bytes = Buffer.from("one\r\n\r\ntwö\r\nthree");
    for (let size = 1; size <= bytes.length; size += 1) {
      const chunks = Readable.from(
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size)),
      );
      const pieces: string[] = [];
      for await (const some of split(chunks, Buffer.from("\r\n"))) pieces.push(...some.map(String));
      assert.deepEqual(pieces, ["one", "", "twö", "three"], `chunks of ${size}`);
    }
  });

  const table: readonly [string, readonly (readonly (string | null)[])[]][] = [
    ["a,b\n", [["a", "b"]]],
    ["a,b", [["a", "b"]]],
    [',""\r\n', [[null, ""]]],
    [
      '"a ""b"" c","x\r\ny"\n\n1,2',
      [
        ['a "b" c', "x\r\ny"],
        ["1", "2"],
      ],
    ],
    ['5" pipe,x\r\r', [['5" pipe', "x"]]],
  ];
  for (const [text, rows] of table) {
    it(`are cells and rows of CSV: ${JSON.stringify(text)}`, () => {
      for (const size of [1, 2, text.length]) {
        const parser = new CsvParser(",");
        const seen: (readonly (string | null)[])[] = [];
        for (let at = 0; at < text.length; at += size) seen.push(...parser.push(text.slice(at, at + size)));
        const last = parser.end();
        if (last !== null) seen.push(last);
        assert.deepEqual(seen, rows);
      }
    });
  }

  it("are no CSV with quotes in the wrong place", () => {
    assert.throws(() => new CsvParser(",").push('"a"b'), /behind the quote/);
    const parser = new CsvParser(",");
    parser.push('"a');
    assert.throws(() => parser.end(), /do not end/);
  });
});

const text = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
