import type { Logger } from "@headrace/sdk";
import type { ClientOwner, TaskClients } from "./clients.ts";

/** Longest wait for the group's coordinator when a dead predecessor is looked for. */
const LOOK_UP_MS = 5_000;

type SinkClients = Pick<TaskClients, "sinkIdentity" | "createAdmin">;

/**
 * Takes the members of a task that starts out of its consumer group: as the task does not run, they are dead, and the partitions that they
 * hold would stall until their session ends. They are known by a client id that no other task has, of this Connect cluster or of another
 * one with a connector of that name (invariant 3: a member that lives is not removed). With a client id of the user's own they cannot be
 * told apart, and stay. Never rejects but when `signal` aborts: a coordinator that is away holds up no start.
 */
export async function removePredecessor(
  clients: SinkClients,
  owner: ClientOwner,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { groupId, clientId } = clients.sinkIdentity(owner);
  if (clientId === null) {
    log.info({ groupId }, "client.id is overridden: a dead member stays in the consumer group until its session ends");
    return;
  }
  const admin = clients.createAdmin(owner, "connector-adminclient");
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(LOOK_UP_MS)]);
  try {
    const { members } = await admin.describeGroup(groupId, deadline);
    for (const { memberId } of members.filter((member) => member.clientId === clientId)) {
      await admin.removeGroupMember(groupId, memberId, deadline);
      log.info({ groupId, memberId }, "dead member removed from the consumer group");
    }
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn({ groupId, error: String(error) }, "dead member could not be looked for");
  } finally {
    admin.close();
  }
}

/** Takes one member out of a task's consumer group; one that is not there is no error. */
export async function removeMember(
  clients: SinkClients,
  owner: ClientOwner,
  memberId: string,
  signal: AbortSignal,
): Promise<void> {
  const { groupId } = clients.sinkIdentity(owner);
  const admin = clients.createAdmin(owner, "connector-adminclient");
  try {
    await admin.removeGroupMember(groupId, memberId, signal);
  } finally {
    admin.close();
  }
}
