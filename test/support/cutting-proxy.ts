import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Connection } from "#operator/kube/config.ts";
import { createHttp, type HttpRequest } from "#operator/kube/http.ts";

type Kind = "list" | "watch" | "other";

/** What happens to the next line of every open watch: it is passed on half, then the connection is reset; or it is replaced. */
type LineFault = { readonly kind: "cut" } | { readonly kind: "replace"; readonly by: string };

type Answer =
  | { readonly status: number; readonly body?: object | string; readonly retryAfter?: number }
  | "hang"
  | "reset";

interface Canned {
  readonly matches: (kind: Kind, url: URL) => boolean;
  left: number;
  readonly answer: Answer;
}

interface OpenWatch {
  readonly response: ServerResponse;
  fault: LineFault | null;
  silent: boolean;
}

/** A proxy in front of an API server that breaks what it is told to break, and passes everything else on unchanged. */
export interface CuttingProxy {
  /** The proxy as an API server that asks for no credentials. */
  readonly connection: Connection;
  /** How many requests came in. */
  seen(kind: Kind): number;
  openWatches(): number;
  /** Open watches say nothing any more, without being closed; new ones work. */
  silence(): void;
  /** Resets the connections of open watches. */
  reset(): void;
  /** Does this to the next line of every open watch. */
  spoilNextLine(fault: LineFault): void;
  /** The next `count` requests that match get this answer, none at all, or a reset. */
  answerNext(count: number, matches: Canned["matches"], answer: Canned["answer"]): void;
  /** Every request gets the answer that `decide` has for it, if any; null ends it. */
  disturb(decide: ((kind: Kind, url: URL) => Answer | null) | null): void;
  /** Changes the path and query of every request, null for no change any more. */
  rewrite(change: ((url: URL, kind: Kind) => void) | null): void;
  close(): Promise<void>;
}

function kindOf(method: string | undefined, url: URL): Kind {
  if (method !== "GET") return "other";
  if (url.searchParams.has("watch")) return "watch";
  return /\/(namespaces\/[^/]+\/)?[a-z]+$/.test(url.pathname) ? "list" : "other";
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function methodOf(method: string | undefined): HttpRequest["method"] {
  if (method === "POST" || method === "PATCH" || method === "DELETE") return method;
  return "GET";
}

export async function openCuttingProxy(upstream: Connection): Promise<CuttingProxy> {
  const http = createHttp(upstream, "cutting-proxy");
  const stop = new AbortController();
  const counts: Record<Kind, number> = { list: 0, watch: 0, other: 0 };
  const watches = new Set<OpenWatch>();
  const canned: Canned[] = [];
  let disturbance: ((kind: Kind, url: URL) => Answer | null) | null = null;
  let change: ((url: URL, kind: Kind) => void) | null = null;

  async function passOn(watch: OpenWatch, body: AsyncIterable<Buffer>): Promise<void> {
    let rest = "";
    for await (const chunk of body) {
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (watch.silent) continue;
        const fault = watch.fault;
        watch.fault = null;
        if (fault === null) watch.response.write(`${line}\n`, "latin1");
        else if (fault.kind === "replace") watch.response.write(`${fault.by}\n`);
        else {
          watch.response.write(line.slice(0, line.length / 2), "latin1", () => watch.response.destroy());
          return;
        }
      }
    }
    if (!watch.silent) watch.response.end(rest, "latin1");
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://proxy");
    const kind = kindOf(request.method, url);
    counts[kind] += 1;
    const trap = canned.find(({ left, matches }) => left > 0 && matches(kind, url));
    if (trap !== undefined) trap.left -= 1;
    const answered = trap?.answer ?? disturbance?.(kind, url) ?? null;
    if (answered !== null) {
      if (answered === "hang") return;
      if (answered === "reset") {
        response.destroy();
        return;
      }
      const { status, body = "", retryAfter } = answered;
      const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
      response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
      return;
    }
    change?.(url, kind);
    const sent = await bodyOf(request);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await http.send(
      {
        method: methodOf(request.method),
        path: url.pathname + url.search,
        ...(sent === "" ? {} : { body: sent, contentType: request.headers["content-type"] ?? "application/json" }),
      },
      AbortSignal.any([gone.signal, stop.signal]),
    );
    response.writeHead(answer.status, {
      ...(answer.retryAfterMs === null ? {} : { "retry-after": String(answer.retryAfterMs / 1000) }),
    });
    response.flushHeaders();
    if (kind !== "watch") {
      for await (const chunk of answer.body) response.write(chunk);
      response.end();
      return;
    }
    const watch: OpenWatch = { response, fault: null, silent: false };
    watches.add(watch);
    try {
      await passOn(watch, answer.body);
    } finally {
      watches.delete(watch);
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  return {
    connection: {
      server: new URL(`http://127.0.0.1:${port}`),
      namespace: null,
      credentials: async () => ({ tls: { rejectUnauthorized: true }, headers: {} }),
      refresh: () => undefined,
    },
    seen: (kind) => counts[kind],
    openWatches: () => [...watches].filter(({ silent }) => !silent).length,
    silence() {
      for (const watch of watches) watch.silent = true;
    },
    reset() {
      for (const { response } of watches) response.destroy();
    },
    spoilNextLine(fault) {
      for (const watch of watches) watch.fault = fault;
    },
    answerNext(count, matches, answer) {
      canned.push({ left: count, matches, answer });
    },
    disturb(decide) {
      disturbance = decide;
    },
    rewrite(next) {
      change = next;
    },
    async close() {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      http.close();
    },
  };
}
