import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Look, look } from "#operator/kube/lease-state.ts";
import type { Lease } from "#operator/kube/resources.ts";

const DURATION_MS = 15_000;

function lease(spec: Lease["spec"], resourceVersion = "5"): Lease {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "l", namespace: "n", resourceVersion },
    ...(spec === undefined ? {} : { spec }),
  };
}

const theirs = lease({ holderIdentity: "other", leaseDurationSeconds: 15, leaseTransitions: 3 });
const seen = (seenAtMs: number, resourceVersion = "5") => ({ resourceVersion, seenAtMs });
const take = (transitions: number, renewal: boolean): Look["move"] => ({
  kind: "take",
  resourceVersion: "5",
  transitions,
  renewal,
});
const wait: Look["move"] = { kind: "wait", holder: "other" };

const table: readonly [fact: string, given: Parameters<typeof look>, move: Look["move"]][] = [
  ["no lease is created", [null, "me", null, 0, DURATION_MS], { kind: "create" }],
  ["a lease seen for the first time is alive, however old", [theirs, "me", null, 99_000, DURATION_MS], wait],
  ["a lease that changed is alive", [theirs, "me", seen(0, "4"), 99_000, DURATION_MS], wait],
  ["an unchanged lease is alive for its duration", [theirs, "me", seen(0), 14_999, DURATION_MS], wait],
  ["an unchanged lease is free after its duration", [theirs, "me", seen(0), 15_000, DURATION_MS], take(4, false)],
  [
    "our own is renewed",
    [lease({ holderIdentity: "me", leaseTransitions: 3 }), "me", null, 0, DURATION_MS],
    take(3, true),
  ],
  ["a lease given back is free at once", [lease({ holderIdentity: "" }), "me", null, 0, DURATION_MS], take(1, false)],
  ["an empty lease is free at once", [lease(undefined), "me", null, 0, DURATION_MS], take(1, false)],
  [
    "the holder's own duration counts, not ours",
    [lease({ holderIdentity: "other", leaseDurationSeconds: 60 }), "me", seen(0), 59_999, DURATION_MS],
    wait,
  ],
];

describe("look", () => {
  for (const [fact, given, move] of table) it(fact, () => assert.deepEqual(look(...given).move, move));

  it("remembers since when a lease has not changed", () => {
    const first = look(theirs, "me", null, 1_000, DURATION_MS);
    assert.deepEqual(first.observation, seen(1_000));
    assert.deepEqual(look(theirs, "me", first.observation, 5_000, DURATION_MS).observation, seen(1_000));
  });
});
