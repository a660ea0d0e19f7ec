import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, probeTargets, UNKNOWN_PEER } from "#runtime/group/failure-detector.ts";
import type { GroupView } from "#runtime/group/group.ts";
import type { PeerAnswer } from "#runtime/group/peer-transport.ts";

const REFUSED: PeerAnswer = { kind: "refused" };
const RESET: PeerAnswer = { kind: "reset" };
const SILENT: PeerAnswer = { kind: "silent" };
const NOT_OURS: PeerAnswer = {
  kind: "answered",
  status: 404,
  body: { error_code: 404, message: "HTTP 404 Not Found" },
};

function isMember(memberId: string): PeerAnswer {
  return { kind: "answered", status: 200, body: { workerId: "a:8083", memberId, podUid: null, draining: false } };
}

/** Who is declared dead after these answers in a row at an address where `memberIds` are known to live. */
function dead(memberIds: readonly string[], ...answers: readonly PeerAnswer[]): string[] {
  let record = UNKNOWN_PEER;
  const gone: string[] = [];
  for (const answer of answers) {
    const verdict = judge(record, answer, memberIds);
    record = verdict.record;
    gone.push(...verdict.dead);
  }
  return gone;
}

describe("judge", () => {
  for (const [what, answers, expected] of [
    ["refused twice after it identified itself", [isMember("m1"), REFUSED, REFUSED], ["m1"]],
    ["reset, then refused", [isMember("m1"), RESET, REFUSED], ["m1"]],
    ["refused once", [isMember("m1"), REFUSED], []],
    ["refused, back, refused", [isMember("m1"), REFUSED, isMember("m1"), REFUSED], []],
    ["reset twice, never refused", [isMember("m1"), RESET, RESET], []],
    ["refused, silent, refused", [isMember("m1"), REFUSED, SILENT, REFUSED], []],
    ["silent for long", [isMember("m1"), SILENT, SILENT, SILENT, SILENT], []],
    ["refused without ever having identified itself", [REFUSED, REFUSED, REFUSED], []],
    ["a JVM worker that closes its REST", [NOT_OURS, REFUSED, REFUSED, REFUSED], []],
    ["replaced by a JVM worker", [isMember("m1"), NOT_OURS, REFUSED, REFUSED], []],
    ["another worker that never was at this address in the group", [isMember("m9"), REFUSED, REFUSED], []],
    ["the process came back as another member", [isMember("m1"), isMember("m2")], ["m1"]],
    ["the process came back and has not joined yet", [isMember("m1"), isMember("")], []],
    ["another member where none has identified itself", [isMember("m2")], []],
  ] as const) {
    it(`${expected.length > 0 ? "takes for dead" : "spares"}: ${what}`, () => {
      assert.deepEqual(dead(["m1"], ...answers), expected);
    });
  }

  it("says so again as long as the member is in the group", () => {
    assert.deepEqual(dead(["m1"], isMember("m1"), REFUSED, REFUSED, REFUSED), ["m1", "m1"]);
    assert.deepEqual(dead(["m1", "m2"], isMember("m1"), isMember("m2"), isMember("m2")), ["m1", "m1"]);
  });
});

describe("probeTargets", () => {
  const work = { connectors: [], tasks: [] };
  const members = ["m1", "m2", "m3", "m4"].map((memberId) => ({
    memberId,
    url: `http://${memberId}/`,
    draining: false,
    assignment: work,
  }));
  const viewOf = (memberId: string): GroupView => ({
    memberId,
    generation: 1,
    leaderId: "m1",
    leaderUrl: "http://m1/",
    isLeader: memberId === "m1",
    protocolVersion: 2,
    rebalancing: false,
    delayMs: 0,
    members: [],
    balanced: true,
  });
  const urls = (memberId: string) => [...probeTargets(viewOf(memberId), members).keys()];

  it("gives the leader everybody, the others the leader and the next in the ring", () => {
    assert.deepEqual(urls("m1"), ["http://m2/", "http://m3/", "http://m4/"]);
    assert.deepEqual(urls("m2"), ["http://m1/", "http://m3/"]);
    assert.deepEqual(urls("m4"), ["http://m1/"]);
  });

  it("names all members behind a URL, its own former selves included", () => {
    const restarted = [...members, { memberId: "m0", url: "http://m1/", draining: false, assignment: work }];
    assert.deepEqual(probeTargets(viewOf("m1"), restarted).get("http://m1/"), ["m0"]);
    assert.deepEqual(probeTargets(viewOf("m2"), restarted).get("http://m1/"), ["m1", "m0"]);
  });

  it("is empty while nobody else is known", () => {
    assert.equal(probeTargets(viewOf("m1"), members.slice(0, 1)).size, 0);
  });
});
