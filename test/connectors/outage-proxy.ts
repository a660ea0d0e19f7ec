import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Outage, Stall } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";

/** A way to a server that can be cut, or stand still. */
export interface OutageProxy {
  readonly port: number;
  readonly outage: Outage;
  /** Takes bytes of both sides and passes none on; `waiting`: there are some for the server. */
  readonly stall: Stall;
}

/** Opens one on loopback, in front of a port there; `outage.begin` closes it and all connections, for good if `end` never comes. */
export async function openOutageProxy(target: number): Promise<OutageProxy> {
  const sockets = new Set<Socket>();
  const [port = 0] = await freePorts(1);
  let server: Server | null = null;
  /** What waits for the end of a stall; null: there is none. */
  let held: { readonly to: Socket; readonly chunk: Buffer; readonly forServer: boolean }[] | null = null;
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
        each.on("end", () => other.end());
        each.on("data", (chunk: Buffer) => {
          if (held !== null) held.push({ to: other, chunk, forServer: each === from });
          else if (!other.write(chunk)) each.pause();
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
    stall: {
      async begin() {
        held = [];
      },
      async end() {
        const waiting = held ?? [];
        held = null;
        for (const { to, chunk } of waiting) if (!to.destroyed) to.write(chunk);
      },
      waiting: () => (held ?? []).some(({ forServer }) => forServer),
    },
  };
}
