import { z } from "zod";
import { ConnectorStateInfo, InstanceState, StringMap, TargetState } from "./connect.ts";

/** Bodies of Headrace's additions to the REST API, all under `/headrace/` (DESIGN: group, failover, rebalancing). */

/** GET /headrace/self: who answers at this address. `memberId` is "" while the worker is in no group. */
export const SelfInfo = z.object({
  workerId: z.string(),
  memberId: z.string(),
  podUid: z.string().nullable(),
  draining: z.boolean(),
  /** SHA-256 fingerprints of what an https worker shows and whom it trusts now, as `AB:CD:…`. */
  tls: z.object({ certificate: z.string().nullable(), trusted: z.array(z.string()) }).optional(),
});
export type SelfInfo = z.infer<typeof SelfInfo>;

/** Work of one member: connector names, and task ids by connector. */
export const AssignmentInfo = z.object({
  connectors: z.array(z.string()),
  tasks: z.array(z.object({ connector: z.string(), task: z.int() })),
});
export type AssignmentInfo = z.infer<typeof AssignmentInfo>;

/**
 * GET /headrace/group: as the leader saw it last. `balanced` is true if everything configured is assigned, no revocation or
 * delay is pending, and no member holds more than one item above any other.
 */
export const GroupInfo = z.object({
  generation: z.int(),
  leaderUrl: z.string().nullable(),
  rebalancing: z.boolean(),
  balanced: z.boolean(),
  delayMs: z.int(),
  members: z.array(
    z.object({
      memberId: z.string(),
      url: z.string(),
      draining: z.boolean(),
      assignment: AssignmentInfo,
    }),
  ),
});
export type GroupInfo = z.infer<typeof GroupInfo>;

const Position = z.string().regex(/^\d+$/);

/**
 * GET /headrace/connectors/{c}/lag: how far a sink's consumer group is behind, of the partitions for which it has committed something.
 * Offsets are decimal numbers of 64 bits; `end` is null for a partition that is gone.
 */
export const SinkLag = z.object({
  group: z.string(),
  partitions: z.array(z.object({ topic: z.string(), partition: z.int(), offset: Position, end: Position.nullable() })),
});
export type SinkLag = z.infer<typeof SinkLag>;

/** One connector as the event stream describes it. `config` is raw: placeholders are not resolved. */
export const ConnectorSnapshot = z.object({
  config: StringMap,
  targetState: TargetState,
  /** Number of tasks of the last committed set; null while there is none. */
  taskCount: z.int().nullable(),
  status: ConnectorStateInfo.nullable(),
  topics: z.array(z.string()),
});
export type ConnectorSnapshot = z.infer<typeof ConnectorSnapshot>;

/**
 * GET /headrace/events (server-sent events, on any worker). The SSE event name is `kind`, the data the JSON of one of these.
 * Order: first `snapshot`, then `group`, then changes, each after it was read back from its topic. A reconnect starts with a new snapshot.
 * `ping` comes every 5 s.
 */
export const StreamEvent = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("snapshot"), workerId: z.string(), connectors: z.record(z.string(), ConnectorSnapshot) }),
  z.object({
    kind: z.literal("status"),
    connector: z.string(),
    task: z.int().nullable(),
    /** DESTROYED means that the entry is gone. */
    state: InstanceState,
    workerId: z.string(),
    generation: z.int(),
    trace: z.string().optional(),
    version: z.string().optional(),
  }),
  /** A connector was created or its configuration, target state, task set or active topics changed; null: it is gone. */
  z.object({ kind: z.literal("config"), connector: z.string(), snapshot: ConnectorSnapshot.nullable() }),
  z.object({ kind: z.literal("group"), group: GroupInfo }),
  z.object({ kind: z.literal("ping") }),
]);
export type StreamEvent = z.infer<typeof StreamEvent>;
