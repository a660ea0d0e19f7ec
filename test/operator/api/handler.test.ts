import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, describe, it } from "node:test";
import type { ClusterGroup } from "#operator/api/clusters.ts";
import { ApiError } from "#operator/api/errors.ts";
import { createApiHandler } from "#operator/api/handler.ts";
import { createTurnstile } from "#operator/api/turnstile.ts";
import { parseForeignApi } from "#operator/foreign/dialect.ts";
import { KafkaConnects } from "#operator/kinds.ts";
import { Pods } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createWorkerFetch } from "#operator/worker/fetch.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeKube } from "#support/fake-kube.ts";

const BASE = "/api/v1/namespaces/ns/kafkaconnects/my-connect";
const TOKEN = "the-token-of-anna";
/** Port 1 of loopback: nobody listens. */
const NOBODY = "http://127.0.0.1:1";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe("API handler", () => {
  const servers: Server[] = [];
  const over = new AbortController();

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  async function listen(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  interface SetUp {
    /** URLs of the workers, by ordinal. */
    readonly workers?: readonly string[];
    readonly rights?: readonly string[];
    readonly rest?: { readonly people?: "ReadWrite" | "ReadOnly" | "None" };
    readonly total?: number;
    readonly answerMs?: number;
    readonly silenceMs?: number;
    readonly exchangeMs?: number;
  }

  /** The API with a KafkaConnect `my-connect` whose workers are `workers`. */
  async function open(setUp: SetUp = {}) {
    const { workers = [], rights = ["get", "update"], rest, total = 10 } = setUp;
    const { answerMs = 10_000, silenceMs = 10_000, exchangeMs = 30_000 } = setUp;
    const kube = createFakeKube();
    kube.put(KafkaConnects, kafkaConnect(rest === undefined ? {} : { rest }));
    for (const ordinal of workers.keys()) kube.put(Pods, workerPod(ordinal));
    const asked: string[] = [];
    const lines: string[] = [];
    const answered: string[] = [];
    const doorkeeper = {
      async identify(token: string) {
        if (token === TOKEN) return { username: "anna" };
        if (token === "bug") throw new Error("secret detail");
        throw new ApiError("unauthenticated", "nobody's");
      },
      async admit(
        _person: object,
        { verb, type, key }: { verb: string; type: { group: string }; key: { name: string } },
      ) {
        asked.push(`${verb} ${type.group} ${key.name}`);
        if (!rights.includes(verb)) throw new ApiError("forbidden", "no");
      },
    };
    const foreign = parseForeignApi("kafka.strimzi.io");
    assert.ok(foreign !== undefined);
    const pods = kube.store(Pods);
    const groups: [ClusterGroup, ...ClusterGroup[]] = [
      { type: KafkaConnects, connects: kube.store(KafkaConnects), isOurs: () => true, pods },
      {
        type: foreign.connects,
        connects: kube.store(foreign.connects),
        isOurs: ({ metadata }) => metadata.annotations?.["headrace.dev/managed"] === "true",
        pods,
      },
    ];
    const handler = createApiHandler({
      doorkeeper,
      turnstile: createTurnstile({ total, each: total }),
      groups,
      endpoint: ({ ip }) => ({ url: workers[Number(ip.split(".").at(-1)) - 1] ?? NOBODY, headers: {} }),
      fetch: createWorkerFetch(),
      log: createLog("info", { write: (line) => void lines.push(line) }),
      metrics: {
        answered: (method, status) => void answered.push(`${method} ${status}`),
        reviewed: () => undefined,
      },
      answerMs,
      silenceMs,
      exchangeMs,
    });
    const url = await listen((incoming, response) => void handler(incoming, response, over.signal));

    function send(
      method: string,
      path: string,
      options: { token?: string | null; headers?: object; body?: string | Buffer } = {},
    ) {
      const { token = TOKEN, headers = {}, body } = options;
      const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const outgoing = request(url + path, { method, agent: false, headers: { ...authorization, ...headers } });
      outgoing.on("error", reject);
      outgoing.on("response", (incoming) => {
        text(incoming).then(
          (all) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: all }),
          reject,
        );
      });
      outgoing.end(body);
      return promise;
    }
    return { kube, send, url, asked, lines, answered, foreign };
  }

  /** A worker that answers 200 and keeps what it is asked. */
  async function openWorker(answer: RequestListener = (_request, response) => response.end("{}")) {
    const seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[] = [];
    const url = await listen(async (incoming, response) => {
      const { method = "", url: path = "", headers } = incoming;
      seen.push({ method, url: path, headers, body: await text(incoming) });
      answer(incoming, response);
    });
    return { url, seen };
  }

  function message({ status, headers, body }: Answer): readonly [number, string] {
    assert.equal(headers["content-type"], "application/json");
    const { error_code, message: said } = JSON.parse(body);
    assert.equal(error_code, status);
    return [status, said];
  }

  it("passes a read on, with nothing of the caller's but what he accepts", async () => {
    const worker = await openWorker((_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "set-cookie": "a=b", server: "x" }).end('["a"]');
    });
    const { send, asked } = await open({ workers: [worker.url] });
    const headers = { accept: "application/json", cookie: "c=d", "x-forwarded-for": "1.2.3.4", te: "trailers" };
    const answer = await send("GET", `${BASE}/connectors?expand=status`, { headers });
    assert.deepEqual([answer.status, answer.body], [200, '["a"]']);
    assert.equal(answer.headers["set-cookie"], undefined);
    assert.equal(answer.headers["server"], undefined);
    assert.deepEqual(asked, ["get headrace.dev my-connect"]);
    const [{ headers: got = {}, ...rest } = {}] = worker.seen;
    assert.deepEqual(rest, { method: "GET", url: "/connectors?expand=status", body: "" });
    const { host, connection, ...others } = got;
    assert.ok(host !== undefined && connection !== undefined);
    assert.deepEqual(others, { accept: "application/json" });
  });

  it("passes a write on and logs whose it was, without the token or the body", async () => {
    const worker = await openWorker((_request, response) => {
      response.writeHead(201, { location: "/connectors/a" }).end("{}");
    });
    const { send, asked, lines, answered } = await open({ workers: [worker.url] });
    const body = JSON.stringify({ name: "a", config: { password: "canary-ü" } });
    const headers = { "content-type": "application/json" };
    const answer = await send("POST", `${BASE}/connectors?timeout=1`, { headers, body });
    assert.deepEqual([answer.status, answer.headers.location], [201, `${BASE}/connectors/a`]);
    assert.deepEqual(asked, ["update headrace.dev my-connect"]);
    assert.equal(worker.seen[0]?.body, body);
    await eventually("it is logged", () => lines.length === 1);
    const { time: _, ...line } = JSON.parse(lines[0] ?? "");
    assert.deepEqual(line, {
      level: "info",
      user: "anna",
      namespace: "ns",
      cluster: "my-connect",
      group: "headrace.dev",
      path: "/connectors",
      method: "POST",
      status: 201,
      msg: "change through the api",
    });
    assert.deepEqual(answered, ["POST 201"]);
  });

  it("gives the worker's refusals as they are", async () => {
    const refusal = JSON.stringify({ error_code: 409, message: "Cannot complete request because of a conflict" });
    const worker = await openWorker((_request, response) => response.writeHead(409).end(refusal));
    const { send } = await open({ workers: [worker.url] });
    const { status, body } = await send("PUT", `${BASE}/connectors/a/config`, { body: "{}" });
    assert.deepEqual([status, body], [409, refusal]);
    const empty = await openWorker((_request, response) => response.writeHead(204).end());
    const other = await open({ workers: [empty.url] });
    assert.equal((await other.send("DELETE", `${BASE}/connectors/a`)).status, 204);
  });

  it("asks for a token, and for one that is somebody's", async () => {
    const worker = await openWorker();
    const { send, asked } = await open({ workers: [worker.url] });
    for (const token of [null, "stolen"]) {
      const answer = await send("GET", `${BASE}/`, { token });
      assert.equal(message(answer)[0], 401);
      assert.match(answer.headers["www-authenticate"] ?? "", /^Bearer/);
    }
    assert.equal((await send("GET", BASE, { token: null, headers: { authorization: `Basic ${TOKEN}` } })).status, 401);
    assert.deepEqual([asked, worker.seen], [[], []]);
  });

  it("refuses what somebody has no right to, without a look at what he sends, and logs it", async () => {
    const worker = await openWorker();
    const { send, lines } = await open({ workers: [worker.url], rights: ["get"] });
    assert.equal((await send("GET", BASE)).status, 200);
    assert.deepEqual(message(await send("PUT", `${BASE}/connectors/a/pause`)), [403, "no"]);
    assert.equal(worker.seen.length, 1);
    await eventually("it is logged", () => lines.some((line) => JSON.parse(line).status === 403));
  });

  it("tells only those who may know that a cluster is not there", async () => {
    const path = BASE.replace("my-connect", "nothing");
    const stranger = await open({ rights: [] });
    assert.equal((await stranger.send("GET", path)).status, 403);
    assert.deepEqual(stranger.asked, ["get headrace.dev nothing"]);
    const { send } = await open();
    const [status, said] = message(await send("GET", path));
    assert.equal(status, 404);
    assert.match(said, /no KafkaConnect nothing in the namespace ns/);
  });

  it("lets in whom spec.rest.people leaves", async () => {
    const worker = await openWorker();
    const readers = await open({ workers: [worker.url], rest: { people: "ReadOnly" } });
    assert.equal((await readers.send("GET", BASE)).status, 200);
    assert.deepEqual(message(await readers.send("DELETE", `${BASE}/connectors/a`)), [
      403,
      "spec.rest.people of the KafkaConnect is ReadOnly.",
    ]);
    const nobody = await open({ workers: [worker.url], rest: { people: "None" } });
    assert.equal((await nobody.send("GET", BASE)).status, 403);
    assert.equal(worker.seen.length, 1);
  });

  it("asks for the right in the group that a claimed cluster is of", async () => {
    const worker = await openWorker();
    const { send, asked, kube, foreign } = await open({ workers: [worker.url] });
    const metadata = { namespace: "ns", name: "theirs", annotations: { "headrace.dev/managed": "true" } };
    const object = { apiVersion: "kafka.strimzi.io/v1", kind: "KafkaConnect", metadata };
    kube.put(foreign.connects, object);
    kube.put(Pods, workerPod(0, { cluster: "theirs" }));
    assert.equal((await send("GET", BASE.replace("my-connect", "theirs"))).status, 200);
    assert.deepEqual(asked, ["get kafka.strimzi.io theirs"]);
    kube.put(foreign.connects, { ...object, metadata: { ...metadata, annotations: {} } });
    assert.equal((await send("GET", BASE.replace("my-connect", "theirs"))).status, 404);
  });

  it("asks the next worker if nobody listens at the first, a write, too", async () => {
    const worker = await openWorker();
    const { send } = await open({ workers: [NOBODY, worker.url] });
    assert.equal((await send("PUT", `${BASE}/connectors/a/pause`)).status, 200);
    assert.equal((await send("GET", BASE)).status, 200);
    assert.equal(worker.seen.length, 2);
  });

  it("never sends a write twice", async () => {
    const breaking = await openWorker((_request, response) => response.destroy());
    const worker = await openWorker();
    const { send } = await open({ workers: [breaking.url, worker.url] });
    const [status, said] = message(await send("POST", `${BASE}/connectors`, { body: "{}" }));
    assert.equal(status, 502);
    assert.match(said, /may have happened/);
    assert.equal((await send("GET", BASE)).status, 200);
    assert.deepEqual([breaking.seen.length, worker.seen.length], [2, 1]);
  });

  it("tells workers that are not there, not to be reached, and silent apart", async () => {
    const none = await (await open()).send("GET", BASE);
    assert.deepEqual(message(none), [503, "No worker of the cluster is ready."]);
    assert.ok(Number(none.headers["retry-after"]) > 0);
    assert.equal((await (await open({ workers: [NOBODY] })).send("GET", BASE)).status, 502);
    const silent = await openWorker(() => undefined);
    const waiting = await open({ workers: [silent.url], answerMs: 100 });
    assert.equal((await waiting.send("GET", BASE)).status, 504);
    const [status, said] = message(await waiting.send("PUT", `${BASE}/connectors/a/pause`));
    assert.equal(status, 504);
    assert.match(said, /may still happen/);
  });

  it("takes bodies of 2 MiB and no more", async () => {
    const worker = await openWorker();
    const { send } = await open({ workers: [worker.url] });
    const path = `${BASE}/connectors`;
    assert.equal((await send("POST", path, { body: Buffer.alloc(2 * 1024 * 1024, "a") })).status, 200);
    const answer = await send("POST", path, { body: Buffer.alloc(2 * 1024 * 1024 + 1, "a") });
    assert.equal(message(answer)[0], 413);
    assert.equal(worker.seen.length, 1);
  });

  it("refuses what is too much at a time", async () => {
    const held = Promise.withResolvers<void>();
    const worker = await openWorker((_request, response) => void held.promise.then(() => response.end("{}")));
    const { send } = await open({ workers: [worker.url], total: 1 });
    const first = send("GET", BASE);
    await eventually("the first is under way", () => worker.seen.length === 1);
    assert.equal((await send("GET", BASE)).status, 429);
    held.resolve();
    assert.equal((await first).status, 200);
  });

  it("passes a stream on as it comes, and ends it when the caller leaves", async () => {
    const left = Promise.withResolvers<void>();
    const worker = await openWorker((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      response.write("data: 1\n\n");
      response.on("close", () => left.resolve());
    });
    const { url } = await open({ workers: [worker.url] });
    const caller = new AbortController();
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${url}${BASE}/headrace/events`, { headers, signal: caller.signal });
    const reader = answer.body?.getReader();
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), "data: 1\n\n");
    caller.abort();
    await left.promise;
  });

  it("breaks an answer off that stays silent or that the worker breaks off", async () => {
    const begin: RequestListener = (_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half");
    };
    const silent = await openWorker(begin);
    const waiting = await open({ workers: [silent.url], silenceMs: 100 });
    await assert.rejects(waiting.send("GET", BASE));
    const breaking = await openWorker((incoming, response) => {
      begin(incoming, response);
      setImmediate(() => response.destroy());
    });
    const { send } = await open({ workers: [breaking.url] });
    await assert.rejects(send("GET", BASE));
  });

  it("ends an exchange that goes on for too long", async () => {
    const worker = await openWorker((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const pings = setInterval(() => response.write("ping\n\n"), 20);
      response.on("close", () => clearInterval(pings));
    });
    const { send, answered, lines } = await open({ workers: [worker.url], exchangeMs: 300 });
    await assert.rejects(send("GET", `${BASE}/headrace/events`));
    const silent = await openWorker(() => undefined);
    const waiting = await open({ workers: [silent.url], exchangeMs: 300 });
    assert.equal((await waiting.send("GET", BASE)).status, 503);
    await eventually("both are counted", () => answered.length === 1 && waiting.answered.length === 1);
    assert.deepEqual([answered, lines, waiting.lines], [["GET 200"], [], []]);
  });

  it("answers a bug with 500 and tells nothing", async () => {
    const { send, lines } = await open();
    const [status, said] = message(await send("GET", BASE, { token: "bug" }));
    assert.equal(status, 500);
    assert.doesNotMatch(said, /secret detail/);
    assert.match(lines.join(), /secret detail/);
  });
});
