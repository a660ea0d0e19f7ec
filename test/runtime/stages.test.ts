import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkHealth } from "#runtime/health.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { createStages } from "#runtime/stages.ts";
import { FakeMember } from "./herder/fakes.ts";

describe("the worker's stages", () => {
  const at = (second: number) => `1970-01-01T00:00:0${second}.000Z`;

  it("are what is being done, or was done last", async () => {
    let now = 0;
    const stages = createStages(() => now);
    assert.equal(stages.describe(), "");
    const outer = Promise.withResolvers<void>();
    const inner = Promise.withResolvers<void>();
    const first = stages.during("awaiting startup", () => outer.promise);
    now = 1_000;
    const second = stages.during("restarting task c-0", () => inner.promise);
    assert.equal(stages.describe(), `The worker is currently restarting task c-0, which began at ${at(1)}.`);
    now = 2_000;
    inner.resolve();
    await second;
    assert.equal(stages.describe(), `The worker is currently awaiting startup, which began at ${at(0)}.`);
    now = 3_000;
    outer.reject(new Error("failed"));
    await assert.rejects(first, /failed/);
    assert.equal(
      stages.describe(),
      `The last operation the worker completed was awaiting startup, which began at ${at(0)} and completed at ${at(3)}.`,
    );
  });

  it("are idleness only while nothing is being done, however long ago that began", async () => {
    let now = 0;
    const stages = createStages(() => now);
    const work = Promise.withResolvers<void>();
    const wait = Promise.withResolvers<void>();
    const working = stages.during("flushing updates to the status topic", () => work.promise);
    now = 1_000;
    const waiting = stages.idling("polling the group coordinator until interrupted", () => wait.promise);
    assert.match(stages.describe(), /^The worker is currently flushing/);
    work.resolve();
    await working;
    const polling = `The worker is currently polling the group coordinator until interrupted, which began at ${at(1)}.`;
    assert.equal(stages.describe(), polling);
    wait.resolve();
    await waiting;
    assert.match(stages.describe(), /^The last operation the worker completed was polling/);
  });

  it("are told to a request that has waited in vain", async () => {
    const waiting = (describe: string) =>
      openScope(
        20,
        () => 0,
        () => describe,
      ).run(() => new Promise(() => {}));
    await assert.rejects(waiting(""), { message: "Request timed out" });
    const stages = createStages(() => 0);
    await stages.during("flushing updates to the status topic", async () => {});
    await assert.rejects(waiting(stages.describe()), {
      message: `Request timed out. The last operation the worker completed was flushing updates to the status topic, which began at ${at(0)} and completed at ${at(0)}.`,
    });
  });

  it("are told by the health check while the worker starts and when it does not answer", async () => {
    const stages = { describe: () => "The worker is currently x, which began at y." };
    const member = new FakeMember();
    let isStarted = false;
    const check = () => checkHealth({ member, isStarted: () => isStarted, stages, timeoutMs: 20 });
    assert.deepEqual(await check(), {
      status: "starting",
      message: "Worker is still starting up. The worker is currently x, which began at y.",
    });
    isStarted = true;
    assert.equal((await check()).status, "healthy");
    member.change({ rebalancing: true });
    assert.deepEqual(await check(), {
      status: "unhealthy",
      message:
        "Worker was unable to handle this request and may be unable to handle other requests. The worker is currently x, which began at y.",
    });
  });
});
