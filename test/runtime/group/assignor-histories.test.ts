import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { assignEagerly } from "#runtime/group/eager-assignor.ts";
import { isConnector, NO_WORK, toKeys, union } from "#runtime/group/work.ts";
import { connectors, groupOf, isTask, type LedGroup, revokedKeys } from "#support/led-group.ts";

const RUNS = { numRuns: 400 };
const Index = fc.nat(1_000);
/** What happens to a group between two rounds. */
const Event = fc.oneof(
  fc.record({ kind: fc.constant("nothing" as const) }),
  fc.record({ kind: fc.constant("join" as const) }),
  fc.record({ kind: fc.constant("leave" as const), who: Index }),
  fc.record({ kind: fc.constant("return" as const), who: Index }),
  fc.record({ kind: fc.constant("configure" as const), count: fc.nat(11), tasksEach: fc.nat(3) }),
  fc.record({ kind: fc.constant("drain" as const), who: Index }),
  fc.record({ kind: fc.constant("duplicate" as const), who: Index, of: Index }),
  fc.record({ kind: fc.constant("otherLeader" as const) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400_000) }),
);
type Happening = typeof Event extends fc.Arbitrary<infer T> ? T : never;
const History = fc.record({
  members: fc.integer({ min: 1, max: 5 }),
  count: fc.nat(11),
  tasksEach: fc.nat(3),
  /** `unheard`: which member does not hear the answer of the round after it. */
  steps: fc.array(fc.record({ event: Event, unheard: fc.option(Index) }), { maxLength: 15 }),
});

function memberAt(group: LedGroup, index: number): string {
  const memberIds = [...group.held.keys()];
  return memberIds[index % memberIds.length] ?? "";
}

function happen(group: LedGroup, event: Happening, step: number): void {
  switch (event.kind) {
    case "nothing":
      return;
    case "join":
      group.join(`n${step}`);
      return;
    case "leave":
      if (group.held.size > 1) group.held.delete(memberAt(group, event.who));
      return;
    case "return":
      if (group.held.size > 1) group.held.delete(memberAt(group, event.who));
      group.join(`back${step}`);
      return;
    case "configure":
      group.configured = connectors(event.count, event.tasksEach);
      return;
    case "drain":
      group.draining.add(memberAt(group, event.who));
      return;
    case "duplicate": {
      const [who, of] = [memberAt(group, event.who), memberAt(group, event.of)];
      group.held.set(who, union(group.held.get(who) ?? NO_WORK, group.held.get(of) ?? NO_WORK));
      return;
    }
    case "otherLeader":
      group.generation += 1;
      return;
    case "wait":
      group.nowMs += event.ms;
      return;
    default:
      throw new Error(`unreachable: ${event satisfies never}`);
  }
}

describe("assign over generated histories", () => {
  for (const maxDelayMs of [0, 300_000]) {
    it(`is safe in every round, converges afterwards and then rests, delay ${maxDelayMs}`, () => {
      fc.assert(
        fc.property(History, ({ members, count, tasksEach, steps }) => {
          const group = groupOf(members, connectors(count, tasksEach), maxDelayMs);
          for (const [step, { event, unheard }] of steps.entries()) {
            happen(group, event, step);
            const deaf = unheard === null ? null : memberAt(group, unheard);
            const { delayMs } = group.round((memberId) => memberId !== deaf);
            assert.ok(delayMs >= 0 && delayMs <= maxDelayMs, `${delayMs}`);
          }
          if (group.takers().length === 0) group.join("last");
          group.settle();
          group.assertConverged();
          const { starts } = group;
          const steady = group.round();
          assert.deepEqual([steady.balanced, group.starts - starts, revokedKeys(steady)], [true, 0, []]);
        }),
        RUNS,
      );
    });
  }

  it("never moves more than balance needs when members come and go", () => {
    const arbitrary = fc.record({
      members: fc.integer({ min: 1, max: 4 }),
      count: fc.nat(20),
      tasksEach: fc.integer({ min: 1, max: 3 }),
      leaves: fc.array(fc.option(Index), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ members, count, tasksEach, leaves }) => {
        const group = groupOf(members, connectors(count, tasksEach));
        for (const [step, leaving] of leaves.entries()) {
          const goes = leaving === null || group.held.size === 1 ? null : memberAt(group, leaving);
          const lost = goes === null ? NO_WORK : (group.held.get(goes) ?? NO_WORK);
          if (goes === null) group.join(`n${step}`);
          else group.held.delete(goes);
          const { starts } = group;
          const needed = toKeys(lost).length + [isConnector, isTask].reduce((sum, of) => sum + surplus(group, of), 0);
          group.settle();
          group.assertConverged();
          assert.equal(group.starts - starts, needed);
        }
      }),
      RUNS,
    );
  });

  it("does not depend on the order in which members joined", () => {
    fc.assert(
      fc.property(History, fc.gen(), ({ members, count, tasksEach, steps }, gen) => {
        const group = groupOf(members, connectors(count, tasksEach), 300_000);
        const twin = groupOf(members, connectors(count, tasksEach), 300_000);
        for (const [step, { event }] of steps.entries()) {
          happen(group, event, step);
          group.round();
          happen(twin, event, step);
          const order = gen(fc.shuffledSubarray, [...twin.held.keys()], { minLength: twin.held.size });
          twin.round(() => true, order);
          assert.deepEqual(new Map([...twin.held].sort()), new Map([...group.held].sort()));
        }
      }),
      RUNS,
    );
  });
});

describe("assignEagerly over generated groups", () => {
  it("gives everything to exactly one member, evenly, whatever the order of the members", () => {
    const arbitrary = fc.record({
      members: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      count: fc.nat(12),
      tasksEach: fc.nat(4),
    });
    fc.assert(
      fc.property(arbitrary, ({ members, count, tasksEach }) => {
        const configured = { offset: 1n, ...connectors(count, tasksEach) };
        const shares = assignEagerly(members, configured);
        const given = [...shares.values()].flatMap(toKeys);
        assert.deepEqual(given.toSorted(), toKeys(configured).toSorted());
        for (const ofKind of [isConnector, isTask, () => true]) {
          const loads = [...shares.values()].map((share) => toKeys(share).filter(ofKind).length);
          assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `${loads}`);
        }
        assert.deepEqual(assignEagerly(members.toReversed(), configured), shares);
      }),
      RUNS,
    );
  });
});

/** The fewest items of a kind that must leave their members for an even spread of all that is configured. */
function surplus(group: LedGroup, ofKind: (key: string) => boolean): number {
  const loads = group.loads(ofKind).toSorted((one, other) => other - one);
  const count = toKeys(group.configured).filter(ofKind).length;
  const floor = Math.floor(count / loads.length);
  const extra = count % loads.length;
  return loads.reduce((sum, load, index) => sum + Math.max(0, load - (index < extra ? floor + 1 : floor)), 0);
}
