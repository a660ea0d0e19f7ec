import cors, { type FastifyCorsOptions, type FastifyCorsOptionsDelegate } from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** `access.control.allow.*` of the worker's configuration. */
export interface AccessControl {
  /** Comma separated; `*` is any, also within a host name. Empty: no cross-origin headers at all. */
  readonly origins: string;
  /** Comma separated; empty: GET, POST and HEAD. */
  readonly methods: string;
}

const MAX_AGE_S = 60;

/** Answers cross-origin requests as the contract's worker does. A preflight is answered before anybody asks for credentials. */
export function addAccessControl(app: FastifyInstance, { origins, methods }: AccessControl): void {
  const allowed = split(origins);
  if (allowed.length === 0) return;
  const common: FastifyCorsOptions = {
    origin: allowed.map(toPattern),
    methods: split(methods === "" ? "GET,POST,HEAD" : methods),
    allowedHeaders: ["Content-Type", "Authorization"],
    maxAge: MAX_AGE_S,
  };
  const decide: FastifyCorsOptionsDelegate = (request: FastifyRequest, decided) => {
    const preflight =
      request.headers["access-control-request-method"] !== undefined && request.headers.origin !== undefined;
    decided(null, { ...common, preflight });
  };
  app.register(cors, () => decide);
}

function split(list: string): string[] {
  return list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function toPattern(origin: string): string | RegExp {
  if (origin === "*" || !origin.includes("*")) return origin;
  const parts = origin.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`, "i");
}
