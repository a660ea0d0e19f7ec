import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ConnectionOptions } from "node:tls";

/** A request to another worker, as far as workers need it. */
export interface PeerRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
}

/** Sends a request to another worker. The path is sent as it stands: `fetch` would take a connector named `..` for a step upwards. */
export type PeerFetch = (url: string, request?: PeerRequest) => Promise<Response>;

const TARGET = /^(https?:\/\/[^/?#]+)(\/[^#]*)$/;
/** Statuses that have no body. */
const EMPTY = new Set([204, 205, 304]);

/** Creates it; `tls` answers the truststore and this worker's own certificate for https, as they are at the time. */
export function createPeerFetch(tls: () => ConnectionOptions): PeerFetch {
  return (url, given = {}) => {
    const target = TARGET.exec(url);
    if (target === null) return Promise.reject(new TypeError(`${url} is no address of a worker`));
    const [, origin = "", path = ""] = target;
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const options = {
      method: given.method ?? "GET",
      path,
      headers: {
        ...given.headers,
        ...(given.body === undefined ? {} : { "content-length": Buffer.byteLength(given.body) }),
      },
      ...(given.signal === undefined ? {} : { signal: given.signal }),
    };
    const request = origin.startsWith("https:")
      ? requestHttps(origin, { ...tls(), ...options })
      : requestHttp(origin, options);
    request.once("error", reject);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const status = response.statusCode ?? 500;
        const headers = new Headers();
        for (const [name, value] of Object.entries(response.headers)) {
          if (typeof value === "string") headers.set(name, value);
        }
        resolve(new Response(EMPTY.has(status) ? null : Buffer.concat(chunks), { status, headers }));
      });
    });
    request.end(given.body);
    return promise;
  };
}
