import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Outage } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";

/** A way to a server that can be cut. */
export interface OutageProxy {
  readonly port: number;
  readonly outage: Outage;
}

/** Opens one on loopback, in front of a port there; `outage.begin` closes it and all connections, for good if `end` never comes. */
export async function openOutageProxy(target: number): Promise<OutageProxy> {
  const sockets = new Set<Socket>();
  const [port = 0] = await freePorts(1);
  let server: Server | null = null;
  async function end(): Promise<void> {
    server = createServer((from) => {
      const to = createConnection(target, "127.0.0.1");
      for (const [each, other] of [
        [from, to],
        [to, from],
      ] as const) {
        sockets.add(each);
        each.on("error", () => other.destroy());
        each.on("close", () => {
          sockets.delete(each);
          other.destroy();
        });
        each.pipe(other);
      }
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  }
  async function begin(): Promise<void> {
    if (server === null) return;
    const closed = once(server, "close");
    server.close();
    server = null;
    for (const socket of sockets) socket.destroy();
    await closed;
  }
  await end();
  return { port, outage: { begin, end } };
}
