import assert from "node:assert/strict";
import {
  type AssignorInput,
  type AssignorResult,
  type AssignorState,
  assign,
  INITIAL_ASSIGNOR_STATE,
} from "#runtime/group/assignor.ts";
import type { Assignment } from "#runtime/group/group.ts";
import { isConnector, NO_WORK, toKeys, union, without } from "#runtime/group/work.ts";

/** Connectors c0 … with `tasksEach` tasks each. */
export function connectors(count: number, tasksEach = 1): Assignment {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  return {
    connectors: names,
    tasks: names.flatMap((connector) => Array.from({ length: tasksEach }, (_, task) => ({ connector, task }))),
  };
}

/** A group that does what the leader tells it: the members' work, the leader's memory, a clock. */
export class LedGroup {
  readonly held = new Map<string, Assignment>();
  readonly draining = new Set<string>();
  configured: Assignment = NO_WORK;
  maxDelayMs = 0;
  nowMs = 1_000;
  state: AssignorState = INITIAL_ASSIGNOR_STATE;
  generation = 0;
  /** Items that a member has begun to run, over all rounds. */
  starts = 0;

  join(...memberIds: string[]): void {
    for (const memberId of memberIds) this.held.set(memberId, NO_WORK);
  }

  /** One round. Members for which `arrives` is false never hear the answer. `order`: in which the members have joined. */
  round(arrives: (memberId: string) => boolean = () => true, order = [...this.held.keys()]): AssignorResult {
    const input: AssignorInput = {
      members: order.map((memberId) => ({
        memberId,
        holds: this.held.get(memberId) ?? NO_WORK,
        draining: this.draining.has(memberId),
      })),
      configured: this.configured,
      generation: this.generation + 1,
      lastGeneration: this.generation,
      maxDelayMs: this.maxDelayMs,
      nowMs: this.nowMs,
    };
    const result = assign(this.state, input);
    this.#assertSafe(result);
    this.generation += 1;
    this.state = result.state;
    for (const [memberId, share] of result.shares) {
      if (!arrives(memberId)) continue;
      this.starts += toKeys(share.assigned).length;
      this.held.set(memberId, union(without(this.held.get(memberId) ?? NO_WORK, share.revoked), share.assigned));
    }
    return result;
  }

  /** Rounds as the members ask for them: at once after a revocation, later after a delay. Returns how many it took. */
  settle(limit = 12): number {
    for (let rounds = 1; rounds <= limit; rounds++) {
      const result = this.round();
      const revoking = [...result.shares.values()].some((share) => toKeys(share.revoked).length > 0);
      if (!revoking && result.delayMs === 0) return rounds;
      this.nowMs += result.delayMs;
    }
    return assert.fail(`not settled after ${limit} rounds: ${JSON.stringify([...this.held])}`);
  }

  loads(ofKind: (key: string) => boolean, memberIds = this.takers()): number[] {
    return memberIds.map((memberId) => toKeys(this.held.get(memberId) ?? NO_WORK).filter(ofKind).length);
  }

  takers(): string[] {
    return [...this.held.keys()].filter((memberId) => !this.draining.has(memberId));
  }

  assertConverged(): void {
    const all = [...this.held.values()].flatMap(toKeys);
    assert.deepEqual(all.toSorted(), toKeys(this.configured).toSorted(), "everything is assigned exactly once");
    for (const ofKind of [isConnector, isTask]) {
      const loads = this.loads(ofKind);
      assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `uneven: ${loads}`);
    }
    for (const memberId of this.draining) assert.deepEqual(this.held.get(memberId) ?? NO_WORK, NO_WORK);
  }

  /** Nothing is given to anybody while somebody, told or not, still holds it; and nothing is given twice. */
  #assertSafe(result: AssignorResult): void {
    const given = [...result.shares.values()].flatMap((share) => toKeys(share.assigned));
    assert.equal(new Set(given).size, given.length, "given twice in one round");
    const held = new Set([...this.held.values()].flatMap(toKeys));
    for (const key of given) assert.ok(!held.has(key), `${key} was given away while it is held`);
    for (const memberId of this.draining) {
      assert.equal(toKeys(result.shares.get(memberId)?.assigned ?? NO_WORK).length, 0, "work for a draining member");
    }
  }
}

export const isTask = (key: string) => !isConnector(key);
export const revokedKeys = (result: AssignorResult) =>
  [...result.shares.values()].flatMap((share) => toKeys(share.revoked));

export function groupOf(members: number, configured: Assignment, maxDelayMs = 0): LedGroup {
  const group = new LedGroup();
  group.maxDelayMs = maxDelayMs;
  group.configured = configured;
  group.join(...Array.from({ length: members }, (_, index) => `m${index}`));
  group.settle();
  return group;
}
