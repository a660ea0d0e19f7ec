import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCheckList } from "#dev/demo/check-list.ts";
import { runInventory } from "#dev/lab/inventory.ts";
import { startSystems } from "#dev/lab/systems.ts";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { down, up } from "#dev/stack.ts";

describe("the lab of examples/labs/inventory", () => {
  it("accounts for every row in all targets, with a worker killed in the middle", { timeout: 1_150_000 }, async () => {
    // A stack and a Kafka of its own: its topics and its namespace have fixed names.
    delete process.env["HEADRACE_KUBECONFIG"];
    delete process.env["HEADRACE_KAFKA_BOOTSTRAP"];
    const dir = mkdtempSync(join(tmpdir(), "headrace-lab-"));
    const lines: string[] = [];
    const say = (line = "") => void lines.push(line);
    await buildConnectors();
    const systems = await startSystems({ dir });
    try {
      const stack = await up({ dir: join(dir, "stack"), restartBackOffMs: 500 });
      const checks = createCheckList(say);
      const inventory = await runInventory({ stack, systems, checks, say }).catch((error: unknown) => {
        assert.fail(`${String(error)}\n${lines.join("\n")}`);
      });
      assert.ok(checks.allHeld(), lines.join("\n"));
      const { steps, accounts, rows } = inventory;
      assert.ok(steps > 3_500, `${steps} changes`);
      assert.equal(rows.warehouse, rows.shop);
      for (const { repeated, ...found } of Object.values(accounts)) {
        assert.deepEqual(found, { steps, missing: 0, disordered: 0, invented: 0, stale: 0 });
        assert.ok(repeated < steps, `${repeated} changes were told again`);
      }
    } finally {
      await down({ dir: join(dir, "stack") });
      await systems.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
