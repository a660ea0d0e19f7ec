import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { ExecutorNotice } from "#runtime/executor/channel.ts";
import { createExecutorPool, type ExecutorLost, type ExecutorPool, type PoolOptions } from "#runtime/executor/pool.ts";
import { startExecutor } from "#runtime/executor/supervisor.ts";
import { eventually } from "#support/eventually.ts";
import { silent } from "../herder/fakes.ts";

const SCRIPT = fileURLToPath(new URL("./fake-executor.ts", import.meta.url));
/** Of all tests together, on a machine that is busy with others. */
const signal = AbortSignal.timeout(600_000);

describe("executor pool", () => {
  const open: ExecutorPool[] = [];
  let lost: ExecutorLost[];
  let notices: ExecutorNotice[];

  const create = (
    options: Partial<PoolOptions> & {
      blockedTimeoutMs?: number;
      memoryMaxBytes?: number;
      setup?: string;
      /** What is set up waits for it. */
      known?: Promise<void>;
    } = {},
  ) => {
    lost = [];
    notices = [];
    const pool = createExecutorPool({
      start: (onNotice, ownMaxMb) =>
        startExecutor({
          script: SCRIPT,
          execArgv: ["--conditions=source"],
          setup: (options.known ?? Promise.resolve()).then(() => ({
            worker: { setup: options.setup ?? "" },
            workerId: "w",
            kafkaClusterId: "k",
          })),
          handlers: {
            readOffsets: ({ partitions }) => partitions.map(() => ({ o: 42 })),
            writeOffsets: () => null,
            offsetKeys: () => [],
            fenceZombies: () => null,
            isCurrentTask: () => true,
          },
          onNotice,
          blockedTimeoutMs: options.blockedTimeoutMs ?? 30_000,
          memoryMaxBytes: ownMaxMb === null ? (options.memoryMaxBytes ?? null) : ownMaxMb * 2 ** 20,
          log: silent,
        }),
      isolation: "shared",
      maxShared: 2,
      idleMs: 60_000,
      onNotice: (notice) => notices.push(notice),
      onLost: (event) => lost.push(event),
      now: () => performance.now(),
      log: silent,
      ...options,
    });
    pool.renewLease(performance.now() + 60_000);
    open.push(pool);
    return pool;
  };

  afterEach(async () => {
    await Promise.all(open.splice(0).map((pool) => pool.close()));
  });

  const startConnector = (pool: ExecutorPool, connector: string, behaviour = "") =>
    pool.startConnector({ connector, config: { do: behaviour }, targetState: "STARTED" }, signal);
  const startTask = (pool: ExecutorPool, connector: string, task: number, behaviour = "") =>
    pool.startTask(
      {
        key: { connector, task },
        connectorConfig: {},
        taskConfig: { do: behaviour },
        targetState: "STARTED",
        taskGeneration: 1,
        taskCount: 1,
      },
      signal,
    );
  const pids = (pool: ExecutorPool) => pool.executors().map(({ pid }) => pid);
  const isAlive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  it("starts no executor before one is needed, then as few as the load asks for", async () => {
    const pool = create();
    assert.equal(pool.executors().length, 0);
    await startConnector(pool, "a");
    await startTask(pool, "a", 0);
    assert.equal(pool.executors().length, 1);
    await startTask(pool, "a", 1);
    await startTask(pool, "a", 2);
    assert.deepEqual(
      pool
        .executors()
        .map(({ tasks }) => tasks)
        .sort(),
      [1, 2],
    );
  });

  it("kills an executor that outgrows its memory, with the reason, and no other; tells how much the rest uses", async () => {
    const pool = create({ isolation: "connector", memoryMaxBytes: 512 * 2 ** 20 });
    await startTask(pool, "small", 0);
    await startTask(pool, "big", 0, "hungry");
    await eventually("the end of the large one", () => lost.length === 1);
    assert.deepEqual(
      lost.map(({ reason, tasks, alone }) => [reason, tasks, alone]),
      [
        [
          "executor used 1024 MiB of memory; headrace.executor.memory.max.mb allows 512",
          [{ connector: "big", task: 0 }],
          true,
        ],
      ],
    );
    assert.deepEqual(
      pool.executors().map(({ memoryBytes }) => memoryBytes),
      [2 ** 20],
    );
  });

  it("kills a connector that outgrows its own limit, and no other", async () => {
    const pool = create({ maxShared: 1 });
    const config = { do: "hungry", "headrace.executor.memory.max.mb": "128" };
    await startConnector(pool, "small");
    await pool.startConnector({ connector: "big", config, targetState: "STARTED" }, signal);
    await eventually("the end of the large one", () => lost.length === 1);
    assert.deepEqual(
      lost.map(({ reason, connectors, alone }) => [reason, connectors, alone]),
      [["executor used 1024 MiB of memory; headrace.executor.memory.max.mb allows 128", ["big"], true]],
    );
    assert.equal(pool.executors().length, 1);
  });

  it("starts as many shared executors as are asked for and there may be, and uses them", async () => {
    const pool = create({ maxShared: 2 });
    await pool.warm(1, signal);
    await pool.warm(3, signal);
    const warm = pids(pool);
    assert.equal(warm.length, 2);
    await startTask(pool, "a", 0);
    await startTask(pool, "b", 0);
    assert.deepEqual(pids(pool), warm);
  });

  it("starts one shared executor before there is work, uses it for the first task, and lets it go if none comes", async () => {
    const pool = create({ idleMs: 2_000 });
    await pool.warm(1, signal);
    await pool.warm(1, signal);
    const warm = pids(pool);
    assert.equal(warm.length, 1);
    await startTask(pool, "a", 0);
    assert.deepEqual(pids(pool), warm);
    await startTask(pool, "b", 0);
    assert.equal(pids(pool).length, 2, "the second task has one of its own");
    const idle = create({ idleMs: 100 });
    await idle.warm(1, signal);
    await eventually("it has ended without work", () => idle.executors().length === 0);
    assert.deepEqual(lost, []);
    const alone = create({ isolation: "connector" });
    await alone.warm(2, signal);
    assert.deepEqual(pids(alone), []);
  });

  it("starts an executor before it is known how to set it up, which questions and work wait for", async () => {
    const { promise: known, resolve } = Promise.withResolvers<void>();
    const pool = create({ known });
    const warmed = pool.warm(1, signal);
    const [pid = 0] = pids(pool);
    assert.equal(isAlive(pid), true);
    const [warmedAgain, listed] = [pool.warm(1, signal), pool.plugins(signal)];
    resolve();
    await Promise.all([warmed, warmedAgain]);
    await listed;
    assert.deepEqual(pids(pool), [pid], "the executor that waits for work has answered");
    await startTask(pool, "a", 0);
    assert.deepEqual(pids(pool), [pid]);
    await pool.plugins(signal);
    assert.equal(pids(pool).length, 2, "but not one that works");
  });

  it("validates in the executor that waits for work, which then takes it", async () => {
    const pool = create();
    await pool.warm(1, signal);
    const [pid] = pids(pool);
    await pool.validate({}, signal);
    await pool.configDef("p", null, signal);
    await startConnector(pool, "a");
    assert.deepEqual(pids(pool), [pid]);
  });

  it("places nothing where a question is open, and leaves that executor to questions", async () => {
    const pool = create();
    await pool.warm(1, signal);
    const [asked] = pids(pool);
    const answer = pool.validate({ do: "wait" }, signal);
    await startTask(pool, "a", 0);
    await answer;
    await startTask(pool, "b", 0);
    await startTask(pool, "c", 0);
    const loads = pool.executors().map(({ pid, tasks }) => [pid === asked, tasks]);
    assert.deepEqual(loads, [
      [true, 0],
      [false, 2],
      [false, 1],
    ]);
    await pool.validate({}, signal);
    assert.equal(pids(pool).length, 3, "it answers the next one");
  });

  it("places nothing where a question was given up, since it may go on", async () => {
    const pool = create();
    await pool.warm(1, signal);
    await pool.validate({}, signal);
    await assert.rejects(pool.validate({ do: "wait" }, AbortSignal.timeout(200)), { name: "TimeoutError" });
    await startTask(pool, "a", 0);
    assert.deepEqual(
      pool.executors().map(({ tasks }) => tasks),
      [0, 1],
    );
  });

  it("starts executors for work beside those that only answer questions", async () => {
    const pool = create();
    await pool.warm(1, signal);
    await pool.validate({}, signal);
    await assert.rejects(pool.validate({ do: "wait" }, AbortSignal.timeout(200)), { name: "TimeoutError" });
    await pool.warm(1, signal);
    const warm = pids(pool);
    assert.equal(warm.length, 2);
    await startTask(pool, "a", 0);
    assert.deepEqual(pids(pool), warm);
  });

  it("changes offsets where no lease can end it half-way", async () => {
    const pool = create({ setup: "leased" });
    await pool.warm(1, signal);
    await pool.validate({}, signal);
    await assert.rejects(pool.validate({ do: "wait" }, AbortSignal.timeout(200)), { name: "TimeoutError" });
    await pool.sinkOffsets({ connector: "a", config: {} }, signal);
    assert.equal(pids(pool).length, 1);
    await pool.alterSinkOffsets({ connector: "a", config: {}, offsets: null }, signal);
    const [leased = 0] = pids(pool);
    pool.renewLease(performance.now() - 1);
    await eventually("the lease is over", () => !isAlive(leased));
    assert.equal(pids(pool).length, 1);
  });

  it("asks again elsewhere when the executor that waited for work has lost its lease", async () => {
    const pool = create({ setup: "leased" });
    await pool.warm(1, signal);
    const { name: pid } = await pool.validate({}, signal);
    assert.deepEqual(pids(pool).map(String), [pid]);
    const answer = pool.validate({ do: "wait" }, signal);
    pool.renewLease(performance.now() - 1);
    assert.notEqual((await answer).name, pid);
    assert.deepEqual(lost, []);
  });

  it("closes an executor whose setup never becomes known", async () => {
    const pool = create({ known: new Promise(() => {}) });
    const warmed = pool.warm(1, signal);
    const [pid = 0] = pids(pool);
    await pool.close();
    await warmed;
    assert.equal(isAlive(pid), false);
  });

  it("ends idle executors", async () => {
    const pool = create({ idleMs: 20 });
    await startTask(pool, "a", 0);
    const [pid = 0] = pids(pool);
    await pool.stopTask({ connector: "a", task: 0 }, 1_000);
    await eventually("executor ended", () => pool.executors().length === 0 && !isAlive(pid));
    assert.deepEqual(lost, []);
  });

  it("gives each connector an executor of its own if asked to", async () => {
    const pool = create({ isolation: "connector" });
    await startConnector(pool, "a");
    await startTask(pool, "a", 0);
    await startConnector(pool, "b");
    assert.deepEqual(
      pool.executors().map(({ connectors, tasks }) => [connectors, tasks]),
      [
        [1, 1],
        [1, 0],
      ],
    );
  });

  it("validates where no task runs, and answers calls of executors", async () => {
    const pool = create();
    await startConnector(pool, "a");
    const infos = await pool.validate({}, signal);
    const [plan] = await pool.taskConfigs("a", signal);
    assert.notEqual(infos.name, plan?.["pid"]);
    assert.equal(plan?.["offset"], "42");
  });

  it("reports a plugin that ends its process while it validates, and goes on", async () => {
    const pool = create();
    await startConnector(pool, "a");
    await assert.rejects(pool.validate({ do: "crash" }, signal), { code: "internal", message: /exited with code 7/ });
    assert.deepEqual(lost, []);
    await pool.validate({}, signal);
  });

  it("gives up a validation that hangs when its time is over", async () => {
    const pool = create({ blockedTimeoutMs: 300 });
    await pool.validate({}, signal);
    await assert.rejects(pool.validate({ do: "block" }, AbortSignal.timeout(100)), { name: "TimeoutError" });
    await eventually("blocked executor replaced", () => pool.executors().length === 0);
    await pool.validate({}, signal);
  });

  it("answers a question that went down with another one's process", async () => {
    const pool = create();
    await pool.validate({}, signal);
    const innocent = pool.validate({ do: "wait" }, signal);
    const culprit = pool.validate({ do: "crash" }, signal);
    await assert.rejects(culprit, { code: "internal", message: /exited with code 7/ });
    assert.equal((await innocent).error_count, 0);
  });

  it("asks elsewhere while a validation blocks its process", async () => {
    const pool = create({ blockedTimeoutMs: 20_000 });
    await pool.validate({}, signal);
    const blocked = pool.validate({ do: "block" }, signal);
    blocked.catch(() => {});
    await eventually("another process answers", async () => {
      const limit = AbortSignal.timeout(1_000);
      return pool.validate({}, limit).then(
        () => true,
        () => false,
      );
    });
    assert.equal(pool.executors().length, 2);
    await pool.close();
    await assert.rejects(blocked);
  });

  it("kills the executor of a connector that does not stop in time", async () => {
    const pool = create();
    await startConnector(pool, "a", "slow-stop");
    const [pid = 0] = pids(pool);
    assert.equal(await pool.stopConnector("a", 100), "killed");
    assert.equal(isAlive(pid), false, "stopConnector resolved although the process lives");
    assert.match(lost[0]?.reason ?? "", /connector a did not stop within 100 ms/);
  });

  it("tells what was lost when an executor crashes, and confines the suspects from then on", async () => {
    const pool = create({ maxShared: 1 });
    await startConnector(pool, "a");
    await startConnector(pool, "b");
    await assert.rejects(startTask(pool, "a", 0, "crash"), { code: "executor-gone" });
    await eventually("loss told", () => lost.length === 1);
    assert.deepEqual(lost[0]?.connectors, ["a", "b"]);
    assert.deepEqual(lost[0]?.tasks, [{ connector: "a", task: 0 }]);
    assert.equal(lost[0]?.alone, false);
    assert.match(lost[0]?.reason ?? "", /exited with code 7/);
    await startConnector(pool, "a");
    await startConnector(pool, "b");
    await startConnector(pool, "c");
    assert.equal(pool.executors().length, 3);
  });

  it("notices an executor that was killed from outside", async () => {
    const pool = create();
    await startConnector(pool, "a");
    process.kill(pids(pool)[0] ?? 0, "SIGKILL");
    await eventually("loss told", () => lost.length === 1);
    assert.equal(lost[0]?.alone, true);
    assert.match(lost[0]?.reason ?? "", /SIGKILL/);
  });

  it("kills an executor whose event loop is blocked", async () => {
    const pool = create({ blockedTimeoutMs: 300 });
    await startConnector(pool, "a");
    await assert.rejects(startTask(pool, "a", 0, "block"), { code: "executor-gone" });
    await eventually("loss told", () => lost.length === 1);
    assert.equal(lost[0]?.reason, "event loop blocked for more than 300 ms");
  });

  for (const behaviour of ["slow-stop", "block-stop"]) {
    it(`kills an executor when a task does not stop in time (${behaviour})`, async () => {
      const pool = create({ maxShared: 1 });
      await startConnector(pool, "b");
      await startTask(pool, "a", 0, behaviour);
      const [pid = 0] = pids(pool);
      await pool.stopTask({ connector: "a", task: 0 }, 100);
      assert.equal(isAlive(pid), false, "stopTask resolved although the process lives");
      await eventually("loss told", () => lost.length === 1);
      assert.match(lost[0]?.reason ?? "", /task a-0 did not stop within 100 ms/);
      await startConnector(pool, "b");
      await startConnector(pool, "c");
      assert.equal(pool.executors().length, 1, "an innocent connector was confined");
      await startConnector(pool, "a");
      assert.equal(pool.executors().length, 2, "the culprit was not confined");
    });
  }

  it("resolves a stop when the executor dies of something else", async () => {
    const pool = create();
    await startConnector(pool, "a", "slow-stop");
    const [pid = 0] = pids(pool);
    const stopped = pool.stopConnector("a", 60_000);
    process.kill(pid, "SIGKILL");
    await stopped;
    assert.equal(isAlive(pid), false);
  });

  it("resolves a stop of what does not run", async () => {
    const pool = create();
    await pool.stopTask({ connector: "a", task: 0 }, 1_000);
    await pool.stopConnector("a", 1_000);
  });

  it("tells executors the lease, new ones too, and ends it at once", async () => {
    const pool = create();
    const holdsLease = async () => (await pool.taskConfigs("a", signal))[0]?.["lease"];
    pool.renewLease(performance.now() + 60_000);
    await startConnector(pool, "a");
    assert.equal(await holdsLease(), "true");
    assert.equal(pool.holdsLease(), true);
    pool.renewLease(0);
    assert.equal(await holdsLease(), "false");
    assert.equal(pool.holdsLease(), false);
  });

  it("pauses every part of a connector", async () => {
    const pool = create({ isolation: "task" });
    await startConnector(pool, "a");
    await startTask(pool, "a", 0);
    await pool.setTargetState("a", "PAUSED", signal);
    const tellers = notices.flatMap((notice) => (notice.kind === "status" ? [notice.trace] : []));
    assert.equal(new Set(tellers).size, 2);
  });

  it("rejects starts if the executor cannot be set up", async () => {
    const pool = create({ setup: "crash" });
    await assert.rejects(startConnector(pool, "a"), { code: "executor-gone" });
    await eventually("loss told", () => lost.length === 1);
  });

  it("starts nothing any more once it is closed", async () => {
    const pool = create();
    await startConnector(pool, "a");
    const [pid = 0] = pids(pool);
    await pool.close();
    assert.equal(isAlive(pid), false);
    await assert.rejects(startConnector(pool, "b"), { code: "unavailable" });
  });
});
