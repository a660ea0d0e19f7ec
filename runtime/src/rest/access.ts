import { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import type { Logger } from "../log.ts";

/** Somebody who calls: the name is for the log. */
interface Caller {
  readonly name: string;
  readonly role: "read" | "admin";
}

/** Answers whose bearer token it is; undefined: nobody's. */
export type BearerOf = (token: string) => Caller | undefined;

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
const BEARER = /^bearer +(\S+)$/i;

/**
 * Asks every caller who it is: a client certificate that the truststore knows (the operator, the other workers) may do everything, a bearer
 * token what its role allows. Who changed something stands in the log.
 */
export function addAccess(app: FastifyInstance, bearer: BearerOf, log: Logger): void {
  app.addHook("onRequest", async (request, reply) => {
    const { method } = request;
    const { socket, headers } = request.raw;
    const token = BEARER.exec(headers.authorization?.trim() ?? "")?.[1];
    const caller = certified(socket) ?? (token === undefined ? undefined : bearer(token));
    if (caller === undefined) {
      const message = "A client certificate or a bearer token that is known here is needed.";
      reply.code(401).header("www-authenticate", 'Bearer realm="KafkaConnect"');
      return await reply.send({ error_code: 401, message });
    }
    if (READING.has(method)) return;
    if (caller.role === "read") {
      const message = `The role of this token is read, which does not allow ${method}; the role admin does.`;
      return await reply.code(403).send({ error_code: 403, message });
    }
    log.info({ caller: caller.name, method, url: request.url }, "change over rest");
  });
}

function certified(socket: unknown): Caller | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name = socket.getPeerCertificate().subject?.CN;
  return { name: (Array.isArray(name) ? name[0] : name) ?? "a client certificate", role: "admin" };
}
