import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiError, type KubernetesApi, openKubernetesApi } from "#dev/kubernetes-api.ts";

describe("openKubernetesApi", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-api-"));
  const signal = AbortSignal.timeout(30_000);
  let answer: RequestListener = (_request, response) => response.end();
  let server: Server;
  let api: KubernetesApi;

  before(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    const kubeconfig = join(dir, "kubeconfig");
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        "current-context": "it",
        contexts: [
          { name: "other", context: { cluster: "none", user: "none" } },
          { name: "it", context: { cluster: "here", user: "me" } },
        ],
        clusters: [{ name: "here", cluster: { server: `http://127.0.0.1:${port}` } }],
        users: [{ name: "me", user: { token: "abc" } }],
      }),
    );
    api = openKubernetesApi(kubeconfig);
  });

  after(() => {
    api.close();
    server.close();
    server.closeAllConnections();
    rmSync(dir, { recursive: true });
  });

  async function collect(): Promise<readonly string[]> {
    const seen: string[] = [];
    for await (const { type, object } of api.watch<{ name: string }>("/watch", signal))
      seen.push(`${type} ${object.name}`);
    return seen;
  }

  it("sends token, body and content type, and decodes the answer", async () => {
    answer = (request, response) => {
      const { authorization, "content-type": type } = request.headers;
      response.end(JSON.stringify({ authorization, type, method: request.method, url: request.url }));
    };
    const contentType = "application/merge-patch+json";
    assert.deepEqual(await api.request({ method: "PATCH", path: "/x?a=b", body: {}, contentType }, signal), {
      authorization: "Bearer abc",
      type: contentType,
      method: "PATCH",
      url: "/x?a=b",
    });
  });

  it("throws the server's reason", async () => {
    answer = (_request, response) => {
      response.statusCode = 403;
      response.end(JSON.stringify({ kind: "Status", code: 403, reason: "Forbidden", message: "you may not" }));
    };
    await assert.rejects(api.request({ path: "/x" }, signal), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status, error.reason, error.message], [403, "Forbidden", "GET /x: you may not"]);
      return true;
    });
  });

  it("yields the events of a watch, however they are cut into packets, until the server ends it", async () => {
    const text = ["ä", "b"].map((name) => `${JSON.stringify({ type: "ADDED", object: { name } })}\n`).join("");
    const bytes = Buffer.from(text);
    const middle = bytes.indexOf(0xc3) + 1;
    answer = (_request, response) => {
      response.write(bytes.subarray(0, middle));
      setImmediate(() => response.end(bytes.subarray(middle)));
    };
    assert.deepEqual(await collect(), ["ADDED ä", "ADDED b"]);
  });

  it("throws the error that a watch reports", async () => {
    const object = { code: 410, reason: "Expired", message: "too old" };
    answer = (_request, response) => response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
    await assert.rejects(collect(), (error) => error instanceof ApiError && error.status === 410);
  });

  it("fails when the connection of a watch breaks", async () => {
    answer = (_request, response) => {
      response.write(`${JSON.stringify({ type: "ADDED", object: { name: "a" } })}\n`, () => response.destroy());
    };
    await assert.rejects(collect(), /aborted|ECONNRESET|terminated|premature/i);
  });
});
