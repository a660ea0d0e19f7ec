import type { Assignment, ConfigSnapshot } from "./group.ts";
import { toKeys, toWork } from "./work.ts";

/**
 * Hands out everything from scratch: sorted members in a circle take the sorted connectors one by one, then the tasks go on where the
 * connectors ended. Source: EagerAssignor.
 */
export function assignEagerly(memberIds: readonly string[], configured: ConfigSnapshot): Map<string, Assignment> {
  const circle = [...memberIds].sort();
  const sorted = toWork(toKeys(configured));
  const share = (index: number) => ({
    connectors: sorted.connectors.filter((_, turn) => turn % circle.length === index),
    tasks: sorted.tasks.filter((_, turn) => (sorted.connectors.length + turn) % circle.length === index),
  });
  return new Map(circle.map((memberId, index) => [memberId, share(index)]));
}
