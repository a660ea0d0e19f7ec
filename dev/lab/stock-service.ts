import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { freePorts } from "../process.ts";

/** A row as the sinks of the lab tell it. */
export const StockItem = z.object({
  id: z.int(),
  sku: z.string(),
  name: z.string(),
  in_stock: z.int(),
  price: z.number(),
  version: z.int(),
  changed_at: z.string(),
});
export type StockItem = z.infer<typeof StockItem>;

/** What the service was told of an item. */
export interface StockRequest {
  readonly id: number;
  /** null: it is gone. */
  readonly item: StockItem | null;
  readonly atMs: number;
}

/** An HTTP service that keeps items by their ids, for callers with its token: `PUT`, `DELETE` and `GET /items/{id}`, `GET /items`. */
export interface StockService {
  /** Base URL. */
  readonly url: string;
  items(): ReadonlyMap<number, StockItem>;
  /** All changes that it was told and has taken, in order. */
  requests(): readonly StockRequest[];
  /** How often it has refused something, and why last. */
  refused(): { readonly count: number; readonly last: string | null };
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** Starts one on loopback. */
export async function startStockService({ token }: { readonly token: string }): Promise<StockService> {
  const items = new Map<number, StockItem>();
  const requests: StockRequest[] = [];
  let refusals = 0;
  let lastRefusal: string | null = null;
  const wanted = Buffer.from(`Bearer ${token}`);

  async function answer(request: IncomingMessage): Promise<Answer> {
    const given = Buffer.from(request.headers.authorization ?? "");
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      return refuse(401, "no token, or a wrong one");
    if (request.method === "GET" && request.url === "/items") return { status: 200, body: [...items.values()] };
    const [, digits] = /^\/items\/(\d+)$/.exec(request.url ?? "") ?? [];
    if (digits === undefined) return refuse(404, `there is no ${request.url}`);
    const id = Number(digits);
    switch (request.method) {
      case "GET":
        return items.has(id) ? { status: 200, body: items.get(id) } : { status: 404 };
      case "PUT": {
        const parsed = StockItem.safeParse(parseJson(await text(request)));
        if (!parsed.success) return refuse(422, z.prettifyError(parsed.error));
        if (parsed.data.id !== id) return refuse(422, `item ${parsed.data.id} at /items/${id}`);
        items.set(id, parsed.data);
        requests.push({ id, item: parsed.data, atMs: Date.now() });
        return { status: 204 };
      }
      case "DELETE":
        items.delete(id);
        requests.push({ id, item: null, atMs: Date.now() });
        return { status: 204 };
      default:
        return refuse(405, `${request.method} is not for items`);
    }
  }

  function refuse(status: number, why: string): Answer {
    refusals += 1;
    lastRefusal = `${status}: ${why}`;
    return { status, body: { error: why } };
  }

  const server = createServer((request, response) => {
    answer(request)
      .catch((error: unknown): Answer => refuse(500, String(error)))
      .then(({ status, body }) => {
        response.writeHead(status, body === undefined ? {} : { "content-type": "application/json" });
        response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`);
      })
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))));
  });
  const [port = 0] = await freePorts(1);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    items: () => items,
    requests: () => requests,
    refused: () => ({ count: refusals, last: lastRefusal }),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** undefined if it is no JSON. */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
