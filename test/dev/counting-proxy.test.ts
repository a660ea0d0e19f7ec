import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toNamespace, toRight } from "#support/counting-proxy.ts";

describe("toRight", () => {
  const cases: readonly (readonly [string, string, string | null])[] = [
    ["GET", "/api/v1/namespaces/ns/pods", "list /pods"],
    ["GET", "/api/v1/pods?watch=true&resourceVersion=1", "watch /pods"],
    ["GET", "/api/v1/namespaces", "list /namespaces"],
    ["GET", "/api/v1/namespaces/ns", "get /namespaces"],
    ["POST", "/api/v1/namespaces/ns/events", "create /events"],
    ["DELETE", "/api/v1/namespaces/ns/pods/a", "delete /pods"],
    ["PATCH", "/apis/apps/v1/namespaces/ns/statefulsets/a?force=true", "patch apps/statefulsets"],
    ["PATCH", "/apis/headrace.dev/v1/namespaces/ns/kafkaconnects/a/status", "patch headrace.dev/kafkaconnects/status"],
    ["GET", "/healthz", null],
  ];
  for (const [method, url, right] of cases) {
    it(`takes ${method} ${url} for ${right}`, () => assert.equal(toRight(method, url), right));
  }
});

describe("toNamespace", () => {
  for (const [url, namespace] of [
    ["/api/v1/namespaces/ns/pods?watch=1", "ns"],
    ["/apis/apps/v1/namespaces/ns/statefulsets/a", "ns"],
    ["/api/v1/namespaces/ns", null],
    ["/api/v1/pods", null],
  ] as const) {
    it(`finds ${namespace} in ${url}`, () => assert.equal(toNamespace(url), namespace));
  }
});
