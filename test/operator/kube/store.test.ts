import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "#operator/kube/client.ts";
import { KubeError, type KubeErrorCode } from "#operator/kube/errors.ts";
import type { ListWatch } from "#operator/kube/list-watch.ts";
import { createStore } from "#operator/kube/store.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";

/** What each list is answered with, in turn; the last one again and again. */
async function answersAfter(answers: readonly (KubeErrorCode | "list")[], apartMs: number): Promise<number> {
  const stop = new AbortController();
  let nowMs = 0;
  let lists = 0;
  const source: ListWatch<KubeObject> = {
    scope: { namespace: null, labelSelector: null },
    async page() {
      nowMs = lists * apartMs;
      const answer = answers[Math.min(lists, answers.length - 1)] ?? "list";
      lists += 1;
      if (answer !== "list") throw new KubeError(answer, "on purpose", { status: 403 });
      return { objects: [], continueToken: null, resourceVersion: "1" };
    },
    async *watch(_version, _seconds, signal) {
      await eventually("the end", () => signal.aborted);
    },
  };
  const log = createLog("silent");
  const watcher = { log, random: () => 0, pageSize: 500, silenceMs: 90_000 };
  const store = createStore({ sources: [source], log, watcher, now: () => nowMs });
  const running = store.run(stop.signal);
  try {
    await store.whenAnswered(AbortSignal.timeout(30_000));
    return lists;
  } finally {
    stop.abort();
    await running;
  }
}

describe("whenAnswered", () => {
  it("waits for a list after a single refusal", async () => {
    assert.equal(await answersAfter(["forbidden", "list"], 1_500), 2);
  });

  it("takes refusals for an answer that are some seconds apart", async () => {
    assert.equal(await answersAfter(["forbidden"], 1_500), 3);
  });

  it("waits however often the API server fails", async () => {
    assert.equal(await answersAfter(["unavailable", "too-many-requests", "unavailable", "list"], 10_000), 4);
  });

  it("waits for nothing that is not there", async () => {
    assert.equal(await answersAfter(["not-found"], 1), 1);
  });
});
