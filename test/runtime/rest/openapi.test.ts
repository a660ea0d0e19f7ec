import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { ErrorMessage, OPERATIONS, openApiDocument } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import { createRestServer } from "#runtime/rest/server.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";

const GOLDEN = new URL("./openapi.golden.json", import.meta.url);

describe("/headrace/openapi.json", () => {
  let app: FastifyInstance;
  before(async () => {
    app = createRestServer(createFakeApi(), silent);
    await app.ready();
  });
  after(() => app.close());

  const concrete = (path: string) => path.replace("{task}", "0").replace(/\{\w+\}/g, "x");

  it("is served as it is generated", async () => {
    const served = await app.inject("/headrace/openapi.json");
    assert.equal(served.statusCode, 200);
    assert.deepEqual(served.json(), JSON.parse(JSON.stringify(openApiDocument("4.3.1"))));
  });

  it("has every method of every path that is served, and no other", async () => {
    const described = new Set(OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`));
    assert.equal(described.size, OPERATIONS.length, "no operation twice");
    const paths = new Set(OPERATIONS.map(({ path }) => path));
    for (const path of paths) {
      const { statusCode, headers } = await app.inject({ method: "OPTIONS", url: concrete(path) });
      if (path === "/headrace/events") continue; // A stream: GET alone, not a resource.
      assert.equal(statusCode, 200, `${path} is not served`);
      const served = String(headers["allow"])
        .split(", ")
        .filter((method) => !["HEAD", "OPTIONS"].includes(method));
      const wanted = ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) => described.has(`${method} ${path}`));
      assert.deepEqual(served.sort(), wanted.sort(), path);
    }
    assert.ok(app.hasRoute({ method: "GET", url: "/headrace/events" }));
  });

  it("has every path that fastify knows", async () => {
    const known: string[] = [];
    const listening = createRestServer(createFakeApi(), silent, {
      onRoute: (path) => void known.push(path.replace(/:(\w+)/g, "{$1}")),
    });
    await listening.ready();
    await listening.close();
    assert.deepEqual([...new Set(known)].sort(), [...new Set(OPERATIONS.map(({ path }) => path))].sort());
  });

  it("describes what the worker answers", async () => {
    const api = createFakeApi();
    await api.configStore.putConnector("x", { name: "x", "connector.class": "file-source" }, null);
    await api.configStore.putTaskConfigs("x", [{ a: "b" }]);
    const filled = createRestServer(api, silent);
    let described = 0;
    for (const { path, method, answers, mediaType } of OPERATIONS) {
      if (method !== "get" || mediaType !== undefined) continue;
      const { statusCode, body } = await filled.inject(concrete(path));
      const schema = answers[statusCode] ?? ErrorMessage;
      assert.deepEqual(schema.safeParse(JSON.parse(body)).error?.issues, undefined, `${path}: ${body}`);
      if (answers[statusCode] !== undefined) described += 1;
    }
    await filled.close();
    assert.ok(described >= 12, `${described} operations answered with what is described`);
  });

  it("is what it was: a change is made on purpose (HEADRACE_GOLDEN=write writes it anew)", () => {
    const text = `${JSON.stringify(openApiDocument("0.0.0"), null, 2)}\n`;
    if (process.env["HEADRACE_GOLDEN"] === "write") writeFileSync(GOLDEN, text);
    assert.ok(existsSync(GOLDEN), "the golden file is missing");
    assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(GOLDEN, "utf8")));
  });
});
