import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createCommitPlan } from "#runtime/herder/leader-client.ts";
import type { Outcome } from "#runtime/herder/leader-steps.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { createStages } from "#runtime/stages.ts";
import { FakeConfigStore, FakeMember } from "./fakes.ts";

const signal = AbortSignal.timeout(30_000);

/** Has one plan committed by a worker that leads, or follows `http://boss:8083/`; answers what was asked for, with the stage meanwhile. */
async function commit(leads: boolean): Promise<readonly string[]> {
  const member = new FakeMember();
  if (!leads) member.change({ isLeader: false, leaderId: "boss", leaderUrl: "http://boss:8083/" });
  const configStore = new FakeConfigStore();
  await configStore.putSessionKey({ key: Buffer.from("key"), algorithm: "HmacSHA256", createdAtMs: 0 });
  const stages = createStages(() => 0);
  const asked: string[] = [];
  const commitPlan = createCommitPlan({
    member: () => member,
    configStore,
    commands: {
      async commitTasks(connector): Promise<Outcome<null>> {
        asked.push(`here ${connector}: ${stages.describe()}`);
        return { kind: "done", value: null };
      },
    },
    signatureAlgorithm: "HmacSHA256",
    openScope: () => openScope(10_000, () => 0),
    fetch: async (url) => {
      asked.push(`${url}: ${stages.describe()}`);
      return new Response(null, { status: 204 });
    },
    stages,
  });
  await commitPlan("a b", [{}], signal);
  return asked;
}

describe("a plan of tasks", () => {
  it("is committed here by the leader", async () => {
    assert.deepEqual(await commit(true), ["here a b: "]);
  });

  it("is sent to the leader by others, and that is the worker's stage", async () => {
    const stage = "Forwarding task configurations to the leader at http://boss:8083/, which began at";
    assert.deepEqual(await commit(false), [
      `http://boss:8083/connectors/a%20b/tasks: The worker is currently ${stage} 1970-01-01T00:00:00.000Z.`,
    ]);
  });
});
