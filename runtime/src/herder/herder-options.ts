import type { ExecutorPool } from "../executor/pool.ts";
import type { GroupMember } from "../group/group.ts";
import type { Logger } from "../log.ts";
import type { Stages } from "../stages.ts";
import type { ConfigStore, StatusStore } from "../store/stores.ts";
import type { StartCounters } from "./start-counters.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { TaskPlanner } from "./task-planner.ts";

/** What the herder works with. */
export interface HerderOptions {
  readonly configStore: Pick<ConfigStore, "config" | "onChange" | "readToEnd">;
  readonly statusStore: Pick<StatusStore, "connector" | "task" | "tasks" | "putTopic" | "topics" | "flush" | "onWord">;
  readonly workerId: string;
  readonly statuses: StatusWriter;
  readonly pool: Pick<
    ExecutorPool,
    "startConnector" | "startTask" | "stopConnector" | "stopTask" | "setTargetState" | "renewLease"
  >;
  readonly member: () => Pick<GroupMember, "requestRejoin">;
  readonly planner: Pick<TaskPlanner, "plan" | "cancel" | "stop">;
  readonly starts: StartCounters;
  /** An item has ended here, and is not started again at once. */
  readonly ended: (item: { readonly connector: string; readonly task: number | null }) => void;
  readonly topicTracking: boolean;
  readonly gracefulTimeoutMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly stages: Pick<Stages, "during">;
  readonly log: Logger;
}
