import type { ErrantRecordReporter, SinkTaskContext, TopicPartitionOffset } from "@headrace/sdk";
import type { Partition } from "../kafka/record-consumer.ts";
import type { SinkFlow } from "./sink-flow.ts";
import { partitionKey, type SinkPositions } from "./sink-positions.ts";

/** What the connector's task asked for through its context, until the loop takes it up. */
export class SinkRequests {
  #rewinds = new Map<string, TopicPartitionOffset>();
  #timeoutAt: number | null = null;
  commit = false;

  rewind(position: TopicPartitionOffset): void {
    this.#rewinds.set(partitionKey(position), position);
  }

  /** Takes all rewinds, or those of some partitions. */
  takeRewinds(among?: readonly Partition[]): readonly TopicPartitionOffset[] {
    if (this.#rewinds.size === 0) return [];
    const keys = among === undefined ? [...this.#rewinds.keys()] : among.map(partitionKey);
    const taken = keys.flatMap((key) => this.#rewinds.get(key) ?? []);
    for (const key of keys) this.#rewinds.delete(key);
    return taken;
  }

  timeout(atMs: number): void {
    this.#timeoutAt = atMs;
  }

  /** When `put` has to be called at the latest; null: the task did not say. */
  timeoutAt(): number | null {
    return this.#timeoutAt;
  }

  takeTimeout(): number | null {
    const at = this.#timeoutAt;
    this.#timeoutAt = null;
    return at;
  }
}

interface SinkContextParts {
  readonly base: Omit<
    SinkTaskContext,
    "assignment" | "rewind" | "pause" | "resume" | "requestCommit" | "timeout" | "errantRecords"
  >;
  readonly requests: SinkRequests;
  readonly positions: SinkPositions;
  readonly flow: SinkFlow;
  readonly errantRecords: ErrantRecordReporter | null;
  readonly now: () => number;
}

/** What a sink's task gets to see of the loop that runs it. */
export function createSinkContext(parts: SinkContextParts): SinkTaskContext {
  const { requests, positions, flow } = parts;
  return {
    ...parts.base,
    errantRecords: parts.errantRecords,
    assignment: () => positions.assignment(),
    rewind: (position) => requests.rewind(position),
    pause: (partitions) => flow.pause(partitions),
    resume: (partitions) => flow.resume(partitions),
    requestCommit: () => {
      requests.commit = true;
    },
    timeout: (delayMs) => requests.timeout(parts.now() + delayMs),
  };
}
