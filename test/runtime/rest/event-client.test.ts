import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { StreamEvent } from "@headrace/contract";
import { createEventClient, MAX_WAITING_BYTES } from "#runtime/rest/event-client.ts";
import { eventually } from "#support/eventually.ts";

const event = (bytes: number): StreamEvent => ({
  kind: "status",
  connector: "c",
  task: 0,
  state: "FAILED",
  workerId: "w:8083",
  generation: 1,
  trace: "x".repeat(bytes),
});
const snapshot = (bytes: number): StreamEvent => ({
  kind: "snapshot",
  workerId: "x".repeat(bytes),
  connectors: {},
});

describe("a client of the event stream", () => {
  let server: Server;
  let socket: Socket;
  let response: ServerResponse;

  beforeEach(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const asked = once(server, "request");
    socket = connect(address.port, "127.0.0.1");
    socket.pause();
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    [, response] = await asked;
    response.writeHead(200);
  });
  afterEach(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });

  it("that takes nothing is disconnected when too much waits for it, in the midst of a burst of events", () => {
    const client = createEventClient(response);
    client.send(snapshot(100));
    for (let sent = 0; sent < 3 * MAX_WAITING_BYTES; sent += 1 << 20) client.send(event(1 << 20));
    assert.ok(response.destroyed);
    client.send(event(10));
    client.ping();
    assert.ok(response.writableLength < 3 * MAX_WAITING_BYTES);
  });

  it("whose stream has ended is told nothing more", async () => {
    const client = createEventClient(response);
    client.send(event(10));
    response.end();
    client.send(event(10));
    client.ping();
    // Something written after the end would be an error that nobody handles.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("gets a snapshot of any size", async () => {
    const client = createEventClient(response);
    client.send(snapshot(5 * MAX_WAITING_BYTES));
    client.send(event(1_000));
    assert.equal(response.destroyed, false);
    let read = 0;
    socket.on("data", (data: Buffer) => {
      read += data.length;
    });
    socket.resume();
    await eventually("all of it", () => read > 5 * MAX_WAITING_BYTES);
  });

  it("that stays silent between pings is disconnected, however little waits for it", async () => {
    const client = createEventClient(response);
    client.send(snapshot(MAX_WAITING_BYTES));
    await eventually("the connection is full", async () => {
      const before = response.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return before > 0 && response.writableLength === before;
    });
    for (let pings = 0; pings < 6; pings += 1) {
      assert.equal(response.destroyed, false, `after ${pings} pings`);
      client.ping();
    }
    client.ping();
    assert.ok(response.destroyed);
  });

  it("that reads stays", async () => {
    const client = createEventClient(response);
    socket.on("data", () => {});
    socket.resume();
    for (let round = 0; round < 10; round += 1) {
      client.send(event(MAX_WAITING_BYTES / 2));
      await eventually("it is taken", () => response.writableLength === 0);
      client.ping();
    }
    assert.equal(response.destroyed, false);
  });
});
