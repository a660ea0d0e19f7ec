import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ExpandedConnectors } from "@headrace/contract";
import { countStarting, observeStarting } from "#operator/cluster/starting.ts";
import { ConnectRestError } from "#operator/worker/connect-client.ts";

type State = "RUNNING" | "UNASSIGNED" | "RESTARTING" | "FAILED" | "PAUSED";

const connector = (state: State, ...tasks: readonly State[]): ExpandedConnectors[string] => ({
  status: {
    name: "a",
    type: "source",
    connector: { state, worker_id: "10.0.0.1:8083" },
    tasks: tasks.map((task, id) => ({ id, state: task, worker_id: "10.0.0.1:8083" })),
  },
});

const WORKERS = [{ cluster: { namespace: "ns", name: "c" }, ip: "10.0.0.1" }];
const signal = AbortSignal.timeout(60_000);

describe("what is being started", () => {
  it("is what nobody runs, and not what has failed or is paused", () => {
    assert.equal(countStarting({}), 0);
    assert.equal(countStarting({ a: connector("RUNNING", "RUNNING", "FAILED"), b: connector("PAUSED", "PAUSED") }), 0);
    assert.equal(countStarting({ a: connector("UNASSIGNED", "RUNNING", "RESTARTING"), b: { info: undefined } }), 2);
  });

  it("is nothing if nobody tells", async () => {
    const expanded = async () => ({ a: connector("RUNNING", "UNASSIGNED") });
    assert.equal(await observeStarting({ expanded }, WORKERS, signal), 1);
    assert.equal(await observeStarting({ expanded }, [], signal), 0);
    const silent = async () => {
      throw new ConnectRestError("timeout", "no answer");
    };
    assert.equal(await observeStarting({ expanded: silent }, WORKERS, signal), 0);
  });
});
