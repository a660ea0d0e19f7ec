import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Outage, Stall } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";
import { createStall } from "#support/stall.ts";

/** A way to a server that can be cut, or stand still. */
export interface OutageProxy {
  readonly port: number;
  readonly outage: Outage;
  /** Takes bytes of both sides, and their ends, and passes none on; `waiting`: there are some for the server. */
  readonly stall: Stall;
}

/** Opens one on loopback, in front of a port there; `outage.begin` closes it and all connections, for good if `end` never comes. */
export async function openOutageProxy(target: number): Promise<OutageProxy> {
  const sockets = new Set<Socket>();
  const [port = 0] = await freePorts(1);
  let server: Server | null = null;
  const played = createStall();
  async function end(): Promise<void> {
    // An end is answered by the other side, not by the proxy.
    server = createServer({ allowHalfOpen: true }, (from) => {
      const to = createConnection({ port: target, host: "127.0.0.1", allowHalfOpen: true });
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
        each.on("end", () => played.act(() => other.end(), false));
        each.on("data", (chunk: Buffer) => {
          played.act(() => {
            if (!other.destroyed && !other.write(chunk)) each.pause();
          }, each === from);
        });
        each.on("drain", () => other.resume());
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
  return {
    port,
    outage: { begin, end },
    stall: played.stall,
  };
}
