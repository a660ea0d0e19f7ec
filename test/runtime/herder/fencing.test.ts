import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import { createFencing } from "#runtime/herder/fencing.ts";
import { planFencing } from "#runtime/herder/fencing-plan.ts";
import { createLanes } from "#runtime/herder/lanes.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { eventually } from "#support/eventually.ts";
import { FakeConfigStore, FakePool, silent } from "./fakes.ts";

const scope = () => openScope(10_000, () => Date.now());

async function setUp({ leads = true, tasks = 2 } = {}) {
  const configStore = new FakeConfigStore();
  const pool = new FakePool();
  const lanes = createLanes();
  await configStore.putConnector("c", { "connector.class": "source" }, null);
  await configStore.putTaskConfigs(
    "c",
    Array.from({ length: tasks }, () => ({})),
  );
  configStore.privilegedWrites.length = 0;
  const view = { isLeader: leads, leaderUrl: "http://leader:8083/" };
  const fencing = createFencing({
    configStore,
    pool,
    catalog: () => ({ connectorType: (name) => (name === "sink" ? "sink" : "source") }),
    steps: {
      // Only these two are looked at.
      group: async () => ({ ...NO_VIEW, ...view }),
      asLeader: (connector, _, step) =>
        lanes.enter(connector, async () => ({ kind: "done" as const, value: await step() })),
    },
    openScope: scope,
    log: silent,
  });
  return { configStore, pool, fencing };
}

const NO_VIEW = {
  memberId: "m",
  generation: 1,
  leaderId: "m",
  protocolVersion: 2,
  rebalancing: false,
  delayMs: 0,
  members: [],
  balanced: true,
};

describe("planFencing", () => {
  for (const [fact, input, plan] of [
    ["nothing without a commit since the last round", { pending: false, taskCount: 3, tasks: 5 }, { kind: "done" }],
    [
      "only a record for the first tasks ever",
      { pending: true, taskCount: null, tasks: 3 },
      { kind: "fence", producers: 0 },
    ],
    ["only a record from one task to one", { pending: true, taskCount: 1, tasks: 1 }, { kind: "fence", producers: 0 }],
    [
      "all former tasks when there are fewer now",
      { pending: true, taskCount: 3, tasks: 1 },
      { kind: "fence", producers: 3 },
    ],
    [
      "all former tasks when there are more now",
      { pending: true, taskCount: 1, tasks: 2 },
      { kind: "fence", producers: 1 },
    ],
    [
      "all former tasks when there are as many",
      { pending: true, taskCount: 2, tasks: 2 },
      { kind: "fence", producers: 2 },
    ],
    [
      "all former tasks when there are none now",
      { pending: true, taskCount: 2, tasks: 0 },
      { kind: "fence", producers: 2 },
    ],
  ] as const) {
    it(fact, () => assert.deepEqual(planFencing(input), plan));
  }
});

describe("fencing", () => {
  it("fences the tasks of the last round, then records how many there are now", async () => {
    const { configStore, pool, fencing } = await setUp({ tasks: 2 });
    configStore.fencings.set("c", { pending: true, taskCount: 3 });
    assert.deepEqual(await fencing.fence("c", scope()), { kind: "done", value: null });
    assert.deepEqual(pool.calls, ["fence c 3"]);
    assert.deepEqual(configStore.privilegedWrites, ["putTaskCount c 2"]);
    await fencing.fence("c", scope());
    assert.deepEqual(pool.calls, ["fence c 3"], "once is enough");
  });

  it("leaves it to the leader", async () => {
    const { fencing, pool } = await setUp({ leads: false });
    assert.deepEqual(await fencing.fence("c", scope()), { kind: "forward", url: "http://leader:8083/" });
    assert.deepEqual(pool.calls, []);
  });

  it("refuses sinks and what it does not know", async () => {
    const { configStore, fencing } = await setUp();
    await configStore.putConnector("k", { "connector.class": "sink" }, null);
    await assert.rejects(fencing.fence("k", scope()), { code: "bad-request" });
    await assert.rejects(fencing.fence("nobody", scope()), { code: "not-found" });
  });

  it("does one round for all that ask at the same time", async () => {
    const { configStore, pool, fencing } = await setUp();
    configStore.fencings.set("c", { pending: true, taskCount: 2 });
    await Promise.all([1, 2, 3].map(() => fencing.fence("c", scope())));
    assert.deepEqual(pool.calls, ["fence c 2"]);
    assert.deepEqual(configStore.privilegedWrites, ["putTaskCount c 2"]);
  });

  it("records nothing if new tasks were committed while the producers were fenced (guard: taskGeneration in record)", async () => {
    const { configStore, pool, fencing } = await setUp();
    configStore.fencings.set("c", { pending: true, taskCount: 2 });
    pool.automatic = false;
    const fenced = fencing.fence("c", scope());
    await eventually("the round", () => pool.calls.length === 1);
    await configStore.putTaskConfigs("c", [{}]);
    configStore.privilegedWrites.length = 0;
    pool.finish("fence c 2");
    await assert.rejects(fenced, (error) => error instanceof ConnectError && error.code === "conflict");
    assert.deepEqual(configStore.privilegedWrites, []);
  });

  it("tells everybody who shares a round that it failed, and tries anew for the next", async () => {
    const { configStore, pool, fencing } = await setUp();
    configStore.fencings.set("c", { pending: true, taskCount: 2 });
    pool.automatic = false;
    const asked = [fencing.fence("c", scope()), fencing.fence("c", scope())];
    await eventually("the round", () => pool.calls.length === 1);
    pool.fail("fence c 2", new ConnectError("kafka", "no right to"));
    for (const each of asked) await assert.rejects(each, /no right to/);
    pool.automatic = true;
    await fencing.fence("c", scope());
    assert.deepEqual(configStore.privilegedWrites, ["putTaskCount c 2"]);
  });
});
