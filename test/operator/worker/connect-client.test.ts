import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, it } from "node:test";
import {
  type ConnectClient,
  type ConnectClientOptions,
  ConnectRestError,
  type ConnectRestErrorCode,
  createConnectClient,
  firstAnswer,
  plainEndpoint,
  type Worker,
} from "#operator/worker/connect-client.ts";

const WORKER: Worker = { cluster: { namespace: "ns", name: "c" }, ip: "10.0.0.1" };
const GROUP = { generation: 1, leaderUrl: null, rebalancing: false, balanced: true, delayMs: 0, members: [] };

async function collect<T>(source: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

describe("connect client", () => {
  const open: Server[] = [];
  const signal = AbortSignal.timeout(20_000);

  afterEach(() => {
    for (const server of open.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A client whose workers are all this server. */
  async function serve(listener: RequestListener, options: ConnectClientOptions = {}): Promise<ConnectClient> {
    const server = createServer(listener);
    open.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    return createConnectClient({ endpoint: () => ({ url, headers: { authorization: "Bearer x" } }), ...options });
  }

  function code(wanted: ConnectRestErrorCode, message: RegExp) {
    return (error: unknown) => {
      assert.ok(error instanceof ConnectRestError);
      assert.equal(error.code, wanted);
      assert.match(error.message, message);
      return true;
    };
  }

  it("dials pod addresses on the REST port", () => {
    assert.deepEqual(plainEndpoint(WORKER), { url: "http://10.0.0.1:8083", headers: {} });
    assert.equal(plainEndpoint({ ...WORKER, ip: "fd00::1" }).url, "http://[fd00::1]:8083");
  });

  it("leaves keys out of which a validation of Java's tells nothing", async () => {
    const named = (name: string) => ({ name, value: null, recommended_values: [], errors: [], visible: true });
    const configs = [
      { definition: null, value: named("a") },
      { definition: null, value: null },
    ];
    const body = { name: "p", error_count: 0, groups: [], configs };
    const client = await serve((_request, response) => response.end(JSON.stringify(body)));
    const infos = await client.validate(WORKER, "p", {}, signal);
    assert.deepEqual(infos, { ...body, configs: configs.slice(0, 1) });
  });

  it("sends credentials, and names escaped", async () => {
    const seen: unknown[] = [];
    const client = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers.authorization]);
      response.writeHead(204).end();
    });
    await client.remove(WORKER, "a/b c", signal);
    await client.changeState(WORKER, "a", "stop", signal);
    assert.deepEqual(seen, [
      ["DELETE", "/connectors/a%2Fb%20c", "Bearer x"],
      ["PUT", "/connectors/a/stop", "Bearer x"],
    ]);
  });

  const answers: readonly [number, string, ConnectRestErrorCode, RegExp][] = [
    [404, '{"error_code":404,"message":"Connector a not found"}', "not-found", /^Connector a not found$/],
    [409, '{"error_code":409,"message":"rebalance"}', "conflict", /^rebalance$/],
    [400, '{"error_code":400,"message":"bad"}', "rejected", /^bad$/],
    [500, '{"error_code":500,"message":null}', "failed", /^GET \/headrace\/group answered 500$/],
    [502, "<html>", "failed", /answered 502/],
    [200, "<html>", "malformed", /is not JSON/],
    [200, "{}", "malformed", /generation/],
  ];
  for (const [status, body, wanted, message] of answers) {
    it(`takes ${status} ${body} for ${wanted}`, async () => {
      const client = await serve((_, response) => response.writeHead(status).end(body));
      await assert.rejects(client.group(WORKER, signal), code(wanted, message));
    });
  }

  it("takes a closed port for unreachable, saying which worker", async () => {
    const client = await serve(() => undefined);
    const server = open.pop();
    await new Promise((resolve) => server?.close(resolve));
    await assert.rejects(
      client.self(WORKER, signal),
      code("unreachable", /^worker 10\.0\.0\.1 cannot be reached: .*REFUSED/),
    );
  });

  it("does not wait for ever", async () => {
    const client = await serve(() => undefined, { readTimeoutMs: 50 });
    await assert.rejects(client.self(WORKER, signal), code("timeout", /did not answer in time/));
  });

  it("ends with its signal, with the reason of the signal", async () => {
    const stop = new AbortController();
    const client = await serve(() => stop.abort(new Error("stopping")));
    await assert.rejects(client.self(WORKER, stop.signal), /stopping/);
  });

  it("is content when what it removes is gone", async () => {
    const client = await serve((_, response) => response.writeHead(404).end());
    await client.remove(WORKER, "a", signal);
    assert.equal(await client.hasPlugin(WORKER, "a", signal), false);
  });

  it("bounds the calls in flight to one cluster and lets others pass", async () => {
    const held: (() => void)[] = [];
    const eight = Promise.withResolvers<void>();
    const client = await serve((request, response) => {
      const answer = () => void response.end(JSON.stringify(GROUP));
      if (request.url === "/headrace/self") {
        response.end('{"workerId":"w","memberId":"m","podUid":null,"draining":false}');
        return;
      }
      held.push(answer);
      if (held.length === 8) eight.resolve();
    });
    const calls = Array.from({ length: 16 }, () => client.group(WORKER, signal));
    await eight.promise;
    await client.self({ ...WORKER, cluster: { namespace: "ns", name: "other" } }, signal);
    assert.equal(held.length, 8);
    const all = Promise.all(calls);
    const release = setInterval(() => held.shift()?.(), 1);
    await all;
    clearInterval(release);
  });

  describe("events", () => {
    const snapshot = { kind: "snapshot", workerId: "w", connectors: {} };

    it("reads events in pieces, past comments, names and ids", async () => {
      const text = `: hello\nid: 1\nevent: snapshot\ndata: ${JSON.stringify(snapshot)}\n\ndata: {"kind":\r\ndata: "ping"}\r\n\r\n`;
      const client = await serve(async (_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (const character of text) response.write(character);
        response.end();
      });
      const events = await collect(client.events(WORKER, signal));
      assert.deepEqual(events, [snapshot, { kind: "ping" }]);
    });

    it("does not bear silence", async () => {
      const client = await serve((_, response) => void response.write(`data: ${JSON.stringify(snapshot)}\n\n`), {
        silenceMs: 50,
      });
      const seen: unknown[] = [];
      const follow = async () => {
        for await (const event of client.events(WORKER, signal)) seen.push(event);
      };
      await assert.rejects(follow(), code("timeout", /did not answer in time/));
      assert.equal(seen.length, 1);
    });

    it("ends quietly with its signal, and closes the connection", async () => {
      const stop = new AbortController();
      const closed = Promise.withResolvers<void>();
      const client = await serve((request, response) => {
        request.on("close", closed.resolve);
        response.write(`data: ${JSON.stringify(snapshot)}\n\n`);
      });
      for await (const _ of client.events(WORKER, stop.signal)) stop.abort();
      await closed.promise;
    });

    it("refuses what is no event", async () => {
      const client = await serve((_, response) => response.end('data: {"kind":"news"}\n\n'));
      await assert.rejects(collect(client.events(WORKER, signal)), code("malformed", /kind/));
    });
  });
});

describe("firstAnswer", () => {
  const workers = ["1", "2", "3"].map((ip) => ({ ...WORKER, ip }));

  it("passes over workers that cannot be reached", async () => {
    const { worker, answer } = await firstAnswer(workers, async ({ ip }) => {
      if (ip === "1") throw new ConnectRestError("unreachable", "no");
      if (ip === "2") throw new ConnectRestError("timeout", "no");
      return `from ${ip}`;
    });
    assert.deepEqual([worker.ip, answer], ["3", "from 3"]);
  });

  it("does not ask another worker after a refusal", async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
      throw new ConnectRestError("rejected", "bad");
    };
    await assert.rejects(firstAnswer(workers, ask), /bad/);
    assert.equal(asked, 1);
  });

  it("says so when there is no worker", async () => {
    await assert.rejects(
      firstAnswer([], async () => 1),
      /no worker is ready/,
    );
  });
});
