import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectError } from "#runtime/errors.ts";
import { createFenceZombies } from "#runtime/herder/fence-client.ts";
import type { Outcome } from "#runtime/herder/leader-steps.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { FakeConfigStore, FakeMember, silent } from "./fakes.ts";

const signal = AbortSignal.timeout(30_000);

/** A worker that leads, or follows `http://boss:8083/`; each attempt is answered by the next of `answers`. */
async function setUp({ leads, answers }: { leads: boolean; answers: readonly (Error | Response | null)[] }) {
  const member = new FakeMember();
  if (!leads) member.change({ isLeader: false, leaderId: "boss", leaderUrl: "http://boss:8083/" });
  const configStore = new FakeConfigStore();
  await configStore.putSessionKey({ key: Buffer.from("key"), algorithm: "HmacSHA256", createdAtMs: 0 });
  let attempts = 0;
  const next = () => {
    const answer = answers[attempts] ?? null;
    attempts += 1;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const fence = createFenceZombies({
    member: () => member,
    configStore,
    fencing: {
      async fence(): Promise<Outcome<null>> {
        next();
        return { kind: "done", value: null };
      },
    },
    signatureAlgorithm: "HmacSHA256",
    openScope: () => openScope(10_000, () => Date.now()),
    fetch: async () => next() ?? new Response(null, { status: 204 }),
    log: silent,
  });
  return { fence: () => fence("c", signal), attempts: () => attempts };
}

const refusal = new ConnectError("kafka", "Could not fence producers of 'g-c-1': not authorized");

describe("a task that has its predecessors fenced", () => {
  it("asks again while leaders and task sets change", async () => {
    const local = await setUp({ leads: true, answers: [new ConnectError("conflict", "another leader")] });
    await local.fence();
    const changing = [409, 503, 400].map((status) => new Response("{}", { status }));
    const remote = await setUp({ leads: false, answers: changing });
    await remote.fence();
    assert.deepEqual([local.attempts(), remote.attempts()], [2, 4]);
  });

  it("fails at once if Kafka refuses it", async () => {
    const { fence, attempts } = await setUp({ leads: true, answers: [refusal] });
    await assert.rejects(fence(), {
      message: `Could not have the former tasks of connector c fenced, so its tasks may not start: ${refusal.message}`,
    });
    assert.equal(attempts(), 1);
  });

  it("fails at once if the leader has tried in vain", async () => {
    const body = JSON.stringify({ error_code: 500, message: refusal.message });
    const { fence, attempts } = await setUp({ leads: false, answers: [new Response(body, { status: 500 })] });
    await assert.rejects(fence(), /The leader at http:\/\/boss:8083\/ answered 500: .*not authorized/);
    assert.equal(attempts(), 1);
  });
});
