import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** A request whose sender waits. */
export interface Delivery {
  readonly body: Buffer;
  readonly receivedAt: number;
  header(name: string): string | null;
  /** Kafka has it, there; null: it was left out by a transform or by the tolerance policy. */
  answer(position: { readonly topic: string; readonly partition: number; readonly offset: bigint } | null): void;
}

export interface WebhookServer {
  /** Starts to listen; resolves when it does. Repeats are free. */
  listen(): Promise<void>;
  /** Resolves when there is something to take, after `timeoutMs` or when the signal aborts. */
  arrival(timeoutMs: number, signal: AbortSignal): Promise<void>;
  take(limit: number): readonly Delivery[];
  /** Senders that wait. */
  waiting(): number;
  /** Answers those who wait with 503 and stops listening. */
  close(): Promise<void>;
}

export interface WebhookServerOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly maxBodyBytes: number;
  readonly maxWaiting: number;
  readonly answerTimeoutMs: number;
  /** null: requests are not checked. */
  readonly signature: { readonly secret: string; readonly header: string; readonly algorithm: string } | null;
  readonly accepts: (body: Buffer) => boolean;
}

const RETRY_AFTER_S = "1";
/** Time for a request's head and body. */
const REQUEST_MS = 30_000;

export function createWebhookServer(options: WebhookServerOptions): WebhookServer {
  const queue: Delivery[] = [];
  const open = new Set<ServerResponse>();
  let reading = 0;
  let server: Server | null = null;
  let bell = Promise.withResolvers<void>();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (URL.parse(request.url ?? "", "http://localhost")?.pathname !== options.path)
      return say(response, 404, "no such path");
    if (request.method !== "POST" && request.method !== "PUT")
      return say(response, 405, "POST or PUT", { allow: "POST, PUT" });
    if (open.size + reading >= options.maxWaiting) {
      return say(response, 429, "too many requests wait for Kafka", { "retry-after": RETRY_AFTER_S });
    }
    reading += 1;
    let body: Buffer | null;
    try {
      body = await readBody(request, options.maxBodyBytes);
    } finally {
      reading -= 1;
    }
    if (body === null) return say(response, 413, `at most ${options.maxBodyBytes} bytes`, { connection: "close" });
    if (!isSigned(request, body)) return say(response, 401, "the signature is missing or wrong");
    if (!options.accepts(body)) return say(response, 400, "the body is not JSON");
    if (server === null) return say(response, 503, "the connector is stopping", { "retry-after": RETRY_AFTER_S });
    enqueue(request, response, body);
  }

  function enqueue(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const timer = setTimeout(
      () => say(response, 503, "Kafka did not confirm the record in time", { "retry-after": RETRY_AFTER_S }),
      options.answerTimeoutMs,
    );
    open.add(response);
    response.once("close", () => {
      clearTimeout(timer);
      open.delete(response);
    });
    queue.push({
      body,
      receivedAt: Date.now(),
      header(name) {
        const value = request.headers[name.toLowerCase()];
        return value === undefined ? null : String(value);
      },
      answer(position) {
        const told =
          position === null ? { stored: false } : { stored: true, ...position, offset: Number(position.offset) };
        if (!response.headersSent)
          response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(told));
      },
    });
    bell.resolve();
  }

  function isSigned(request: IncomingMessage, body: Buffer): boolean {
    if (options.signature === null) return true;
    const { secret, header, algorithm } = options.signature;
    const given = String(request.headers[header] ?? "").replace(/^[a-z0-9]+=/i, "");
    const expected = createHmac(algorithm, secret).update(body).digest();
    const bytes = Buffer.from(given, "hex");
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  }

  return {
    async listen() {
      if (server !== null) return;
      const created = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
        handle(request, response).catch(() => response.destroy()); // The sender went away while it sent.
      });
      created.listen(options.port, options.host);
      await once(created, "listening");
      server = created;
    },
    async arrival(timeoutMs, signal) {
      if (queue.length > 0) return;
      bell = Promise.withResolvers();
      const done = new AbortController();
      const pause = sleep(timeoutMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => {});
      await Promise.race([bell.promise, pause]);
      done.abort();
      await pause;
    },
    take: (limit) => queue.splice(0, limit),
    waiting: () => open.size,
    async close() {
      const closing = server;
      server = null;
      queue.length = 0;
      const answers = [...open].map(async (response) => {
        const finished = once(response, "close");
        say(response, 503, "the connector is stopping", { "retry-after": RETRY_AFTER_S, connection: "close" });
        await finished;
      });
      if (closing === null) return;
      const closed = once(closing, "close");
      closing.close();
      await Promise.race([Promise.all(answers), sleep(1_000, undefined, { ref: false })]);
      closing.closeAllConnections();
      await closed;
    },
  };
}

function say(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  if (response.headersSent) return;
  response
    .writeHead(status, { "content-type": "application/json", ...headers })
    .end(JSON.stringify({ error: message }));
}

/** null: it is too large. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) return null;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
