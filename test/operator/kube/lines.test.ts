import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { splitLines } from "#operator/kube/lines.ts";

async function* chunks(...parts: readonly (string | Buffer)[]): AsyncIterable<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
}

describe("splitLines", () => {
  const umlaut = Buffer.from("ä\n");
  const table: readonly [what: string, chunks: readonly (string | Buffer)[], lines: readonly string[]][] = [
    ["several lines in one chunk", ["a\nb\n"], ["a", "b"]],
    ["a line in several chunks", ["a", "b", "c\n"], ["abc"]],
    ["a character cut in two", [umlaut.subarray(0, 1), umlaut.subarray(1)], ["ä"]],
    ["an empty line", ["a\n\nb\n"], ["a", "", "b"]],
    ["no newline at the end: the rest was cut off", ["a\nb"], ["a"]],
    ["nothing", [], []],
  ];
  for (const [what, parts, lines] of table) {
    it(what, async () => assert.deepEqual(await collect(splitLines(chunks(...parts), 100)), lines));
  }

  it("refuses a line that never ends", async () => {
    await assert.rejects(collect(splitLines(chunks("x".repeat(60), "x".repeat(60)), 100)), RangeError);
  });
});
