import type { ExpandedConnectors, GroupInfo } from "@headrace/contract";
import { hostOf } from "./handover.ts";

/** A ready JVM worker. It calls itself by its address, or by the name of its pod in the cluster's DNS. */
export interface JvmWorker {
  readonly ip: string;
  readonly pod: string;
}

/**
 * The group of JVM workers, as far as the states of connectors and tasks show it: they do not tell about the group itself. `workers` are
 * the ready ones. Balanced: everything is somewhere, nothing is on its way, and nobody has two more than another.
 */
export function toGroup(expanded: ExpandedConnectors, workers: readonly JvmWorker[]): GroupInfo {
  const work = Object.values(expanded).flatMap(({ info, status }) => {
    if (status === undefined || status.connector.state === "STOPPED") return [];
    const known = [
      { task: null, ...status.connector },
      ...status.tasks.map(({ id, ...task }) => ({ task: id, ...task })),
    ];
    const unheard = (info?.tasks ?? []).filter(({ task }) => !status.tasks.some(({ id }) => id === task));
    const silent = unheard.map(({ task }) => ({ task, state: "UNASSIGNED", worker_id: "" }));
    return [...known, ...silent].map((one) => ({ ...one, connector: status.name }));
  });
  const members = workers.map(({ ip, pod }) => {
    const own = work.filter(({ worker_id }) => {
      const host = hostOf(`http://${worker_id}`);
      return host === ip || host.startsWith(`${pod}.`);
    });
    return {
      memberId: ip,
      url: `http://${ip.includes(":") ? `[${ip}]` : ip}:8083/`,
      draining: false,
      assignment: {
        connectors: own.flatMap(({ task, connector }) => (task === null ? [connector] : [])),
        tasks: own.flatMap(({ task, connector }) => (task === null ? [] : [{ connector, task }])),
      },
    };
  });
  const rebalancing = work.some(({ state }) => state === "UNASSIGNED" || state === "RESTARTING");
  const placed = members.reduce(
    (sum, { assignment }) => sum + assignment.connectors.length + assignment.tasks.length,
    0,
  );
  const taskCounts = members.map(({ assignment }) => assignment.tasks.length);
  const even = Math.max(0, ...taskCounts) - Math.min(...taskCounts, Number.MAX_SAFE_INTEGER) <= 1;
  return {
    generation: 0,
    leaderUrl: null,
    rebalancing,
    balanced: !rebalancing && placed === work.length && even,
    delayMs: 0,
    members,
  };
}
