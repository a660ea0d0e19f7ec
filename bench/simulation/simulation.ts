import { z } from "zod";

/** What one event costs a large group; no broker and no process takes part. */
export const Simulation = z.object({
  event: z.string(),
  workers: z.number(),
  tasks: z.number(),
  /** Rounds until everything is assigned and even, the last one, that changes nothing, included. */
  rounds: z.number(),
  /** Connector instances and tasks that were begun somewhere. */
  starts: z.number(),
  /** Of them, those that ran elsewhere before. */
  moves: z.number(),
  /** Greatest size of what the members send to the coordinator for one round, all together; the leader gets all of it. */
  metadataBytes: z.number(),
  /** Greatest size of what the leader sends back in one round, all members together. */
  assignmentBytes: z.number(),
  /** The leader's decision, decoding and encoding included: the longest round, ms. */
  leaderMs: z.number(),
  /** What one worker decides about its connectors after a round: the longest, ms. */
  herderMs: z.number(),
});
export type Simulation = z.output<typeof Simulation>;
