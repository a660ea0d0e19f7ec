import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, mock } from "node:test";
import { promisify } from "node:util";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { s3Sink, s3Source } from "@headrace/s3";
import { INT64_SCHEMA, RetriableError, STRING_SCHEMA, structSchema, type Value } from "@headrace/sdk";
import { openSinkRun, openSourceRun, problemsOf, sinkRecord, until } from "@headrace/sdk/testing";
import { openStore } from "../../../connectors/s3/src/store/connection.ts";
import { openTestServer } from "../http/test-server.ts";
import { type Bucket, type S3Server, startS3 } from "./s3-server.ts";

const PATIENCE_MS = 60_000;
const signal = () => AbortSignal.timeout(PATIENCE_MS);

let server: S3Server;
let dir: string;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), "headrace-s3-settings-"));
  server = await startS3();
});
after(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const withBucket: S3Server["withBucket"] = (use) => server.withBucket(use);

type Records = readonly ReturnType<typeof sinkRecord>[];
const json = (value: Value) => ({ schema: null, value });
const at = (offset: number, value: Value, timestamp: number | null = null) =>
  sinkRecord({ offset: BigInt(offset), partition: 3, value: json(value), timestamp });

/** Writes records with one task, which completes nothing at its end; gives the keys that are there then. */
async function write(bucket: Bucket, config: Record<string, string>, records: Records): Promise<readonly string[]> {
  const sink = await openSinkRun(s3Sink, {
    config: { ...bucket.config, ...config },
    assignment: [{ topic: "topic", partition: 3 }],
  });
  try {
    await sink.put(records);
    return [...bucket.objects().keys()];
  } finally {
    await sink.close();
  }
}

const textOf = (bucket: Bucket, key: string): string =>
  (bucket.objects().get(key) ?? assert.fail(`${key} is not among ${[...bucket.objects().keys()].join()}`)).toString();

describe("the connection to S3", () => {
  const storeOf = (bucket: Bucket, config: Record<string, string | undefined>, env: Record<string, string> = {}) => {
    const given = Object.entries({ ...bucket.config, ...config }).filter(([, value]) => value !== undefined);
    const settings = s3Sink.config.parse(Object.fromEntries(given));
    return openStore(settings, { env, now: Date.now, random: Math.random });
  };
  const noKeys = { "aws.access.key.id": undefined, "aws.secret.access.key": undefined };
  const keysOf = (bucket: Bucket) =>
    [bucket.config["aws.access.key.id"] ?? "", bucket.config["aws.secret.access.key"] ?? ""] as const;

  it("has the bucket in the host's name, if it is told so", () =>
    withBucket(async (bucket) => {
      // Not every resolver knows the names below localhost.
      mock.method(dns, "lookup", (host: string, options: dns.LookupOptions, done: (...result: unknown[]) => void) => {
        assert.equal(host, `${bucket.name}.localhost`);
        if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
        else done(null, "127.0.0.1", 4);
      });
      try {
        const config = {
          "s3.path.style.access.enabled": "false",
          "store.url": `http://localhost:${bucket.proxy.port}`,
          "flush.size": "1",
        };
        const [key = ""] = await write(bucket, config, [at(0, { name: "a b+c" })]);
        assert.equal(textOf(bucket, key), '{"name":"a b+c"}\n');
        const { url, headers } = bucket.proxy.passed.at(-1) ?? assert.fail("nothing passed");
        assert.equal(headers.host, `${bucket.name}.localhost:${bucket.proxy.port}`);
        assert.equal(url, "/topics/topic/partition%3D3/topic%2B3%2B0000000000.json");
        const found = await problemsOf(s3Source, { ...bucket.config, ...config }, signal());
        assert.deepEqual([...found], []);
      } finally {
        mock.restoreAll();
      }
    }));

  it("signs for its region", () =>
    withBucket(async (bucket) => {
      const found = await problemsOf(s3Source, { ...bucket.config, "s3.region": "eu-de" }, signal());
      assert.match(found.get("s3.bucket.name")?.join() ?? "", /region/);
    }));

  it("has the keys that a role gives for a web identity, and gets new ones before they end", () =>
    withBucket(async (bucket) => {
      const [id, secret] = keysOf(bucket);
      const tokenFile = join(dir, "token");
      let lifeMs = 60_000;
      const sts = await openTestServer(({ body }, response) => {
        const form = new URLSearchParams(body);
        const admitted =
          form.get("WebIdentityToken") === "the-token" && form.get("RoleArn") === "arn:aws:iam::1:role/r";
        response.writeHead(admitted ? 200 : 403, { "content-type": "text/xml" });
        const expiration = new Date(Date.now() + lifeMs).toISOString();
        response.end(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
          <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${id}</AccessKeyId>
          <SecretAccessKey>${secret}</SecretAccessKey>
          <Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
          </AssumeRoleWithWebIdentityResponse>`);
      });
      try {
        writeFileSync(tokenFile, "the-token\n");
        const role = {
          ...noKeys,
          "aws.role.arn": "arn:aws:iam::1:role/r",
          "aws.web.identity.token.file": tokenFile,
        };
        const store = storeOf(bucket, role, { AWS_ENDPOINT_URL_STS: sts.url });
        await store.put("first", Buffer.from("1"), {}, signal());
        // Their last five minutes are not waited for.
        lifeMs = 3_600_000;
        await store.put("second", Buffer.from("2"), {}, signal());
        await store.put("third", Buffer.from("3"), {}, signal());
        assert.equal(sts.received.length, 2);
        assert.deepEqual([...bucket.objects().keys()], ["first", "second", "third"]);
        writeFileSync(tokenFile, "another");
        const refused = storeOf(bucket, role, { AWS_ENDPOINT_URL_STS: sts.url });
        await assert.rejects(refused.check(signal()), /role arn:aws:iam::1:role\/r: .* answered 403/);
      } finally {
        await sts.close();
      }
    }));

  it("has the keys of a profile, and a session token beside keys", () =>
    withBucket(async (bucket) => {
      const [id, secret] = keysOf(bucket);
      const file = join(dir, "credentials");
      writeFileSync(
        file,
        `[default]\naws_access_key_id=x\n[lake]\naws_access_key_id=${id}\naws_secret_access_key=${secret}\n`,
      );
      const env = { AWS_SHARED_CREDENTIALS_FILE: file };
      await storeOf(bucket, { ...noKeys, "aws.profile": "lake" }, env).check(signal());
      await assert.rejects(storeOf(bucket, { ...noKeys, "aws.profile": "gone" }, env).check(signal()), /profile gone/);
      // This server gives out no tokens, so it takes none.
      await assert.rejects(storeOf(bucket, { "aws.session.token": "session" }).check(signal()), /InvalidToken/);
      assert.equal(bucket.proxy.passed.at(-1)?.headers["x-amz-security-token"], "session");
    }));

  it("has a token of IBM Cloud, for an API key or a trusted profile", async () => {
    const tokenFile = join(dir, "sa-token");
    writeFileSync(tokenFile, "pod");
    const iam = await openTestServer(({ body }, response) => {
      const form = new URLSearchParams(body);
      const token = form.get("apikey") ?? `${form.get("profile_id")}-${form.get("cr_token")}`;
      response.end(JSON.stringify({ access_token: token, expiration: Date.now() / 1000 + 3600 }));
    });
    const cos = await openTestServer((_, response) => response.end("<ListBucketResult/>"));
    try {
      const configs: readonly Record<string, string>[] = [
        { "ibm.api.key": "key" },
        { "ibm.trusted.profile.id": "profile", "ibm.token.file": tokenFile },
      ];
      for (const each of configs) {
        const config = { "s3.bucket.name": "b", "store.url": cos.url, "ibm.iam.url": iam.url, ...each };
        assert.deepEqual([...(await problemsOf(s3Sink, config, signal()))], []);
      }
      assert.deepEqual(
        cos.received.map(({ headers }) => headers.authorization),
        ["Bearer key", "Bearer profile-pod"],
      );
    } finally {
      await Promise.all([iam.close(), cos.close()]);
    }
  });

  it("gives a silent server its time, and tries again as often as it is told", () =>
    withBucket(async (bucket) => {
      const config = { "s3.part.retries": "2", "s3.retry.backoff.ms": "1", "s3.request.timeout.ms": "100" };
      const store = storeOf(bucket, config);
      let asked = 0;
      bucket.proxy.decide(() => {
        asked += 1;
        return { status: 503, code: "SlowDown" };
      });
      await assert.rejects(store.check(signal()), { name: "RetriableError", message: /SlowDown.*, after 2 retries/ });
      assert.equal(asked, 3);
      await bucket.proxy.stall.begin();
      await assert.rejects(store.check(signal()), (error: unknown) => {
        assert.ok(error instanceof RetriableError);
        assert.match(error.message, /no answer for 100 ms, after 2 retries/);
        return true;
      });
    }));

  it("goes by way of a proxy that the environment names", { timeout: 2 * PATIENCE_MS }, () =>
    withBucket(async (bucket) => {
      const tunnels: string[] = [];
      const proxy = createServer((_, response) => response.writeHead(400).end());
      proxy.on("connect", ({ url = "" }, from) => {
        tunnels.push(url);
        const to = connect(bucket.proxy.port, "127.0.0.1", () => from.write("HTTP/1.1 200 OK\r\n\r\n"));
        to.on("error", () => from.destroy());
        from.on("error", () => to.destroy());
        to.pipe(from).pipe(to);
      });
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const { port } = proxy.address() as AddressInfo;
      try {
        const config = { ...bucket.config, "store.url": "http://s3.not-there.example" };
        const script = `
          import { s3Sink } from "@headrace/s3";
          import { problemsOf } from "@headrace/sdk/testing";
          const config = JSON.parse(process.argv[1]);
          console.log(JSON.stringify([...(await problemsOf(s3Sink, config, AbortSignal.timeout(${PATIENCE_MS})))]));
        `;
        const env = { ...process.env, NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: "" };
        const run = async (given: Record<string, string>) => {
          const args = ["--conditions=source", "--input-type=module", "-e", script, JSON.stringify(given)];
          const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env });
          return JSON.parse(stdout) as unknown;
        };
        assert.deepEqual(await run(config), []);
        assert.deepEqual(tunnels, ["s3.not-there.example:80"]);
        const [[key, messages] = []] = (await run({ ...config, "s3.bucket.name": "gone" })) as [string, string[]][];
        assert.equal(key, "s3.bucket.name");
        assert.match(messages?.join() ?? "", /NoSuchBucket/);
      } finally {
        proxy.closeAllConnections();
        proxy.close();
      }
    }),
  );
});

describe("the objects of the sink", () => {
  const schema = structSchema({ id: INT64_SCHEMA, name: STRING_SCHEMA }, "row");
  const rows = (count: number): Records =>
    Array.from({ length: count }, (_, n) =>
      sinkRecord({
        offset: BigInt(n),
        partition: 3,
        value: { schema, value: { id: BigInt(n), name: `name ${n % 7}` } },
      }),
    );

  const undo = { none: (bytes: Buffer) => bytes, gzip: gunzipSync, zstd: zstdDecompressSync } as const;
  const ending = { none: "", gzip: ".gz", zstd: ".zst" } as const;
  for (const compression of ["none", "gzip", "zstd"] as const)
    it(`are json, csv and bytes with s3.compression.type=${compression}`, () =>
      withBucket(async (bucket) => {
        const files = {
          json: [rows(2), '{"id":0,"name":"name 0"}\n{"id":1,"name":"name 1"}\n', ".json"],
          csv: [rows(2), "id,name\n0,name 0\n1,name 1\n", ".csv"],
          bytes: [[at(0, "a"), at(1, Buffer.from("b"))], "a\nb\n", ".bin"],
        } as const;
        for (const [format, [records, text, extension]] of Object.entries(files)) {
          const config = { "format.class": format, "s3.compression.type": compression, "topics.dir": format };
          const keys = await write(bucket, { ...config, "flush.size": "2" }, records);
          const key = `${format}/topic/partition=3/topic+3+0000000000${extension}${ending[compression]}`;
          assert.ok(keys.includes(key), keys.join());
          assert.equal(undo[compression](bucket.objects().get(key) ?? Buffer.alloc(0)).toString(), text);
        }
      }));

  it("are smaller with a higher level of compression", () =>
    withBucket(async (bucket) => {
      for (const [type, low, high] of [
        ["gzip", "0", "9"],
        ["zstd", "1", "19"],
      ] as const) {
        const sizes: number[] = [];
        for (const level of [low, high]) {
          const names = { "topics.dir": `${type}-${level}`, "flush.size": "2000" };
          await write(bucket, { ...names, "s3.compression.type": type, "s3.compression.level": level }, rows(2_000));
          sizes.push([...bucket.objects()].find(([key]) => key.startsWith(`${type}-${level}`))?.[1].length ?? 0);
        }
        const [larger = 0, smaller = 0] = sizes;
        assert.ok(smaller > 0 && smaller < larger, `${type}: ${sizes.join(", ")}`);
      }
      const tooHigh = { ...bucket.config, "s3.compression.type": "gzip", "s3.compression.level": "10" };
      const found = await problemsOf(s3Sink, tooHigh, signal());
      assert.deepEqual([...found], [["s3.compression.level", ["gzip's level is at most 9"]]]);
    }));

  for (const [format, key, codecs] of [
    ["avro", "avro.codec", { null: ".avro", deflate: ".avro", zstandard: ".avro" }],
    [
      "parquet",
      "parquet.codec",
      { none: ".parquet", snappy: ".snappy.parquet", gzip: ".gz.parquet", zstd: ".zstd.parquet" },
    ],
  ] as const)
    for (const [codec, extension] of Object.entries(codecs))
      it(`are ${format} with ${key}=${codec}, and are read back`, () =>
        withBucket(async (bucket) => {
          const keys = await write(bucket, { "format.class": format, [key]: codec, "flush.size": "3" }, rows(3));
          assert.deepEqual(keys, [`topics/topic/partition=3/topic+3+0000000000${extension}`]);
          const source = await openSourceRun(s3Source, { config: bucket.config });
          const records = await source.take(3);
          assert.deepEqual(
            records.map(({ value, partition }) => [value.value, partition]),
            [0, 1, 2].map((n) => [{ id: BigInt(n), name: `name ${n}` }, 3]),
          );
          await source.close();
          const both = { ...bucket.config, "format.class": format, "s3.compression.type": "gzip" };
          const found = await problemsOf(s3Sink, both, signal());
          assert.match(found.get("s3.compression.type")?.join() ?? "", /compresses by itself/);
        }));

  it("have columns and values divided as they are told, and are read so", () =>
    withBucket(async (bucket) => {
      const csv = { "format.class": "csv", "csv.delimiter": ";", "csv.header": "false" };
      const bytes = { "format.class": "bytes", "format.bytearray.separator": "|\\r\\n" };
      await write(bucket, { ...csv, "topics.dir": "c", "flush.size": "2" }, rows(2));
      const extension = { "format.bytearray.extension": ".raw" };
      await write(bucket, { ...bytes, ...extension, "topics.dir": "b", "flush.size": "2" }, [at(0, "x"), at(1, "y")]);
      assert.equal(textOf(bucket, "c/topic/partition=3/topic+3+0000000000.csv"), "0;name 0\n1;name 1\n");
      assert.equal(textOf(bucket, "b/topic/partition=3/topic+3+0000000000.raw"), "x|\r\ny|\r\n");
      const readAll = async (config: Record<string, string>) => {
        const source = await openSourceRun(s3Source, { config: { ...bucket.config, ...config } });
        const records = await source.take(2);
        await source.close();
        return records.map(({ value, partition, topic }) => [value.value, partition ?? null, topic]);
      };
      assert.deepEqual(await readAll({ ...csv, "s3.prefix": "c/" }), [
        [{ column1: "0", column2: "name 0" }, 3, "topic"],
        [{ column1: "1", column2: "name 1" }, 3, "topic"],
      ]);
      const elsewhere = { "s3.restore.partitions": "false", "s3.prefix": "b/" };
      assert.deepEqual(await readAll({ ...bytes, ...elsewhere }), [
        [Buffer.from("x"), null, "topic"],
        [Buffer.from("y"), null, "topic"],
      ]);
    }));

  it("have records without value, or not, or are refused", () =>
    withBucket(async (bucket) => {
      const records = [at(0, "a"), at(1, null), at(2, "b")];
      const config = (behavior: string) => ({ "behavior.on.null.values": behavior, "topics.dir": behavior });
      await assert.rejects(write(bucket, { ...config("fail"), "flush.size": "3" }, records), /has no value/);
      await write(bucket, { ...config("ignore"), "flush.size": "2" }, records);
      await write(bucket, { ...config("write"), "flush.size": "3" }, records);
      const name = "topic/partition=3/topic+3+0000000000.json";
      assert.equal(textOf(bucket, `ignore/${name}`), '"a"\n"b"\n');
      assert.equal(textOf(bucket, `write/${name}`), '"a"\nnull\n"b"\n');
    }));

  it("are named as they are told", () =>
    withBucket(async (bucket) => {
      const config = {
        "topics.dir": "lake",
        "directory.delim": "_",
        "file.delim": "-",
        "filename.offset.zero.pad.width": "3",
        "flush.size": "1",
      };
      assert.deepEqual(await write(bucket, config, [at(7, "a")]), ["lake_topic_partition=3_topic-3-007.json"]);
    }));

  const NOON = Date.parse("2026-03-29T10:30:00Z");
  const partitioners: readonly (readonly [string, Record<string, string>, string])[] = [
    ["default", {}, "partition=3"],
    ["field", { "partition.field.name": "kind" }, "kind=a"],
    ["time", { "path.format": "'at='HHmm", "partition.duration.ms": "3600000", timezone: "Europe/Berlin" }, "at=1200"],
    ["daily", { "timestamp.extractor": "RecordField", "timestamp.field": "t" }, "year=1970/month=01/day=02"],
    ["hourly", { timezone: "America/New_York" }, "year=2026/month=03/day=29/hour=06"],
  ];
  for (const [partitioner, config, path] of partitioners)
    it(`are in the directories of partitioner.class=${partitioner}`, () =>
      withBucket(async (bucket) => {
        const given = { ...config, "partitioner.class": partitioner, "flush.size": "1" };
        const keys = await write(bucket, given, [at(0, { kind: "a", t: 86_400_000 }, NOON)]);
        assert.deepEqual(keys, [`topics/topic/${path}/topic+3+0000000000.json`]);
      }));

  const minute = 60_000;
  const rotations: readonly (readonly [string, Record<string, string>, Records, readonly number[]])[] = [
    ["records", { "flush.size": "2" }, [0, 1, 2, 3, 4].map((n) => at(n, "x")), [2, 2]],
    ["bytes", { "file.max.bytes": "10" }, [0, 1, 2, 3, 4].map((n) => at(n, "12345")), [2, 2]],
    [
      "time of records",
      { "rotate.interval.ms": String(minute) },
      [0, minute - 1, minute, 2 * minute - 1, 2 * minute].map((time, n) => at(n, "x", time)),
      [2, 2],
    ],
    [
      "open objects",
      { "max.open.files.per.partition": "2", "partitioner.class": "field", "partition.field.name": "k" },
      ["a", "b", "a", "c", "d", "e"].map((k, n) => at(n, { k })),
      [2, 1, 1, 1],
    ],
  ];
  for (const [name, config, records, counts] of rotations)
    it(`are complete by their ${name}`, () =>
      withBucket(async (bucket) => {
        await write(bucket, config, records);
        const byOffset = [...bucket.objects()].toSorted(([a], [b]) => a.slice(-15).localeCompare(b.slice(-15)));
        assert.deepEqual(
          byOffset.map(([, bytes]) => bytes.toString().split("\n").length - 1),
          counts,
        );
      }));

  it("are complete when the clock says so", () =>
    withBucket(async (bucket) => {
      const sink = await openSinkRun(s3Sink, { config: { ...bucket.config, "rotate.schedule.interval.ms": "1" } });
      await sink.put([sinkRecord({ offset: 0n, value: json("x") })]);
      await until(PATIENCE_MS, "the object is complete", async () => {
        await sink.put([]);
        return bucket.objects().size === 1;
      });
      await sink.close();
    }));

  it("are uploaded in parts of s3.part.size, or with one request if they are smaller", () =>
    withBucket(async (bucket) => {
      const mib = 1024 * 1024;
      const large = Array.from({ length: 13 }, (_, n) => at(n, "x".repeat(mib)));
      const parts = () =>
        bucket.proxy.passed.filter(({ url }) => url.includes("partNumber=")).map(({ bytes }) => bytes);
      await write(bucket, { "s3.part.size": String(6 * mib), "flush.size": "13" }, large);
      const [first = 0, second = 0, third = 0, ...more] = parts().toSorted((a, b) => b - a);
      assert.ok(first >= 6 * mib && first < 7.1 * mib && second >= 6 * mib && second < 7.1 * mib, String(parts()));
      assert.ok(third > 0 && third < 6 * mib, String(parts()));
      assert.deepEqual(more, []);
      await write(bucket, { "s3.part.size": String(14 * mib), "flush.size": "13", "topics.dir": "one" }, large);
      assert.equal(parts().length, 3);
    }));

  it("are put with their class, their ACL and the encryption that the server is to use, in parts or whole", () =>
    withBucket(async (bucket) => {
      const config = {
        "storage.class": "STANDARD_IA",
        "s3.acl.canned": "bucket-owner-full-control",
        "s3.ssea.name": "aws:kms",
        "s3.sse.kms.key.id": "key-1",
      };
      const seen: { readonly method: string; readonly headers: Record<string, unknown> }[] = [];
      // This server has none of that: what is asked for is looked at, and it gets no further.
      bucket.proxy.decide(({ method, headers }) => {
        seen.push({ method, headers });
        return { status: 403, code: "SeenIt" };
      });
      await assert.rejects(write(bucket, { ...config, "flush.size": "1" }, [at(0, "x")]), /SeenIt/);
      const large = Array.from({ length: 6 }, (_, n) => at(n, "x".repeat(1024 * 1024)));
      await assert.rejects(write(bucket, { ...config, "flush.size": "9" }, large), /SeenIt/);
      const made = seen.filter(({ method }) => method === "PUT" || method === "POST");
      assert.deepEqual(
        made.map(({ method }) => method),
        ["PUT", "POST"],
      );
      for (const { headers } of made) {
        assert.equal(headers["x-amz-storage-class"], "STANDARD_IA");
        assert.equal(headers["x-amz-acl"], "bucket-owner-full-control");
        assert.equal(headers["x-amz-server-side-encryption"], "aws:kms");
        assert.equal(headers["x-amz-server-side-encryption-aws-kms-key-id"], "key-1");
        assert.match(String(headers["authorization"]), /SignedHeaders=[^,]*x-amz-server-side-encryption/);
      }
    }));
});

describe("each key of the S3 connectors", () => {
  it("is set by a test", () => {
    const texts = readdirSync(import.meta.dirname).map((file) => readFileSync(join(import.meta.dirname, file), "utf8"));
    const keys = new Set([...Object.keys(s3Sink.config.shape), ...Object.keys(s3Source.config.shape)]);
    // Set by the connector for each task.
    keys.delete("task.share");
    const isSet = (key: string) => texts.some((text) => text.includes(`"${key}"`) || text.includes(`${key}:`));
    assert.deepEqual(
      [...keys].filter((key) => !isSet(key)),
      [],
    );
  });
});
