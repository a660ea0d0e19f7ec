import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import type { Assignment, GroupMemberView } from "#runtime/group/group.ts";
import { createLeaderSteps } from "#runtime/herder/leader-steps.ts";
import { createOffsetCommands, type OffsetCommands } from "#runtime/herder/offset-commands.ts";
import { openScope, type RequestScope } from "#runtime/herder/request-scope.ts";
import type { NewSourceOffset } from "#runtime/store/source-offsets.ts";
import { FakeConfigStore, FakeMember, FakePool, idle } from "./fakes.ts";

const NAME = "orders";
const NOTHING: Assignment = { connectors: [], tasks: [] };
const TASK: Assignment = { connectors: [], tasks: [{ connector: NAME, task: 0 }] };

describe("createOffsetCommands", () => {
  let member: FakeMember;
  let configStore: FakeConfigStore;
  let commands: OffsetCommands;
  let stored: ReadonlyMap<string, unknown>;
  let isSink: boolean;

  beforeEach(async () => {
    member = new FakeMember();
    configStore = new FakeConfigStore();
    isSink = false;
    stored = new Map([["a", { n: 1 }]]);
    const sourceOffsets = {
      list: async () => [...stored.keys()].map((name) => ({ partition: { name }, offset: { n: 1 } })),
      async write(_owner: unknown, offsets: readonly NewSourceOffset[]) {
        const kept = new Map(stored);
        for (const { partition, offset } of offsets) {
          if (offset === null) kept.delete(String(partition["name"]));
          else kept.set(String(partition["name"]), offset);
        }
        stored = kept;
      },
    };
    commands = createOffsetCommands({
      configStore,
      sourceOffsets,
      pool: new FakePool(),
      catalog: () => ({ connectorType: () => (isSink ? "sink" : "source") }),
      steps: createLeaderSteps(() => member),
      fence: async () => {},
    });
    await configStore.putConnector(NAME, { "connector.class": "any" }, "STOPPED");
    await configStore.putTaskConfigs(NAME, []);
  });

  const scope = (timeoutMs = 60_000): RequestScope => openScope(timeoutMs, Date.now);

  /** What the leader sees of the other member. */
  function other(assignment: Assignment, leaving: Assignment = NOTHING): void {
    const members: GroupMemberView[] = [
      { memberId: "self", url: "http://self:8083/", draining: false, assignment: NOTHING },
      { memberId: "other", url: "http://other:8083/", draining: false, assignment, leaving },
    ];
    member.change({ members });
  }

  it("resets the offsets of a connector of which nobody runs a task", async () => {
    assert.equal((await commands.resetOffsets(NAME, scope())).kind, "done");
    assert.equal(stored.size, 0);
  });

  for (const type of ["source", "sink"] as const) {
    it(`waits until the tasks of a ${type} have stopped, and changes its offsets after their last commit`, async () => {
      isSink = type === "sink";
      other(TASK);
      let ended = false;
      const reset = commands.resetOffsets(NAME, scope()).finally(() => {
        ended = true;
      });
      await idle();
      other(NOTHING, TASK);
      await idle();
      assert.equal(ended, false, "told to stop is not stopped");
      stored = new Map([
        ["a", { n: 2 }],
        ["b", { n: 1 }],
      ]);
      member.change({ rebalancing: true });
      other(NOTHING);
      await idle();
      assert.equal(ended, false, "the round is not over");
      member.change({ rebalancing: false, generation: 2 });
      assert.equal((await reset).kind, "done");
      if (type === "source") assert.equal(stored.size, 0);
    });
  }

  it("does not wait for tasks of others", async () => {
    other({ connectors: [NAME], tasks: [{ connector: "another", task: 0 }] });
    assert.equal((await commands.resetOffsets(NAME, scope())).kind, "done");
  });

  it("refuses what is not stopped at once, whatever runs", async () => {
    await configStore.putTargetState(NAME, "STARTED");
    other(TASK);
    await assert.rejects(commands.resetOffsets(NAME, scope()), { code: "bad-request" });
  });

  it("refuses a connector that was resumed meanwhile", async () => {
    other(TASK);
    const reset = commands.resetOffsets(NAME, scope());
    await idle();
    await configStore.putTargetState(NAME, "STARTED");
    other(NOTHING);
    await assert.rejects(reset, { code: "bad-request" });
    assert.equal(stored.size, 1);
  });

  it("waits again for a task that was started and told to stop while it came to its turn", async () => {
    other(NOTHING, TASK);
    let ended = false;
    const reset = commands.resetOffsets(NAME, scope()).finally(() => {
      ended = true;
    });
    await idle();
    let turns = 0;
    member.onConfirm = async () => {
      turns += 1;
      if (turns === 1) other(TASK);
    };
    other(NOTHING);
    await idle();
    assert.deepEqual([turns, ended], [1, false]);
    stored = new Map([["a", { n: 2 }]]);
    other(NOTHING, TASK);
    await idle();
    assert.equal(ended, false);
    other(NOTHING);
    assert.equal((await reset).kind, "done");
    assert.equal(stored.size, 0);
  });

  it("keeps nobody waiting who waits for the same", async () => {
    other(NOTHING, TASK);
    const requests = Array.from({ length: 5 }, () => commands.resetOffsets(NAME, scope()));
    await idle();
    await configStore.putTargetState(NAME, "STARTED");
    const refused = commands.resetOffsets(NAME, scope());
    await assert.rejects(refused, { code: "bad-request" }, "it need not wait");
    await configStore.putTargetState(NAME, "STOPPED");
    other(NOTHING);
    assert.deepEqual(
      (await Promise.all(requests)).map(({ kind }) => kind),
      Array.from({ length: 5 }, () => "done"),
    );
  });

  it("looks anew at a connector that was made again under the same name", async () => {
    other(NOTHING, TASK);
    const reset = commands.resetOffsets(NAME, scope());
    const later = commands.resetOffsets(NAME, scope());
    await idle();
    await configStore.removeConnector(NAME);
    await configStore.putConnector(NAME, { "connector.class": "any" }, "STARTED");
    other(NOTHING);
    await assert.rejects(reset, { code: "bad-request" });
    await assert.rejects(later, { code: "bad-request" });
    await configStore.removeConnector(NAME);
    await assert.rejects(commands.resetOffsets(NAME, scope()), { code: "not-found" });
    assert.equal(stored.size, 1);
  });

  it("says what it has waited for in vain", async () => {
    other(NOTHING, TASK);
    const request = scope(20);
    await assert.rejects(
      request.run(() => commands.resetOffsets(NAME, request)),
      (error) =>
        error instanceof ConnectError && error.code === "internal" && /still running or stopping/.test(error.message),
    );
    assert.equal(stored.size, 1);
  });

  it("says that a rebalance has lasted, if its tasks have stopped", async () => {
    other(NOTHING, TASK);
    const late = new AbortController();
    const reset = commands.resetOffsets(NAME, { ...scope(), signal: late.signal });
    await idle();
    member.change({ rebalancing: true });
    other(NOTHING);
    late.abort();
    await assert.rejects(reset, { code: "rebalance" });
    assert.equal(stored.size, 1);
  });

  it("leaves it to a new leader", async () => {
    other(TASK);
    const reset = commands.resetOffsets(NAME, scope());
    await idle();
    member.change({ isLeader: false, leaderId: "other", leaderUrl: "http://other:8083/", members: [] });
    assert.deepEqual(await reset, { kind: "forward", url: "http://other:8083/" });
    assert.equal(stored.size, 1);
  });
});
