import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "./transforms/random.ts";
import { CONVERTER_CLASSES, randomDecodeCase, randomEncodeCase } from "./transforms/random-cases.ts";
import { compareCases, showDifferences, summarize } from "./transforms/run.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES_EACH = 200;

/** JSON and header text have more to get wrong than eight bytes. */
const weightOf = (name: string) => (/Json|Header/.test(name) ? 5 : 1);

describe(`converters give what Apache's own give, data, bytes and failures (HEADRACE_SEED=${SEED})`, () => {
  const compare = (make: typeof randomEncodeCase, signal: AbortSignal) => {
    const random = new Random(SEED);
    const cases = CONVERTER_CLASSES.flatMap((name) =>
      Array.from({ length: CASES_EACH * weightOf(name) }, () => make(random, name)),
    );
    return compareCases(cases, signal);
  };

  it("from data to bytes", { timeout: 600_000 }, async (t) => {
    const comparison = await compare(randomEncodeCase, t.signal);
    t.diagnostic(summarize("converters: data to bytes", comparison));
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });

  it("from bytes to data", { timeout: 600_000 }, async (t) => {
    const comparison = await compare(randomDecodeCase, t.signal);
    t.diagnostic(summarize("converters: bytes to data", comparison));
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });
});
