import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type SchemaAndValue, Utf8Text } from "@headrace/sdk";
import fc from "fast-check";
import { type Line, openCutter } from "#support/line-cutter.ts";

const BLOCK = 256 * 1024;

interface Expected {
  readonly text: string;
  readonly end: number;
}

/** Some lines that are alike. */
interface Stretch {
  readonly unit: Buffer;
  readonly bytes: number;
  readonly ending: string;
  readonly times: number;
}

const units = ["a", "grüße ", "馬", "😀"].map((text) => Buffer.from(text));
units.push(Buffer.from([0xff]), Buffer.from([0x62, 0xc3]), Buffer.from([0xef, 0xbb, 0xbf]));

const stretch: fc.Arbitrary<Stretch> = fc.record({
  unit: fc.constantFrom(...units),
  bytes: fc.oneof(
    { weight: 4, arbitrary: fc.nat(300) },
    { weight: 2, arbitrary: fc.nat(40_000) },
    { weight: 1, arbitrary: fc.integer({ min: BLOCK / 2, max: 3 * BLOCK }) },
  ),
  ending: fc.constantFrom("\n", "\n", "\r\n", "\r"),
  times: fc.nat(60),
});

/** What happens next: bytes come, lines are taken, or a batch of lines is released. */
const step = fc.record({
  read: fc.oneof(fc.nat(2_000), fc.nat(BLOCK)),
  limit: fc.integer({ min: 1, max: 400 }),
  release: fc.nat(8),
  ahead: fc.boolean(),
});

function fileOf(stretches: readonly Stretch[]): Buffer {
  const parts: Buffer[] = [];
  let number = 0;
  for (const { unit, bytes, ending, times } of stretches) {
    // Long lines come alone.
    for (let time = 0; time <= (bytes > 1_000 ? times % 4 : times); time += 1) {
      number += 1;
      parts.push(Buffer.from(`${number}`), Buffer.alloc(bytes, unit), Buffer.from(ending));
    }
  }
  return Buffer.concat(parts);
}

/** Byte by byte. */
function linesOf(file: Buffer): Expected[] {
  const lines: Expected[] = [];
  let start = 0;
  for (let at = 0; at < file.length; at += 1) {
    if (file[at] !== 10 && file[at] !== 13) continue;
    const text = file.toString("utf8", start, at);
    if (file[at] === 13) {
      if (at + 1 === file.length) break;
      if (file[at + 1] === 10) at += 1;
    }
    start = at + 1;
    lines.push({ text, end: start });
  }
  return lines;
}

describe("lines of any file, however they are read and released", () => {
  it("are those of the file for as long as they are not released", () => {
    const histories = fc.tuple(
      fc.array(stretch, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(step),
      fc.boolean(),
    );
    fc.assert(
      fc.property(histories, ([stretches, steps, releases]) => {
        const file = fileOf(stretches);
        const expected = linesOf(file);
        const cutter = openCutter();
        const held: { readonly lines: readonly { readonly value: SchemaAndValue }[]; readonly from: number }[] = [];
        const check = ({ lines, from }: (typeof held)[number]) => {
          for (const [index, { value }] of lines.entries()) {
            if (value.value !== expected[from + index]?.text) assert.fail(`line ${from + index} has changed`);
          }
        };
        let given = 0;
        let read = 0;
        const fill = (room: Buffer, most: number) => {
          const count = file.copy(room.subarray(0, most + 1), 0, read);
          read += count;
          return count;
        };
        let ahead: number | null = null;
        for (const { read: most, limit, release, ahead: reads } of steps) {
          const lines: Line[] = [];
          cutter.take(lines, limit);
          if (ahead === null && lines.length > 0 && reads) ahead = fill(cutter.roomAhead(), most);
          if (lines.length < limit && ahead !== null) {
            cutter.filledAhead(ahead);
            ahead = null;
            cutter.take(lines, limit);
          } else if (lines.length === 0) {
            if (read === file.length) break;
            cutter.filled(fill(cutter.room(), most));
            cutter.take(lines, limit);
          }
          if (lines.length > 0) {
            assert.deepEqual(
              lines.map(({ end }) => end),
              expected.slice(given, given + lines.length).map(({ end }) => end),
            );
            held.push({ lines: lines.map(({ text }) => ({ value: text })), from: given });
            given += lines.length;
          }
          // In any order, as partitions settle.
          const [batch] = releases && held.length > 4 ? held.splice(release % held.length, 1) : [];
          if (batch === undefined) continue;
          check(batch);
          cutter.release(batch.lines);
          if (release === 0 && ahead === null) cutter.shrink();
        }
        for (const batch of held) check(batch);
        assert.equal(given, expected.length);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  it("need no large memory any more once a long one is through", () => {
    const cutter = openCutter();
    const lines: Line[] = [];
    const push = (bytes: Buffer) => {
      for (let from = 0; from < bytes.length; ) {
        const room = cutter.room();
        assert.ok(room.length <= BLOCK, "reads stay small");
        const count = bytes.copy(room, 0, from);
        cutter.filled(count);
        from += count;
        cutter.take(lines, 1_000);
      }
    };
    push(Buffer.alloc(8 * BLOCK, "x"));
    push(Buffer.from("\nshort\n"));
    push(Buffer.from("after\n"));
    const last = lines.at(-1)?.text;
    assert.ok(last instanceof Utf8Text);
    assert.equal(last.value, "after");
    assert.ok(last.bytes.buffer.byteLength < 1.1 * BLOCK);
  });

  it("of any length are copied a few times only while they are read ahead, and keep no large memory", () => {
    const cutter = openCutter();
    const memories = new Set<ArrayBufferLike>();
    const push = (bytes: Buffer) => cutter.filledAhead(bytes.copy(cutter.roomAhead()));
    for (let piece = 0; piece < 64; piece += 1) {
      push(Buffer.alloc(BLOCK, "x"));
      memories.add(cutter.room().buffer);
    }
    assert.ok(memories.size <= 8, `${memories.size} times in another place`);
    push(Buffer.from("\nshort\n"));
    push(Buffer.from("after\n"));
    const lines: Line[] = [];
    cutter.take(lines, 10);
    assert.deepEqual(
      lines.map(({ end }) => end),
      [64 * BLOCK + 1, 64 * BLOCK + 7, 64 * BLOCK + 13],
    );
    push(Buffer.from("last\n"));
    cutter.take(lines, 10);
    const last = lines.at(-1)?.text;
    assert.ok(last instanceof Utf8Text);
    assert.equal(last.value, "last");
    assert.ok(last.bytes.buffer.byteLength < 1.1 * BLOCK);
  });

  it("leave no memory behind where nothing more comes", () => {
    const cutter = openCutter();
    const fill = () => {
      const lines: Line[] = [];
      cutter.filled(Buffer.alloc(BLOCK, "x\n").copy(cutter.room()));
      cutter.take(lines, BLOCK);
      return lines.map(({ text }) => ({ value: text }));
    };
    const memoryOf = ([record]: ReturnType<typeof fill>) =>
      record?.value instanceof Utf8Text ? record.value.bytes.buffer : null;
    const first = fill();
    const second = fill();
    cutter.release(first);
    cutter.shrink();
    const third = fill();
    assert.ok(memoryOf(third) !== null && memoryOf(third) !== memoryOf(first) && memoryOf(third) !== memoryOf(second));
  });

  it("are released once", () => {
    const cutter = openCutter();
    cutter.filled(Buffer.from("a\n").copy(cutter.room()));
    const lines: Line[] = [];
    cutter.take(lines, 10);
    const records = lines.map(({ text }) => ({ value: text }));
    cutter.release(records);
    assert.throws(() => cutter.release(records), /released twice/);
  });
});
