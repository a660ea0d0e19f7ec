import { readFileSync } from "node:fs";
import { z } from "zod";

const AuditEvent = z.object({
  verb: z.string(),
  requestURI: z.string(),
  requestReceivedTimestamp: z.string(),
  user: z.object({ username: z.string() }),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** Requests of ServiceAccounts of the namespaces that the API server has refused for want of rights, one line each. */
export function deniedRequests(auditLog: string, namespaces: readonly string[]): readonly string[] {
  const users = namespaces.map((namespace) => `system:serviceaccount:${namespace}:`);
  return readAudit(auditLog)
    .filter(({ user, responseStatus }) => responseStatus?.code === 403 && isOf(users, user.username))
    .map(({ user, verb, requestURI, requestReceivedTimestamp: at }) => `${at} ${user.username}: ${verb} ${requestURI}`);
}

/** How many requests the ServiceAccounts of the namespaces have made: none would mean that nobody looked. */
export function countRequests(auditLog: string, namespaces: readonly string[]): number {
  const users = namespaces.map((namespace) => `system:serviceaccount:${namespace}:`);
  return readAudit(auditLog).filter(({ user }) => isOf(users, user.username)).length;
}

const isOf = (users: readonly string[], name: string): boolean => users.some((user) => name.startsWith(user));

/** The last line may be on its way. */
function readAudit(file: string): readonly z.output<typeof AuditEvent>[] {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => AuditEvent.parse(JSON.parse(line)));
}
