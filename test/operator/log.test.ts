import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLog } from "#operator/log.ts";
import { withReconcileId } from "#operator/reconcile-id.ts";

describe("log", () => {
  it("writes JSON lines without secrets", () => {
    const lines: string[] = [];
    const log = createLog("info", { write: (line) => void lines.push(line) });
    log.info({ token: "s3cret", user: { password: "s3cret" }, headers: { authorization: "s3cret" } }, "asked");
    log.debug("not this");
    assert.equal(lines.length, 1);
    assert.doesNotMatch(lines.join(), /s3cret/);
    const entry: unknown = JSON.parse(lines[0] ?? "");
    assert.ok(typeof entry === "object" && entry !== null && "msg" in entry && "level" in entry);
    assert.deepEqual([entry.msg, entry.level], ["asked", "info"]);
  });

  it("marks every line of a reconcile with its id, in children and after waits as well", async () => {
    const lines: string[] = [];
    const log = createLog("info", { write: (line) => void lines.push(line) });
    log.info("outside");
    const work = (id: string) =>
      withReconcileId(id, async () => {
        log.info("begin");
        await new Promise((resolve) => setImmediate(resolve));
        log.child({ part: "x" }).info("end");
      });
    await Promise.all([work("one"), work("two")]);
    const ids = lines.map((line) => /"reconcileID":"(\w+)"/.exec(line)?.[1]);
    assert.deepEqual(ids, [undefined, "one", "two", "one", "two"]);
  });
});
