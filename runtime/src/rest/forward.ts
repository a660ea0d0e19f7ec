import { ConnectError } from "../errors.ts";
import type { Outcome } from "../herder/leader-steps.ts";
import type { RequestScope } from "../herder/request-scope.ts";
import { pause } from "../pause.ts";
import type { RestApi } from "./api.ts";
import type { Answer, Incoming } from "./resource.ts";

/** How a request that another worker has to answer is sent there (contract §5.1). */
export interface ForwardedRequest {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to the worker's URL, names encoded. */
  readonly path: string;
  /** Bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  /** A conflict there means that the work is moving, and that nothing was done: it is looked up anew who has to do it. */
  readonly repeatOnConflict?: boolean;
}

const REFUSED_AGAIN_MS = 250;
const REBALANCE = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/**
 * Does the request here or, if another worker has to, sends it there once; that one may send it once more. A worker that refuses the
 * connection has not seen the request, so it is looked up anew who has to do it.
 */
export async function doOrForward<T>(
  api: Pick<RestApi, "openScope" | "fetch">,
  incoming: Incoming,
  request: {
    readonly here: (scope: RequestScope) => Promise<Outcome<T>>;
    readonly answer: (value: T) => Answer;
    readonly there: ForwardedRequest;
  },
): Promise<Answer> {
  const scope = api.openScope();
  const hop = nextHop(incoming.query.get("forward"));
  return scope.run(async () => {
    for (;;) {
      const outcome = await request.here(scope);
      if (outcome.kind === "done") return request.answer(outcome.value);
      if (hop === null) throw new ConnectError("rebalance", REBALANCE);
      scope.enter(`forwarding the request to the worker at ${outcome.url}`);
      const url = `${outcome.url}${request.there.path}${request.there.path.includes("?") ? "&" : "?"}forward=${hop}`;
      try {
        const answer = await send(api.fetch, { url, incoming, request: request.there }, scope.signal);
        if (answer.status !== 409 || request.there.repeatOnConflict !== true) return answer;
        await pause(REFUSED_AGAIN_MS, scope.signal);
        if (scope.signal.aborted) return answer;
      } catch (error) {
        if (!isRefused(error) || scope.signal.aborted) {
          throw new ConnectError("internal", `IO Error trying to forward REST request: ${messageOf(error)}`, {
            cause: error,
          });
        }
        await pause(REFUSED_AGAIN_MS, scope.signal);
      }
    }
  });
}

/** The `forward` parameter for the next worker; null: not to be forwarded. */
function nextHop(forward: string | null): "true" | "false" | null {
  if (forward === null || forward === "") return "true";
  return forward.toLowerCase() === "true" ? "false" : null;
}

async function send(
  fetch: RestApi["fetch"],
  target: { readonly url: string; readonly incoming: Incoming; readonly request: ForwardedRequest },
  signal: AbortSignal,
): Promise<Answer> {
  const { url, incoming, request } = target;
  const response = await fetch(url, {
    method: request.method,
    headers: {
      accept: "application/json",
      "content-type": "application/json",
      "user-agent": "kafka-connect",
      ...(incoming.authorization === undefined ? {} : { authorization: incoming.authorization }),
    },
    ...(request.body === undefined
      ? {}
      : { body: Buffer.isBuffer(request.body) ? request.body : JSON.stringify(request.body) }),
    signal,
  });
  const text = await response.text();
  const location = response.headers.get("location");
  return {
    status: response.status,
    ...(text === "" ? {} : { body: JSON.parse(text) }),
    ...(location === null ? {} : { location }),
  };
}

function isRefused(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("code" in current && current.code === "ECONNREFUSED") return true;
  }
  return false;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
