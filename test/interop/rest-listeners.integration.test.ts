import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { freePorts } from "#dev/process.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, startWorker, type TestWorker } from "#support/worker.ts";

/** Of both workers' REST; in a properties file a backslash is doubled. */
const RULES = {
  "access.control.allow.origin": "http://a.example,https://.*\\\\.b\\\\.example",
  "access.control.allow.methods": "GET,PUT",
  "response.http.headers.config":
    'set X-Frame-Options:DENY, add X-A: 1, "add X-A: 2, 3", set X-B: 1, set X-B: 2, setDate X-Date: 0',
};

interface Answer {
  readonly status: number;
  /** Those of cross-origin requests and those that {@link RULES} adds; lists as such, dates as `<date>`. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

async function ask(url: string, method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(`${url}${path}`, { method, headers, agent: false, signal: AbortSignal.timeout(60_000) });
  sent.once("error", reject);
  sent.once("response", (response) => {
    const compared = Object.entries(response.headers)
      .filter(([name]) => /^(access-control-|x-|vary$)/.test(name))
      .map(([name, value]) => [name, normalize(name, String(value))] as const);
    text(response).then(
      (body) => resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(compared), body }),
      reject,
    );
  });
  sent.end();
  return await promise;
}

function normalize(name: string, value: string): string | readonly string[] {
  if (name === "x-date" && Math.abs(Date.parse(value) - Date.now()) < 60_000) return "<date>";
  if (!/-(methods|headers)$/.test(name)) return value;
  const entries = value.split(",").map((entry) => entry.trim());
  return entries.sort(); // Jetty keeps them in a set.
}

describe("headers and listeners of REST beside Apache Kafka Connect", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rest-listeners-"));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let jvms: readonly JvmWorker[] = [];
  let owns: readonly TestWorker[] = [];
  /** Of the first of each. */
  let admins: readonly { readonly kind: string; readonly url: string }[] = [];

  before(async () => {
    kafka = await sharedKafka();
    const [theirs = 0, ours = 0] = await freePorts(2);
    admins = [
      { kind: "JVM", url: `http://127.0.0.1:${theirs}` },
      { kind: "own", url: `http://127.0.0.1:${ours}` },
    ];
    const jvm = (name: string, properties: Readonly<Record<string, string>>) =>
      startJvmWorker({
        dir: join(dir, name),
        connectorFiles: [],
        properties: {
          "bootstrap.servers": kafka.bootstrap,
          "offset.storage.file.filename": join(dir, `${name}-offsets`),
          ...properties,
        },
      });
    const own = (name: string, properties: Readonly<Record<string, string>>) =>
      startWorker({
        dir: join(dir, name),
        properties: {
          ...groupProperties(kafka.bootstrap, uniqueName(name)),
          "headrace.metrics.listener": "",
          ...properties,
        },
      });
    [jvms, owns] = await Promise.all([
      Promise.all([
        jvm("jvm", { ...RULES, "admin.listeners": `http://127.0.0.1:${theirs}` }),
        jvm("jvm-off", { "admin.listeners": "" }),
      ]),
      Promise.all([
        own("own", { ...RULES, "admin.listeners": `http://127.0.0.1:${ours}` }),
        own("own-off", { "admin.listeners": "" }),
      ]),
    ]);
  });
  after(async () => {
    await Promise.allSettled([...jvms.map((worker) => worker.kill()), ...owns.map((worker) => worker.process.stop())]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Answers of the JVM's worker and of ours, by which of them. */
  async function both(which: 0 | 1, method: string, path: string, headers: Record<string, string> = {}) {
    const [jvm, own] = [jvms[which], owns[which]];
    assert.ok(jvm !== undefined && own !== undefined);
    return await Promise.all([ask(jvm.url, method, path, headers), ask(own.url, method, path, headers)]);
  }

  it("gives the same headers to requests of the same origins", async () => {
    for (const [origin, allowed] of [
      [null, false],
      ["http://a.example", true],
      ["HTTP://A.EXAMPLE", true],
      ["https://x.b.example", true],
      ["https://b.example", false],
      ["http://x.b.example", false],
      ["http://a.example.evil", false],
      ["http://evil.example", false],
    ] as const) {
      for (const [method, path] of [
        ["GET", "/connectors"],
        ["GET", "/nope"],
        ["GET", "/connectors/nope"],
        ["OPTIONS", "/connectors"],
      ] as const) {
        const [jvm, own] = await both(0, method, path, origin === null ? {} : { origin });
        assert.deepEqual([own.status, own.headers], [jvm.status, jvm.headers], `${method} ${path} of ${origin}`);
        assert.equal(own.headers["access-control-allow-origin"], allowed ? origin : undefined);
        assert.equal(own.headers["x-frame-options"], "DENY");
        assert.equal(own.headers["x-a"], "1, 2, 3");
        assert.equal(own.headers["x-date"], "<date>");
      }
    }
  });

  it("answers preflights alike; ours allow Authorization too, and have no body", async () => {
    for (const [path, method, more] of [
      ["/connectors", "PUT", {}],
      ["/connectors", "DELETE", {}],
      ["/connectors/x/config", "PUT", { "access-control-request-headers": "content-type" }],
      ["/connectors/x/config", "PUT", { "access-control-request-headers": "x-other" }],
    ] as const) {
      const preflight = { origin: "http://a.example", "access-control-request-method": method, ...more };
      const [jvm, own] = await both(0, "OPTIONS", path, preflight);
      const { "access-control-allow-headers": theirs, ...rest } = jvm.headers;
      const { "access-control-allow-headers": ours, ...ownRest } = own.headers;
      assert.deepEqual([own.status, ownRest], [jvm.status, rest], path);
      assert.deepEqual([theirs, ours], [["Content-Type"], ["Authorization", "Content-Type"]]);
      assert.equal(own.body, "");
      const [refused, ownRefused] = await both(0, "OPTIONS", path, { ...preflight, origin: "http://evil.example" });
      assert.deepEqual([ownRefused.status, ownRefused.headers], [refused.status, refused.headers], path);
      assert.equal(ownRefused.headers["access-control-allow-methods"], undefined);
    }
  });

  it("has /admin on listeners of its own and nothing else there, without those headers", async (t) => {
    for (const { kind, url } of admins) {
      const origin = "http://a.example";
      const loggers = await ask(url, "GET", "/admin/loggers", { origin });
      assert.deepEqual([loggers.status, loggers.headers], [200, {}], kind);
      for (const path of ["/", "/connectors", "/health", "/connector-plugins"]) {
        const answer = await ask(url, "GET", path, { origin });
        assert.deepEqual(
          answer,
          { status: 404, headers: {}, body: '{"error_code":404,"message":"HTTP 404 Not Found"}' },
          `${kind} ${path}`,
        );
      }
    }
    for (const which of [0, 1] as const) {
      const [jvm, own] = await both(which, "GET", "/admin/loggers");
      assert.deepEqual(own, jvm);
      assert.equal(own.status, 404);
      const [, served] = await both(which, "GET", "/connectors");
      assert.equal(served.status, 200);
    }
    t.diagnostic("interop | CORS, response headers, admin listeners | 4 workers | 0 unexplained differences");
  });
});
