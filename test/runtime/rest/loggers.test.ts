import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { createLoggers } from "#runtime/loggers.ts";
import { createRestServer } from "#runtime/rest/server.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";

describe("/admin/loggers", () => {
  let app: FastifyInstance;
  let api: ReturnType<typeof createFakeApi>;
  let lines: { logger?: string; msg: string }[];
  let log: pino.Logger;

  beforeEach(() => {
    lines = [];
    log = pino({ level: "info", base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const loggers = createLoggers(log, () => 1_700_000_000_000);
    loggers.logger("a.b");
    loggers.logger("a.b.c");
    loggers.logger("a.bc");
    api = { ...createFakeApi(), loggers };
    app = createRestServer(api, silent);
  });
  afterEach(() => app.close());

  const get = async (path = "") => {
    const response = await app.inject(`/admin/loggers${path}`);
    return { status: response.statusCode, body: response.json() as unknown };
  };
  const put = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json" };
    const payload = JSON.stringify(body);
    const response = await app.inject({ method: "PUT", url: `/admin/loggers/${path}`, headers, payload });
    return { status: response.statusCode, body: response.body === "" ? undefined : (response.json() as unknown) };
  };
  const level = (level: string, last_modified: number | null = null) => ({ level, last_modified });
  const NOW = 1_700_000_000_000;

  it("lists loggers by name", async () => {
    assert.deepEqual(Object.entries((await get()).body ?? {}), [
      ["a.b", level("INFO")],
      ["a.b.c", level("INFO")],
      ["a.bc", level("INFO")],
      ["root", level("INFO")],
    ]);
  });
  it("shows one", async () => {
    assert.deepEqual((await get("/a.b")).body, level("INFO"));
    assert.deepEqual(await get("/nope"), { status: 404, body: { error_code: 404, message: "Logger nope not found." } });
  });
  it("sets a logger with those under it, names what has changed, and only those write", async () => {
    assert.deepEqual(await put("a.b", { level: "debug" }), { status: 200, body: ["a.b", "a.b.c"] });
    assert.deepEqual((await get("/a.b.c")).body, level("DEBUG", NOW));
    assert.deepEqual((await get("/a.bc")).body, level("INFO"));
    for (const name of ["a.b", "a.b.c", "a.bc"]) api.loggers.logger(name).debug({}, "said");
    log.debug({}, "said");
    assert.deepEqual(
      lines.map(({ logger }) => logger),
      ["a.b", "a.b.c"],
    );
    assert.deepEqual((await put("a.b", { level: "DEBUG" })).body, []);
  });
  it("sets all by root", async () => {
    assert.deepEqual((await put("root", { level: "ERROR" })).body, ["a.b", "a.b.c", "a.bc", "root"]);
    api.loggers.logger("a.b").warn({}, "said");
    log.warn({}, "said");
    assert.deepEqual(lines, []);
  });
  it("keeps a level for a logger that comes later", async () => {
    assert.deepEqual((await put("later", { level: "TRACE" })).body, ["later"]);
    api.loggers.logger("later.child").trace({}, "said");
    assert.deepEqual(
      lines.map(({ logger }) => logger),
      ["later.child"],
    );
  });
  it("takes log4j's other levels", async () => {
    for (const [given, said] of [
      ["OFF", 0],
      ["FATAL", 0],
      ["ALL", 1],
    ] as const) {
      lines.length = 0;
      assert.equal((await put("a.b", { level: given })).status, 200);
      api.loggers.logger("a.b").trace({}, "said");
      assert.equal(lines.length, said, given);
    }
  });
  it("takes an unknown scope for the worker", async () => {
    assert.deepEqual((await put("a.bc?scope=zzz", { level: "WARN" })).body, ["a.bc"]);
  });
  it("leaves cluster scope to the config topic", async () => {
    assert.deepEqual(await put("a.b?scope=CLUSTER", { level: "WARN" }), { status: 204, body: undefined });
    assert.deepEqual((await get("/a.b")).body, level("INFO"));
  });
  for (const [body, status, message] of [
    [{}, 400, "Desired 'level' parameter was not specified in request."],
    [{ level: null }, 400, "Desired 'level' parameter was not specified in request."],
    [{ level: "bad" }, 404, "invalid log level 'bad'."],
    [{ level: "toString" }, 404, "invalid log level 'toString'."],
    [{ level: 5 }, 404, "invalid log level '5'."],
    [{ level: "" }, 500, "Illegal null or empty Level name."],
  ] as const) {
    it(`refuses ${JSON.stringify(body)}`, async () => {
      assert.deepEqual(await put("a.b", body), { status, body: { error_code: status, message } });
      assert.deepEqual(await put("a.b?scope=cluster", body), { status, body: { error_code: status, message } });
    });
  }
});
