import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type ConnectorInstance, defineSource } from "@headrace/sdk";
import { z } from "zod";
import { openConnector, type RunningConnector } from "#runtime/executor/connector-instance.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = AbortSignal.timeout(60_000);

describe("a connector's instance", () => {
  /** Opens and closes that wait for the test, by name. */
  let steps: Map<string, PromiseWithResolvers<void>>;
  let automatic: boolean;
  let told: string[];
  let live: number;
  let opened: number;
  let closeError: Error | null;
  let openSignals: AbortSignal[];

  beforeEach(() => {
    steps = new Map();
    automatic = true;
    told = [];
    live = 0;
    opened = 0;
    closeError = null;
    openSignals = [];
  });

  const step = async (name: string) => {
    if (automatic) return;
    const gate = Promise.withResolvers<void>();
    steps.set(name, gate);
    await gate.promise;
  };
  const finish = (name: string) => {
    const gate = steps.get(name);
    assert.ok(gate !== undefined, `${name} does not wait`);
    steps.delete(name);
    gate.resolve();
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  const plugin = defineSource({
    name: "watcher",
    version: "2.0",
    config: z.object({}),
    planTasks: () => [{}],
    openTask: () => Promise.reject(new Error("no tasks here")),
    async open(_config, _context, within): Promise<ConnectorInstance> {
      openSignals.push(within);
      await step("open");
      opened += 1;
      live += 1;
      return {
        async close() {
          await step("close");
          live -= 1;
          if (closeError !== null) throw closeError;
        },
      };
    },
  });
  const start = (target: "STARTED" | "PAUSED" = "STARTED"): Promise<RunningConnector> =>
    openConnector(
      {
        connector: "c",
        config: { name: "c", "connector.class": "watcher" },
        plugins: createPluginRegistry([plugin]),
        resolver: { resolve: async (config) => config },
        log: createSilentLog(),
        report: (state, error) => void told.push(error instanceof Error ? `${state}: ${error.message}` : state),
        requestTaskReconfiguration: () => {},
      },
      target,
      signal,
    );

  it("is opened, closed while paused, and opened again", async () => {
    const connector = await start();
    await connector.setTargetState("PAUSED", signal);
    assert.equal(live, 0);
    await connector.setTargetState("STARTED", signal);
    await connector.stop();
    assert.deepEqual(told, ["RUNNING", "PAUSED", "RUNNING", "UNASSIGNED"]);
    assert.deepEqual([live, opened], [0, 2]);
  });

  it("is resumed only after it has closed, and ends as it was wanted last", async () => {
    const connector = await start();
    automatic = false;
    const paused = connector.setTargetState("PAUSED", signal);
    await turn();
    const resumed = connector.setTargetState("STARTED", signal);
    await turn();
    assert.equal(opened, 1, "opened again before it had closed");
    finish("close");
    await paused;
    await turn();
    finish("open");
    await resumed;
    assert.deepEqual([told, live], [["RUNNING", "RUNNING"], 1]);
  });

  it("skips what is not wanted any more before it was begun", async () => {
    const connector = await start();
    automatic = false;
    const first = connector.setTargetState("PAUSED", signal);
    await turn();
    const skipped = [connector.setTargetState("STARTED", signal), connector.setTargetState("PAUSED", signal)];
    automatic = true;
    finish("close");
    await Promise.all([first, ...skipped]);
    assert.deepEqual([told, live, opened], [["RUNNING", "PAUSED"], 0, 1]);
  });

  it("that is stopped while it opens is closed, and tells nothing after UNASSIGNED", async () => {
    const connector = await start("PAUSED");
    automatic = false;
    const resumed = connector.setTargetState("STARTED", signal);
    await turn();
    const stopped = connector.stop();
    assert.equal(openSignals[0]?.aborted, true, "the open call is told that nobody waits for it");
    automatic = true;
    finish("open");
    await Promise.all([resumed, stopped]);
    assert.deepEqual([told, live], [["PAUSED", "UNASSIGNED"], 0]);
  });

  it("fails if it cannot be closed for a pause", async () => {
    const connector = await start();
    closeError = new Error("no such session");
    await assert.rejects(connector.setTargetState("PAUSED", signal), /no such session/);
    assert.deepEqual(told, ["RUNNING", "FAILED: no such session"]);
  });
});
