import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from "node:http";
import type { Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import type { Outage, Stall } from "@headrace/sdk/testing";

/** A request on its way through the proxy. */
export interface Passing {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: number;
}

/** What becomes of a request: it goes through, is answered by the proxy, or its answer gets lost once the server has done it. */
export type Fate = "pass" | "lose-answer" | { readonly status: number; readonly code: string };

/** A proxy before an HTTP server that can be away, stall, and answer by itself. */
export interface FaultyProxy {
  readonly url: string;
  readonly port: number;
  readonly passed: readonly Passing[];
  /** Requests that the server has taken and not answered yet. */
  readonly underWay: () => number;
  readonly outage: Outage;
  readonly stall: Stall;
  /** How many there are to the proxy. */
  readonly connections: () => number;
  /** Asked for each request from now on. */
  decide(fate: (passing: Passing) => Fate): void;
  close(): Promise<void>;
}

export async function openFaultyProxy(target: number): Promise<FaultyProxy> {
  const passed: Passing[] = [];
  const sockets = new Set<Socket>();
  let fateOf: (passing: Passing) => Fate = () => "pass";
  /** Wakes requests that wait for the end of a stall; null: there is none. */
  let held: PromiseWithResolvers<void> | null = null;
  let waiting = 0;
  let underWay = 0;
  let server = await listen(0);
  const { port } = addressOf(server);

  async function listen(at: number): Promise<Server> {
    // A machine that stands still for seconds must not end connections that are about to be used again: the server closes none, and the
    // clients those that have been idle for a while.
    const created = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      response.setHeader("keep-alive", "timeout=3");
      take(request, response).catch(() => response.destroy());
    });
    created.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    created.listen(at, "127.0.0.1");
    await once(created, "listening");
    return created;
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { headers } = request;
    const passing = { method: request.method ?? "", url: request.url ?? "", headers, bytes: body.length };
    if (held !== null) {
      waiting += 1;
      await held.promise;
      waiting -= 1;
      // Nothing is done for somebody who has gone.
      if (response.destroyed || request.socket.destroyed) return;
    }
    const fate = fateOf(passing);
    if (typeof fate === "object") {
      response.writeHead(fate.status, { "content-type": "application/xml" });
      response.end(`<Error><Code>${fate.code}</Code><Message>as the test says</Message></Error>`);
      return;
    }
    passed.push(passing);
    const { method, url: path } = request;
    const onward = send({ host: "127.0.0.1", port: target, method, path, headers });
    underWay += 1;
    onward.end(body);
    const [answer]: IncomingMessage[] = await once(onward, "response").finally(() => {
      underWay -= 1;
    });
    if (answer === undefined) throw new Error("no answer");
    if (fate === "lose-answer") {
      await buffer(answer);
      response.destroy();
      return;
    }
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    answer.pipe(response);
  }

  const stop = async () => {
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    passed,
    underWay: () => underWay,
    connections: () => sockets.size,
    outage: {
      begin: stop,
      async end() {
        server = await listen(port);
      },
    },
    stall: {
      async begin() {
        held = Promise.withResolvers();
      },
      async end() {
        held?.resolve();
        held = null;
      },
      waiting: () => waiting > 0,
    },
    decide(fate) {
      fateOf = fate;
    },
    close: stop,
  };
}

function addressOf(server: Server): { readonly port: number } {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return address;
}
