import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Line, LineCutter } from "#runtime/connectors/lines.ts";

/** Cuts pieces that come one after the other. */
function cut(pieces: readonly (string | Buffer)[], position = 0): [string, number][] {
  const cutter = new LineCutter(position);
  const lines: Line[] = [];
  for (const piece of pieces) {
    cutter.push(Buffer.from(piece));
    cutter.take(lines, 1_000);
  }
  return lines.map(({ text, end }) => [text, end]);
}

describe("LineCutter", () => {
  const rows: readonly [string, readonly (string | Buffer)[], [string, number][]][] = [
    [
      "line feeds",
      ["a\nbb\n"],
      [
        ["a", 2],
        ["bb", 5],
      ],
    ],
    [
      "carriage return and line feed",
      ["a\r\nb\r\n"],
      [
        ["a", 3],
        ["b", 6],
      ],
    ],
    [
      "carriage returns",
      ["a\rb\rc"],
      [
        ["a", 2],
        ["b", 4],
      ],
    ],
    [
      "all kinds mixed",
      ["a\rb\nc\r\nd"],
      [
        ["a", 2],
        ["b", 4],
        ["c", 7],
      ],
    ],
    [
      "empty lines",
      ["\n\r\n\r\n"],
      [
        ["", 1],
        ["", 3],
        ["", 5],
      ],
    ],
    ["no line for an unfinished end", ["a\nrest"], [["a", 2]]],
    ["a line that comes in pieces", ["a", "b", "c\n"], [["abc", 4]]],
    ["a carriage return at the end only when the next byte is there", ["a\r"], []],
    [
      "\\r and \\n in two pieces as one end",
      ["a\r", "\nb\n"],
      [
        ["a", 3],
        ["b", 5],
      ],
    ],
    [
      "\\r and something else in two pieces",
      ["a\r", "b\n"],
      [
        ["a", 2],
        ["b", 4],
      ],
    ],
    [
      "bytes, not characters",
      ["grüße\nx\n"],
      [
        ["grüße", 8],
        ["x", 10],
      ],
    ],
    ["a character cut in two", [Buffer.from("ü\n").subarray(0, 1), Buffer.from("ü\n").subarray(1)], [["ü", 3]]],
    [
      "ASCII after other text",
      ["é\n", "abc\n"],
      [
        ["é", 3],
        ["abc", 7],
      ],
    ],
  ];
  for (const [what, pieces, lines] of rows) it(`gives ${what}`, () => assert.deepEqual(cut(pieces), lines));

  it("counts from where it started", () => {
    assert.deepEqual(cut(["x\n"], 100), [["x", 102]]);
  });

  it("gives the same lines however the bytes are cut into pieces", () => {
    const text = "one\r\ntwo\rthrée\n\n\r\r\nfour\n";
    const whole = cut([text]);
    const bytes = Buffer.from(text);
    for (let size = 1; size < bytes.length; size += 1) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      assert.deepEqual(cut(pieces), whole, `pieces of ${size}`);
    }
  });

  it("gives the same lines of pieces that are longer than what is searched at once, and of lines that are", () => {
    const terminators = ["\n", "\r\n", "\r"];
    const expected: [string, number][] = [];
    let text = "";
    let bytes = 0;
    // Ends and terminators fall on all places around multiples of 64 KiB.
    for (let index = 0; index < 400; index += 1) {
      const length = index % 50 === 0 ? 65_534 + (index % 7) : 300 + index;
      const line = (index % 130 === 129 ? "é" : "e").padEnd(length, String(index));
      const terminator = terminators[index % 3] ?? "";
      text += line + terminator;
      bytes += Buffer.byteLength(line) + terminator.length;
      expected.push([line, bytes]);
    }
    text += "x\n";
    expected.push(["x", bytes + 2]);
    const all = Buffer.from(text);
    for (const size of [all.length, 256 * 1024, 65_536, 65_537, 10_001]) {
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
        all.subarray(index * size, (index + 1) * size),
      );
      assert.deepEqual(cut(pieces), expected, `pieces of ${size}`);
    }
  });

  it("stops at the limit and goes on from there", () => {
    const cutter = new LineCutter(0);
    cutter.push(Buffer.from("a\nb\nc\n"));
    const first: Line[] = [];
    cutter.take(first, 2);
    const second: Line[] = [];
    cutter.take(second, 2);
    assert.deepEqual([first.map(({ text }) => text), second.map(({ text }) => text)], [["a", "b"], ["c"]]);
  });
});
