import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ErrorMessage } from "@headrace/contract";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { createRestServer } from "#runtime/rest/server.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";

const PATHS = [
  "/",
  "/health",
  "/connectors",
  "/connectors/{}",
  "/connectors/{}/config",
  "/connectors/{}/status",
  "/connectors/{}/pause",
  "/connectors/{}/resume",
  "/connectors/{}/stop",
  "/connectors/{}/restart",
  "/connectors/{}/topics",
  "/connectors/{}/topics/reset",
  "/connectors/{}/offsets",
  "/connectors/{}/tasks",
  "/connectors/{}/tasks/{}/status",
  "/connectors/{}/tasks/{}/restart",
  "/connectors/{}/fence",
  "/connector-plugins",
  "/connector-plugins/{}/config",
  "/connector-plugins/{}/config/validate",
  "/admin/loggers",
  "/admin/loggers/{}",
  "/headrace/self",
  "/headrace/group",
  "/{}/{}",
] as const;

const name = fc.oneof(
  fc.constantFrom("c", "0", "root", "FileStreamSource", ".", "..", "a/b %?", "__proto__", "constructor", ""),
  fc.string({ unit: "binary" }),
);
const segment = fc.oneof(
  name.map(encodeLoosely),
  fc.webSegment(),
  fc.constantFrom("%", "%zz", "%ff", "%00", "a;b", "\\"),
);
const json = fc.oneof(
  fc.jsonValue(),
  fc.record({
    name: fc.oneof(name, fc.jsonValue()),
    config: fc.oneof(fc.dictionary(name, fc.string()), fc.jsonValue()),
  }),
  fc.record({ offsets: fc.array(fc.record({ partition: fc.jsonValue(), offset: fc.jsonValue() })) }),
  fc.record({ level: fc.oneof(fc.constantFrom("debug", "x"), fc.jsonValue()) }),
  fc.dictionary(name, fc.oneof(fc.string(), fc.constant(null), fc.integer())),
);
const body = fc.oneof(
  json.map((value) => Buffer.from(JSON.stringify(value))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom("{", "nul", '{"a":1}x', "[".repeat(5_000), "").map((text) => Buffer.from(text)),
);
const request = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"),
  path: fc.constantFrom(...PATHS),
  segments: fc.array(segment, { minLength: 2, maxLength: 2 }),
  query: fc.option(fc.webQueryParameters(), { nil: "" }),
  body: fc.option(body, { nil: undefined }),
  type: fc.constantFrom("application/json", "application/json; charset=x", "text/plain", "garbage", ""),
  accept: fc.constantFrom("application/json", "*/*", "text/plain", "garbage"),
});

function encodeLoosely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

describe("REST under random requests", () => {
  let app: FastifyInstance;
  before(async () => {
    app = createRestServer(createFakeApi(), silent);
    await app.ready();
  });
  after(() => app.close());

  it("always answers, and every error in the contract's shape", async () => {
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(request, async ({ method, path, segments, query, body: payload, type, accept }) => {
        let next = 0;
        // Injected URLs are resolved first, and one that begins with two slashes has a host.
        const url = `${path.replace(/\{\}/g, () => segments[next++] ?? "").replace(/^[/\\]{2,}/, "/")}${query === "" ? "" : `?${query}`}`;
        const response = await app.inject({
          method: method as "GET",
          url,
          headers: { accept, ...(payload === undefined ? {} : { "content-type": type }) },
          ...(payload === undefined ? {} : { payload }),
        });
        statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1);
        if (response.statusCode < 400 || method === "HEAD") return;
        const error = ErrorMessage.parse(JSON.parse(response.body));
        assert.equal(error.error_code, response.statusCode, url);
        assert.deepEqual(Object.keys(JSON.parse(response.body)).sort(), ["error_code", "message"]);
        // A fault of our own shows as one of JavaScript's errors.
        assert.doesNotMatch(String(error.message), /is not a function|of undefined|of null|unreachable/, url);
      }),
      { numRuns: 3_000, seed: 4_2026 },
    );
    assert.ok(
      [200, 400, 404, 405, 406, 415, 500].every((status) => statuses.has(status)),
      `${[...statuses.keys()]}`,
    );
    assert.equal((await app.inject("/connectors")).statusCode, 200);
  });
});
