import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import { startS3 } from "#dev/s3.ts";
import { besideClient, idOf, NOTE } from "./connector.ts";

/** Objects of a run. */
const OBJECTS = 20;
const ACCESS = { accessKey: "bench-key", secretKey: "bench-secret" } as const;

/** A topic into objects of JSON lines on a real S3 server, or such objects into a topic; beside signed requests, one after the other. */
export const s3 = (role: "sink" | "source", count: number) =>
  besideClient({
    name: `s3-${role}`,
    package: "s3",
    role,
    count,
    portion: OBJECTS,
    async start(bench, total) {
      const server = await startS3({ dir: join(bench.dir, bench.name("s3")), ...ACCESS });
      bench.defer(server.stop);
      const lines = total / OBJECTS;
      return async (topic) => {
        const bucket = bench.name("bucket");
        server.createBucket(bucket);
        const url = `${server.url}/${bucket}`;
        const keys = role === "source" ? await fillBucket(url, server.region, lines) : [];
        const connection = {
          "s3.bucket.name": bucket,
          "s3.region": server.region,
          "store.url": server.url,
          "aws.access.key.id": ACCESS.accessKey,
          "aws.secret.access.key": ACCESS.secretKey,
          "format.class": "json",
        };
        const sink = {
          connector: { ...connection, "connector.class": "s3-sink", "flush.size": String(lines) },
          progress: () => server.keys(bucket).length * lines,
          ids: () =>
            [...server.objects(bucket).values()].flatMap((bytes) =>
              String(bytes)
                .split("\n")
                .slice(0, -1)
                .map((line) => idOf(JSON.parse(line))),
            ),
        };
        const source = {
          connector: {
            ...connection,
            "connector.class": "s3-source",
            "s3.prefix": "in/",
            topic,
            "record.batch.max.size": "3000",
          },
        };
        const options = { url, region: server.region, ...ACCESS, lines, keys };
        return {
          ...(role === "sink" ? sink : source),
          client: { script: "s3-client.ts", options },
          close() {},
        };
      };
    },
  });

async function fillBucket(url: string, region: string, lines: number): Promise<readonly string[]> {
  const client = new AwsClient({
    accessKeyId: ACCESS.accessKey,
    secretAccessKey: ACCESS.secretKey,
    service: "s3",
    region,
  });
  const keys = Array.from({ length: OBJECTS }, (_, index) => `in/${String(index).padStart(4, "0")}.json`);
  for (const [index, key] of keys.entries()) {
    const rows = Array.from({ length: lines }, (_, line) => JSON.stringify({ id: index * lines + line, note: NOTE }));
    const response = await client.fetch(`${url}/${key}`, { method: "PUT", body: `${rows.join("\n")}\n` });
    if (!response.ok) throw new Error(`PUT ${key} answered ${response.status}: ${await response.text()}`);
    await response.body?.cancel();
  }
  return keys;
}
