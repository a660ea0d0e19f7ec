import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type End, toText, withEnds } from "../../bench/end.ts";

describe("the end of a scenario", () => {
  const fail = (message: string) => () => {
    throw new Error(message);
  };

  it("comes for all that was opened, the last first, also what the work opened", async () => {
    const log: string[] = [];
    const ends: End[] = [() => void log.push("first")];
    const work = async () => {
      ends.push(async () => void log.push("second"));
      return 7;
    };
    assert.equal(await withEnds(ends, work), 7);
    assert.deepEqual(log, ["second", "first"]);
  });

  it("comes after an error, which is what is thrown", async () => {
    const log: string[] = [];
    await assert.rejects(
      withEnds([() => void log.push("ended")], async () => fail("the work")()),
      /^Error: the work$/,
    );
    assert.deepEqual(log, ["ended"]);
  });

  it("hides no error by another one, and ends the rest all the same", async () => {
    const log: string[] = [];
    const ends = [() => void log.push("ended"), fail("an end")];
    const failed = withEnds(ends, async () => fail("the work")());
    await assert.rejects(failed, (error) =>
      /^Error: the work\n[\s\S]*\nand at the end: Error: an end\n/.test(toText(error)),
    );
    await assert.rejects(
      withEnds(ends, async () => 7),
      /^Error: an end$/,
    );
    assert.deepEqual(log, ["ended", "ended"]);
  });
});
