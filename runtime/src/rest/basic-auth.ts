import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** Users with their passwords. */
export type Credentials = ReadonlyMap<string, string>;

/** What workers send one another without a user's credentials. The contract's two are signed; the others tell and change nothing of the cluster. */
const INTERNAL: ReadonlySet<string> = new Set([
  "POST /connectors/:connector/tasks",
  "PUT /connectors/:connector/fence",
  "GET /headrace/self",
  "POST /headrace/rejoin",
]);

/** Asks for a user and password on every path there is, except the internal ones (contract §5.7). */
export function addBasicAuth(app: FastifyInstance, credentials: Credentials): void {
  app.addHook("onRequest", async (request, reply) => {
    if (request.is404 || isInternal(request) || isAllowed(request.headers.authorization, credentials)) return;
    await reply
      .code(401)
      .header("www-authenticate", 'Basic realm="KafkaConnect", charset="UTF-8"')
      .send({ error_code: 401, message: "User cannot access the resource." });
  });
}

function isInternal({ method, routeOptions }: FastifyRequest): boolean {
  return INTERNAL.has(`${method} ${routeOptions.url}`);
}

function isAllowed(authorization: string | undefined, credentials: Credentials): boolean {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization?.trim() ?? "");
  const given = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
  const colon = given.indexOf(":");
  if (colon < 0) return false;
  const password = credentials.get(given.slice(0, colon));
  // Compared also for a user who is not there: the time that it takes must not tell.
  return sameText(password ?? "", given.slice(colon + 1)) && password !== undefined;
}

function sameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
