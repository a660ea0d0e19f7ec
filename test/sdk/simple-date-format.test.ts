import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileDateFormat } from "@headrace/sdk";

const NOW = Date.UTC(2024, 0, 1);

function compile(pattern: string) {
  const format = compileDateFormat(pattern, NOW);
  assert.ok(!("fault" in format), pattern);
  return format;
}

describe("SimpleDateFormat", () => {
  const leap = 1_709_168_523_004;
  const written: readonly [string, number, string][] = [
    ["yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", leap, "2024-02-29T01:02:03.004Z"],
    ["EEE, d MMM yy h:mm a", leap, "Thu, 29 Feb 24 1:02 AM"],
    ["EEEE MMMM D k K u F W w", leap, "Thursday February 60 1 1 4 5 5 9"],
    ["G yyyy", -62_135_769_600_001, "BC 0001"],
    ["yyyy-MM-dd", -12_219_292_800_001, "1582-10-04"],
    ["yyyy-MM-dd", -12_219_292_800_000, "1582-10-15"],
    ["YYYY-'W'ww", Date.UTC(2024, 11, 30), "2025-W01"],
    ["''yy'o''clock'", leap, "'24o'clock"],
    ["z Z X", leap, "UTC +0000 Z"],
  ];
  for (const [pattern, millis, text] of written) {
    it(`writes ${text} by ${pattern}`, () => assert.equal(compile(pattern).write(millis), text));
  }

  const read: readonly [string, string, number | null][] = [
    ["yyyy-MM-dd", "2024-02-30", Date.UTC(2024, 2, 1)],
    ["yyyy-MM-dd", "0001-01-01", -62_135_769_600_000],
    ["yyyy-MM-dd", "2024-2-9 and more", Date.UTC(2024, 1, 9)],
    ["yyyyMMdd", "20240229", Date.UTC(2024, 1, 29)],
    ["yy", "45", Date.UTC(1945, 0, 1)],
    ["yy", "43", Date.UTC(2043, 0, 1)],
    ["d MMM yyyy h:mm a", "1 mar 2024 12:30 pm", Date.UTC(2024, 2, 1, 12, 30)],
    ["yyyy-MM-dd HH:mm Z", "2024-02-29 01:00 +0200", Date.UTC(2024, 1, 28, 23)],
    ["yyyy-MM-dd'T'HH:mmX", "2024-02-29T01:00-03:30", Date.UTC(2024, 1, 29, 4, 30)],
    ["yyyy-MM-dd", "29.02.2024", null],
    ["yyyy-MM-dd", "", null],
  ];
  for (const [pattern, text, millis] of read) {
    it(`reads ${JSON.stringify(text)} by ${pattern}`, () => assert.equal(compile(pattern).parse(text), millis));
  }

  it("refuses letters that mean nothing, and quotes without an end", () => {
    for (const pattern of ["bad", "yyyy'T", "XXXX"]) assert.ok("fault" in compileDateFormat(pattern), pattern);
  });
});
