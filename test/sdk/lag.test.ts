import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Lag, reportLag } from "@headrace/sdk";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";

/** What a task that reports this lag serves. */
function served(lag: Lag): Readonly<Record<string, number>> {
  const { metrics, values } = createPluginMetrics();
  reportLag(metrics, lag);
  assert.ok(values().every(({ type, help }) => type === "gauge" && help !== ""));
  return Object.fromEntries(values().map(({ name, value }) => [name, value]));
}

describe("reportLag", () => {
  it("serves each number under the name that all connectors share", () => {
    assert.deepEqual(served({ records: () => 3, milliseconds: () => 1500, bytes: () => 4096 }), {
      "lag-records": 3,
      "lag-milliseconds": 1500,
      "lag-bytes": 4096,
    });
  });

  it("leaves out what the task cannot tell", () => {
    assert.deepEqual(served({ bytes: () => 0 }), { "lag-bytes": 0 });
    assert.deepEqual(served({}), {});
  });

  it("asks anew each time", () => {
    const { metrics, values } = createPluginMetrics();
    let waiting = 2;
    reportLag(metrics, { records: () => waiting });
    assert.equal(values()[0]?.value, 2);
    waiting = 5;
    assert.equal(values()[0]?.value, 5);
  });

  it("goes on when a number cannot be read", () => {
    const bytes = () => {
      throw new Error("the system is away");
    };
    assert.deepEqual(served({ bytes, records: () => 1 }), { "lag-bytes": Number.NaN, "lag-records": 1 });
  });

  it("is for one call per task", () => {
    const { metrics } = createPluginMetrics();
    reportLag(metrics, { records: () => 0 });
    assert.throws(() => reportLag(metrics, { records: () => 0 }), /lag-records was registered twice/);
  });
});
