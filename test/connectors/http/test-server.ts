import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Outage, Stall } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";
import { createStall } from "#support/stall.ts";

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

type Answer = (received: Received, response: ServerResponse) => void;

/** An HTTP server on a port of its own, which can be away, and can take requests without answering. */
export interface TestServer {
  readonly url: string;
  readonly received: readonly Received[];
  readonly outage: Outage;
  readonly stall: Stall;
  /** How many it has open. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export async function openTestServer(answer: Answer): Promise<TestServer> {
  const received: Received[] = [];
  const played = createStall();
  const sockets = new Set<Socket>();
  // One that nobody takes during an outage.
  const [port = 0] = await freePorts(1);
  let server = await listen();

  async function listen(): Promise<Server> {
    // A machine that stands still for seconds must not end connections that are about to be used again: the server closes none, and the
    // clients those that have been idle for a while.
    const created = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      response.setHeader("keep-alive", "timeout=3");
      void take(request, response);
    });
    created.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    created.listen(port, "127.0.0.1");
    await once(created, "listening");
    return created;
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const each = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    played.act(() => {
      // Nothing is done for somebody who has gone.
      if (response.destroyed || request.socket.destroyed) return;
      received.push(each);
      answer(each, response);
    });
  }

  async function close(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  return {
    url: `http://127.0.0.1:${port}`,
    received,
    outage: {
      begin: close,
      async end() {
        server = await listen();
      },
    },
    stall: played.stall,
    connections: () => sockets.size,
    close,
  };
}
