import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiError } from "#operator/api/errors.ts";
import { parseRequest } from "#operator/api/request.ts";

const BASE = "/api/v1/namespaces/shop/kafkaconnects/my-connect";

describe("parseRequest", () => {
  const passed: readonly [method: string, target: string, verb: string, path: string][] = [
    ["GET", BASE, "get", "/"],
    ["GET", `${BASE}/connectors?expand=status&expand=info`, "get", "/connectors?expand=status&expand=info"],
    ["GET", `${BASE}?a`, "get", "/?a"],
    ["HEAD", `${BASE}/connectors/a%2Fb`, "get", "/connectors/a%2Fb"],
    ["GET", `${BASE}/headrace/events`, "get", "/headrace/events"],
    ["PUT", `${BASE}/connectors/../pause`, "update", "/connectors/../pause"],
    ["PUT", `${BASE}/connectors/headrace/pause`, "update", "/connectors/headrace/pause"],
    ["POST", `${BASE}/connectors/a/restart?onlyFailed=true`, "update", "/connectors/a/restart?onlyFailed=true"],
    ["PATCH", `${BASE}/connectors/a/offsets`, "update", "/connectors/a/offsets"],
    ["DELETE", `${BASE}/connectors/a`, "update", "/connectors/a"],
  ];
  for (const [method, target, verb, path] of passed) {
    it(`reads ${method} ${target}`, () => {
      const cluster = { namespace: "shop", name: "my-connect" };
      assert.deepEqual(parseRequest(method, target), { cluster, verb, path });
    });
  }

  const refused: readonly [method: string, target: string, code: string][] = [
    ["GET", "/", "not-found"],
    ["GET", "/connectors", "not-found"],
    ["GET", "http://elsewhere/connectors", "not-found"],
    ["GET", `${BASE}s`.replace("kafkaconnects", "kafkaconnectors"), "not-found"],
    ["GET", BASE.replace("shop", ".."), "not-found"],
    ["GET", BASE.replace("shop", "Shop"), "not-found"],
    ["GET", BASE.replace("my-connect", "my%2Fconnect"), "not-found"],
    ["OPTIONS", BASE, "method-not-allowed"],
    ["TRACE", BASE, "method-not-allowed"],
    ["get", BASE, "method-not-allowed"],
    ["GET", `${BASE}/ü`, "malformed"],
    ["PUT", `${BASE}/connectors/%zz/pause`, "malformed"],
    ["POST", `${BASE}/headrace/drain`, "forbidden"],
    ["POST", `${BASE}/headrace/workers/m-1/gone`, "forbidden"],
    ["POST", `${BASE}//headrace/rejoin`, "forbidden"],
    ["POST", `${BASE}/./headrace/rejoin`, "forbidden"],
    ["POST", `${BASE}/%68eadrace/rejoin`, "forbidden"],
    ["POST", `${BASE}/headrace%2Frejoin`, "forbidden"],
    ["POST", `${BASE}/HEADRACE/rejoin`, "forbidden"],
  ];
  for (const [method, target, code] of refused) {
    it(`refuses ${method} ${target} as ${code}`, () => {
      assert.throws(
        () => parseRequest(method, target),
        (error) => error instanceof ApiError && error.code === code,
      );
    });
  }
});
