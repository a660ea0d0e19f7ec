import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Connection } from "#operator/kube/config.ts";

/** Stands between the operator and the API server, and notes what was asked for, in RBAC's words. */
export interface CountingProxy {
  /** http, on loopback. */
  readonly url: string;
  /** `verb group/resource`, with `/subresource` where there is one. */
  readonly used: ReadonlySet<string>;
  /** The same of what was forbidden. */
  readonly denied: ReadonlySet<string>;
  /** Of what was used, what was in this namespace; null: in none, or in all at once. */
  usedIn(namespace: string | null): ReadonlySet<string>;
  /** Answers the next request of this right with a conflict, as if somebody else had just changed the object. */
  conflictOnce(right: string): void;
  close(): Promise<void>;
}

const RESOURCE = /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/[^/]+(?=\/))?\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/;

/** What a request needs a right for; null if it is none for a resource. */
export function toRight(method: string, url: string): string | null {
  const { pathname, searchParams } = new URL(url, "http://api");
  const [match, group = "", resource = "", name, subresource] = RESOURCE.exec(pathname) ?? [];
  if (match === undefined) return null;
  const verb = verbOf(
    method,
    name !== undefined,
    searchParams.get("watch") === "true" || searchParams.get("watch") === "1",
  );
  return `${verb} ${group}/${resource}${subresource === undefined ? "" : `/${subresource}`}`;
}

function verbOf(method: string, named: boolean, watches: boolean): string {
  if (method === "GET") return named ? "get" : watches ? "watch" : "list";
  const verbs: Readonly<Record<string, string>> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };
  return verbs[method] ?? method;
}

const NAMESPACE = /^\/(?:api|apis\/[^/]+)\/[^/]+\/namespaces\/([^/?]+)\//;

/** The namespace of what a request is for; null: none. */
export function toNamespace(url: string): string | null {
  return NAMESPACE.exec(url)?.[1] ?? null;
}

const CONFLICT = JSON.stringify({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  reason: "Conflict",
  message: "the object has been modified",
  code: 409,
});

/** Starts it in front of the server that `connection` leads to; callers bring their own authorization. */
export async function startCountingProxy(connection: Connection): Promise<CountingProxy> {
  const used = new Set<string>();
  const byNamespace = new Map<string | null, Set<string>>();
  const conflicts = new Set<string>();
  const denied = new Set<string>();
  const { tls } = await connection.credentials();

  const pass = (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = "GET", url = "/", headers } = incoming;
    const right = toRight(method, url);
    const note = (one: string) => {
      const namespace = toNamespace(url);
      const rights = byNamespace.get(namespace) ?? new Set();
      byNamespace.set(namespace, rights.add(one));
      used.add(one);
    };
    if (right !== null && conflicts.delete(right)) {
      incoming.resume();
      response.writeHead(409, { "content-type": "application/json" }).end(CONFLICT);
      return;
    }
    const options = { method, path: url, headers: { ...headers, host: connection.server.host }, ca: tls.ca };
    const outgoing = httpsRequest(connection.server, options);
    outgoing.on("response", (answer) => {
      if (right !== null && answer.statusCode === 403) denied.add(right);
      else if (right !== null) note(right);
      // Server-side apply of what is not there takes the right to create it as well.
      if (right !== null && method === "PATCH" && answer.statusCode === 201) note(right.replace("patch", "create"));
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  };

  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    used,
    denied,
    usedIn: (namespace) => byNamespace.get(namespace) ?? new Set(),
    conflictOnce: (right) => void conflicts.add(right),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
