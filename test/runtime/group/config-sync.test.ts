import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createConfigSync } from "#runtime/group/config-sync.ts";
import { silent } from "./silent-logger.ts";
import { ConfigTopic, RunningWork, WorkerDouble } from "./worker-double.ts";

function syncOf(maxDelayMs: number) {
  const topic = new ConfigTopic();
  const host = new WorkerDouble("a", topic, new RunningWork());
  topic.write(1);
  return { topic, host, sync: createConfigSync({ host, timeoutMs: 20, maxDelayMs, log: silent }) };
}

describe("createConfigSync", () => {
  it("reads only if the host is behind", async (t) => {
    const { host, sync } = syncOf(0);
    assert.equal(await sync.catchUp(-1n, t.signal), true);
    assert.equal(host.snapshot().offset, -1n);
    assert.equal(await sync.catchUp(1n, t.signal), true);
    assert.equal(host.snapshot().offset, 1n);
  });

  it("fails if the topic ends before the position, cannot be read, or takes too long", async (t) => {
    const { host, sync } = syncOf(0);
    assert.equal(await sync.catchUp(2n, t.signal), false);
    host.onRefresh = () => Promise.reject(new Error("no"));
    assert.equal(await sync.catchUp(2n, t.signal), false);
    host.onRefresh = () => new Promise(() => {});
    assert.equal(await sync.catchUp(2n, t.signal), false);
  });

  it("rejects when its signal aborts", async () => {
    const { host, sync } = syncOf(0);
    host.onRefresh = () => new Promise(() => {});
    const stop = new AbortController();
    const reading = sync.catchUp(2n, stop.signal);
    stop.abort(new Error("enough"));
    await assert.rejects(reading, /enough/);
  });

  it("waits as Connect does after failures in a row, then gives up, and starts anew after a success", async (t) => {
    const { sync } = syncOf(300_000);
    assert.deepEqual(
      Array.from({ length: 7 }, () => sync.nextPauseMs()),
      [6_000, 7_500, 10_000, 15_000, 30_000, null, 6_000],
    );
    await sync.catchUp(1n, t.signal);
    assert.equal(sync.nextPauseMs(), 6_000);
    assert.equal(syncOf(0).sync.nextPauseMs(), 1_000);
  });
});
