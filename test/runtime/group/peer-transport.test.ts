import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { after, describe, it } from "node:test";
import { createPeerTransport } from "#runtime/group/peer-transport.ts";

async function listen(handler: RequestListener): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(handler);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", () => resolve());
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") return assert.fail("no port");
  return { server, url: `http://127.0.0.1:${address.port}/` };
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}

describe("peer transport", () => {
  // What answers may take its time: the machine may be busy.
  const transport = createPeerTransport(() => ({}), 20_000);
  const impatient = createPeerTransport(() => ({}), 200);
  after(() => {
    transport.close();
    impatient.close();
  });

  it("gives status and JSON of an answer", async (t) => {
    const { server, url } = await listen((request, response) => {
      response.writeHead(request.url === "/headrace/self" ? 200 : 404).end(JSON.stringify({ method: request.method }));
    });
    t.after(() => close(server));
    assert.deepEqual(await transport.request("GET", `${url}headrace/self`, t.signal), {
      kind: "answered",
      status: 200,
      body: { method: "GET" },
    });
    const other = await transport.request("POST", `${url}other`, t.signal);
    assert.deepEqual(other, { kind: "answered", status: 404, body: { method: "POST" } });
  });

  it("takes a body that is no JSON for no body", async (t) => {
    const { server, url } = await listen((_, response) => response.writeHead(202).end("<html>"));
    t.after(() => close(server));
    assert.deepEqual(await transport.request("POST", url, t.signal), {
      kind: "answered",
      status: 202,
      body: undefined,
    });
  });

  it("meets the refusal at its next request after a kept connection has died", async (t) => {
    const { server, url } = await listen((_, response) => response.end("{}"));
    assert.equal((await transport.request("GET", url, t.signal)).kind, "answered");
    await close(server);
    const kinds = [await transport.request("GET", url, t.signal), await transport.request("GET", url, t.signal)].map(
      ({ kind }) => kind,
    );
    assert.ok(kinds[0] === "refused" || kinds[0] === "reset", kinds[0]);
    assert.equal(kinds[1], "refused");
  });

  it("tells a reset from a refusal", async (t) => {
    const { server, url } = await listen((request) => request.socket.resetAndDestroy());
    t.after(() => close(server));
    assert.deepEqual(await transport.request("GET", url, t.signal), { kind: "reset" });
  });

  it("calls a peer that does not answer in time silent, also in the middle of its answer", async (t) => {
    const { server, url } = await listen((request, response) => {
      if (request.url === "/half") response.write("{");
    });
    t.after(() => close(server));
    assert.deepEqual(await impatient.request("GET", url, t.signal), { kind: "silent" });
    assert.deepEqual(await impatient.request("GET", `${url}half`, t.signal), { kind: "silent" });
    assert.deepEqual(await impatient.request("GET", "http://no-such-host.invalid/", t.signal), { kind: "silent" });
  });
});
