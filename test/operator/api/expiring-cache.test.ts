import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExpiringCache } from "#operator/api/expiring-cache.ts";

describe("createExpiringCache", () => {
  function open(maxEntries = 10) {
    const loaded: string[] = [];
    const clock = { ms: 0 };
    const cache = createExpiringCache<string>({
      maxEntries,
      lifeMs: (value) => (value.startsWith("no") ? 2 : 10),
      now: () => clock.ms,
    });
    const get = (key: string, value = key) =>
      cache.get(key, async () => {
        loaded.push(key);
        return value;
      });
    return { cache, loaded, clock, get };
  }

  it("keeps a value as long as the value says", async () => {
    const { get, loaded, clock } = open();
    await get("yes");
    await get("no");
    clock.ms = 2;
    await get("yes");
    await get("no");
    assert.deepEqual(loaded, ["yes", "no", "no"]);
    clock.ms = 10;
    await get("yes");
    assert.deepEqual(loaded, ["yes", "no", "no", "yes"]);
  });

  it("counts the life of a value from when it was asked for", async () => {
    const { cache, clock, get, loaded } = open();
    const { promise, resolve } = Promise.withResolvers<string>();
    const slow = cache.get("slow", () => promise);
    clock.ms = 10;
    resolve("slow");
    await slow;
    await get("slow");
    assert.deepEqual(loaded, ["slow"]);
  });

  it("loads once for all who wait", async () => {
    const { get, loaded } = open();
    assert.deepEqual(await Promise.all([get("a"), get("a", "other"), get("a")]), ["a", "a", "a"]);
    assert.deepEqual(loaded, ["a"]);
  });

  it("does not keep failures", async () => {
    const { cache, get } = open();
    await assert.rejects(
      cache.get("a", () => Promise.reject(new Error("away"))),
      /away/,
    );
    assert.equal(await get("a"), "a");
  });

  it("holds a bounded number of values, the newest", async () => {
    const { get, loaded } = open(2);
    for (const key of ["a", "b", "c", "b", "c", "a"]) await get(key);
    assert.deepEqual(loaded, ["a", "b", "c", "a"]);
  });
});
