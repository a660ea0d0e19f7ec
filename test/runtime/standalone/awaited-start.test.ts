import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Commands } from "#runtime/herder/commands.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { createGiven, withAwaitedStart } from "#runtime/standalone/awaited-start.ts";
import type { StatusChange, StatusEntry } from "#runtime/store/stores.ts";

type Listener = (change: StatusChange) => void;

function setUp(timeoutMs = 60_000) {
  const statuses = new Map<string, StatusEntry>();
  const listeners = new Set<Listener>();
  const created: string[] = [];
  const unused = () => {
    throw new Error("not called here");
  };
  const info = (name: string) => ({ name, config: {}, tasks: [], type: "source" as const });
  const commands: Commands = {
    createConnector: async ({ name }) => {
      created.push(name);
      return { kind: "done", value: info(name) };
    },
    putConfig: async (name) => ({ kind: "done", value: { created: !created.includes(name), info: info(name) } }),
    patchConfig: unused,
    deleteConnector: unused,
    setTargetState: unused,
    stopConnector: unused,
    commitTasks: unused,
    setLoggerLevel: unused,
    resetTopics: unused,
    restart: unused,
    restartParts: unused,
  };
  const report = (connector: string, state: StatusEntry["state"], trace: string | null = null) => {
    const entry = { state, workerId: "w", generation: 0, trace, version: null };
    statuses.set(connector, entry);
    for (const listener of listeners) listener({ kind: "connector", connector, entry });
  };
  const awaited = withAwaitedStart(commands, {
    connector: (name) => statuses.get(name) ?? null,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const scope = () => openScope(timeoutMs, () => 0);
  return { awaited, report, created, scope, listeners };
}

const connector = (name: string) => ({ name, config: {}, initialState: null });

describe("creating a connector in standalone mode", () => {
  it("ends when the connector has started", async () => {
    const { awaited, report, scope, listeners } = setUp();
    let ended = false;
    const creating = awaited.createConnector(connector("a"), scope()).then((outcome) => {
      ended = true;
      return outcome;
    });
    report("b", "RUNNING");
    report("a", "UNASSIGNED");
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ended, false);
    report("a", "RUNNING");
    assert.equal((await creating).kind, "done");
    assert.equal(listeners.size, 0);
  });

  it("fails with the connector, by name and reason only", async () => {
    const { awaited, report, scope } = setUp();
    const creating = awaited.createConnector(connector("a"), scope());
    setImmediate(() => report("a", "FAILED", "Error: no such file\n    at secret place"));
    await assert.rejects(creating, { code: "internal", message: "Failed to start connector a: Error: no such file" });
  });

  it("ends with the request's time", async () => {
    const { awaited, scope, listeners } = setUp(20);
    const request = scope();
    await assert.rejects(
      request.run(() => awaited.createConnector(connector("a"), request)),
      { code: "timeout", message: /currently starting connector a/ },
    );
    assert.equal(listeners.size, 0);
  });

  it("does not wait for a connector that was only changed", async () => {
    const { awaited, report, scope } = setUp();
    setImmediate(() => report("a", "RUNNING"));
    await awaited.createConnector(connector("a"), scope());
    report("a", "UNASSIGNED");
    assert.equal((await awaited.putConfig("a", {}, scope())).kind, "done");
  });

  it("stops at the first of several that fails", async () => {
    const { awaited, report, created, scope } = setUp();
    setImmediate(() => report("a", "FAILED", "Error: bad"));
    await assert.rejects(createGiven([connector("a"), connector("b")], awaited, scope), {
      message: "Connector a cannot be created: Failed to start connector a: Error: bad",
    });
    assert.deepEqual(created, ["a"]);
  });
});
