import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ErrorMessage } from "@headrace/contract";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { createRestServer } from "#runtime/rest/server.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";
import { hostileRequest, urlOf } from "./hostile-requests.ts";

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
      fc.asyncProperty(hostileRequest, async (request) => {
        const { method, body: payload, type, accept } = request;
        const url = urlOf(request);
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
