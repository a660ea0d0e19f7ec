import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { startWithWrites } from "#runtime/executor/offset-writes.ts";
import { startExecutor } from "#runtime/executor/supervisor.ts";
import { silent } from "../herder/fakes.ts";

/** Asks for a write at once, then does nothing. */
const WRITER = `process.send({ kind: "call", id: 1, name: "writeOffsets", args: { connector: "c", offsets: [] } });
setInterval(() => {}, 1_000);`;

describe("the offset writes of an executor that was killed", () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "headrace-writes-"));
    writeFileSync(join(dir, "writer.mjs"), WRITER);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  async function killed(write: Promise<null>, limitMs: number) {
    const asked = Promise.withResolvers<void>();
    const unasked = () => assert.fail("nothing else is asked for");
    const handlers = {
      ...{ readOffsets: unasked, offsetKeys: unasked, fenceZombies: unasked, isCurrentTask: unasked },
      writeOffsets: () => {
        asked.resolve();
        return write;
      },
    };
    const ended = Promise.withResolvers<void>();
    const options = {
      ...{ script: join(dir, "writer.mjs"), execArgv: [], onNotice: () => {}, log: silent },
      setup: { worker: {}, workerId: "w", kafkaClusterId: "k" },
      ...{ blockedTimeoutMs: 60_000, memoryMaxBytes: null },
    };
    const start: Parameters<typeof startWithWrites>[1] = (given) => {
      const supervisor = startExecutor({ ...options, handlers: given });
      void supervisor.gone.then(() => ended.resolve());
      return supervisor;
    };
    const supervisor = startWithWrites(handlers, start, { log: silent, limitMs });
    supervisor.ready.catch(() => {});
    let isGone = false;
    void supervisor.gone.then(() => {
      isGone = true;
    });
    await asked.promise;
    supervisor.kill("for the test");
    await ended.promise;
    const closed = Promise.withResolvers<void>();
    if (supervisor.rpc.closed.aborted) closed.resolve();
    else supervisor.rpc.closed.addEventListener("abort", () => closed.resolve());
    await closed.promise;
    await turn();
    await turn();
    return { supervisor, isGone: () => isGone };
  }

  it("are decided before it counts as gone", async () => {
    const write = Promise.withResolvers<null>();
    const { supervisor, isGone } = await killed(write.promise, 60_000);
    assert.equal(isGone(), false);
    write.resolve(null);
    assert.equal(await supervisor.gone, "for the test");
  });

  it("hold nobody up if they fail", async () => {
    const write = Promise.withResolvers<null>();
    const { supervisor } = await killed(write.promise, 60_000);
    write.reject(new Error("withdrawn"));
    assert.equal(await supervisor.gone, "for the test");
  });

  it("hold nobody up for longer than is said", async () => {
    const { supervisor } = await killed(new Promise(() => {}), 50);
    assert.equal(await supervisor.gone, "for the test");
  });
});
