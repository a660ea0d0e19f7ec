import type { Assignment, ConfigSnapshot } from "#runtime/group/group.ts";
import {
  decodeMetadata,
  encodeAssignment,
  encodeMetadata,
  type ProtocolVersion,
  type RoundAssignment,
} from "#runtime/group/protocol.ts";
import { isEmpty, NO_WORK, toKeys } from "#runtime/group/work.ts";
import { reconcileWork } from "#runtime/herder/reconcile-work.ts";
import { createWorkTable, toShares } from "#runtime/herder/work-table.ts";
import type { ConnectorEntry } from "#runtime/store/stores.ts";
import { LedGroup } from "#support/led-group.ts";
import type { Simulation } from "./simulation.ts";

const VERSION: ProtocolVersion = 2;
const CONFIG_OFFSET = 123_456n;
const MAX_ROUNDS = 20;
const TASKS_PER_CONNECTOR = 10;

/** A worker's address, as long as a pod's in a cluster. */
const urlOf = (memberId: string) => `https://${memberId}.my-connect-cluster.my-namespace.svc:8083/`;

/** Members of a group, under the leader's assignor and with the bytes that would cross; see {@link Simulation}. */
export class SimulatedGroup {
  readonly #group = new LedGroup();
  #joined = 0;

  /** Adds workers with nothing in their hands. */
  join(count: number): void {
    for (let each = 0; each < count; each += 1, this.#joined += 1) {
      this.#group.join(`connect-1-10.0.${this.#joined >> 8}.${this.#joined & 255}-8083-6f1b5bd0`);
    }
  }

  /** The first of the workers that live. */
  first(): string {
    const [memberId] = this.#group.held.keys();
    if (memberId === undefined) throw new Error("nobody is left");
    return memberId;
  }

  /** A worker is gone, with what it had. */
  leave(memberId: string): void {
    this.#group.held.delete(memberId);
    this.#group.draining.delete(memberId);
  }

  drain(memberId: string): void {
    this.#group.draining.add(memberId);
  }

  /** Sets the number of tasks, ten per connector. */
  configure(tasks: number): void {
    const names = Array.from({ length: tasks / TASKS_PER_CONNECTOR }, (_, index) => `orders-to-warehouse-${index}`);
    this.#group.configured = {
      connectors: names,
      tasks: names.flatMap((connector) =>
        Array.from({ length: TASKS_PER_CONNECTOR }, (_, task) => ({ connector, task })),
      ),
    };
  }

  /** Rounds until nothing changes any more. Throws if some work is nowhere, or is unevenly spread. */
  settle(event: string): Simulation {
    const before = new Map([...this.#group.held].flatMap(([member, work]) => toKeys(work).map((key) => [key, member])));
    const starts = this.#group.starts;
    let [rounds, metadataBytes, assignmentBytes, leaderMs, herderMs] = [0, 0, 0, 0, 0];
    for (let settled = false; !settled; ) {
      rounds += 1;
      if (rounds > MAX_ROUNDS) throw new Error(`not settled after ${MAX_ROUNDS} rounds`);
      const sent = [...this.#group.held].map(([memberId, work]) => this.#metadata(memberId, work));
      const startedAt = performance.now();
      for (const bytes of sent) decodeMetadata(bytes);
      const result = this.#group.round();
      const answers = [...result.shares].map(([memberId, { assigned, revoked }]) =>
        encodeAssignment(VERSION, answer(memberId, assigned, revoked, result.delayMs)),
      );
      leaderMs = Math.max(leaderMs, performance.now() - startedAt);
      metadataBytes = Math.max(metadataBytes, sumOf(sent));
      assignmentBytes = Math.max(assignmentBytes, sumOf(answers));
      herderMs = Math.max(herderMs, this.#timeHerder());
      settled = [...result.shares.values()].every(({ assigned, revoked }) => isEmpty(assigned) && isEmpty(revoked));
      settled &&= result.delayMs === 0;
      this.#group.nowMs += result.delayMs;
    }
    this.#group.assertConverged();
    const after = [...this.#group.held].flatMap(([member, work]) => toKeys(work).map((key) => [key, member] as const));
    const moves = after.filter(([key, member]) => before.has(key) && before.get(key) !== member).length;
    return {
      event,
      workers: this.#group.held.size,
      tasks: this.#group.configured.tasks.length,
      rounds,
      starts: this.#group.starts - starts,
      moves,
      metadataBytes,
      assignmentBytes,
      leaderMs,
      herderMs,
    };
  }

  #metadata(memberId: string, held: Assignment): Buffer {
    const allocation = answer(memberId, held, NO_WORK, 0);
    const draining = this.#group.draining.has(memberId);
    return encodeMetadata(VERSION, { url: urlOf(memberId), configOffset: CONFIG_OFFSET, allocation, draining });
  }

  /** What the herder of the most loaded worker decides when nothing of its work runs yet. */
  #timeHerder(): number {
    const works = [...this.#group.held.values()];
    const most = works.reduce((best, work) => (toKeys(work).length > toKeys(best).length ? work : best), NO_WORK);
    const entries = new Map(this.#group.configured.connectors.map((name) => [name, entryOf()]));
    const table = createWorkTable();
    const startedAt = performance.now();
    const shares = toShares(most);
    let actions = 0;
    for (const [connector, share] of shares) {
      const entry = entries.get(connector) ?? null;
      const released = { instances: true, tasks: true };
      actions += reconcileWork({ entry, share, work: table.of(connector), released, nowMs: 0 }).length;
    }
    const ms = performance.now() - startedAt;
    if (actions !== toKeys(most).length) throw new Error(`${actions} starts for ${toKeys(most).length} pieces of work`);
    return ms;
  }
}

function answer(memberId: string, assigned: Assignment, revoked: Assignment, delayMs: number): RoundAssignment {
  return {
    error: "none",
    leaderId: memberId,
    leaderUrl: urlOf(memberId),
    configOffset: CONFIG_OFFSET satisfies ConfigSnapshot["offset"],
    assigned,
    revoked,
    delayMs,
  };
}

function entryOf(): ConnectorEntry {
  return {
    config: {},
    targetState: "STARTED",
    tasks: Array.from({ length: TASKS_PER_CONNECTOR }, () => ({})),
    appliedConfig: {},
    taskGeneration: 1,
    inconsistent: false,
  };
}

function sumOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}
