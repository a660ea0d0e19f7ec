import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { s3Sink } from "@headrace/s3";
import { createLogRecorder, problemsOf } from "@headrace/sdk/testing";
import { FinishedObjects } from "../../../connectors/s3/src/source/finished.ts";
import { contentOf } from "../../../connectors/s3/src/source/object-content.ts";
import { openStore } from "../../../connectors/s3/src/store/connection.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";
import { openTestServer, type Received, type TestServer } from "../http/test-server.ts";

const CONFIG = {
  "s3.bucket.name": "b",
  "aws.access.key.id": "k",
  "aws.secret.access.key": "s",
  "s3.part.retries": "1",
  "s3.retry.backoff.ms": "1",
};
const signal = () => AbortSignal.timeout(60_000);

async function withStore(
  answer: Parameters<typeof openTestServer>[0],
  use: (store: ObjectStore, server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await openTestServer(answer);
  const settings = s3Sink.config.parse({ ...CONFIG, "store.url": server.url });
  try {
    await use(openStore(settings, { env: {}, now: Date.now, random: Math.random }), server);
  } finally {
    await server.close();
  }
}

describe("moving an object", () => {
  const move = (store: ObjectStore) => {
    const finished = new FinishedObjects({ store, movePrefix: "done/", log: createLogRecorder(), gone: () => {} });
    finished.ended({ key: "a b", etag: "e" });
    return finished.settle(signal());
  };
  const methods = (received: readonly Received[]) => received.map(({ method, url }) => `${method} ${url}`);
  const moving = (copied: string, status = 200) =>
    withStore.bind(null, ({ method }, response) => {
      response.writeHead(method === "PUT" ? status : 200, { etag: '"e"' });
      response.end(method === "PUT" ? copied : "");
    });

  it("deletes it when it was copied as it was read", () =>
    moving("<CopyObjectResult/>")(async (store, { received }) => {
      await move(store);
      assert.deepEqual(methods(received), ["HEAD /b/a%20b", "PUT /b/done/a%20b", "DELETE /b/a%20b"]);
      const { headers } = received[1] ?? assert.fail("no copy");
      assert.equal(headers["x-amz-copy-source"], "/b/a%20b");
      assert.equal(headers["x-amz-copy-source-if-match"], '"e"');
    }));

  it("deletes nothing when the copy fails behind the status 200", () =>
    moving("<Error><Code>AccessDenied</Code><Message>no</Message></Error>")(async (store, { received }) => {
      await assert.rejects(move(store), /PUT .*done\/a%20b ended with AccessDenied: no/);
      assert.deepEqual(methods(received), ["HEAD /b/a%20b", "PUT /b/done/a%20b"]);
    }));

  it("deletes nothing when the object is replaced before it is copied", () =>
    moving(
      "<Error><Code>PreconditionFailed</Code></Error>",
      412,
    )(async (store, { received }) => {
      await move(store);
      assert.deepEqual(methods(received), ["HEAD /b/a%20b", "PUT /b/done/a%20b"]);
    }));
});

describe("the content of an object", () => {
  for (const [extension, encoding] of [
    ["gz", "gzip"],
    ["gz", ""],
    ["zst", "zstd"],
    ["zst", ""],
  ] as const) {
    it(`is decompressed once: .${extension}, Content-Encoding: ${encoding}`, () =>
      withStore(
        (_, response) => {
          response.writeHead(200, encoding === "" ? {} : { "content-encoding": encoding });
          response.end(extension === "gz" ? gzipSync("text") : zstdCompressSync("text"));
        },
        async (store) => {
          const object = { key: `a.json.${extension}`, etag: "e", size: 1, modifiedAt: 0 };
          const content = await buffer(contentOf(store, object, signal()).chunks());
          assert.equal(content.toString(), "text");
        },
      ));
  }
});

describe("the endpoint", () => {
  for (const [url, message] of [
    ["https://user:secret@host", /nothing else/],
    ["https://host/?x=1", /nothing else/],
    ["https://host/prefix", /has no path/],
  ] as const) {
    it(`is refused: ${url}`, async () => {
      const config = { ...CONFIG, topics: "t", "store.url": url, "s3.path.style.access.enabled": "false" };
      const problems = await problemsOf(s3Sink, config, signal());
      assert.match(problems.get("store.url")?.join() ?? "", message);
    });
  }
});
