import cors, { type FastifyCorsOptions, type FastifyCorsOptionsDelegate } from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** `access.control.allow.*` of the worker's configuration. */
export interface AccessControl {
  /** See {@link parseOrigins}. Empty: no cross-origin headers at all. */
  readonly origins: string;
  /** Comma separated; empty: GET, POST and HEAD. */
  readonly methods: string;
}

const MAX_AGE_S = 60;

/** Answers cross-origin requests as the contract's worker does. A preflight is answered before anybody asks for credentials. */
export function addAccessControl(app: FastifyInstance, { origins, methods }: AccessControl): void {
  const allowed = parseOrigins(origins);
  if (allowed.length === 0) return;
  const common: FastifyCorsOptions = {
    origin: [...allowed],
    methods: split(methods === "" ? "GET,POST,HEAD" : methods),
    allowedHeaders: ["Content-Type", "Authorization"],
    maxAge: MAX_AGE_S,
    optionsSuccessStatus: 200,
  };
  const decide: FastifyCorsOptionsDelegate = ({ headers }: FastifyRequest, decided) => {
    const { origin } = headers;
    // Other origins are told nothing, and get the answer of an OPTIONS request.
    const preflight =
      headers["access-control-request-method"] !== undefined && origin !== undefined && isAllowed(allowed, origin);
    decided(null, { ...common, preflight });
  };
  app.register(cors, () => decide);
}

function isAllowed(allowed: readonly (string | RegExp)[], origin: string): boolean {
  return allowed.some((entry) => (typeof entry === "string" ? entry === "*" : entry.test(origin)));
}

function split(list: string): string[] {
  return list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** What an origin's own text cannot have, but a regular expression has. */
const EXPRESSION = /[\\^$+?()[\]{}|]|\.\*/;

/**
 * Parses `access.control.allow.origin`: origins, comma separated, in any case. `*` alone is any origin. As in Kafka 4, whose Jetty reads
 * patterns, an entry may be a regular expression, such as `https://.*\.example\.com`; and as in Kafka 3 `*` may stand within a host name,
 * `https://*.example.com`. A dot of an entry that is no expression is a dot. Throws an error that says which entry is no expression.
 */
export function parseOrigins(text: string): readonly (string | RegExp)[] {
  return split(text).map((entry) => {
    if (entry === "*") return entry;
    if (EXPRESSION.test(entry)) return compile(entry, entry);
    const parts = entry.split("*").map((part) => part.replaceAll(".", "\\."));
    return compile(parts.join("[^/]*"), entry);
  });
}

function compile(expression: string, entry: string): RegExp {
  try {
    return new RegExp(`^(?:${expression})$`, "i");
  } catch (error) {
    throw new Error(`must be origins or regular expressions, which ${entry} is not`, { cause: error });
  }
}
