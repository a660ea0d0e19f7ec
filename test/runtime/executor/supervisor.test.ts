import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isExecutorGone, startExecutor } from "#runtime/executor/supervisor.ts";
import { silent } from "../herder/fakes.ts";

/** Answers pings, and nothing else. */
const DEAF =
  'process.on("message", ({ id, name }) => { if (name === "ping") process.send({ kind: "reply", id, result: { memoryBytes: 1 } }); });';

describe("an executor that is too slow to be set up", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-supervisor-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const [what, code, wanted] of [
    ["its code", "setInterval(() => undefined, 1_000);", /did not load its code within 0\.2 s/],
    ["its configuration", DEAF, /did not take over the worker's configuration within 3 s/],
  ] as const) {
    it(`is ended, and says that it was for ${what}, which process, and what to do`, async () => {
      const script = join(dir, `${what.replace(" ", "-")}.mjs`);
      await writeFile(script, code);
      const unasked = () => assert.fail("nothing runs in it");
      const supervisor = startExecutor({
        script,
        execArgv: [],
        setup: { worker: {}, workerId: "w", kafkaClusterId: "k" },
        setupTimeoutMs: code === DEAF ? 3_000 : 200,
        handlers: {
          readOffsets: unasked,
          offsetKeys: unasked,
          writeOffsets: unasked,
          fenceZombies: unasked,
          isCurrentTask: unasked,
        },
        onNotice: unasked,
        blockedTimeoutMs: 60_000,
        memoryMaxBytes: null,
        log: silent,
      });
      await assert.rejects(supervisor.ready, (error) => isExecutorGone(error));
      const reason = await supervisor.gone;
      assert.match(reason, wanted);
      assert.match(reason, new RegExp(`^executor process ${supervisor.pid} .*give the worker more CPU or memory`));
    });
  }
});
