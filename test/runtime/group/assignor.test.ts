import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AssignorInput,
  type AssignorResult,
  type AssignorState,
  assign,
  INITIAL_ASSIGNOR_STATE,
} from "#runtime/group/assignor.ts";
import type { Assignment } from "#runtime/group/group.ts";
import { isConnector, NO_WORK, toKeys, toWork, union, without } from "#runtime/group/work.ts";

/** Connectors c0 … with `tasksEach` tasks each. */
function connectors(count: number, tasksEach = 1): Assignment {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  return {
    connectors: names,
    tasks: names.flatMap((connector) => Array.from({ length: tasksEach }, (_, task) => ({ connector, task }))),
  };
}

/** A group that does what the leader tells it: the members' work, the leader's memory, a clock. */
class Group {
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

  /** One round. Members for which `arrives` is false never hear the answer. */
  round(arrives: (memberId: string) => boolean = () => true): AssignorResult {
    const input: AssignorInput = {
      members: [...this.held].map(([memberId, holds]) => ({ memberId, holds, draining: this.draining.has(memberId) })),
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

const isTask = (key: string) => !isConnector(key);
const revokedKeys = (result: AssignorResult) => [...result.shares.values()].flatMap((share) => toKeys(share.revoked));

function groupOf(members: number, configured: Assignment, maxDelayMs = 0): Group {
  const group = new Group();
  group.maxDelayMs = maxDelayMs;
  group.configured = configured;
  group.join(...Array.from({ length: members }, (_, index) => `m${index}`));
  group.settle();
  return group;
}

describe("assign", () => {
  it("spreads new work over the members in one round", () => {
    const group = groupOf(3, connectors(7, 2));
    assert.equal(group.generation, 1);
    group.assertConverged();
    assert.deepEqual(group.loads(isConnector), [3, 2, 2]);
  });

  it("moves to a new member only what balance needs, in two rounds", () => {
    const group = groupOf(2, connectors(6, 2));
    const before = group.starts;
    group.join("new");
    assert.equal(revokedKeys(group.round()).length, 2 + 4);
    assert.equal(group.starts, before, "nothing is assigned before it was given back");
    const result = group.round();
    assert.equal(group.starts - before, 6);
    assert.equal(result.balanced, true);
    group.assertConverged();
  });

  it("revokes nothing when a member leaves", () => {
    const group = groupOf(3, connectors(6));
    group.held.delete("m1");
    assert.deepEqual(revokedKeys(group.round()), []);
    group.assertConverged();
  });

  it("with a delay, keeps a departed member's work for it, and gives it to the one that came back", () => {
    const group = groupOf(3, connectors(6), 300_000);
    const lost = group.held.get("m1");
    group.held.delete("m1");
    const first = group.round();
    assert.equal(first.delayMs, 300_000);
    assert.equal(first.balanced, false);
    group.nowMs += 100_000;
    group.join("back");
    assert.equal(group.round().delayMs, 200_000);
    assert.deepEqual(group.held.get("back"), NO_WORK);
    group.nowMs += 200_000;
    assert.equal(group.round().delayMs, 0);
    assert.deepEqual(group.held.get("back"), lost);
    group.assertConverged();
  });

  it("with a delay, spreads a departed member's work over the others when nobody came back", () => {
    const group = groupOf(3, connectors(6), 300_000);
    group.held.delete("m1");
    assert.equal(group.round().delayMs, 300_000);
    group.nowMs += 300_001;
    assert.equal(group.round().delayMs, 0);
    group.assertConverged();
  });

  it("during the delay still assigns new work and revokes deleted work", () => {
    const group = groupOf(2, connectors(4), 300_000);
    group.held.delete("m1");
    group.round();
    group.configured = { connectors: ["c0", "c1", "fresh"], tasks: [] };
    assert.ok(group.round().delayMs > 0);
    assert.ok(group.held.get("m0")?.connectors.includes("fresh"));
    assert.deepEqual(group.held.get("m0")?.tasks, []);
  });

  it("gives work that never arrived to the members at once, also with a delay", () => {
    const group = new Group();
    group.maxDelayMs = 300_000;
    group.configured = connectors(4);
    group.join("m0", "m1");
    group.round((memberId) => memberId === "m0");
    const result = group.round();
    assert.equal(result.delayMs, 0);
    group.assertConverged();
  });

  it("forgets what it assigned when another leader came between", () => {
    const group = groupOf(2, connectors(4), 300_000);
    group.held.delete("m1");
    group.generation += 1;
    assert.equal(group.round().delayMs, 0);
    group.assertConverged();
  });

  it("takes duplicates from all their owners, then gives them to one", () => {
    const group = groupOf(2, connectors(4));
    const twice = group.held.get("m0")?.connectors ?? [];
    group.held.set("m1", union(group.held.get("m1") ?? NO_WORK, { connectors: twice, tasks: [] }));
    const result = group.round();
    for (const connector of twice) {
      for (const share of result.shares.values()) assert.ok(share.revoked.connectors.includes(connector));
    }
    group.settle();
    group.assertConverged();
  });

  it("revokes work that is not configured, whoever assigned it", () => {
    const group = groupOf(2, connectors(2));
    group.state = INITIAL_ASSIGNOR_STATE;
    group.configured = connectors(1);
    assert.deepEqual(
      toWork(revokedKeys(group.round())),
      toWork(toKeys(connectors(2)).filter((key) => key.endsWith("c1"))),
    );
    group.assertConverged();
  });

  it("takes everything from a draining member at once, back-off or not, and gives it to the others", () => {
    const group = groupOf(3, connectors(6), 300_000);
    group.draining.add("m1");
    group.state = { ...group.state, revokedForBalance: true, backOffUntilMs: group.nowMs + 100_000 };
    const had = group.held.get("m1") ?? NO_WORK;
    assert.deepEqual(group.round().shares.get("m1")?.revoked, had);
    assert.equal(group.round().delayMs, 0);
    group.assertConverged();
    group.held.delete("m1");
    assert.equal(group.round().delayMs, 0, "a drained member leaves nothing to wait for");
  });

  it("revokes nothing when all members are draining, and assigns what is free once one is not", () => {
    const group = groupOf(2, connectors(4));
    group.draining.add("m0").add("m1");
    group.configured = connectors(6);
    const result = group.round();
    assert.deepEqual(revokedKeys(result), []);
    assert.equal(result.balanced, false);
    group.join("m2");
    group.settle();
    group.assertConverged();
  });

  it("spaces out revocations for balance in rounds that follow one another", () => {
    const group = groupOf(1, connectors(12), 300_000);
    group.join("m1");
    assert.ok(revokedKeys(group.round()).length > 0);
    group.join("m2", "m3");
    const second = group.round();
    assert.deepEqual(revokedKeys(second), []);
    assert.equal(second.delayMs, 40);
    group.nowMs += 15;
    assert.equal(group.round().delayMs, 25, "a round before its time changes nothing");
    group.nowMs += 25;
    assert.ok(revokedKeys(group.round()).length > 0);
    group.settle();
    group.assertConverged();
  });

  it("without a delay revokes in every round", () => {
    const group = groupOf(1, connectors(12));
    group.join("m1");
    group.round();
    group.join("m2");
    const second = group.round();
    assert.ok(revokedKeys(second).length > 0);
    assert.equal(second.delayMs, 0);
    group.settle();
    group.assertConverged();
  });
});

/** mulberry32: a small generator, so that a history can be repeated by its seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One thing that happens to a group between two rounds. */
function happen(group: Group, random: (below: number) => number, step: number): void {
  const memberIds = [...group.held.keys()];
  const somebody = memberIds[random(memberIds.length)] ?? "";
  switch (random(7)) {
    case 0:
      group.join(`n${step}`);
      break;
    case 1:
      if (memberIds.length > 1) group.held.delete(somebody);
      break;
    case 2:
      if (memberIds.length > 1) group.held.delete(somebody);
      group.join(`back${step}`);
      break;
    case 3:
      group.configured = connectors(random(12), 1 + random(3));
      break;
    case 4:
      group.draining.add(somebody);
      break;
    case 5:
      group.generation += 1;
      break;
    default:
      group.nowMs += random(400_000);
  }
}

describe("assign over generated histories", () => {
  for (const maxDelayMs of [0, 300_000]) {
    it(`is safe in every round and converges afterwards, delay ${maxDelayMs}`, () => {
      for (let seed = 1; seed <= 400; seed++) {
        const random = generator(seed);
        const group = groupOf(1 + random(5), connectors(random(12), 1 + random(3)), maxDelayMs);
        for (let step = 0; step < 15; step++) {
          happen(group, random, step);
          const unheard = random(4) === 0 ? [...group.held.keys()][random(group.held.size)] : undefined;
          group.round((memberId) => memberId !== unheard);
        }
        if (group.takers().length === 0) group.join("last");
        group.settle();
        group.assertConverged();
        const { starts } = group;
        const steady = group.round();
        assert.deepEqual([steady.balanced, group.starts - starts, revokedKeys(steady)], [true, 0, []], `seed ${seed}`);
      }
    });
  }

  it("never moves more than balance needs when members come and go", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = generator(seed);
      const group = groupOf(1 + random(4), connectors(random(20), 1 + random(3)));
      for (let step = 0; step < 8; step++) {
        const memberIds = [...group.held.keys()];
        const goes = memberIds.length > 1 && random(2) === 0 ? memberIds[random(memberIds.length)] : undefined;
        const lost = goes === undefined ? NO_WORK : (group.held.get(goes) ?? NO_WORK);
        if (goes === undefined) group.join(`n${step}`);
        else group.held.delete(goes);
        const { starts } = group;
        const needed = toKeys(lost).length + [isConnector, isTask].reduce((sum, of) => sum + surplus(group, of), 0);
        group.settle();
        group.assertConverged();
        assert.equal(group.starts - starts, needed, `seed ${seed} step ${step}`);
      }
    }
  });
});

/** The fewest items of a kind that must leave their members for an even spread of all that is configured. */
function surplus(group: Group, ofKind: (key: string) => boolean): number {
  const loads = group.loads(ofKind).toSorted((one, other) => other - one);
  const count = toKeys(group.configured).filter(ofKind).length;
  const floor = Math.floor(count / loads.length);
  const extra = count % loads.length;
  return loads.reduce((sum, load, index) => sum + Math.max(0, load - (index < extra ? floor + 1 : floor)), 0);
}
