import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, it } from "node:test";
import type { InjectOptions } from "fastify";
import { parseOrigins } from "#runtime/rest/cors.ts";
import { parseHeaderRules } from "#runtime/rest/response-headers.ts";
import { createAdminServer, createRestServer, type RestOptions } from "#runtime/rest/server.ts";
import { silent } from "../herder/fakes.ts";
import { createFakeApi } from "./fake-api.ts";

async function ask(options: RestOptions, request: InjectOptions) {
  const app = createRestServer(createFakeApi(), silent, options);
  try {
    const { statusCode, headers, body } = await app.inject(request);
    return { status: statusCode, headers, body };
  } finally {
    await app.close();
  }
}

describe("how REST is served", () => {
  describe("methods and media types", () => {
    it("OPTIONS names the methods that a path has", async () => {
      const { status, headers, body } = await ask({}, { method: "OPTIONS", url: "/connectors" });
      assert.deepEqual([status, headers["allow"], body], [200, "HEAD, GET, POST, OPTIONS", "HEAD, GET, POST, OPTIONS"]);
      assert.equal((await ask({}, { method: "OPTIONS", url: "/nope" })).status, 404);
    });
    it("HEAD answers as GET without a body", async () => {
      const { status, body } = await ask({}, { method: "HEAD", url: "/connectors" });
      assert.deepEqual([status, body], [200, ""]);
    });
    for (const [accept, wanted] of [
      ["application/json", 200],
      ["*/*", 200],
      ["application/*;q=0.5", 200],
      ["text/html,application/xhtml+xml,*/*;q=0.8", 200],
      ["text/plain", 406],
      ["application/xml", 406],
      ["application/jsonp", 406],
    ] as const) {
      it(`Accept ${accept} is answered with ${wanted}`, async () => {
        const { status, body } = await ask({}, { url: "/connectors", headers: { accept } });
        assert.equal(status, wanted);
        if (wanted === 406) assert.equal(body, '{"error_code":406,"message":"HTTP 406 Not Acceptable"}');
      });
    }
    it("a body of no media type is a 415 only where bodies are read", async () => {
      // inject() gives every body a type.
      const sent = async (method: string, path: string) => {
        const app = createRestServer(createFakeApi(), silent, {});
        const url = new URL(path, await app.listen({ host: "127.0.0.1", port: 0 }));
        try {
          return await new Promise<number | undefined>((resolve, reject) => {
            request(url, { method, headers: { "content-length": 2 } }, (response) =>
              resolve(response.resume().statusCode),
            )
              .once("error", reject)
              .end("{}");
          });
        } finally {
          await app.close();
        }
      };
      assert.equal(await sent("PUT", "/connectors/x/pause"), 404);
      assert.equal(await sent("DELETE", "/connectors/x"), 404);
      assert.equal(await sent("PUT", "/connectors/x/config"), 415);
      assert.equal(await sent("POST", "/connectors"), 415);
    });
    it("a body that is too large is a 413", async () => {
      const payload = `{"name":"c","config":{"k":"${"x".repeat(33 * 1024 * 1024)}"}}`;
      const headers = { "content-type": "application/json" };
      const { status, body } = await ask({}, { method: "POST", url: "/connectors", payload, headers });
      assert.deepEqual([status, body], [413, '{"error_code":413,"message":"HTTP 413 Request Entity Too Large"}']);
    });
  });

  describe("cross-origin requests", () => {
    const accessControl = { origins: "http://a.example, http://*.b.example", methods: "GET,POST" };
    const allowed = async (origin: string) =>
      (await ask({ accessControl }, { url: "/connectors", headers: { origin } })).headers[
        "access-control-allow-origin"
      ];

    it("are for the origins that are named", async () => {
      assert.equal(await allowed("http://a.example"), "http://a.example");
      assert.equal(await allowed("http://x.b.example"), "http://x.b.example");
      assert.equal(await allowed("HTTP://A.example"), "HTTP://A.example");
      assert.equal(await allowed("http://axexample"), undefined);
      assert.equal(await allowed("http://x.b.example.evil"), undefined);
      assert.equal(await allowed("http://c.example"), undefined);
    });
    it("are for the origins that an expression matches as a whole", async () => {
      const patterns = { origins: "https?://.*\\.d\\.example", methods: "" };
      for (const [origin, wanted] of [
        ["https://x.d.example", "https://x.d.example"],
        ["http://y.z.d.example", "http://y.z.d.example"],
        ["http://xd.example", undefined],
        ["http://x.d.example.evil", undefined],
      ] as const) {
        const { headers } = await ask({ accessControl: patterns }, { url: "/connectors", headers: { origin } });
        assert.equal(headers["access-control-allow-origin"], wanted);
      }
      assert.throws(
        () => parseOrigins("http://(a"),
        /must be origins or regular expressions, which http:\/\/\(a is not/,
      );
    });
    it("are for nobody unless configured", async () => {
      const { headers } = await ask({}, { url: "/connectors", headers: { origin: "http://a.example" } });
      assert.equal(headers["access-control-allow-origin"], undefined);
    });
    it("may be for everybody", async () => {
      const { headers } = await ask(
        { accessControl: { origins: "*", methods: "" } },
        { url: "/connectors", headers: { origin: "http://c.example" } },
      );
      assert.equal(headers["access-control-allow-origin"], "*");
    });
    it("a preflight is answered without credentials", async () => {
      const { status, headers } = await ask(
        {
          accessControl,
          credentials: new Map([["user", "secret"]]),
          headers: parseHeaderRules("set X-Frame-Options: DENY"),
        },
        {
          method: "OPTIONS",
          url: "/connectors",
          headers: { origin: "http://a.example", "access-control-request-method": "POST" },
        },
      );
      assert.equal(status, 200);
      assert.equal(headers["x-frame-options"], "DENY");
      assert.equal(headers["access-control-allow-methods"], "GET, POST");
    });
    it("a preflight of another origin is an OPTIONS like any other, and is told nothing", async () => {
      const { status, headers } = await ask(
        { accessControl },
        {
          method: "OPTIONS",
          url: "/connectors",
          headers: { origin: "http://c.example", "access-control-request-method": "POST" },
        },
      );
      assert.deepEqual([status, headers["allow"]], [200, "HEAD, GET, POST, OPTIONS"]);
      assert.deepEqual(
        Object.keys(headers).filter((name) => name.startsWith("access-control-")),
        [],
      );
    });
    it("OPTIONS that is no preflight names the methods of the path", async () => {
      const { status, headers } = await ask({ accessControl }, { method: "OPTIONS", url: "/connectors" });
      assert.deepEqual([status, headers["allow"]], [200, "HEAD, GET, POST, OPTIONS"]);
    });
  });

  describe("response headers", () => {
    it("are set and added to every answer", async () => {
      const headers = parseHeaderRules(
        'add Cache-Control: no-cache, set X-A:1, "add X-B: x, y", add X-B: z, set X-A: 2',
      );
      for (const url of ["/connectors", "/nope"]) {
        const answer = await ask({ headers }, { url });
        assert.equal(answer.headers["cache-control"], "no-cache");
        assert.equal(answer.headers["x-a"], "2");
        assert.deepEqual(answer.headers["x-b"], ["x, y", "z"]);
      }
    });
    it("dates are so far from now", async () => {
      const answer = await ask({ headers: parseHeaderRules("setDate Expires: 31536000000") }, { url: "/" });
      const inDays = (Date.parse(String(answer.headers["expires"])) - Date.now()) / 86_400_000;
      assert.ok(inDays > 364.9 && inDays < 365.1, `${inDays} days`);
    });
    for (const wrong of ["X: 1", "put X: 1", "set X", "set X Y: 1", "setDate X: soon", '"set X: 1', "set X: a\nb"]) {
      it(`${JSON.stringify(wrong)} is refused`, () => assert.throws(() => parseHeaderRules(wrong), /must /));
    }
  });

  describe("basic authentication", () => {
    const credentials = new Map([["anna", "p:w ü"]]);
    const header = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    const status = async (request: InjectOptions) => (await ask({ credentials }, request)).status;

    it("lets in who knows a user and the password", async () => {
      assert.equal(await status({ url: "/connectors", headers: header("anna:p:w ü") }), 200);
      assert.equal(
        await status({
          url: "/connectors",
          headers: { authorization: header("anna:p:w ü").authorization.replace("B", "b") },
        }),
        200,
      );
    });
    for (const [fact, headers] of [
      ["nothing", {}],
      ["another password", header("anna:x")],
      ["no password", header("anna:")],
      ["an unknown user", header("bert:p:w ü")],
      ["an unknown user without a password", header("bert:")],
      ["no colon", header("anna")],
      ["another scheme", { authorization: "Bearer anna" }],
      ["no base64", { authorization: "Basic !!!" }],
    ] as const) {
      it(`refuses ${fact}, and asks for credentials`, async () => {
        const answer = await ask({ credentials }, { url: "/connectors", headers });
        assert.equal(answer.status, 401);
        assert.match(String(answer.headers["www-authenticate"]), /^Basic realm=/);
        assert.equal(answer.body, '{"error_code":401,"message":"User cannot access the resource."}');
      });
    }
    it("lets other workers through to exactly the internal endpoints, which are signed", async () => {
      const json = { "content-type": "application/json" };
      const tasks = { method: "POST", url: "/connectors/c/tasks", payload: "[]", headers: json } as const;
      assert.equal(await status(tasks), 400);
      assert.equal(await status({ ...tasks, url: "/connectors/c/tasks/" }), 400);
      assert.equal(await status({ url: "/connectors/c/tasks" }), 401);
      assert.equal(await status({ method: "PUT", url: "/connectors/c/fence" }), 400);
      assert.equal(await status({ method: "POST", url: "/connectors/c/fence" }), 401);
      assert.equal(await status({ url: "/headrace/self" }), 200);
      assert.equal(await status({ method: "POST", url: "/headrace/rejoin" }), 202);
      for (const url of ["/", "/health", "/headrace/group", "/headrace/events", "/admin/loggers"]) {
        assert.equal(await status({ url }), 401, url);
      }
      assert.equal(await status({ method: "POST", url: "/headrace/drain" }), 401);
      assert.equal(await status({ url: "/nope" }), 404);
    });
  });

  describe("admin listeners", () => {
    it("of their own have /admin alone", async () => {
      const app = createAdminServer(createFakeApi(), silent);
      assert.equal((await app.inject("/admin/loggers")).statusCode, 200);
      assert.equal((await app.inject("/connectors")).statusCode, 404);
      await app.close();
    });
    it("take it from the others", async () => {
      assert.equal((await ask({ admin: false }, { url: "/admin/loggers" })).status, 404);
      assert.equal((await ask({ admin: true }, { url: "/admin/loggers" })).status, 200);
    });
  });
});
