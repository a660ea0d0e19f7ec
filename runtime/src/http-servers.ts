import { createServer, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createSecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { Listener } from "./listeners.ts";

/** HTTP and HTTPS servers of one application, one per listener. */
export interface HttpServers {
  /** Their ports, in the order of the listeners. */
  readonly ports: readonly number[];
  /** What answers from now on. Requests before that wait. */
  serve(app: FastifyInstance): void;
  /** Other certificates for new connections. Throws if they cannot be used; then the former ones stay. */
  renew(tls: SecureContextOptions): void;
  close(): Promise<void>;
}

/** Binds all listeners; `tls` is for those of scheme https. Rejects if an address cannot be bound, with nothing left behind. */
export async function openHttpServers(
  listeners: readonly Listener[],
  tls: TlsOptions | null = null,
): Promise<HttpServers> {
  const app = Promise.withResolvers<FastifyInstance>();
  const servers = listeners.map(({ scheme }) => {
    const server = scheme === "https" ? createTlsServer(requireTls(tls)) : createServer();
    return server.on("request", (request, response) => {
      void app.promise.then((ready) => ready.routing(request, response));
    });
  });
  const close = async () => {
    await Promise.all(servers.map(closeServer));
  };
  try {
    await Promise.all(
      servers.map((server, index) => bind(server, listeners[index] ?? { scheme: "http", host: null, port: 0 })),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ports: servers.map(portOf),
    serve: (ready) => app.resolve(ready),
    renew(renewed) {
      createSecureContext(renewed);
      for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(renewed);
    },
    close,
  };
}

function requireTls(tls: TlsOptions | null): TlsOptions {
  if (tls === null)
    throw new Error("an https listener needs a keystore: set ssl.keystore.* or listeners.https.ssl.keystore.*");
  return tls;
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

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen");
  return address.port;
}
