import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { INITIAL_ASSIGNOR_STATE } from "#runtime/group/assignor.ts";
import { isConnector, NO_WORK, toKeys, toWork, union } from "#runtime/group/work.ts";
import { connectors, groupOf, LedGroup, revokedKeys } from "#support/led-group.ts";

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
    const group = new LedGroup();
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
