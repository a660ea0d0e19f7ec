import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupView } from "#runtime/group/group.ts";
import { createPeers, type Peers } from "#runtime/group/peers.ts";
import { NO_WORK } from "#runtime/group/work.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeNetwork } from "./fake-network.ts";
import { silent } from "./silent-logger.ts";

const MEMBERS = ["m1", "m2", "m3"];
const urlOf = (memberId: string) => `http://${memberId}:8083/`;

/** What `memberId` sees in a group that m1 leads. */
function viewOf(memberId: string): GroupView {
  const isLeader = memberId === "m1";
  return {
    memberId,
    generation: 4,
    leaderId: "m1",
    leaderUrl: urlOf("m1"),
    isLeader,
    protocolVersion: 2,
    rebalancing: false,
    delayMs: 0,
    members: (isLeader ? MEMBERS : [memberId]).map((each) => ({
      memberId: each,
      url: urlOf(each),
      draining: false,
      assignment: NO_WORK,
    })),
    balanced: isLeader,
  };
}

class Scene {
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork();
  readonly evicted: string[] = [];
  readonly poked: string[] = [];
  readonly peers: Peers;
  coordinatorAway = false;
  infos = 0;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(memberId: string, foreign: readonly string[] = []) {
    for (const each of MEMBERS) {
      this.network.register(urlOf(each), { view: () => viewOf(each), poked: () => this.poked.push(each) });
    }
    for (const each of foreign) this.network.fail(urlOf(each), "foreign");
    this.peers = createPeers({
      transport: this.network.transport(),
      url: urlOf(memberId),
      view: () => viewOf(memberId),
      evict: async (dead) => {
        this.evicted.push(dead);
        return !this.coordinatorAway;
      },
      onLeaderInfo: () => {
        this.infos += 1;
      },
      clock: this.clock,
      log: silent,
    });
    this.#ended = this.peers.run(this.#stop.signal);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

async function scene(memberId: string, use: (scene: Scene) => Promise<void>): Promise<void> {
  const made = new Scene(memberId);
  try {
    await made.clock.advance(1_000);
    await use(made);
  } finally {
    await made.end();
  }
}

describe("peers", () => {
  it("the leader evicts a follower that has died, once, within half a second", () =>
    scene("m1", async (group) => {
      group.network.fail(urlOf("m2"), "refused");
      await group.clock.advance(400);
      assert.deepEqual(group.evicted, ["m2"]);
      await group.clock.advance(5_000);
      assert.deepEqual(group.evicted, ["m2"]);
    }));

  it("tries again while the coordinator is away", () =>
    scene("m1", async (group) => {
      group.coordinatorAway = true;
      group.network.fail(urlOf("m2"), "refused");
      await group.clock.advance(1_000);
      assert.ok(group.evicted.length > 1);
      group.coordinatorAway = false;
      await group.clock.advance(500);
      const tries = group.evicted.length;
      await group.clock.advance(5_000);
      assert.equal(group.evicted.length, tries);
    }));

  it("a follower evicts the leader", () =>
    scene("m3", async (group) => {
      group.network.fail(urlOf("m1"), "refused");
      await group.clock.advance(400);
      assert.deepEqual(group.evicted, ["m1"]);
    }));

  it("a follower watches its neighbour, whom it knows from the leader", () =>
    scene("m2", async (group) => {
      group.network.fail(urlOf("m3"), "refused");
      await group.clock.advance(400);
      assert.deepEqual(group.evicted, ["m3"]);
    }));

  for (const how of ["silent", "foreign", "reset"] as const) {
    it(`leaves a peer alone that is ${how}`, () =>
      scene("m1", async (group) => {
        group.network.fail(urlOf("m2"), how);
        await group.clock.advance(10_000);
        assert.deepEqual(group.evicted, []);
      }));
  }

  it("a follower learns from the leader who is there, once per generation", () =>
    scene("m2", async (group) => {
      assert.deepEqual(
        group.peers.leaderInfo(4)?.members.map((member) => member.memberId),
        MEMBERS,
      );
      assert.equal(group.peers.leaderInfo(5), null);
      await group.clock.advance(10_000);
      assert.equal(group.infos, 1);
      assert.deepEqual(group.peers.urls(), [urlOf("m1"), urlOf("m3")]);
    }));

  it("does not insist with a leader that is a JVM worker", async () => {
    const group = new Scene("m2", ["m1"]);
    await group.clock.advance(10_000);
    assert.equal(group.network.requests.filter((request) => request.includes("headrace/group")).length, 1);
    assert.equal(group.peers.leaderInfo(4), null);
    assert.deepEqual(group.peers.urls(), [urlOf("m1")]);
    await group.end();
  });

  it("pokes whom it is told to", () =>
    scene("m1", async (group) => {
      await group.peers.poke(group.peers.urls());
      assert.deepEqual(group.poked, ["m2", "m3"]);
    }));
});
