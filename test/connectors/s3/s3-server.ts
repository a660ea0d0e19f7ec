import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { s3Sink } from "@headrace/s3";
import { until } from "@headrace/sdk/testing";
import { freePorts, startProcess } from "#dev/process.ts";
import { buildVersitygw } from "#dev/setup/versitygw.ts";
import { openStore } from "../../../connectors/s3/src/store/connection.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";
import { type FaultyProxy, openFaultyProxy } from "./faulty-proxy.ts";

const ACCESS_KEY = "test-key";
const SECRET_KEY = "test-secret";
/** Objects are files; what else the server keeps below a bucket starts so. */
const INTERNAL = ".sgwtmp";

/** A real S3 server (versitygw) over a directory. */
export interface S3Server {
  /** A new, empty bucket behind a proxy of its own. */
  createBucket(): Promise<Bucket>;
  stop(): Promise<void>;
}

export interface Bucket {
  readonly name: string;
  /** What a connector needs to reach the bucket, by way of the proxy. */
  readonly config: Readonly<Record<string, string>>;
  readonly proxy: FaultyProxy;
  /** The bucket, not by way of the proxy. */
  readonly store: ObjectStore;
  /** Keys of all objects, in order, and their bytes: read from the disk, not over S3. */
  objects(): ReadonlyMap<string, Buffer>;
  close(): Promise<void>;
}

export async function startS3(): Promise<S3Server> {
  const command = await buildVersitygw();
  const dir = mkdtempSync(join(tmpdir(), "headrace-s3-"));
  const [port = 0] = await freePorts(1);
  const data = join(dir, "data");
  const sidecar = join(dir, "sidecar");
  for (const each of [data, sidecar]) mkdirSync(each);
  const server = await startProcess({
    name: "versitygw",
    command,
    args: [
      ...["--port", `127.0.0.1:${port}`, "--region", "us-west-2", "--quiet", "--health", "/health"],
      ...["posix", "--sidecar", sidecar, data],
    ],
    env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
    logFile: join(dir, "log"),
  });
  const direct = `http://127.0.0.1:${port}`;
  await until(120_000, "the S3 server answers", async () => {
    if (!server.running()) throw new Error(`versitygw has ended: ${readFileSync(server.logFile, "utf8")}`);
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(`${direct}/health`, { signal }).catch(() => null);
    await answer?.text();
    return answer?.ok === true;
  });
  let made = 0;
  return {
    async createBucket() {
      made += 1;
      const name = `bucket-${made}`;
      mkdirSync(join(data, name));
      const proxy = await openFaultyProxy(port);
      const config = {
        "s3.bucket.name": name,
        "s3.region": "us-west-2",
        "store.url": proxy.url,
        "aws.access.key.id": ACCESS_KEY,
        "aws.secret.access.key": SECRET_KEY,
        "s3.part.retries": "1",
        "s3.retry.backoff.ms": "10",
      };
      const settings = s3Sink.config.parse({ ...config, "store.url": direct });
      return {
        name,
        config,
        proxy,
        store: openStore(settings, { env: {}, now: Date.now, random: Math.random }),
        objects: () => filesBelow(join(data, name)),
        close: () => proxy.close(),
      };
    },
    async stop() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function filesBelow(dir: string): ReadonlyMap<string, Buffer> {
  const keys = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .filter((key) => !key.startsWith(INTERNAL));
  return new Map(keys.toSorted().map((key) => [key, readFileSync(join(dir, key))]));
}
