import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createStatusWriter, type StatusWriter } from "#runtime/herder/status-writer.ts";
import { createStatusStore } from "#runtime/store/status-store.ts";
import type { StatusStore } from "#runtime/store/stores.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { createMemoryTopic } from "../store/memory-topic.ts";

const signal = AbortSignal.timeout(60_000);
const ITEM = { connector: "c", task: 0 };
const RUNNING = { state: "RUNNING" } as const;

interface Owner {
  readonly store: StatusStore;
  readonly writer: StatusWriter;
}

/** Workers of one status topic, each of which believes that it runs the task in its generation, and answers others. */
async function owners(...generations: readonly number[]) {
  const topic = createMemoryTopic();
  const all: Owner[] = [];
  for (const [index, generation] of generations.entries()) {
    const workerId = `w${index}:8083`;
    const store = createStatusStore(topic.open(), { log: createSilentLog() });
    await store.start(signal);
    const writer = createStatusWriter({ store, workerId, generation: () => generation, versionOf: () => null });
    store.onWord(({ entry }) => {
      if (entry.workerId !== workerId) writer.answer(ITEM, entry, RUNNING);
    });
    all.push({ store, writer });
  }
  /** Until nothing is written any more; what was, as `worker state`. */
  async function quiet(): Promise<readonly string[]> {
    for (let before = -1; before !== topic.records.length; ) {
      before = topic.records.length;
      assert.ok(before < 20, "they go on and on");
      for (const { store } of all) {
        await store.flush(signal);
        await store.readToEnd(signal);
        await store.flush(signal);
      }
    }
    return topic.records.map(({ value }) => {
      const { worker_id, state } = JSON.parse(value ?? "{}") as { worker_id: string; state: string };
      return `${worker_id.split(":")[0]} ${state}`;
    });
  }
  return { all, quiet };
}

describe("answers of owners", () => {
  it("end with the newest owner's word, whoever speaks last", async () => {
    const { all, quiet } = await owners(5, 6);
    all[1]?.writer.report(ITEM, RUNNING);
    await quiet();
    all[0]?.writer.report(ITEM, { state: "RESTARTING", trace: "late" });
    assert.deepEqual(await quiet(), ["w1 RUNNING", "w0 RESTARTING", "w1 RUNNING"]);
    all[0]?.writer.report(ITEM, RUNNING);
    assert.deepEqual((await quiet()).slice(3), ["w0 RUNNING", "w1 RUNNING"]);
  });

  it("are none between two that believe to have an item in one generation", async () => {
    const { all, quiet } = await owners(6, 6);
    all[0]?.writer.report(ITEM, RUNNING);
    all[1]?.writer.report(ITEM, RUNNING);
    assert.deepEqual(await quiet(), ["w0 RUNNING", "w1 RUNNING"]);
  });

  it("of a former owner come to nothing, even if it does not know yet who has the item", async () => {
    const { all, quiet } = await owners(4, 5, 6);
    all[2]?.writer.report(ITEM, RUNNING);
    await quiet();
    all[0]?.writer.report(ITEM, { state: "RESTARTING", trace: "late" });
    const words = await quiet();
    assert.equal(words.at(-1), "w2 RUNNING");
    assert.ok(words.length <= 5, words.join(", "));
  });
});
