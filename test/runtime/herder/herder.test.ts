import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { InstanceState, StringMap } from "@headrace/contract";
import { ConnectError } from "#runtime/errors.ts";
import { createHerder, type Herder } from "#runtime/herder/herder.ts";
import { createStartCounters } from "#runtime/herder/start-counters.ts";
import { createStatusWriter } from "#runtime/herder/status-writer.ts";
import { createTaskPlanner } from "#runtime/herder/task-planner.ts";
import { createStages, type Stages } from "#runtime/stages.ts";
import { FakeConfigStore, FakeMember, FakePool, FakeStatusStore, idle, round, silent, until } from "./fakes.ts";

describe("herder", () => {
  let configStore: FakeConfigStore;
  let statusStore: FakeStatusStore;
  let pool: FakePool;
  let member: FakeMember;
  let herder: Herder;
  let nowMs: number;
  let stages: Stages;
  /** What has ended for good, as `c/0`. */
  let gone: string[];
  let ended: Promise<void>;
  let end: AbortController;

  beforeEach(() => {
    configStore = new FakeConfigStore();
    statusStore = new FakeStatusStore();
    pool = new FakePool();
    member = new FakeMember();
    nowMs = 0;
    stages = createStages(() => 0);
    gone = [];
    end = new AbortController();
    const planner = createTaskPlanner({
      pool,
      config: () => configStore.config(),
      commit: (connector, tasks) => configStore.putTaskConfigs(connector, tasks),
      stages,
      log: silent,
    });
    herder = createHerder({
      configStore,
      statusStore,
      statuses: createStatusWriter({
        store: statusStore,
        workerId: "self:8083",
        generation: () => member.view().generation,
        versionOf: () => "1.2.3",
      }),
      pool,
      member: () => member,
      workerId: "self:8083",
      planner,
      starts: createStartCounters(),
      ended: ({ connector, task }) => gone.push(`${connector}/${task}`),
      topicTracking: true,
      gracefulTimeoutMs: 5_000,
      now: () => nowMs,
      stages,
      log: silent,
    });
    ended = herder.run(end.signal);
  });

  afterEach(async () => {
    end.abort();
    await ended;
  });

  const config: StringMap = { name: "c", "connector.class": "x" };
  const give = (...items: string[]) =>
    herder.assigned(round(member.view(), configStore.config().offset, ...items), end.signal);
  const notice = (connector: string, task: number | null, state: InstanceState, trace: string | null = null) =>
    herder.hear({ kind: "status", connector, task, state, trace, version: null });

  /** A connector `c` with one running task, both here. */
  const running = async () => {
    await configStore.putConnector("c", config, null);
    await give("c");
    await until("tasks committed", () => configStore.config().connectors.get("c")?.tasks?.length === 1);
    await give("c", "c/0");
    await until("task runs", () => pool.live.has("c-0"));
    await idle();
    notice("c", null, "RUNNING");
    notice("c", 0, "RUNNING");
    await until("status", () => statusStore.stateOf("c-0") === "RUNNING");
    // It is asked for a moment later.
    await until("rejoin for the tasks", () => member.rejoins.includes("tasks of c changed"));
    pool.calls.length = 0;
    statusStore.log.length = 0;
    member.rejoins.length = 0;
  };

  it("starts a new connector, has its tasks committed, and starts them after the next round", async () => {
    await configStore.putConnector("c", config, null);
    await until("rejoin for the connector", () => member.rejoins.length === 1);
    await give("c");
    await until("tasks committed", () => configStore.config().connectors.get("c")?.tasks?.length === 1);
    await until("rejoin for its tasks", () => member.rejoins.length === 2);
    assert.deepEqual(pool.calls, ["start c", "plan c"]);
    await give("c", "c/0");
    await until("task runs", () => pool.live.has("c-0"));
  });

  it("asks for one round for many changes", async () => {
    for (let index = 0; index < 100; index += 1) await configStore.putConnector(`c${index}`, config, null);
    await until("rejoin", () => member.rejoins.length > 0);
    await idle();
    assert.equal(member.rejoins.length, 1);
  });

  it("starts no task from a round that did not know its task set", async () => {
    await running();
    const before = configStore.config().offset;
    pool.plan = () => [{ changed: "yes" }];
    herder.hear({ kind: "taskReconfiguration", connector: "c" });
    await until("old task stopped", () => !pool.live.has("c-0"));
    await herder.assigned(round(member.view(), before, "c", "c/0"), end.signal);
    await idle();
    assert.ok(!pool.live.has("c-0"), "started although the round was made for the former set");
    await give("c", "c/0");
    await until("task runs again", () => pool.live.has("c-0"));
  });

  it("resolves a round only after what was revoked has stopped", async () => {
    await running();
    pool.automatic = false;
    let done = false;
    const completed = give("c").then(() => {
      done = true;
    });
    await until("stop asked for", () => pool.calls.includes("stop c-0"));
    await idle();
    assert.equal(done, false);
    pool.finish("stop c-0");
    await completed;
    assert.equal(statusStore.stateOf("c-0"), "UNASSIGNED");
    assert.ok(pool.live.has("c"));
  });

  it("has written what has stopped before it resolves a round", async () => {
    await running();
    let flushed: InstanceState | null = null;
    statusStore.flush = async () => {
      flushed = statusStore.stateOf("c-0");
    };
    await give("c");
    assert.equal(flushed, "UNASSIGNED");
  });

  it("does not wait for starts before it resolves a round", async () => {
    await configStore.putConnector("c", config, null);
    pool.automatic = false;
    await give("c");
    assert.deepEqual(pool.calls, ["start c"]);
  });

  it("stops everything when membership is lost, executors first", async () => {
    await running();
    pool.leaseUntilMs = 99_999;
    await herder.lost("evicted", end.signal);
    assert.deepEqual([...pool.live], []);
    assert.equal(pool.leaseUntilMs, 0);
  });

  it("stops an item that is still starting, and starts it anew if it comes back", async () => {
    await configStore.putConnector("c", config, null);
    pool.automatic = false;
    await give("c");
    const revoked = give();
    await until("stop asked for", () => pool.calls.includes("stop c"));
    pool.finish("stop c");
    await revoked;
    await give("c");
    await until("second start", () => pool.calls.filter((call) => call === "start c").length === 2);
  });

  it("ignores the late success of a start that was stopped meanwhile", async () => {
    await configStore.putConnector("c", config, null);
    pool.automatic = false;
    await give("c");
    const revoked = give();
    await until("stop asked for", () => pool.calls.includes("stop c"));
    pool.finish("start c");
    await idle();
    pool.finish("stop c");
    await revoked;
    await idle();
    assert.ok(!pool.calls.includes("plan c"));
  });

  it("restarts a connector whose configuration changes while it starts, and plans only with the new one", async () => {
    pool.automatic = false;
    await configStore.putConnector("c", config, null);
    await give("c");
    await configStore.putConnector("c", { ...config, "tasks.max": "2" }, null);
    await until("stop asked for", () => pool.calls.includes("stop c"));
    pool.finish("stop c");
    await until("second start", () => pool.calls.filter((call) => call === "start c").length === 2);
    assert.ok(!pool.calls.includes("plan c"));
    pool.finish("start c");
    await until("planned", () => pool.calls.includes("plan c"));
  });

  it("starts what had failed when a plugin that its connector names can be used, and nothing else", async () => {
    await running();
    const names = (plugin: string) => (connector: StringMap) => connector["connector.class"] === plugin;
    herder.pluginsFound(names("x"));
    await idle();
    assert.deepEqual(pool.calls, [], "what runs is left alone");
    notice("c", 0, "FAILED", "no such converter");
    await until("failed", () => statusStore.stateOf("c-0") === "FAILED");
    herder.pluginsFound(names("another"));
    await idle();
    assert.deepEqual(pool.calls, []);
    herder.pluginsFound(names("x"));
    await until("task starts again", () => pool.calls.includes("start c-0"));
    assert.deepEqual(pool.calls, ["stop c-0", "start c-0"]);
  });

  it("restarts a connector that is updated, and asks for no round if its tasks stay the same", async () => {
    await running();
    pool.plan = () => [{}];
    await configStore.putConnector("c", config, null);
    await until("planned", () => pool.calls.includes("plan c"));
    await idle();
    assert.deepEqual(pool.calls, ["stop c", "start c", "plan c"]);
    assert.deepEqual(member.rejoins, []);
  });

  it("commits equal tasks again if the connector's configuration is another", async () => {
    await running();
    await configStore.putConnector("c", { ...config, "value.converter": "other" }, null);
    await until("committed", () => configStore.config().connectors.get("c")?.taskGeneration === 2);
    await until("old task stopped", () => pool.calls.includes("stop c-0"));
  });

  it("tells as the worker's stages what it plans, restarts, stops and flushes", async () => {
    const told: string[] = [];
    const plan = pool.plan;
    pool.plan = (connector) => {
      told.push(stages.describe());
      return plan(connector);
    };
    statusStore.flush = async () => void told.push(stages.describe());
    const at = "which began at 1970-01-01T00:00:00.000Z.";
    await running();
    assert.deepEqual(told, [`The worker is currently generating task configs for connector c, ${at}`]);

    pool.automatic = false;
    await configStore.putConnector("c", { ...config, "value.converter": "other" }, null);
    await until("stop asked for", () => pool.calls.includes("stop c"));
    const restarting = `The worker is currently restarting 1 reconfigured connectors, ${at}`;
    assert.equal(stages.describe(), restarting);
    pool.finish("stop c");
    await until("start asked for", () => pool.calls.includes("start c"));
    assert.equal(stages.describe(), restarting, "it is not back yet");
    pool.finish("start c");
    await until("old task stopped", () => pool.calls.includes("stop c-0"));
    assert.equal(stages.describe(), `The worker is currently stopping 1 reconfigured tasks, ${at}`);
    pool.finish("stop c-0");
    await idle();
    assert.match(stages.describe(), /^The last operation the worker completed was stopping 1 reconfigured tasks/);

    told.length = 0;
    pool.automatic = true;
    await give();
    assert.deepEqual(told, [`The worker is currently flushing updates to the status topic, ${at}`]);
  });

  it("tells no restart any more of a connector that is deleted meanwhile", async () => {
    await running();
    pool.automatic = false;
    await configStore.putConnector("c", { ...config, "value.converter": "other" }, null);
    await until("stop asked for", () => pool.calls.includes("stop c"));
    await configStore.removeConnector("c");
    pool.automatic = true;
    pool.finish("stop c");
    await idle();
    assert.match(stages.describe(), /^The last operation the worker completed was/);
  });

  it("stops what is deleted, and writes no status for it", async () => {
    await running();
    await configStore.removeConnector("c");
    await until("stopped", () => pool.live.size === 0);
    await idle();
    assert.deepEqual(statusStore.log, []);
    await until("rejoin", () => member.rejoins.length === 1);
  });

  it("takes a connector that was deleted and created again as a new one", async () => {
    await running();
    await configStore.removeConnector("c");
    await configStore.putConnector("c", config, null);
    await until("restarted", () => pool.calls.includes("start c"));
    await until("tasks stopped", () => !pool.live.has("c-0"));
  });

  it("pauses and resumes in place and plans the tasks on resume", async () => {
    await running();
    await configStore.putTargetState("c", "PAUSED");
    await until("paused", () => pool.calls.includes("target c PAUSED"));
    await configStore.putTargetState("c", "STARTED");
    await until("planned", () => pool.calls.includes("plan c"));
    assert.deepEqual(pool.calls, ["target c PAUSED", "target c STARTED", "plan c"]);
    assert.deepEqual(member.rejoins, []);
  });

  it("writes STOPPED after the instance of a stopped connector has ended", async () => {
    await running();
    await configStore.putTaskConfigs("c", []);
    await configStore.putTargetState("c", "STOPPED");
    await until("STOPPED", () => statusStore.stateOf("c") === "STOPPED");
    assert.equal(pool.live.size, 0);
    assert.deepEqual(statusStore.log, ["c STOPPED"]);
  });

  it("stops a failed connector, and resuming it starts it again", async () => {
    await running();
    notice("c", null, "FAILED", "boom");
    await until("FAILED", () => statusStore.stateOf("c") === "FAILED");
    await configStore.putTargetState("c", "STOPPED");
    await until("STOPPED", () => statusStore.stateOf("c") === "STOPPED");
    await configStore.putTargetState("c", "STARTED");
    await until("started", () => pool.calls.includes("start c"));
  });

  it("pauses a stopped connector without tasks, and plans them anew when it is resumed", async () => {
    await running();
    await configStore.putTaskConfigs("c", []);
    await configStore.putTargetState("c", "STOPPED");
    await until("STOPPED", () => statusStore.stateOf("c") === "STOPPED");
    pool.calls.length = 0;
    await configStore.putTargetState("c", "PAUSED");
    await give("c");
    await until("started", () => pool.calls.includes("start c"));
    await idle();
    assert.deepEqual(pool.calls, ["start c"]);
    await configStore.putTargetState("c", "STARTED");
    await until("planned", () => configStore.config().connectors.get("c")?.tasks?.length === 1);
  });

  it("leaves what has failed alone when its connector is paused and resumed", async () => {
    await running();
    notice("c", null, "FAILED", "boom");
    notice("c", 0, "FAILED", "boom");
    await until("FAILED", () => statusStore.stateOf("c-0") === "FAILED");
    await configStore.putTargetState("c", "PAUSED");
    await configStore.putTargetState("c", "STARTED");
    await idle();
    assert.deepEqual(pool.calls, []);
    assert.deepEqual([statusStore.stateOf("c"), statusStore.stateOf("c-0")], ["FAILED", "FAILED"]);
  });

  it("reports a start that failed with its trace", async () => {
    await configStore.putConnector("c", config, null);
    pool.automatic = false;
    await give("c");
    pool.fail("start c", new Error("no such host"));
    await until("FAILED", () => statusStore.stateOf("c") === "FAILED");
    assert.match(statusStore.connector("c")?.trace ?? "", /no such host/);
  });

  it("keeps FAILED when a failed task moves away", async () => {
    await running();
    notice("c", 0, "FAILED", "boom");
    await until("FAILED", () => statusStore.stateOf("c-0") === "FAILED");
    await give("c");
    assert.equal(statusStore.stateOf("c-0"), "FAILED");
  });

  it("ignores what an executor says of something that is not here", async () => {
    notice("ghost", 0, "RUNNING");
    await idle();
    assert.deepEqual(statusStore.log, []);
  });

  it("fails a connector that plans more tasks than it may, and leaves its tasks alone", async () => {
    await running();
    const refusal = "The connector c has generated 2 tasks, which is greater than 1";
    pool.plan = () => {
      notice("c", null, "FAILED", refusal);
      throw new ConnectError("config-invalid", refusal);
    };
    herder.hear({ kind: "taskReconfiguration", connector: "c" });
    await until("FAILED", () => statusStore.stateOf("c") === "FAILED");
    assert.match(statusStore.connector("c")?.trace ?? "", /has generated 2 tasks, which is greater than 1/);
    assert.ok(pool.live.has("c-0"));
  });

  describe("restart", () => {
    it("stops and starts a task and resolves when it was accepted", async () => {
      await running();
      await herder.restart("c", 0);
      assert.deepEqual(pool.calls, ["stop c-0", "start c-0"]);
    });

    it("rejects if the start fails", async () => {
      await running();
      pool.automatic = false;
      const restarted = herder.restart("c", null);
      await until("stop asked for", () => pool.calls.includes("stop c"));
      pool.finish("stop c");
      await until("start asked for", () => pool.calls.includes("start c"));
      pool.fail("start c", new Error("no"));
      await assert.rejects(restarted, /no/);
    });

    it("rejects if the connector tells its failure before its start is refused", async () => {
      await running();
      pool.automatic = false;
      const restarted = herder.restart("c", null);
      await until("stop asked for", () => pool.calls.includes("stop c"));
      pool.finish("stop c");
      await until("start asked for", () => pool.calls.includes("start c"));
      notice("c", null, "FAILED", "no such system");
      pool.fail("start c", new Error("no such system"));
      await assert.rejects(restarted, /no such system/);
      assert.deepEqual(
        statusStore.log.filter((line) => line === "c FAILED"),
        ["c FAILED"],
      );
    });

    it("resolves if the task fails before its start is told", async () => {
      await running();
      pool.automatic = false;
      const restarted = herder.restart("c", 0);
      await until("stop asked for", () => pool.calls.includes("stop c-0"));
      pool.finish("stop c-0");
      await until("start asked for", () => pool.calls.includes("start c-0"));
      notice("c", 0, "FAILED", "no such table");
      pool.finish("start c-0");
      await restarted;
      assert.equal(statusStore.stateOf("c-0"), "FAILED");
    });

    it("rejects if the task is taken away meanwhile", async () => {
      await running();
      pool.automatic = false;
      const restarted = herder.restart("c", 0);
      await until("stop asked for", () => pool.calls.includes("stop c-0"));
      const revoked = give("c");
      pool.finish("stop c-0");
      await assert.rejects(restarted, { code: "rebalance" });
      await revoked;
    });

    it("rejects for what is not here", async () => {
      await assert.rejects(herder.restart("c", 0), { code: "rebalance" });
    });
  });

  describe("executor lost", () => {
    const crash = () => {
      pool.live.clear();
      herder.executorLost({
        reason: "was ended by SIGKILL",
        connectors: ["c"],
        tasks: [{ connector: "c", task: 0 }],
        alone: true,
      });
    };

    it("starts everything again at once, and says why in the status", async () => {
      await running();
      crash();
      await until("running again", () => pool.live.size === 2);
      assert.deepEqual(statusStore.log, ["c RESTARTING", "c-0 RESTARTING"]);
      assert.match(statusStore.connector("c")?.trace ?? "", /was ended by SIGKILL/);
    });

    it("gives up what was alone in it three times within five minutes", async () => {
      await running();
      for (const pauseMs of [0, 0, 10_000]) {
        nowMs += pauseMs;
        crash();
        await idle();
        nowMs += 60_000;
        await configStore.putTargetState("c", "STARTED"); // Makes the herder look again: the pause is over.
        await idle();
      }
      assert.equal(statusStore.stateOf("c-0"), "FAILED");
      assert.match(statusStore.task({ connector: "c", task: 0 })?.trace ?? "", /died 3 times/);
      assert.equal(pool.live.size, 0);
    });

    it("during a stop ends that stop, and starts nothing", async () => {
      await running();
      pool.automatic = false;
      const revoked = give();
      await until("stops asked for", () => pool.calls.length === 2);
      herder.executorLost({ reason: "gone", connectors: ["c"], tasks: [{ connector: "c", task: 0 }], alone: true });
      pool.finish("stop c");
      pool.finish("stop c-0");
      await revoked;
      await idle();
      assert.ok(!pool.calls.some((call) => call.startsWith("start")));
    });

    it("during a start is no failure of that start", async () => {
      await configStore.putConnector("c", config, null);
      pool.automatic = false;
      await give("c");
      pool.fail("start c", new ConnectError("executor-gone", "gone"));
      herder.executorLost({ reason: "gone", connectors: ["c"], tasks: [], alone: true });
      await until("second start", () => pool.calls.filter((call) => call === "start c").length === 2);
      assert.deepEqual(statusStore.log, ["c RESTARTING"]);
    });
  });

  it("keeps what runs if the leader's config was behind", async () => {
    await running();
    await herder.assigned({ ...round(member.view(), 50n), configMismatch: true }, end.signal);
    assert.deepEqual([...pool.live].sort(), ["c", "c-0"]);
  });

  it("starts nothing while its config is behind the round", async () => {
    await configStore.putConnector("c", config, null);
    await herder.assigned(round(member.view(), configStore.config().offset + 1n, "c"), end.signal);
    await idle();
    assert.deepEqual(pool.calls, []);
    await configStore.putConnector("d", config, null);
    await give("c");
    assert.equal(pool.calls[0], "start c");
  });

  it("carries out a restart request of the config topic", async () => {
    await running();
    notice("c", 0, "FAILED", "boom");
    await until("FAILED", () => statusStore.stateOf("c-0") === "FAILED");
    configStore.apply("c", (entry) => entry, {
      kind: "restartRequested",
      connector: "c",
      includeTasks: true,
      onlyFailed: true,
    });
    await until("restarted", () => pool.calls.includes("start c-0"));
    assert.deepEqual(pool.calls, ["stop c-0", "start c-0"]);
    assert.deepEqual(statusStore.log, ["c-0 FAILED", "c-0 RESTARTING"]);
  });

  it("carries out the strongest of several restart requests, once", async () => {
    await running();
    for (const [includeTasks, onlyFailed] of [
      [true, true],
      [true, false],
      [false, false],
    ] as const) {
      configStore.apply("c", (entry) => entry, { kind: "restartRequested", connector: "c", includeTasks, onlyFailed });
    }
    await until("restarted", () => pool.calls.includes("start c") && pool.calls.includes("start c-0"));
    await idle();
    assert.deepEqual(statusStore.log.slice(0, 2), ["c RESTARTING", "c-0 RESTARTING"]);
    for (const call of ["stop c", "start c", "stop c-0", "start c-0"]) {
      assert.equal(pool.calls.filter((done) => done === call).length, 1, call);
    }
  });

  it("restarts nothing of a connector without a failure if only failures are asked for", async () => {
    await running();
    const request = { kind: "restartRequested", connector: "c", includeTasks: true, onlyFailed: true } as const;
    configStore.apply("c", (entry) => entry, request);
    await idle();
    assert.deepEqual([pool.calls, statusStore.log], [[], []]);
  });

  it("restarts what has failed here even if its status is not read back yet", async () => {
    await running();
    notice("c", 0, "FAILED", "boom");
    await until("FAILED", () => statusStore.stateOf("c-0") === "FAILED");
    const stale = { state: "RUNNING", workerId: "self:8083", generation: 1, trace: null, version: null } as const;
    statusStore.putTask({ connector: "c", task: 0 }, stale);
    const request = { kind: "restartRequested", connector: "c", includeTasks: true, onlyFailed: true } as const;
    configStore.apply("c", (entry) => entry, request);
    await until("restarted", () => pool.calls.includes("start c-0"));
  });

  it("tells what has ended for good, and not what starts again", async () => {
    await running();
    await herder.restart("c", 0);
    assert.deepEqual(gone, []);
    await configStore.removeConnector("c");
    await give();
    assert.deepEqual(gone.sort(), ["c/0", "c/null"]);
  });

  it("remembers nothing of a connector that was deleted: its successor evicts nobody", async () => {
    await running();
    pool.stopEnd = "killed";
    await configStore.removeConnector("c");
    await give();
    await configStore.putConnector("c", config, null);
    await configStore.putTaskConfigs("c", [{}]);
    pool.evictions.clear();
    statusStore.putTask(
      { connector: "c", task: 0 },
      { state: "UNASSIGNED", workerId: "self:8083", generation: 1, trace: null, version: null },
    );
    await give("c/0");
    await until("task runs", () => pool.live.has("c-0"));
    assert.equal(pool.evictions.get("c-0"), false);
  });

  describe("a predecessor that died", () => {
    const last = (state: InstanceState, workerId: string) =>
      statusStore.putTask({ connector: "c", task: 0 }, { state, workerId, generation: 1, trace: null, version: null });
    const begin = async () => {
      await configStore.putConnector("c", config, null);
      await configStore.putTaskConfigs("c", [{}]);
      await give("c/0");
      await until("task runs", () => pool.live.has("c-0"));
    };
    for (const [fact, state, workerId, evicted] of [
      ["with a worker that has left the group", "RUNNING", "gone:8083", true],
      ["with this worker's former process", "PAUSED", "self:8083", true],
      ["with an executor", "RESTARTING", "peer:8083", true],
      ["with the membership of a worker that is back", "RUNNING", "peer:8083", true],
      ["not: it stopped in order", "UNASSIGNED", "gone:8083", false],
    ] as const) {
      it(`${evicted ? "is evicted" : "is left alone"} (${fact})`, async () => {
        last(state, workerId);
        await begin();
        assert.equal(pool.evictions.get("c-0"), evicted);
      });
    }
    it("is left alone if it was stopped here in order", async () => {
      await running();
      await herder.restart("c", 0);
      assert.equal(pool.evictions.get("c-0"), false);
    });
    it("is evicted if it was stopped here in order, but ran on a lost worker since", async () => {
      await running();
      await give("c");
      last("RUNNING", "gone:8083");
      await give("c", "c/0");
      await until("task runs", () => pool.live.has("c-0"));
      assert.equal(pool.evictions.get("c-0"), true);
    });
    it("is evicted if it had to be killed here, whatever became of a connector of that name", async () => {
      await running();
      await configStore.putConnector("c-0", { ...config, name: "c-0" }, null);
      await give("c", "c/0", "c-0");
      await idle();
      pool.stopEnd = "killed";
      await give("c");
      pool.evictions.clear();
      await give("c", "c/0");
      await until("task started", () => pool.evictions.has("c-0"));
      assert.equal(pool.evictions.get("c-0"), true);
    });
    it("is evicted if it had to be killed here", async () => {
      await running();
      pool.stopEnd = "killed";
      await herder.restart("c", 0);
      assert.equal(pool.evictions.get("c-0"), true);
    });
  });

  describe("the word of another worker about what runs here", () => {
    const say = (task: number | null, state: InstanceState, generation: number) => {
      const entry = { state, workerId: "former:8083", generation, trace: null, version: null };
      if (task === null) statusStore.putConnector("c", entry);
      else statusStore.putTask({ connector: "c", task }, entry);
    };
    const said = async () => {
      await idle();
      return statusStore.log.splice(0);
    };

    for (const state of ["UNASSIGNED", "RESTARTING", "FAILED", "RUNNING"] as const) {
      it(`is answered once if it is a late ${state} of a former owner`, async () => {
        await running();
        member.change({ generation: 5 });
        say(0, state, 4);
        assert.deepEqual(await said(), [`c-0 ${state}`, "c-0 RUNNING"]);
        say(null, state, -1);
        assert.deepEqual(await said(), [`c ${state}`, "c RUNNING"]);
        assert.deepEqual(statusStore.task({ connector: "c", task: 0 })?.workerId, "self:8083");
        assert.deepEqual(statusStore.task({ connector: "c", task: 0 })?.generation, 5);
        say(0, state, 4);
        assert.deepEqual(await said(), [`c-0 ${state}`, "c-0 RUNNING"], "each word has its answer");
      });
    }

    it("is answered in its own generation only where it says that it lets go", async () => {
      await running();
      say(0, "UNASSIGNED", 1);
      assert.deepEqual(await said(), ["c-0 UNASSIGNED", "c-0 RUNNING"]);
      for (const state of ["RUNNING", "FAILED", "RESTARTING", "PAUSED"] as const) {
        say(0, state, 1);
        assert.deepEqual(await said(), [`c-0 ${state}`]);
      }
    });

    it("counts if it is of a newer generation: this worker may not know yet that it has lost the item", async () => {
      await running();
      for (const state of ["RUNNING", "UNASSIGNED", "FAILED"] as const) say(0, state, 2);
      assert.deepEqual(await said(), ["c-0 RUNNING", "c-0 UNASSIGNED", "c-0 FAILED"]);
    });

    it("is answered with what is true: a failure with its trace, a pause, a stop", async () => {
      await running();
      member.change({ generation: 2 });
      notice("c", 0, "FAILED", "boom");
      notice("c", null, "PAUSED");
      await said();
      say(0, "RESTARTING", 1);
      say(null, "UNASSIGNED", 1);
      assert.deepEqual(await said(), ["c-0 RESTARTING", "c UNASSIGNED", "c-0 FAILED", "c PAUSED"]);
      assert.equal(statusStore.task({ connector: "c", task: 0 })?.trace, "boom");
      await configStore.putTargetState("c", "STOPPED");
      await until("stopped", () => statusStore.stateOf("c") === "STOPPED");
      await said();
      say(null, "RUNNING", 1);
      assert.deepEqual(await said(), ["c RUNNING", "c STOPPED"]);
    });

    it("is not answered about what is elsewhere, starts, stops or is being restarted: that is told when it is so", async () => {
      await running();
      member.change({ generation: 2 });
      pool.automatic = false;
      const restarted = herder.restart("c", 0);
      say(0, "UNASSIGNED", 1);
      await until("stop asked for", () => pool.calls.includes("stop c-0"));
      say(0, "UNASSIGNED", 1);
      pool.finish("stop c-0");
      await until("start asked for", () => pool.calls.includes("start c-0"));
      say(0, "UNASSIGNED", 1);
      pool.finish("start c-0");
      await restarted;
      say(0, "UNASSIGNED", 1);
      assert.deepEqual(await said(), Array(4).fill("c-0 UNASSIGNED"));
      pool.automatic = true;
      await give("c");
      await said();
      say(0, "UNASSIGNED", 1);
      assert.deepEqual(await said(), ["c-0 UNASSIGNED"]);
    });
  });

  it("records a topic once", async () => {
    await configStore.putConnector("c", config, null);
    herder.hear({ kind: "activeTopic", connector: "c", task: 0, topic: "t" });
    herder.hear({ kind: "activeTopic", connector: "c", task: 0, topic: "t" });
    await until("recorded", () => statusStore.topics("c").length === 1);
    herder.hear({ kind: "activeTopic", connector: "deleted", task: 0, topic: "t" });
    await idle();
    assert.deepEqual(statusStore.topics("deleted"), []);
  });

  it("stops everything for good", async () => {
    await running();
    await herder.stopAll();
    assert.equal(pool.live.size, 0);
    assert.equal(statusStore.stateOf("c-0"), "UNASSIGNED");
    await give("c", "c/0");
    await idle();
    assert.equal(pool.live.size, 0);
  });
});
