import { once } from "node:events";
import { createServer as createPlain, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import { createServer as createSecure, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/** A request that came to the gate. */
export interface Arrived {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** What becomes of a request: it goes to the registry, gets this status, or no answer at all. */
export type Verdict = "pass" | "stall" | number;

/** An HTTP or HTTPS server before a registry. */
export interface RegistryGate {
  /** At the name `localhost`; plus the path of the registry's API. */
  readonly url: string;
  readonly port: number;
  readonly arrived: Arrived[];
  /** Asked for each request from now on. */
  decide: (arrived: Arrived) => Verdict;
  close(): Promise<void>;
}

/** Opens one before the API at `target`; `tls`: with HTTPS. */
export async function openRegistryGate(target: string, tls?: ServerOptions): Promise<RegistryGate> {
  const registry = new URL(target);
  const arrived: Arrived[] = [];

  function take(request: IncomingMessage, response: ServerResponse): void {
    const each = { method: request.method ?? "", path: request.url ?? "", headers: request.headers };
    arrived.push(each);
    const verdict = gate.decide(each);
    if (verdict === "stall") return;
    if (verdict !== "pass") {
      response.writeHead(verdict, { "content-type": "application/json" }).end('{"message":"as the test says"}');
      return;
    }
    const { host, ...headers } = request.headers;
    const onward = send({
      host: registry.hostname,
      port: registry.port,
      method: each.method,
      path: each.path,
      headers,
    });
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  }

  const server = tls === undefined ? createPlain(take) : createSecure(tls, take);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const gate: RegistryGate = {
    url: `${tls === undefined ? "http" : "https"}://localhost:${port}${registry.pathname}`,
    port,
    arrived,
    decide: () => "pass",
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return gate;
}
