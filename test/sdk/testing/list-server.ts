import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Outage, Stall } from "@headrace/sdk/testing";
import { freePorts } from "#dev/process.ts";
import { createStall } from "#support/stall.ts";

/** A list over HTTP: the system that the connectors of these tests read and write. */
export interface ListServer {
  readonly url: string;
  /** Items, each with a number that never changes. */
  readonly items: { readonly id: number; readonly text: string }[];
  add(...texts: readonly string[]): void;
  readonly outage: Outage;
  readonly stall: Stall;
  connections(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens one. `GET /?from=ID`: the items from there on; `GET /position`: the next offset of a writer; `POST /`: lines to add; `POST
 * /?offset=N`: the same, but for those that came before by that offset; `DELETE /?id=ID`.
 */
export async function openListServer(): Promise<ListServer> {
  const items: { id: number; text: string }[] = [];
  const played = createStall();
  let ids = 0;
  let position = 0;
  const [port = 0] = await freePorts(1);
  let server = await listen();

  function add(...texts: readonly string[]): void {
    for (const text of texts) items.push({ id: ids++, text });
  }

  async function listen() {
    const created = createServer((request, response) => {
      take(request, response).catch(() => response.destroy());
    });
    created.listen(port, "127.0.0.1");
    await once(created, "listening");
    return created;
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await buffer(request)).toString();
    const url = new URL(request.url ?? "", "http://list");
    played.act(() => {
      // Nothing is done for somebody who has gone.
      if (response.destroyed || request.socket.destroyed) return;
      response.end(JSON.stringify(serve(request.method ?? "", url, body)));
    });
  }

  function serve(method: string, url: URL, body: string): unknown {
    const { searchParams } = url;
    if (method === "DELETE") {
      const at = items.findIndex(({ id }) => id === Number(searchParams.get("id")));
      if (at >= 0) items.splice(at, 1);
      return null;
    }
    if (method === "GET")
      return url.pathname === "/position" ? position : items.filter(({ id }) => id >= Number(searchParams.get("from")));
    const offset = searchParams.get("offset");
    const lines = body.split("\n");
    add(...(offset === null ? lines : lines.slice(Math.max(0, position - Number(offset)))));
    if (offset !== null) position = Math.max(position, Number(offset) + lines.length);
    return null;
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
    items,
    add,
    outage: {
      begin: close,
      async end() {
        server = await listen();
      },
    },
    stall: played.stall,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    close,
  };
}
