import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Utf8Text } from "@headrace/sdk";
import type { LineCutter } from "#runtime/connectors/lines.ts";
import { type Line, openCutter } from "#support/line-cutter.ts";

/** The bytes come next, in as many reads as there is room for. */
function push(cutter: LineCutter<Line>, bytes: Buffer): void {
  for (let from = 0; from < bytes.length; ) {
    const read = bytes.copy(cutter.room(), 0, from);
    cutter.filled(read);
    from += read;
  }
}

/** Cuts pieces that come one after the other. */
function cut(pieces: readonly (string | Buffer)[], position = 0): [string, number][] {
  const cutter = openCutter(position);
  const lines: Line[] = [];
  for (const piece of pieces) {
    push(cutter, Buffer.from(piece));
    cutter.take(lines, 1_000);
  }
  // Read only now: lines stay as they are while more is read.
  return lines.map(({ text, end }) => [String(text.value), end]);
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
    const cutter = openCutter();
    push(cutter, Buffer.from("a\nb\nc\n"));
    const first: Line[] = [];
    cutter.take(first, 2);
    const second: Line[] = [];
    cutter.take(second, 2);
    assert.deepEqual([first.map(({ text }) => text.value), second.map(({ text }) => text.value)], [["a", "b"], ["c"]]);
  });

  it("decodes no text that is UTF-8, and replaces what is not", () => {
    const cutter = openCutter();
    const lines: Line[] = [];
    push(cutter, Buffer.from("grüße\nabc\n"));
    cutter.take(lines, 10);
    push(cutter, Buffer.from([0x78, 0xff, 0x0a, 0x79, 0x0a]));
    cutter.take(lines, 10);
    assert.deepEqual(
      lines.map(({ text, end }) => [text instanceof Utf8Text, text.value, end]),
      [
        [true, "grüße", 8],
        [true, "abc", 12],
        [false, "x\ufffd", 15],
        [false, "y", 17],
      ],
    );
  });

  it("asks for room again without losing what is not complete", () => {
    const cutter = openCutter();
    const lines: Line[] = [];
    push(cutter, Buffer.concat([Buffer.from("a\nbc\r"), Buffer.alloc(200 * 1024, "d"), Buffer.from("\re\r")]));
    cutter.take(lines, 10);
    // A read that brings nothing, at the end of a file.
    cutter.room();
    cutter.take(lines, 10);
    cutter.room();
    push(cutter, Buffer.from("\nf\n"));
    cutter.take(lines, 10);
    assert.deepEqual(
      lines.map(({ text, end }) => [String(text.value).slice(0, 3), end]),
      [
        ["a", 2],
        ["bc", 5],
        ["ddd", 204_806],
        ["e", 204_809],
        ["f", 204_811],
      ],
    );
  });

  it("reads again into blocks whose lines were all released, and into no other", () => {
    const cutter = openCutter();
    const block = 256 * 1024;
    /** As many lines as fill a block, but for one byte. */
    const fill = (letter: string) => {
      const lines: Line[] = [];
      const text = letter.repeat(1023);
      push(cutter, Buffer.from(`${`${text}\n`.repeat(block / 1024 - 1)}${letter.repeat(1022)}\n`));
      cutter.take(lines, 1_000);
      return lines.map(({ text }) => ({ value: text }));
    };
    const memoryOf = (lines: ReturnType<typeof fill>) => {
      const text = lines[0]?.value;
      return text instanceof Utf8Text ? text.bytes.buffer : null;
    };
    const first = fill("a");
    const second = fill("b");
    const [memory, kept] = [memoryOf(first), memoryOf(second)];
    cutter.release(first.slice(0, 100));
    assert.notEqual(memoryOf(fill("c")), memory);
    assert.ok(first.slice(100).every(({ value }) => String(value.value).startsWith("aaa")));
    cutter.release(first.slice(100));
    const later = [fill("d"), fill("e")];
    assert.equal(later.map(memoryOf).filter((each) => each === memory).length, 1);
    assert.ok(!later.map(memoryOf).includes(kept));
    assert.ok(second.every(({ value }) => /^b+$/.test(String(value.value))));
  });

  it("keeps lines as they are until they are released, also while blocks are used again", () => {
    const cutter = openCutter();
    const inFlight: { readonly value: Line["text"]; readonly expected: string }[] = [];
    const blocks = new Set<ArrayBufferLike>();
    let last: Buffer | null = null;
    let reads = 0;
    for (let number = 0, written = 0; written < 10_000_000; ) {
      const expected: string[] = [];
      while (expected.length < 300) {
        number += 1;
        // Short and long ones, now and then longer than a block, now and then other than ASCII.
        const length = number % 9_770 === 0 ? 300_000 : (number * 7919) % 1500;
        expected.push(`${number} ${(number % 5 === 0 ? "ü" : "u").repeat(length)}`);
      }
      const bytes = Buffer.from(expected.map((line, index) => `${line}${index % 3 === 0 ? "\r\n" : "\n"}`).join(""));
      written += bytes.length;
      const lines: Line[] = [];
      for (let from = 0; from < bytes.length; ) {
        const read = bytes.copy(cutter.room(), 0, from);
        cutter.filled(read);
        cutter.take(lines, 1_000);
        from += read;
      }
      assert.equal(lines.length, expected.length);
      for (const [index, { text }] of lines.entries()) {
        inFlight.push({ value: text, expected: expected[index] ?? "" });
        if (!(text instanceof Utf8Text)) continue;
        if (text.bytes !== last) reads += 1;
        last = text.bytes;
        blocks.add(text.bytes.buffer);
      }
      const released = inFlight.splice(0, Math.max(0, inFlight.length - 2_000));
      for (const { value, expected: text } of released) assert.equal(value.value, text);
      cutter.release(released);
    }
    assert.ok(blocks.size < reads / 2, `${blocks.size} blocks for ${reads} reads`);
  });
});
