import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { freePorts, startProcess, waitUntilReady } from "./process.ts";
import { buildVersitygw } from "./setup/versitygw.ts";

const START_TIMEOUT_MS = 180_000;
/** Objects are files; what else the server keeps below a bucket starts so. */
const INTERNAL = ".sgwtmp";

/** An S3 server (versitygw) over a directory, on loopback. */
export interface LocalS3 {
  /** Base URL. */
  readonly url: string;
  readonly port: number;
  readonly region: string;
  createBucket(name: string): void;
  /** Where a bucket's objects are on the disk. */
  directoryOf(bucket: string): string;
  /** Keys of all objects of a bucket, in order. */
  keys(bucket: string): readonly string[];
  /** Keys of all objects of a bucket, in order, and their bytes: read from the disk, not over S3. */
  objects(bucket: string): ReadonlyMap<string, Buffer>;
  stop(): Promise<void>;
}

/**
 * Starts one with its data below `dir`, for one access key. Buckets are also found by the name `<bucket>.localhost`. It ends with this
 * process, however that ends.
 */
export async function startS3({
  dir,
  accessKey,
  secretKey,
}: {
  readonly dir: string;
  readonly accessKey: string;
  readonly secretKey: string;
}): Promise<LocalS3> {
  const command = await buildVersitygw();
  const [port = 0] = await freePorts(1);
  const home = join(dir, "s3");
  const data = join(home, "data");
  const sidecar = join(home, "sidecar");
  for (const each of [data, sidecar]) mkdirSync(each, { recursive: true });
  const region = "us-west-2";
  const server = await startProcess({
    name: "versitygw",
    command,
    args: [
      ...["--port", `127.0.0.1:${port}`, "--region", region, "--quiet", "--health", "/health"],
      ...["--virtual-domain", "localhost"],
      ...["posix", "--sidecar", sidecar, data],
    ],
    env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    logFile: join(home, "log"),
    signalAtParentsEnd: "SIGKILL",
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
    await answer?.text();
    return answer?.ok === true;
  };
  await waitUntilReady(server, answers, { timeoutMs: START_TIMEOUT_MS });
  return {
    url,
    port,
    region,
    createBucket: (name) => mkdirSync(join(data, name)),
    directoryOf: (bucket) => join(data, bucket),
    keys: (bucket) => filesBelow(join(data, bucket)),
    objects: (bucket) => {
      const dir = join(data, bucket);
      return new Map(filesBelow(dir).map((key) => [key, readFileSync(join(dir, key))]));
    },
    stop: async () => void (await server.kill()),
  };
}

function filesBelow(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .filter((key) => !key.startsWith(INTERNAL))
    .toSorted();
}
