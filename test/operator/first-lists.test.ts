import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFirstLists } from "#operator/first-lists.ts";
import { createLog } from "#operator/log.ts";
import { orAborted } from "#operator/or-aborted.ts";
import { eventually } from "#support/eventually.ts";

const LONG_MS = 600_000;

function listOf(name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { name, whenAnswered: (signal: AbortSignal) => orAborted(promise, signal), resolve };
}

describe("createFirstLists", () => {
  const signal = AbortSignal.timeout(60_000);

  it("waits for all of them, and says for which", async () => {
    const [a, b] = [listOf("a"), listOf("b")];
    const first = createFirstLists({ lists: [a, b], limitMs: LONG_MS, log: createLog("silent") });
    const running = first.run(signal);
    assert.deepEqual(first.waitingFor(), ["a", "b"]);
    a.resolve();
    await eventually("one is in", () => first.waitingFor().join() === "b");
    b.resolve();
    await first.whenKnown(signal);
    assert.deepEqual(first.waitingFor(), []);
    await running;
  });

  it("goes on without those that are late, and names them again and again until they are in", async () => {
    const lines: { readonly msg: string; readonly lists: readonly string[] }[] = [];
    const log = createLog("warn", { write: (line) => void lines.push(JSON.parse(line)) });
    const [a, b] = [listOf("a"), listOf("b")];
    const first = createFirstLists({ lists: [a, b], limitMs: 5, log });
    const running = first.run(signal);
    a.resolve();
    await first.whenKnown(signal);
    assert.deepEqual(first.waitingFor(), []);
    await eventually("it is told again", () => lines.length >= 2);
    assert.deepEqual(
      [lines[0]?.msg, lines[0]?.lists],
      ["not all could be listed in time: going on without them", ["b"]],
    );
    assert.deepEqual([lines[1]?.msg, lines[1]?.lists], ["not all could be listed yet", ["b"]]);
    b.resolve();
    await running;
  });

  it("ends with its signal, and waits for nothing where there is nothing", async () => {
    const stop = new AbortController();
    const first = createFirstLists({ lists: [listOf("a")], limitMs: LONG_MS, log: createLog("silent") });
    const running = first.run(stop.signal);
    const known = assert.rejects(first.whenKnown(stop.signal));
    stop.abort();
    await Promise.all([running, known]);
    const none = createFirstLists({ lists: [], limitMs: LONG_MS, log: createLog("silent") });
    await none.run(signal);
    await none.whenKnown(signal);
  });
});
