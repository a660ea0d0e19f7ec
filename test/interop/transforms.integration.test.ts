import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "./transforms/random.ts";
import {
  PREDICATE_NAMES,
  randomPredicateCase,
  randomTransformCase,
  TRANSFORM_NAMES,
} from "./transforms/random-cases.ts";
import { compareCases, showDifferences, summarize } from "./transforms/run.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES_EACH = 250;

describe(`transforms and predicates give what Apache's own give, records and failures (HEADRACE_SEED=${SEED})`, () => {
  it("on the same generated records", { timeout: 600_000 }, async (t) => {
    const random = new Random(SEED);
    const cases = [
      ...TRANSFORM_NAMES.flatMap((name) => Array.from({ length: CASES_EACH }, () => randomTransformCase(random, name))),
      ...PREDICATE_NAMES.flatMap((name) => Array.from({ length: CASES_EACH }, () => randomPredicateCase(random, name))),
    ];
    const comparison = await compareCases(cases, t.signal);
    t.diagnostic(summarize("transforms and predicates", comparison));
    assert.ok(comparison.inputs >= cases.length * 2);
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });
});
