import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { s3Sink } from "@headrace/s3";
import { startS3 as startLocal } from "#dev/s3.ts";
import { openStore } from "../../../connectors/s3/src/store/connection.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";
import { type FaultyProxy, openFaultyProxy } from "./faulty-proxy.ts";

const ACCESS_KEY = "test-key";
const SECRET_KEY = "test-secret";

/** A real S3 server (versitygw) over a directory. */
export interface S3Server {
  /** A new, empty bucket behind a proxy of its own. */
  createBucket(): Promise<Bucket>;
  /** As `createBucket`; the bucket is closed when `use` has ended. */
  withBucket(use: (bucket: Bucket) => Promise<void>): Promise<void>;
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
  const dir = mkdtempSync(join(tmpdir(), "headrace-s3-"));
  const server = await startLocal({ dir, accessKey: ACCESS_KEY, secretKey: SECRET_KEY });
  let made = 0;
  async function createBucket(): Promise<Bucket> {
    made += 1;
    const name = `bucket-${made}`;
    server.createBucket(name);
    const proxy = await openFaultyProxy(server.port);
    const config = {
      "s3.bucket.name": name,
      "s3.region": server.region,
      "store.url": proxy.url,
      "aws.access.key.id": ACCESS_KEY,
      "aws.secret.access.key": SECRET_KEY,
      "s3.part.retries": "1",
      "s3.retry.backoff.ms": "10",
    };
    const settings = s3Sink.config.parse({ ...config, "store.url": server.url });
    return {
      name,
      config,
      proxy,
      store: openStore(settings, { env: {}, now: Date.now, random: Math.random }),
      objects: () => server.objects(name),
      close: () => proxy.close(),
    };
  }
  return {
    createBucket,
    async withBucket(use) {
      const bucket = await createBucket();
      try {
        await use(bucket);
      } finally {
        await bucket.close();
      }
    },
    async stop() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
