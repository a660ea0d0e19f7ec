import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConfigMap } from "#operator/kube/resources.ts";
import {
  type ActiveState,
  LIST_FROM_START,
  nextWatchStep,
  type WatchInput,
  type WatchState,
} from "#operator/kube/watch-state.ts";

const object: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", namespace: "n", resourceVersion: "7" },
};

const listing = (failures: number, continueToken: string | null = null, paged = true): ActiveState => ({
  kind: "list",
  continueToken,
  paged,
  failures,
});
const watching = (failures: number, resourceVersion = "5"): ActiveState => ({
  kind: "watch",
  resourceVersion,
  failures,
});
const pause = (delayMs: number, next: ActiveState): WatchState => ({ kind: "pause", delayMs, next });

const page = (continueToken: string | null): WatchInput<ConfigMap> => ({
  kind: "page",
  page: { objects: [object], resourceVersion: "5", continueToken },
});
const event = (kind: "applied" | "deleted"): WatchInput<ConfigMap> => ({
  kind: "event",
  event: { kind, object, resourceVersion: "7" },
});
const bookmark: WatchInput<ConfigMap> = { kind: "event", event: { kind: "bookmark", resourceVersion: "9" } };
const closed = (lastedMs: number): WatchInput<ConfigMap> => ({ kind: "closed", lastedMs });
const failed = (
  code: Extract<WatchInput<ConfigMap>, { kind: "failed" }>["code"],
  lastedMs = 0,
  retryAfterMs: number | null = null,
): WatchInput<ConfigMap> => ({ kind: "failed", code, retryAfterMs, lastedMs });

interface Row {
  readonly fact: string;
  readonly from: ActiveState;
  readonly input: WatchInput<ConfigMap>;
  readonly to: WatchState;
  readonly outputs?: readonly string[];
}

const table: readonly Row[] = [
  {
    fact: "the only page of a list leads to a watch",
    from: LIST_FROM_START,
    input: page(null),
    to: watching(0),
    outputs: ["restarted", "listed", "synced"],
  },
  {
    fact: "a first page leads to the next",
    from: LIST_FROM_START,
    input: page("t1"),
    to: listing(0, "t1"),
    outputs: ["restarted", "listed"],
  },
  { fact: "a middle page adds", from: listing(0, "t1"), input: page("t2"), to: listing(0, "t2"), outputs: ["listed"] },
  {
    fact: "the last page ends the list",
    from: listing(0, "t2"),
    input: page(null),
    to: watching(0),
    outputs: ["listed", "synced"],
  },
  {
    fact: "a list alone is no sign of health",
    from: listing(2),
    input: page(null),
    to: watching(2),
    outputs: ["restarted", "listed", "synced"],
  },
  {
    fact: "a page that fails is asked for again",
    from: listing(0, "t1"),
    input: failed("unavailable"),
    to: pause(250, listing(1, "t1")),
  },
  {
    fact: "a list that is forbidden is told, and goes on failing slower",
    from: listing(3),
    input: failed("forbidden"),
    to: pause(2_000, listing(4)),
    outputs: ["refused"],
  },
  {
    fact: "a list of what is not there is told",
    from: listing(0),
    input: failed("not-found"),
    to: pause(250, listing(1)),
    outputs: ["refused"],
  },
  {
    fact: "a list that grew too old between pages begins again, in one piece",
    from: listing(0, "t1"),
    input: failed("expired"),
    to: listing(1, null, false),
  },
  {
    fact: "an object moves the version",
    from: watching(3),
    input: event("applied"),
    to: watching(0, "7"),
    outputs: ["applied"],
  },
  {
    fact: "a deletion moves the version",
    from: watching(0),
    input: event("deleted"),
    to: watching(0, "7"),
    outputs: ["deleted"],
  },
  { fact: "a bookmark moves the version and says nothing", from: watching(2), input: bookmark, to: watching(0, "9") },
  { fact: "a watch that ends in time goes on at once", from: watching(1), input: closed(400_000), to: watching(0) },
  { fact: "a watch that ends at once is a failure", from: watching(0), input: closed(3), to: pause(250, watching(1)) },
  {
    fact: "a version that is too old leads to a list at once",
    from: watching(0),
    input: failed("expired"),
    to: listing(1),
  },
  {
    fact: "a version that is too old right after a list leads to a list after a pause",
    from: watching(1),
    input: failed("expired"),
    to: pause(250, listing(2)),
  },
  {
    fact: "a reset leads to the same watch",
    from: watching(0),
    input: failed("unavailable"),
    to: pause(250, watching(1)),
  },
  {
    fact: "garbage leads to the same watch",
    from: watching(1),
    input: failed("malformed"),
    to: pause(500, watching(2)),
  },
  {
    fact: "silence after a long life is a first failure",
    from: watching(3),
    input: failed("timeout", 90_000),
    to: pause(250, watching(1)),
  },
  {
    fact: "the server's pause is kept if it is longer",
    from: watching(0),
    input: failed("too-many-requests", 0, 7_000),
    to: pause(7_000, watching(1)),
  },
  {
    fact: "our own pause is kept if it is longer",
    from: watching(3),
    input: failed("too-many-requests", 0, 1_000),
    to: pause(2_000, watching(4)),
  },
  {
    fact: "five failures doubt the version",
    from: watching(4),
    input: failed("unavailable"),
    to: pause(4_000, listing(5)),
  },
  {
    fact: "a refused version leads to a list",
    from: watching(0),
    input: failed("invalid"),
    to: pause(250, listing(1)),
  },
  {
    fact: "a type that is gone is listed again",
    from: watching(0),
    input: failed("not-found"),
    to: pause(250, listing(1)),
  },
  {
    fact: "pauses end at five seconds",
    from: listing(50),
    input: failed("unavailable"),
    to: pause(5_000, listing(51)),
  },
];

describe("nextWatchStep", () => {
  for (const { fact, from, input, to, outputs = [] } of table) {
    it(fact, () => {
      const step = nextWatchStep(from, input, () => 0);
      assert.deepEqual(step.state, to);
      assert.deepEqual(
        step.outputs.map(({ kind }) => kind),
        outputs,
      );
    });
  }

  it("never asks twice in a row without a pause, whatever keeps failing", () => {
    const inputs = [failed("expired"), failed("unavailable"), failed("invalid"), closed(0), closed(999)];
    for (const input of inputs) {
      let state: WatchState = watching(0);
      let withoutPause = 0;
      for (let i = 0; i < 100; i += 1) {
        if (state.kind === "pause") {
          withoutPause = 0;
          state = state.next;
          continue;
        }
        const step: ReturnType<typeof nextWatchStep<ConfigMap>> = nextWatchStep(
          state,
          state.kind === "list" ? page(null) : input,
          Math.random,
        );
        state = step.state;
        withoutPause += 1;
        assert.ok(withoutPause <= 4, `${JSON.stringify(input)} led to ${withoutPause} requests without a pause`);
      }
    }
  });
});
