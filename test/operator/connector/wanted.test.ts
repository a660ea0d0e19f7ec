import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isSameConfig, toWanted } from "#operator/connector/wanted.ts";
import { kafkaConnector } from "#support/connect-objects.ts";

describe("toWanted", () => {
  it("adds what has fields of its own", () => {
    const { config } = toWanted(kafkaConnector({ version: "[1.0,2.0)", config: { topic: "t", flag: true, n: 5 } }));
    assert.deepEqual(config, {
      name: "orders",
      "connector.class": "datagen",
      "tasks.max": "2",
      "connector.plugin.version": "[1.0,2.0)",
      topic: "t",
      flag: "true",
      n: "5",
    });
  });

  it("leaves out what is not given", () => {
    const { tasksMax: _, config: __, ...spec } = kafkaConnector().spec;
    assert.deepEqual(toWanted({ ...kafkaConnector(), spec }).config, { name: "orders", "connector.class": "datagen" });
  });

  it("does not let config say what a field says, and warns", () => {
    const { config, warnings } = toWanted(
      kafkaConnector({ config: { name: "x", "tasks.max": 9, "connector.class": "y" } }),
    );
    assert.deepEqual(config, { name: "orders", "connector.class": "datagen", "tasks.max": "2" });
    assert.deepEqual(warnings, [
      "name in spec.config is not applied; metadata.name says it.",
      "tasks.max in spec.config is not applied; spec.tasksMax says it.",
      "connector.class in spec.config is not applied; spec.class says it.",
    ]);
  });

  it("gives the worker the limit of memory, and warns of what has no effect", () => {
    const resources = { limits: { memory: "512Mi", cpu: "1" }, requests: { memory: "1Gi" } };
    const { config, warnings, problems } = toWanted(kafkaConnector({ resources }));
    assert.equal(config["headrace.executor.memory.max.mb"], "512");
    assert.deepEqual(warnings, ["Without effect in spec.resources: limits.cpu, requests."]);
    assert.deepEqual(problems, []);
    const small = toWanted(kafkaConnector({ resources: { limits: { memory: "63Mi" } } }));
    assert.deepEqual(
      small.problems.map(({ key }) => key),
      ["spec.resources.limits.memory"],
    );
  });

  it("reports values that are no scalars", () => {
    assert.deepEqual(
      toWanted(kafkaConnector({ config: { a: null } })).problems.map(({ key }) => key),
      ["a"],
    );
  });

  for (const [state, target] of [
    ["running", "STARTED"],
    ["paused", "PAUSED"],
    ["stopped", "STOPPED"],
  ] as const) {
    it(`knows ${state} as ${target}`, () => assert.equal(toWanted(kafkaConnector({ state })).target, target));
  }
});

describe("isSameConfig", () => {
  it("compares keys and values", () => {
    assert.ok(isSameConfig({ a: "1", b: "2" }, { b: "2", a: "1" }));
    assert.ok(!isSameConfig({ a: "1" }, { a: "1", b: "2" }));
    assert.ok(!isSameConfig({ a: "1" }, { a: "2" }));
    assert.ok(!isSameConfig({ a: "1" }, { b: "1" }));
  });
});
