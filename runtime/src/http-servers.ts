import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Listener } from "./listeners.ts";

/** HTTP servers of one application, one per listener. */
export interface HttpServers {
  /** Port of the first one. */
  readonly port: number;
  /** What answers from now on. Requests before that wait. */
  serve(app: FastifyInstance): void;
  close(): Promise<void>;
}

/** Binds all listeners. Rejects if an address cannot be bound, with nothing left behind. */
export async function openHttpServers(listeners: readonly Listener[]): Promise<HttpServers> {
  const app = Promise.withResolvers<FastifyInstance>();
  const servers = listeners.map(() =>
    createServer((request, response) => {
      void app.promise.then((ready) => ready.routing(request, response));
    }),
  );
  const close = async () => {
    await Promise.all(servers.map(closeServer));
  };
  try {
    await Promise.all(servers.map((server, index) => bind(server, listeners[index] ?? { host: null, port: 0 })));
  } catch (error) {
    await close();
    throw error;
  }
  return { port: portOf(servers[0]), serve: (ready) => app.resolve(ready), close };
}

function bind(server: Server, { host, port }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function portOf(server: Server | undefined): number {
  const address: AddressInfo | string | null = server?.address() ?? null;
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}
