import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { httpSink } from "@headrace/http";
import { INT64_SCHEMA, RetriableError, STRING_SCHEMA, structSchema, type Value } from "@headrace/sdk";
import { openSinkRun, problemsOf, sinkAcceptance, sinkRecord } from "@headrace/sdk/testing";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { openTestServer, type Received } from "./test-server.ts";

const json = (value: Value) => ({ schema: null, value });

for (const size of ["1", "3"]) {
  describe(`http sink, acceptance with batches of ${size}`, { concurrency: 4 }, () => {
    const cases = sinkAcceptance({
      definition: httpSink,
      module: import.meta.resolve("@headrace/http"),
      repeats: "duplicates",
      items: 6,
      poisoned: { outcome: "fails", tells: /answered 422: not a number/ },
      notApplicable: NOT_APPLICABLE["http-sink"],
      misconfigurations: [
        { change: { "http.url": undefined }, key: "http.url", message: /./ },
        { change: { "http.url": "ftp://h/" }, key: "http.url", message: /must start with http/ },
        { change: { "http.url": "http://h/${nothing}" }, key: "http.url", message: /\$\{nothing\} is not known/ },
        { change: { "http.method": "GET" }, key: "http.method", message: /one of: POST, PUT/ },
        { change: { "http.headers.additional": "a b" }, key: "http.headers.additional", message: /not name:value/ },
        { change: { "http.authorization.type": "basic" }, key: "http.authorization.password", message: /is needed/ },
        { change: { "http.authorization.type": "oauth2" }, key: "oauth2.client.secret", message: /is needed/ },
        { change: { "retry.on.status.codes": "5xx" }, key: "retry.on.status.codes", message: /5xx is no status code/ },
        { change: { "batch.max.size": "0" }, key: "batch.max.size", message: /at least 1/ },
      ],
      async openSystem() {
        const there: number[] = [];
        const server = await openTestServer(({ body }, response) => {
          const parsed: unknown = JSON.parse(body);
          const list: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
          const numbers = list.map(Number);
          if (numbers.some((each) => Number.isNaN(each))) return answer(response, 422, "not a number");
          there.push(...numbers);
          answer(response, 200);
        });
        return {
          config: { "http.url": `${server.url}/items`, "batch.max.size": size },
          outage: server.outage,
          stall: server.stall,
          connections: server.connections,
          item: (n) => ({ value: json(n) }),
          poison: () => ({ value: json({ bad: true }) }),
          contents: async () => there,
          close: server.close,
        };
      },
    });
    for (const each of cases) it(each.name, each.run);
  });
}

describe("http sink", () => {
  /** Puts one batch through a sink; the answers are the server's, in order, the last one for ever. */
  async function deliver(
    config: Record<string, string>,
    records: readonly ReturnType<typeof sinkRecord>[],
    answers: readonly Answering[] = [(response) => answer(response, 200)],
  ) {
    let count = 0;
    const server = await openTestServer((received, response) => {
      const next = answers[Math.min(count, answers.length - 1)];
      count += 1;
      next?.(response, received);
    });
    const sink = await openSinkRun(httpSink, {
      config: { "http.url": `${server.url}/`, ...at(config, server.url) },
      errantRecords: true,
    });
    let failure: unknown = null;
    await sink.put(records).catch((error: unknown) => {
      failure = error;
    });
    return { server, sink, failure, close: async () => void (await Promise.all([sink.close(), server.close()])) };
  }
  const at = (config: Record<string, string>, url: string) =>
    Object.fromEntries(Object.entries(config).map(([key, value]) => [key, value.replace("SERVER", url)]));

  it("fills URL, headers and body from the record", async () => {
    const schema = structSchema({ id: INT64_SCHEMA, name: STRING_SCHEMA });
    const record = sinkRecord({
      offset: 7n,
      key: { schema: STRING_SCHEMA, value: "a/b" },
      value: { schema, value: { id: 2n ** 62n, name: "x" } },
      headers: [{ key: "trace", schema: STRING_SCHEMA, value: "t1" }],
    });
    const { server, close } = await deliver(
      {
        "http.url": "SERVER/${topic}/${key}?o=${offset}",
        "http.headers.additional": "X-Trace: ${header.trace}, X-Name: ${value.name}",
        "http.body.template": '{"id":${value.id},"all":${value}}',
        "http.method": "put",
      },
      [record],
    );
    const [received] = server.received;
    assert.equal(`${received?.method} ${received?.url}`, "PUT /topic/a%2Fb?o=7");
    assert.deepEqual([received?.headers["x-trace"], received?.headers["x-name"]], ["t1", "x"]);
    assert.equal(received?.body, '{"id":4611686018427387904,"all":{"id":4611686018427387904,"name":"x"}}');
    await close();
  });

  it("refuses a record that lacks what a template asks for, or would break a header", async () => {
    const { sink, server, close } = await deliver(
      { "http.headers.additional": "X-Name: ${value.name}" },
      [json({}), json({ name: "a\r\nX-Evil: 1" }), json({ name: "fine" })].map((value, index) =>
        sinkRecord({ offset: BigInt(index), value }),
      ),
    );
    assert.deepEqual(
      sink.errants.map(({ record }) => record.offset),
      [0n, 1n],
    );
    assert.equal(server.received.length, 1);
    await close();
  });

  it("does after a failure only what it had not done, and keeps to Retry-After", async () => {
    const records = [0n, 1n, 2n].map((offset) => sinkRecord({ offset, value: json(Number(offset)) }));
    const { sink, server, failure, close } = await deliver({}, records, [
      (response) => answer(response, 200),
      (response) => answer(response.setHeader("retry-after", "7"), 503),
      (response) => answer(response, 200),
    ]);
    assert.ok(failure instanceof RetriableError);
    assert.match(failure.message, /POST http:\/\/127.0.0.1:\d+\/ answered 503/);
    assert.deepEqual(sink.timeouts, [7_000]);
    await sink.put(records);
    assert.deepEqual(
      server.received.map(({ body }) => body),
      ["0", "1", "1", "2"],
    );
    await close();
  });

  it("refuses a record after max.retries", async () => {
    const records = [sinkRecord({ offset: 0n, value: json(0) })];
    const { sink, failure, close } = await deliver({ "max.retries": "1" }, records, [
      (response) => answer(response, 500),
    ]);
    assert.ok(failure instanceof RetriableError);
    await sink.put(records);
    assert.match(String(sink.errants[0]?.error), /answered 500: .*after 1 retries/);
    await close();
  });

  it("treats records without a value as it is told", async () => {
    const rows = { fail: ["", 1], ignore: ["", 0], delete: ["DELETE ", 0], send: ["POST ", 0] } as const;
    for (const [behavior, [requests, errants]] of Object.entries(rows)) {
      const { sink, server, close } = await deliver({ "behavior.on.null.values": behavior }, [
        sinkRecord({ offset: 0n, value: json(null) }),
      ]);
      assert.equal(server.received.map(({ method, body }) => `${method} ${body}`).join(), requests, behavior);
      assert.equal(sink.errants.length, errants, behavior);
      await close();
    }
  });

  it("tells success from trouble that passes and from a refusal, as it is told", async () => {
    const config = { "ignore.status.codes": "404,409-410", "retry.on.status.codes": "418" };
    const rows = { 204: "taken", 404: "taken", 410: "taken", 418: "retried", 411: "refused", 503: "refused" } as const;
    for (const [status, wanted] of Object.entries(rows)) {
      const { sink, failure, close } = await deliver(
        config,
        [sinkRecord({ offset: 0n, value: json(0) })],
        [(response) => answer(response, Number(status))],
      );
      const outcome = failure instanceof RetriableError ? "retried" : sink.errants.length === 1 ? "refused" : "taken";
      assert.equal(outcome, wanted, status);
      await close();
    }
  });

  it("puts what it is told around the records of a batch", async () => {
    const { server, close } = await deliver(
      { "batch.max.size": "2", "batch.prefix": "", "batch.separator": "\\n", "batch.suffix": "\\n" },
      [0, 1, 2].map((n) => sinkRecord({ offset: BigInt(n), value: json(n) })),
    );
    assert.deepEqual(
      server.received.map(({ body }) => body),
      ["0\n1\n", "2\n"],
    );
    await close();
  });

  it("says who it is by user and password, or by a token", async () => {
    const basic = { "http.authorization.username": "me", "http.authorization.password": "s:c" };
    const rows = [
      [{ "http.authorization.type": "none" }, undefined],
      [{ "http.authorization.type": "basic", ...basic }, `Basic ${Buffer.from("me:s:c").toString("base64")}`],
      [{ "http.authorization.type": "bearer", "http.authorization.token": "t1" }, "Bearer t1"],
    ] as const;
    for (const [config, wanted] of rows) {
      const { server, close } = await deliver(config, [sinkRecord({ offset: 0n, value: json(0) })]);
      assert.deepEqual(
        server.received.map(({ headers }) => headers.authorization),
        [wanted],
      );
      await close();
    }
  });

  it("gives the token endpoint its secret in the body where it wants it there", async () => {
    const { server, close } = await deliver(
      {
        "http.authorization.type": "oauth2",
        "oauth2.access.token.url": "SERVER/token",
        "oauth2.client.id": "me",
        "oauth2.client.secret": "s:c",
        "oauth2.client.authorization.mode": "body",
      },
      [sinkRecord({ offset: 0n, value: json(0) })],
      [(response) => answer(response, 200, JSON.stringify({ access_token: "t1" }))],
    );
    const [token, record] = server.received;
    assert.equal(token?.headers.authorization, undefined);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(token?.body)), {
      grant_type: "client_credentials",
      client_id: "me",
      client_secret: "s:c",
    });
    assert.equal(record?.headers.authorization, "Bearer t1");
    await close();
  });

  it("names a token endpoint that refuses, and nothing else of its URL", async () => {
    const { failure, close } = await deliver(
      {
        "http.authorization.type": "oauth2",
        "oauth2.access.token.url": "SERVER/token?key=canary",
        "oauth2.client.id": "me",
        "oauth2.client.secret": "s:c",
      },
      [sinkRecord({ offset: 0n, value: json(0) })],
      [(response) => answer(response, 400)],
    );
    assert.match(String(failure), /the token endpoint of 127\.0\.0\.1:\d+ answered 400: check oauth2\.client\.id/);
    assert.doesNotMatch(String(failure), /canary/);
    await close();
  });

  it("gets a token, keeps it, and gets a new one when it is refused", async () => {
    let issued = 0;
    const answering: Answering = (response, { url, body, headers }) => {
      if (url === "/token") {
        assert.equal(headers.authorization, `Basic ${Buffer.from("me:s%3Ac").toString("base64")}`);
        assert.equal(body, "grant_type=client_credentials&scope=a+b");
        issued += 1;
        return answer(response, 200, JSON.stringify({ access_token: `t${issued}`, expires_in: 3600 }));
      }
      answer(response, body === "2" && issued === 1 ? 401 : 200);
    };
    const records = [0, 1, 2].map((n) => sinkRecord({ offset: BigInt(n), value: json(n) }));
    const { server, failure, close } = await deliver(
      {
        "http.authorization.type": "oauth2",
        "oauth2.access.token.url": "SERVER/token",
        "oauth2.client.id": "me",
        "oauth2.client.secret": "s:c",
        "oauth2.client.scope": "a b",
      },
      records,
      [answering],
    );
    assert.equal(failure, null);
    const calls = server.received.map(({ url, body, headers }) =>
      url === "/token" ? "token" : `${body} ${headers.authorization}`,
    );
    assert.deepEqual(calls, ["token", "0 Bearer t1", "1 Bearer t1", "2 Bearer t1", "token", "2 Bearer t2"]);
    await close();
  });

  it("shows no secret in what it says", async () => {
    const config = {
      "http.url": "SERVER/x?api_key=hunter2",
      "http.authorization.type": "basic",
      "http.authorization.username": "u",
      "http.authorization.password": "hunter2",
    };
    const { sink, failure, close } = await deliver(
      config,
      [sinkRecord({ offset: 0n, value: json(0) })],
      [(response) => answer(response, 403)],
    );
    assert.equal(failure, null);
    assert.doesNotMatch(`${sink.errants[0]?.error} ${sink.log.lines}`, /hunter2/);
    const problems = await problemsOf(httpSink, { ...config, "http.url": "nowhere" }, AbortSignal.timeout(1_000));
    assert.doesNotMatch(JSON.stringify([...problems]), /hunter2/);
    await close();
  });
});

type Answering = (response: ServerResponse, received: Received) => void;

function answer(response: ServerResponse, status: number, body = ""): void {
  response.writeHead(status).end(body);
}
