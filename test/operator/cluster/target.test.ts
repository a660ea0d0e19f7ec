import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LastGood } from "#operator/cluster/last-good.ts";
import type { Preflight } from "#operator/cluster/preflight.ts";
import { chooseTarget, START_LIMIT_MS, type TargetInputs } from "#operator/cluster/target.ts";
import { toWorkerPod, type WorkerPod } from "#operator/cluster/worker-pod.ts";
import { workerPod } from "#support/connect-objects.ts";

const NOW = 1_000_000;
const LIMIT = 60_000;

function pods(...traits: readonly Partial<WorkerPod>[]): readonly WorkerPod[] {
  return traits.map((trait, ordinal) => ({ ...toWorkerPod(workerPod(ordinal), "my-connect-connect"), ...trait }));
}

const OLD = { revision: "old" };
const NEW = { revision: "new" };
const late = { ready: false, unreadySinceMs: NOW - LIMIT };
const pulling = { reason: "ErrImagePull", message: "no such image", lasting: true };
const unstarted = { ready: false, unreadySinceMs: NOW - START_LIMIT_MS, trouble: pulling };

const good: LastGood = { revision: "old", template: {}, properties: null, failed: null };
const failed: Preflight = { kind: "failed", message: "no broker", endedAtMs: NOW };

describe("chooseTarget", () => {
  const table: readonly [string, Partial<TargetInputs>, string][] = [
    ["makes a new cluster as it is wanted", { current: null, pods: [] }, "desired"],
    ["checks first", { preflight: { kind: "missing" } }, "checking"],
    ["waits for the check", { preflight: { kind: "running", message: "no node takes it" } }, "checking"],
    ["goes on when it passed", { preflight: { kind: "passed", untried: "" } }, "desired"],
    ["refuses when it failed", { preflight: failed }, "refused"],
    ["goes on unchecked where nothing can check", {}, "desired"],
    ["does not check while no worker is ready", { pods: pods(late, late), preflight: failed }, "desired"],
    ["goes back without a check", { desired: "old", current: "new", preflight: failed }, "desired"],
    [
      "goes on while the first pod has time",
      { current: "new", pods: pods({ ...NEW, ready: false, unreadySinceMs: NOW - 5_000 }, OLD) },
      "desired",
    ],
    ["restores when it takes too long", { current: "new", pods: pods({ ...NEW, ...late }, OLD) }, "last-good"],
    [
      "restores sooner when it cannot start",
      { current: "new", pods: pods({ ...NEW, ...unstarted }, OLD) },
      "last-good",
    ],
    ["restores the only worker", { current: "new", pods: pods({ ...NEW, ...late }) }, "last-good"],
    [
      "does not blame a revision with which a worker is ready",
      { current: "new", pods: pods({ ...NEW, ...late }, NEW, OLD) },
      "desired",
    ],
    [
      "does not blame a revision while all are unready",
      { current: "new", pods: pods({ ...NEW, ...late }, { ...OLD, ...late }) },
      "desired",
    ],
    [
      "has nothing to restore at first",
      { current: "new", pods: pods({ ...NEW, ...late }, OLD), lastGood: null },
      "desired",
    ],
    [
      "does not try again what failed",
      { current: "old", lastGood: { ...good, failed: { revision: "new", message: "m" } } },
      "last-good",
    ],
    [
      "tries another one after that",
      { lastGood: { ...good, failed: { revision: "x", message: "m" } }, preflight: { kind: "passed", untried: "" } },
      "desired",
    ],
    [
      "restores a bad roll even if its fix is bad, too",
      { desired: "newer", current: "new", pods: pods({ ...NEW, ...late }, OLD), preflight: failed },
      "last-good",
    ],
  ];
  for (const [what, traits, kind] of table) {
    it(what, () => {
      const inputs = {
        desired: "new",
        current: "old",
        pods: pods(OLD, OLD),
        lastGood: good,
        preflight: null,
        nowMs: NOW,
        readyLimitMs: LIMIT,
      };
      assert.equal(chooseTarget({ ...inputs, ...traits }).kind, kind);
    });
  }
});
