import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { LocalKafka } from "#dev/kafka.ts";
import { isStopped } from "#dev/process-table.ts";
import { createGroupClient, type GroupClient, type GroupJoined, type JoinResult } from "#runtime/kafka/group-client.ts";
import { eventually } from "#support/eventually.ts";
import { ownKafka, uniqueName } from "#support/kafka.ts";
import { silent } from "../group/silent-logger.ts";

const METADATA = Buffer.from("0000000e687474703a2f2f613a383038332f0000000000000005", "hex");

let kafka: LocalKafka;
const clients: GroupClient[] = [];

function newClient(groupId: string, overrides: { answerTimeoutMs?: number } = {}) {
  const client = createGroupClient({
    settings: {
      brokers: [kafka.bootstrap],
      clientId: "group-test",
      tls: null,
      sasl: null,
      connectionTimeoutMs: 2_000,
      requestTimeoutMs: 40_000,
      retryBackoffMs: 50,
      retryBackoffMaxMs: 500,
    },
    groupId,
    sessionTimeoutMs: 60_000,
    rebalanceTimeoutMs: 60_000,
    answerTimeoutMs: 20_000,
    log: silent,
    ...overrides,
  });
  clients.push(client);
  return client;
}

function join(client: GroupClient, memberId: string, signal: AbortSignal): Promise<JoinResult> {
  return client.join({ memberId, protocols: [{ name: "default", metadata: METADATA }] }, signal);
}

/** The id for a new member; waits for a coordinator, which a young broker does not have yet. */
function newMember(client: GroupClient, signal: AbortSignal): Promise<string> {
  return eventually("a member id", async () => {
    const required = await join(client, "", signal);
    return required.kind === "member-id-required" && required.memberId;
  });
}

function joined(result: JoinResult): GroupJoined {
  return result.kind === "joined" ? result : assert.fail(JSON.stringify(result));
}

/** A member that joined and, as the leader of a group of its own, synced. */
async function stableMember(client: GroupClient, signal: AbortSignal): Promise<GroupJoined> {
  const round = joined(await join(client, await newMember(client, signal), signal));
  const assignments = [{ memberId: round.memberId, assignment: Buffer.from("mine") }];
  const synced = await client.sync({ ...round, assignments }, signal);
  assert.deepEqual(synced, { kind: "synced", assignment: Buffer.from("mine") });
  return round;
}

describe("group client", { timeout: 560_000 }, () => {
  before(async () => {
    kafka = await ownKafka({ heap: "384m" });
  });
  after(async () => {
    for (const client of clients) client.close();
    await kafka.stop();
  });

  it("joins with the id that the broker wants, syncs, beats and leaves", async (t) => {
    const client = newClient(uniqueName("group"));
    const round = await stableMember(client, t.signal);
    assert.equal(round.leaderId, round.memberId);
    assert.equal(round.protocol, "default");
    assert.deepEqual(round.members, [{ memberId: round.memberId, metadata: METADATA }]);
    assert.deepEqual(await client.heartbeat(round, t.signal), { kind: "alive" });
    assert.deepEqual(await client.heartbeat({ ...round, generation: 99 }, t.signal), { kind: "illegal-generation" });
    assert.deepEqual(await client.members(t.signal), [{ memberId: round.memberId, metadata: METADATA }]);
    assert.deepEqual(await client.leave(round.memberId, t.signal), { kind: "left" });
    assert.deepEqual(await client.heartbeat(round, t.signal), { kind: "unknown-member" });
    assert.deepEqual(await client.leave(round.memberId, t.signal), { kind: "unknown-member" });
  });

  it("beats while its join waits at the broker, and completes the round by evicting the one that it waits for", async (t) => {
    const groupId = uniqueName("group");
    const first = newClient(groupId);
    const dead = newClient(groupId);
    const leader = await stableMember(first, t.signal);
    const victimId = await newMember(dead, t.signal);
    const victimJoin = join(dead, victimId, t.signal);
    await eventually("a rebalance", async () => {
      return (await first.heartbeat(leader, t.signal)).kind === "rebalance-in-progress";
    });
    const second = joined(await join(first, leader.memberId, t.signal));
    assert.equal(second.members.length, 2);
    assert.equal(joined(await victimJoin).leaderId, leader.memberId);
    const assignments = second.members.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) }));
    assert.equal((await first.sync({ ...second, assignments }, t.signal)).kind, "synced");
    const waiting = join(first, leader.memberId, t.signal);
    await eventually("the join waits", async () => {
      return (await first.heartbeat(second, t.signal)).kind === "rebalance-in-progress";
    });
    assert.deepEqual(
      await first.heartbeat({ memberId: leader.memberId, generation: -1 }, t.signal),
      { kind: "illegal-generation" },
      "a member without a generation learns that it is known",
    );
    assert.deepEqual(await first.leave(victimId, t.signal), { kind: "left" });
    assert.equal(joined(await waiting).members.length, 1);
    assert.deepEqual(await join(dead, victimId, t.signal), { kind: "unknown-member" });
  });

  it("ends a join when its signal aborts, and can be used again at once", async (t) => {
    const groupId = uniqueName("group");
    const client = newClient(groupId);
    const other = newClient(groupId);
    await stableMember(other, t.signal);
    const memberId = await newMember(client, t.signal);
    const stop = new AbortController();
    const waiting = join(client, memberId, stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.notEqual((await client.leave(memberId, t.signal)).kind, "coordinator-unavailable");
    assert.equal((await join(client, "", t.signal)).kind, "member-id-required");
  });

  it("gives up on a broker that falls silent, and goes on with it later", async (t) => {
    const groupId = uniqueName("group");
    const round = await stableMember(newClient(groupId), t.signal);
    const client = newClient(groupId, { answerTimeoutMs: 500 });
    await eventually("an answer", async () => (await client.heartbeat(round, t.signal)).kind === "alive");
    process.kill(kafka.process.pid, "SIGSTOP");
    try {
      await eventually("all of the broker stands still", () => isStopped(kafka.process.pid));
      const started = performance.now();
      assert.equal((await client.heartbeat(round, t.signal)).kind, "coordinator-unavailable");
      assert.equal((await client.heartbeat(round, t.signal)).kind, "coordinator-unavailable");
      assert.ok(performance.now() - started < 20_000, "long before the request times out");
    } finally {
      process.kill(kafka.process.pid, "SIGCONT");
    }
    await eventually("an answer", async () => (await client.heartbeat(round, t.signal)).kind === "alive");
  });

  it("survives a broker that is away, and finds its generation again", async (t) => {
    const client = newClient(uniqueName("group"));
    const round = await stableMember(client, t.signal);
    await kafka.kill();
    assert.equal((await client.heartbeat(round, t.signal)).kind, "coordinator-unavailable");
    assert.equal((await join(client, round.memberId, t.signal)).kind, "coordinator-unavailable");
    kafka = await kafka.restart();
    await eventually("the group again", async () => (await client.heartbeat(round, t.signal)).kind === "alive");
  });

  it("says why Kafka refuses", async (t) => {
    const client = newClient("");
    const refusal = await eventually("a refusal", async () => {
      const result = await join(client, "", t.signal);
      return result.kind === "refused" && result;
    });
    assert.deepEqual(refusal, { kind: "refused", reason: "INVALID_GROUP_ID" });
  });
});
