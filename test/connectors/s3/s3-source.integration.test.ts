import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { s3Sink, s3Source } from "@headrace/s3";
import {
  arraySchema,
  INT64_SCHEMA,
  optional,
  type SourceRecord,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import {
  createMemoryOffsets,
  openSinkRun,
  openSourceRun,
  sinkRecord,
  sourceAcceptance,
  until,
} from "@headrace/sdk/testing";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { type Bucket, type S3Server, startS3 } from "./s3-server.ts";

let server: S3Server;
before(async () => {
  server = await startS3();
});
after(async () => {
  await server.stop();
});

const signal = () => AbortSignal.timeout(60_000);
const write = (bucket: Bucket, key: string, content: string | Buffer) =>
  bucket.store.put(key, Buffer.from(content), {}, signal());

for (const after of ["keep", "move", "delete"] as const) {
  describe(`s3 source, acceptance, objects: ${after}`, { concurrency: 3 }, () => {
    const cases = sourceAcceptance({
      definition: s3Source,
      module: import.meta.resolve("@headrace/s3"),
      items: 8,
      resumes: after === "keep" ? "offsets" : "acknowledgements",
      maxBatch: 5,
      ...(after !== "keep" && { notApplicable: NOT_APPLICABLE["s3-source, after.reading=delete or move"] }),
      poisoned: { outcome: "fails", tells: /topics\/odd\/000002\.json/ },
      misconfigurations: [
        { change: { "s3.bucket.name": "not-there" }, key: "s3.bucket.name", message: /NoSuchBucket/ },
        { change: { "aws.secret.access.key": "no" }, key: "s3.bucket.name", message: /check aws\.secret\.access\.key/ },
        { change: { "format.class": "xml" }, key: "format.class", message: /must be one of: auto/ },
        {
          change: { "after.reading": "move", "s3.move.prefix": undefined },
          key: "s3.move.prefix",
          message: /is needed/,
        },
        {
          change: { "after.reading": "move", "s3.move.prefix": "topics/done/" },
          key: "s3.move.prefix",
          message: /must not start with s3\.prefix/,
        },
      ],
      badOffsets: [
        { partition: { bucket: "b" }, offset: { key: "a" } },
        { partition: { bucket: "b", lane: "a/" }, offset: {} },
        { partition: { bucket: "b", lane: "a/" }, offset: { key: "a", position: -1 } },
      ],
      async openSystem() {
        const bucket = await server.createBucket();
        let items = 0;
        let objects = 0;
        let poisoned = "";
        return {
          config: {
            ...bucket.config,
            "s3.poll.interval.ms": "20",
            "record.batch.max.size": "5",
            topic: "topic",
            "after.reading": after,
            ...(after === "move" && { "s3.move.prefix": "done/" }),
          },
          outage: bucket.proxy.outage,
          stall: bucket.proxy.stall,
          connections: bucket.proxy.connections,
          identify: ({ value }) => String((value.value as { readonly n: Value }).n),
          async feed(count) {
            const first = items;
            // Two directories; objects of up to four items, every other one compressed.
            for (let left = count; left > 0; ) {
              const lines = Array.from({ length: Math.min(left, 4) }, () => `{"n":${items++}}\n`).join("");
              left -= 4;
              objects += 1;
              const key = `topics/${objects % 2 === 0 ? "even" : "odd"}/${String(objects).padStart(6, "0")}.json`;
              if (objects % 3 === 0) await write(bucket, `${key}.gz`, gzipSync(lines));
              else await write(bucket, key, lines);
            }
            return Array.from({ length: count }, (_, index) => String(first + index));
          },
          async poison() {
            objects += 1;
            poisoned = `topics/odd/${String(objects).padStart(6, "0")}.json`;
            await write(bucket, poisoned, "{oh\n");
          },
          cure: () => bucket.store.remove(poisoned, signal()),
          close: bucket.close,
        };
      },
    });
    for (const each of cases) it(each.name, each.run);
  });
}

describe("s3 source", { concurrency: 3 }, () => {
  async function withBucket(use: (bucket: Bucket, config: Record<string, string>) => Promise<void>): Promise<void> {
    await server.withBucket((bucket) => use(bucket, { ...bucket.config, "s3.poll.interval.ms": "20" }));
  }
  const valuesOf = (records: readonly SourceRecord[]) => records.map(({ value }) => value.value);

  it("brings back what the sink has written: topic, partition, key, headers, time", () =>
    withBucket(async (bucket, config) => {
      const fields = { "format.output.fields": "key,value,timestamp,headers", "flush.size": "1" };
      const sink = await openSinkRun(s3Sink, {
        config: { ...bucket.config, ...fields, "s3.compression.type": "zstd", "partitioner.class": "hourly" },
        assignment: [0, 1].map((partition) => ({ topic: "orders", partition })),
      });
      const record = (partition: number, n: number) =>
        sinkRecord({
          topic: "orders",
          partition,
          offset: BigInt(n),
          key: { schema: null, value: `k${n}` },
          value: { schema: null, value: { n, big: 2n ** 60n } },
          timestamp: n * 3_600_000,
          headers: [{ key: "h", schema: STRING_SCHEMA, value: String(n) }],
        });
      await sink.put([record(0, 9_999_999_999), record(0, 10_000_000_000), record(1, 3), record(1, 4)]);
      await sink.close();
      const source = await openSourceRun(s3Source, {
        config: { ...config, "format.input.envelope": "true" },
        maxTasks: 3,
      });
      const records = await source.take(4);
      await source.close();
      const wanted = (partition: number, n: number) => ({
        topic: "orders",
        partition,
        key: `k${n}`,
        value: { n, big: 2n ** 60n },
        timestamp: n * 3_600_000,
        headers: [{ key: "h", schema: null, value: String(n) }],
      });
      const seen = records.map(({ topic, partition, key, value, timestamp, headers }) => ({
        ...{ topic, partition, key: key?.value, value: value.value, timestamp, headers },
      }));
      assert.deepEqual(
        seen.filter(({ partition }) => partition === 0),
        [wanted(0, 9_999_999_999), wanted(0, 10_000_000_000)],
      );
      assert.deepEqual(
        seen.filter(({ partition }) => partition === 1),
        [wanted(1, 3), wanted(1, 4)],
      );
    }));

  for (const format of ["avro", "parquet"]) {
    it(`brings back types and values by ${format}, an object per schema`, () =>
      withBucket(async (bucket, config) => {
        const fields = { id: INT64_SCHEMA, at: TIMESTAMP_SCHEMA, tags: arraySchema(STRING_SCHEMA) };
        const first = structSchema(fields, "Order");
        const second = structSchema({ ...fields, note: optional(STRING_SCHEMA) }, "Order");
        const row = (n: number) => ({ id: BigInt(n), at: 1_700_000_000_000n, tags: n % 2 === 0 ? [] : ["a", "b"] });
        const value = (n: number) =>
          n < 5 ? { schema: first, value: row(n) } : { schema: second, value: { ...row(n), note: null } };
        const sink = await openSinkRun(s3Sink, {
          config: { ...bucket.config, "format.class": format, "flush.size": "10" },
        });
        await sink.put(Array.from({ length: 15 }, (_, n) => sinkRecord({ offset: BigInt(n), value: value(n) })));
        await sink.close();
        const names = [...bucket.objects().keys()].map((key) => /\+(\d+)\./.exec(key)?.[1]);
        assert.deepEqual(names, ["0000000000", "0000000005"]);
        const source = await openSourceRun(s3Source, { config: { ...config, "record.batch.max.size": "4" } });
        const records = await source.take(15);
        await source.close();
        assert.deepEqual(
          records.map((record) => record.value.value),
          Array.from({ length: 15 }, (_, n) => value(n).value),
        );
        assert.deepEqual(
          records[14]?.value.schema?.fields?.map(({ name, schema }) => [
            name,
            schema.type,
            schema.name,
            schema.optional,
          ]),
          second.fields?.map(({ name, schema }) => [name, schema.type, schema.name, schema.optional]),
        );
      }));
  }

  it("reads CSV, text and bytes, and leaves out what has no format", () =>
    withBucket(async (bucket, config) => {
      await write(bucket, "topics/a.csv", 'id,"the ""name"""\r\n1,"a\nb"\n2,""\n3,');
      await write(bucket, "topics/b.txt.zst", zstdCompressSync(Buffer.from("one\ntwo")));
      await write(bucket, "topics/c.bin", Buffer.from([1, 0xff, 10, 2]));
      await write(bucket, "topics/d.xyz", "?");
      await write(bucket, "topics/e/", "");
      await write(bucket, "topics/f.txt", "end");
      const source = await openSourceRun(s3Source, { config: { ...config, topic: "t" } });
      const values = valuesOf(await source.take(8));
      assert.ok(source.log.lines.some((line) => line.includes("tells no format")));
      await source.close();
      assert.deepEqual(values, [
        { id: "1", 'the "name"': "a\nb" },
        { id: "2", 'the "name"': "" },
        { id: "3", 'the "name"': null },
        "one",
        "two",
        Buffer.from([1, 0xff]),
        Buffer.from([2]),
        "end",
      ]);
    }));

  it("reads an object from its start that was replaced while it was read", () =>
    withBucket(async (bucket, config) => {
      await write(bucket, "topics/a.txt", "a1\na2\na3\na4\n");
      const source = await openSourceRun(s3Source, { config: { ...config, topic: "t", "record.batch.max.size": "2" } });
      const first = await source.take(2);
      await source.acknowledge(first);
      await source.close();
      assert.deepEqual(valuesOf(first).slice(0, 2), ["a1", "a2"]);
      await write(bucket, "topics/a.txt", "b1\nb2\n");
      const offset = first[1]?.sourceOffset ?? assert.fail("no offset");
      const offsets = createMemoryOffsets();
      offsets.write(first[1]?.sourcePartition ?? {}, offset);
      const again = await openSourceRun(s3Source, { config: { ...config, topic: "t" }, offsets });
      assert.deepEqual(valuesOf(await again.take(2)), ["b1", "b2"]);
      assert.ok(again.log.lines.some((line) => line.includes("was replaced")));
      await again.close();
    }));

  it("moves an object when Kafka has all of its records, not before", () =>
    withBucket(async (bucket, config) => {
      const move = { "after.reading": "move", "s3.move.prefix": "done/" };
      await write(bucket, "topics/z.txt", "1\n2\n");
      const source = await openSourceRun(s3Source, { config: { ...config, ...move, topic: "t" }, patienceMs: 120_000 });
      const records = await source.take(2);
      await source.acknowledge(records.slice(0, 1));
      // A name that sorts before those that were read is read, too.
      await write(bucket, "topics/b.txt", "3\n");
      const more = await source.take(1);
      assert.deepEqual(valuesOf(more), ["3"]);
      assert.ok(bucket.objects().has("topics/z.txt"));
      await source.acknowledge([...records.slice(1), ...more]);
      const polling = source.take(1).catch(() => {}); // Polls on; ends with the run.
      await until(
        60_000,
        "both are moved",
        () => [...bucket.objects().keys()].join() === "done/topics/b.txt,done/topics/z.txt",
      );
      await write(bucket, "topics/c.txt", "4\n");
      await polling;
      await source.close();
      assert.equal(bucket.objects().get("done/topics/z.txt")?.toString(), "1\n2\n");
    }));

  it("divides objects among tasks, and leaves out the rest of one that cannot be read if told so", () =>
    withBucket(async (bucket, config) => {
      const wanted: Value[] = [];
      for (let n = 0; n < 12; n += 1) {
        await write(bucket, `topics/d${n}/a.json`, `${n}\n${n === 5 ? "oh\n" : ""}${n + 100}\n`);
        wanted.push(n, ...(n === 5 ? [] : [n + 100]));
      }
      const source = await openSourceRun(s3Source, {
        config: { ...config, topic: "t", "behavior.on.error": "log" },
        maxTasks: 4,
      });
      assert.equal(source.tasks, 4);
      const records = await source.take(wanted.length);
      await until(60_000, "the fault is told", () =>
        source.log.lines.some((line) => line.includes("d5/a.json, line 2")),
      );
      await source.close();
      assert.deepEqual(
        valuesOf(records)
          .map(Number)
          .toSorted((a, b) => a - b),
        wanted.map(Number).toSorted((a, b) => a - b),
      );
    }));
});
