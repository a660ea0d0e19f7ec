import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createCatalog } from "#runtime/herder/catalog.ts";
import { createCrashHistory } from "#runtime/herder/crash-history.ts";
import { generateKey, needsNewKey, type SessionKeyPolicy, sign } from "#runtime/herder/request-signature.ts";
import { staleStatuses } from "#runtime/herder/stale-statuses.ts";
import { needsCommit } from "#runtime/herder/task-plan.ts";
import { itemKey } from "#runtime/herder/work.ts";
import type { ConnectorEntry } from "#runtime/store/stores.ts";
import { FakeConfigStore, FakeStatusStore } from "./fakes.ts";

describe("needsCommit", () => {
  const entry: ConnectorEntry = {
    config: { k: "v" },
    targetState: "STARTED",
    tasks: [{ a: "1", b: "2" }],
    appliedConfig: { k: "v" },
    taskGeneration: 1,
    inconsistent: false,
  };
  for (const [fact, change, planned, wanted] of [
    ["nothing changed, whatever the order of keys", {}, [{ b: "2", a: "1" }], false],
    ["there is no good set", { tasks: null }, [], true],
    ["the number differs", {}, [{ a: "1", b: "2" }, {}], true],
    ["a value differs", {}, [{ a: "1", b: "3" }], true],
    ["a key is missing", {}, [{ a: "1" }], true],
    [
      "only the connector's configuration differs (KAFKA-9228)",
      { appliedConfig: { k: "w" } },
      [{ a: "1", b: "2" }],
      true,
    ],
    ["the configuration in force is not known", { appliedConfig: null }, [{ a: "1", b: "2" }], true],
    ["no tasks before and none now", { tasks: [] }, [], false],
  ] as const) {
    it(`${fact}: ${wanted}`, () => assert.equal(needsCommit({ ...entry, ...change }, planned), wanted));
  }
});

describe("crash history", () => {
  it("restarts at once, then after growing pauses, and gives up who was alone three times in five minutes", () => {
    const history = createCrashHistory();
    assert.deepEqual(history.record("a", { atMs: 0, alone: true }), { kind: "restart", delayMs: 0 });
    assert.deepEqual(history.record("a", { atMs: 1_000, alone: true }), { kind: "restart", delayMs: 1_000 });
    assert.deepEqual(history.record("a", { atMs: 3_000, alone: true }), { kind: "giveUp", crashes: 3 });
  });
  it("never gives up who only shared an executor", () => {
    const history = createCrashHistory();
    for (let crash = 0; crash < 10; crash += 1) {
      assert.equal(history.record("a", { atMs: crash, alone: false }).kind, "restart");
    }
  });
  it("counts only the crashes of who was alone", () => {
    const history = createCrashHistory();
    history.record("a", { atMs: 0, alone: false });
    history.record("a", { atMs: 1_000, alone: true });
    assert.equal(history.record("a", { atMs: 3_000, alone: true }).kind, "restart");
    assert.deepEqual(history.record("a", { atMs: 9_000, alone: true }), { kind: "giveUp", crashes: 3 });
  });
  it("forgets what is long ago, and what it is told to", () => {
    const history = createCrashHistory();
    history.record("a", { atMs: 0, alone: true });
    history.record("a", { atMs: 1, alone: true });
    assert.deepEqual(history.record("a", { atMs: 300_001, alone: true }), { kind: "restart", delayMs: 0 });
    history.forget("a");
    assert.deepEqual(history.record("a", { atMs: 300_002, alone: true }), { kind: "restart", delayMs: 0 });
    const task = itemKey({ connector: "a/b", task: 1 });
    history.record(task, { atMs: 300_002, alone: true });
    history.forgetConnector("b");
    assert.deepEqual(history.record(task, { atMs: 300_003, alone: true }), { kind: "restart", delayMs: 1_000 });
    history.forgetConnector("a/b");
    assert.deepEqual(history.record(task, { atMs: 300_004, alone: true }), { kind: "restart", delayMs: 0 });
  });
});

describe("session keys", () => {
  const policy: SessionKeyPolicy = {
    ttlMs: 1_000,
    generationAlgorithm: "HmacSHA256",
    keyBits: null,
    signatureAlgorithm: "HmacSHA256",
    verificationAlgorithms: ["HmacSHA256"],
  };
  it("have the size of Java's KeyGenerator", () => {
    for (const [algorithm, bytes] of [
      ["HmacMD5", 64],
      ["HmacSHA1", 64],
      ["HmacSHA256", 32],
      ["HmacSHA512", 64],
    ] as const) {
      assert.equal(generateKey({ ...policy, generationAlgorithm: algorithm }, 0).key.length, bytes);
    }
    assert.equal(generateKey({ ...policy, keyBits: 128 }, 0).key.length, 16);
  });
  it("are replaced when they are missing, old, or made by other rules", () => {
    const key = generateKey(policy, 0);
    assert.equal(needsNewKey(null, policy, 0), true);
    assert.equal(needsNewKey(key, policy, 999), false);
    assert.equal(needsNewKey(key, policy, 1_000), true);
    assert.equal(needsNewKey(key, { ...policy, generationAlgorithm: "HmacSHA512" }, 0), true);
    assert.equal(needsNewKey(key, { ...policy, keyBits: 128 }, 0), true);
  });
  it("sign as Java does (contract §5.8)", () => {
    const key = {
      key: Buffer.from(Array.from({ length: 32 }, (_, index) => index)),
      algorithm: "HmacSHA256",
      createdAtMs: 0,
    };
    assert.equal(
      sign(key, "HmacSHA256", Buffer.alloc(0)).toString("base64"),
      "04tCCW2A9F+Ca0Sp1WB95ySWpBXT9KGoyI47udqNwcs=",
    );
  });
});

describe("stale statuses", () => {
  it("are those of unknown connectors and of tasks beyond the set; inconsistent sets are left alone", async () => {
    const config = new FakeConfigStore();
    const statuses = new FakeStatusStore();
    const entry = { state: "RUNNING", workerId: "w", generation: 1, trace: null, version: null } as const;
    for (const connector of ["known", "gone", "unset"]) {
      statuses.putConnector(connector, entry);
      for (const task of [0, 1]) statuses.putTask({ connector, task }, entry);
    }
    for (const connector of ["known", "gone"]) statuses.putTopic(connector, "t");
    await config.putConnector("known", {}, null);
    await config.putTaskConfigs("known", [{}]);
    await config.putConnector("unset", {}, null);
    assert.deepEqual(staleStatuses(config.config(), statuses), {
      connectors: ["gone"],
      tasks: [{ connector: "known", task: 1 }],
      topics: ["gone"],
    });
  });
});

describe("catalog", () => {
  const catalog = createCatalog([
    { class: "a.b.FooConnector", type: "source", aliases: ["foo"] },
    { class: "string", type: "converter", aliases: [] },
  ]);
  it("finds plugins by every name", () => {
    for (const name of ["a.b.FooConnector", "FooConnector", "Foo", "foo", " foo "])
      assert.notEqual(catalog.find(name), null);
    assert.equal(catalog.find("Bar"), null);
  });
  it("knows types of connectors only", () => {
    assert.equal(catalog.connectorType("Foo"), "source");
    assert.equal(catalog.connectorType("string"), "unknown");
    assert.equal(catalog.connectorType(undefined), "unknown");
  });
});
