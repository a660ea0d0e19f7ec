import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { s3Sink } from "@headrace/s3";
import { INT64_SCHEMA, RetriableError, STRING_SCHEMA, structSchema, type Value } from "@headrace/sdk";
import { openSinkRun, problemsOf, sinkAcceptance, sinkRecord, until } from "@headrace/sdk/testing";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { type Bucket, type S3Server, startS3 } from "./s3-server.ts";

let server: S3Server;
before(async () => {
  server = await startS3();
});
after(async () => {
  await server.stop();
});

const json = (value: Value) => ({ schema: null, value });
const linesOf = (bucket: Bucket) =>
  [...bucket.objects().values()].flatMap((bytes) =>
    bytes
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line)),
  );

describe("s3 sink, acceptance", { concurrency: 3 }, () => {
  const cases = sinkAcceptance({
    definition: s3Sink,
    module: import.meta.resolve("@headrace/s3"),
    repeats: "absorbs",
    items: 6,
    poisoned: { outcome: "fails", tells: /record has no value/ },
    notApplicable: NOT_APPLICABLE["s3-sink"],
    misconfigurations: [
      { change: { "s3.bucket.name": undefined }, key: "s3.bucket.name", message: /./ },
      { change: { "s3.bucket.name": "not-there" }, key: "s3.bucket.name", message: /NoSuchBucket/ },
      { change: { "store.url": "s3.example.com" }, key: "store.url", message: /Not a URL/ },
      { change: { "aws.access.key.id": "wrong" }, key: "s3.bucket.name", message: /No user exists/ },
      { change: { "aws.secret.access.key": "no" }, key: "s3.bucket.name", message: /check aws\.secret\.access\.key/ },
      { change: { "aws.secret.access.key": undefined }, key: "aws.secret.access.key", message: /is needed/ },
      { change: { "format.class": "xml" }, key: "format.class", message: /must be one of: json/ },
      { change: { "flush.size": "0" }, key: "flush.size", message: /at least 1/ },
      { change: { "s3.part.size": "1000" }, key: "s3.part.size", message: /at least 5242880/ },
      { change: { "partitioner.class": "field" }, key: "partition.field.name", message: /is needed/ },
      { change: { "partitioner.class": "time" }, key: "path.format", message: /is needed/ },
      {
        change: { "partitioner.class": "time", "path.format": "'year'=QQ", "partition.duration.ms": "1000" },
        key: "path.format",
        message: /Q is no letter/,
      },
      { change: { timezone: "Mars/Olympus" }, key: "timezone", message: /is no time zone/ },
    ],
    async openSystem() {
      const bucket = await server.createBucket();
      return {
        config: { ...bucket.config, "flush.size": "1" },
        outage: bucket.proxy.outage,
        stall: bucket.proxy.stall,
        connections: bucket.proxy.connections,
        item: (n) => ({ value: json(n) }),
        poison: () => ({ value: json(null) }),
        contents: async () => linesOf(bucket).map(Number),
        close: bucket.close,
      };
    },
  });
  for (const each of cases) it(each.name, each.run);
});

describe("s3 sink", { concurrency: 3 }, () => {
  const withBucket: S3Server["withBucket"] = (use) => server.withBucket(use);

  const numbered = (from: number, to: number, parts: (n: number) => object = () => ({})) =>
    Array.from({ length: to - from }, (_, index) => {
      const offset = from + index;
      return sinkRecord({
        offset: BigInt(offset),
        value: json({ n: offset }),
        timestamp: offset * 1000,
        ...parts(offset),
      });
    });
  const position = (offset: bigint, partition = 0) => ({ topic: "topic", partition, offset });

  it("names objects by their first record, and lets offsets be committed only when objects are complete", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "flush.size": "3" } });
      await sink.put(numbered(5, 12));
      assert.deepEqual(await sink.commit([position(12n)]), [position(11n)]);
      assert.deepEqual(
        [...bucket.objects().keys()],
        ["topics/topic/partition=0/topic+0+0000000005.json", "topics/topic/partition=0/topic+0+0000000008.json"],
      );
      await sink.put(numbered(12, 14));
      assert.deepEqual(await sink.commit([position(14n)]), [position(14n)]);
      assert.deepEqual(
        linesOf(bucket),
        Array.from({ length: 9 }, (_, n) => ({ n: n + 5 })),
      );
      await sink.close();
    }));

  it("has every record exactly once in the bucket, though it is killed at random points", () =>
    withBucket(async (bucket) => {
      const total = 120;
      const seed = Math.floor(Math.random() * 2 ** 31);
      const random = generator(seed);
      const types = ["a", "b", "c"];
      const all = numbered(0, total, (n) => ({
        value: json({ n, type: types[(n * 7) % 3] ?? "a" }),
        timestamp: Math.floor(n / 13) * 60_000,
      }));
      let committed = 0n;
      let kills = 0;
      for (;;) {
        const sink = await openSinkRun(s3Sink, {
          config: {
            ...bucket.config,
            "flush.size": "7",
            "rotate.interval.ms": "60000",
            "partitioner.class": "field",
            "partition.field.name": "type",
          },
        });
        let next = Number(committed);
        // Killed after some requests: those after it are refused, as if the process were gone.
        let left = kills < 25 ? Math.floor(random() * 14) : Number.POSITIVE_INFINITY;
        bucket.proxy.decide(() => {
          left -= 1;
          return left < 0 ? { status: 403, code: "Killed" } : random() < 0.1 ? "lose-answer" : "pass";
        });
        try {
          while (next < total) {
            const end = Math.min(total, next + 1 + Math.floor(random() * 10));
            const batch = all.slice(next, end);
            await until(60_000, "a batch is taken", async () => {
              try {
                await sink.put(batch);
                return true;
              } catch (error) {
                if (error instanceof RetriableError) return false;
                throw error;
              }
            });
            next = end;
            if (random() < 0.5) committed = (await sink.commit([position(BigInt(next))]))[0]?.offset ?? committed;
          }
          // What is open goes with a record of a later time.
          await sink.put([
            ...numbered(total, total + 1, () => ({ timestamp: 10 ** 9, value: json({ n: -1, type: "end" }) })),
          ]);
          await sink.close();
          break;
        } catch (error) {
          assert.match(String(error), /Killed/, `seed ${seed}`);
          kills += 1;
          await sink.close();
        }
      }
      const numbers = linesOf(bucket).map((line) => Number(new Map(Object.entries(line ?? {})).get("n")));
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: total }, (_, n) => n),
        `seed ${seed}`,
      );
    }));

  it("uploads large objects in parts while they grow, and drops what a killed task has left", () =>
    withBucket(async (bucket) => {
      const config = { ...bucket.config, "flush.size": "9" };
      const large = (n: number) => ({ value: json(`${n} ${"x".repeat(1024 * 1024)}`) });
      const first = await openSinkRun(s3Sink, { config });
      await first.put(numbered(0, 7, large));
      assert.deepEqual([...bucket.objects().keys()], []);
      assert.equal((await bucket.store.listUploads("topics/", AbortSignal.timeout(60_000))).length, 1);
      // A part that this server has not finished when its upload is dropped brings the upload back.
      const isPart = ({ url }: { readonly url: string }) => url.includes("partNumber=");
      await until(60_000, "the first part is there", () => {
        return bucket.proxy.passed.some(isPart) && bucket.proxy.underWay() === 0;
      });
      // A kill leaves its upload: the proxy lets nothing through any more.
      bucket.proxy.decide(() => ({ status: 403, code: "Killed" }));
      await first.close();
      bucket.proxy.decide(() => "pass");
      const other = await bucket.store.createUpload(
        "topics/topic/partition=0/topic+1+0000000000.json",
        {},
        AbortSignal.timeout(60_000),
      );
      const again = await openSinkRun(s3Sink, { config });
      await again.put(numbered(0, 9, large));
      assert.deepEqual(await again.commit([position(9n)]), [position(9n)]);
      assert.deepEqual(await bucket.store.listUploads("topics/", AbortSignal.timeout(60_000)), [other]);
      assert.deepEqual(
        linesOf(bucket).map((line) => Number.parseInt(String(line), 10)),
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
      );
      const parts = bucket.proxy.passed.filter(isPart);
      assert.ok(parts.some(({ bytes }) => bytes >= 5 * 1024 * 1024));
      await again.close();
    }));

  it("goes on where it was when parts are throttled, and when the answer to the last request is lost", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "flush.size": "8" } });
      let refused = 0;
      let lost = 0;
      bucket.proxy.decide(({ method, url }) => {
        if (url.includes("partNumber=") && refused < 6) {
          refused += 1;
          return { status: 503, code: "SlowDown" };
        }
        if (method === "POST" && url.includes("uploadId=") && lost === 0) {
          lost += 1;
          return "lose-answer";
        }
        return "pass";
      });
      const batch = numbered(0, 8, (n) => ({ value: json(`${n} ${"x".repeat(1024 * 1024)}`) }));
      let retries = 0;
      await until(60_000, "the batch is taken", async () => {
        try {
          await sink.put(batch);
          return true;
        } catch (error) {
          assert.ok(error instanceof RetriableError, String(error));
          assert.match(error.message, /SlowDown/);
          retries += 1;
          return false;
        }
      });
      assert.ok(retries > 0);
      assert.equal(lost, 1);
      assert.deepEqual(await sink.commit([position(8n)]), [position(8n)]);
      assert.deepEqual(
        linesOf(bucket).map((line) => Number.parseInt(String(line), 10)),
        [0, 1, 2, 3, 4, 5, 6, 7],
      );
      await sink.close();
    }));

  it("compresses objects, and writes CSV with names, and bytes as they are", () =>
    withBucket(async (bucket) => {
      const schema = structSchema({ id: INT64_SCHEMA, name: STRING_SCHEMA }, "row");
      const row = (n: number) => ({ value: { schema, value: { id: BigInt(n), name: n === 1 ? 'say "a, b"' : "" } } });
      const write = async (config: Record<string, string>, records: readonly ReturnType<typeof sinkRecord>[]) => {
        const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "flush.size": "2", ...config } });
        await sink.put(records);
        await sink.close();
      };
      await write({ "format.class": "csv", "s3.compression.type": "gzip", "topics.dir": "gz" }, numbered(0, 2, row));
      await write({ "s3.compression.type": "zstd", "topics.dir": "zst" }, numbered(0, 2, row));
      const bytes = (n: number) => ({ value: { schema: null, value: Buffer.from([n, 0xff]) } });
      await write(
        { "format.class": "io.confluent.connect.s3.format.bytearray.ByteArrayFormat", "topics.dir": "" },
        numbered(0, 2, bytes),
      );
      const objects = bucket.objects();
      const at = (key: string) => objects.get(key) ?? assert.fail(`${key} is not among ${[...objects.keys()].join()}`);
      assert.equal(
        gunzipSync(at("gz/topic/partition=0/topic+0+0000000000.csv.gz")).toString(),
        'id,name\n0,""\n1,"say ""a, b"""\n',
      );
      assert.equal(
        zstdDecompressSync(at("zst/topic/partition=0/topic+0+0000000000.json.zst")).toString(),
        '{"id":0,"name":""}\n{"id":1,"name":"say \\"a, b\\""}\n',
      );
      assert.deepEqual(at("topic/partition=0/topic+0+0000000000.bin"), Buffer.from([0, 0xff, 0x0a, 1, 0xff, 0x0a]));
    }));

  it("says what credentials cannot do, and fails with it", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, {
        config: { ...bucket.config, "flush.size": "1", "aws.secret.access.key": "wrong" },
      });
      await assert.rejects(sink.put(numbered(0, 1)), (error: Error) => {
        assert.ok(!(error instanceof RetriableError));
        assert.match(error.message, /^PUT http.*answered 403 SignatureDoesNotMatch.*check aws\.secret\.access\.key/);
        return true;
      });
      assert.deepEqual(await sink.commit([position(1n)]), [position(0n)]);
      await sink.close();
      bucket.proxy.decide(() => ({ status: 403, code: "InvalidAccessKeyId" }));
      const found = await problemsOf(s3Sink, bucket.config, AbortSignal.timeout(60_000));
      assert.match(found.get("s3.bucket.name")?.join() ?? "", /InvalidAccessKeyId.*check aws\.access\.key\.id/);
    }));

  it("goes on with lower offsets, as those of a topic that was made anew", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "flush.size": "3" } });
      await sink.put(numbered(100, 102));
      await sink.put(numbered(0, 4));
      assert.deepEqual(await sink.commit([position(4n)]), [position(3n)]);
      assert.deepEqual(
        linesOf(bucket),
        [0, 1, 2, 100, 101].map((n) => ({ n })),
      );
      await sink.close();
    }));

  it("takes lower offsets that came while a batch was waiting to be delivered again", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "flush.size": "2" } });
      bucket.proxy.decide(({ method }) => (method === "PUT" ? { status: 503, code: "SlowDown" } : "pass"));
      await assert.rejects(sink.put(numbered(100, 102)), RetriableError);
      bucket.proxy.decide(() => "pass");
      await sink.put([...numbered(100, 102), ...numbered(0, 2)]);
      assert.deepEqual(
        linesOf(bucket),
        [0, 1, 100, 101].map((n) => ({ n })),
      );
      await sink.close();
    }));

  it("writes keys, headers and where records lie, if asked to", () =>
    withBucket(async (bucket) => {
      const config = {
        ...bucket.config,
        "flush.size": "1",
        "format.output.fields": "key,value,offset,timestamp,headers",
      };
      const sink = await openSinkRun(s3Sink, { config });
      const headers = [{ key: "h", schema: STRING_SCHEMA, value: "1" }];
      await sink.put(numbered(3, 4, () => ({ key: { schema: STRING_SCHEMA, value: "k" }, headers })));
      await sink.close();
      assert.deepEqual(linesOf(bucket), [
        { key: "k", value: { n: 3 }, offset: 3, timestamp: 3000, headers: [{ key: "h", value: "1" }] },
      ]);
    }));
});

/** Numbers of [0, 1) that a seed tells (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
