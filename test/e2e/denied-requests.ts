import { readFileSync } from "node:fs";
import { z } from "zod";

const AuditEvent = z.object({
  verb: z.string(),
  requestURI: z.string(),
  requestReceivedTimestamp: z.string(),
  user: z.object({ username: z.string() }),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** Which requests are meant. */
export interface Requests {
  /** The API server's. */
  readonly auditLog: string;
  /** Of their ServiceAccounts. */
  readonly namespaces: readonly string[];
  /** Earlier ones are another run's. */
  readonly since: Date;
}

/** Requests that the API server has refused for want of rights, one line each. */
export function deniedRequests(requests: Requests): readonly string[] {
  return read(requests)
    .filter(({ responseStatus }) => responseStatus?.code === 403)
    .map(({ user, verb, requestURI, requestReceivedTimestamp: at }) => `${at} ${user.username}: ${verb} ${requestURI}`);
}

/** How many requests there were: none would mean that nobody looked. */
export const countRequests = (requests: Requests): number => read(requests).length;

/** The last line may be on its way. */
function read({ auditLog, namespaces, since }: Requests): readonly z.output<typeof AuditEvent>[] {
  const users = namespaces.map((namespace) => `system:serviceaccount:${namespace}:`);
  const lines = readFileSync(auditLog, "utf8").split("\n").slice(0, -1);
  return lines
    .map((line) => AuditEvent.parse(JSON.parse(line)))
    .filter(({ user, requestReceivedTimestamp: at }) => {
      return new Date(at) >= since && users.some((name) => user.username.startsWith(name));
    });
}
