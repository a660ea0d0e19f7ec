import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import debezium from "@headrace/debezium";
import { debeziumJars } from "#dev/setup/debezium.ts";
import type { Case } from "./transforms/cases.ts";
import { cloudEventsCase, extractionCase, routingCase } from "./transforms/debezium-cases.ts";
import { Random } from "./transforms/random.ts";
import { compareCases, showDifferences, summarize } from "./transforms/run.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20240607);
const CASES = 250;

describe(`Debezium's transforms give what Debezium's own give (HEADRACE_SEED=${SEED})`, () => {
  let jars = "";
  before(async () => {
    jars = `${await debeziumJars()}/*`;
  });

  async function compare(make: (random: Random) => Case, signal: AbortSignal) {
    const random = new Random(SEED);
    return await compareCases(
      Array.from({ length: CASES }, () => make(random)),
      signal,
      { jars: [jars], plugins: debezium },
    );
  }

  it("ExtractNewRecordState", { timeout: 600_000 }, async (t) => {
    const comparison = await compare(extractionCase, t.signal);
    t.diagnostic(summarize("ExtractNewRecordState", comparison));
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });

  it("the outbox's EventRouter", { timeout: 600_000 }, async (t) => {
    const comparison = await compare(routingCase, t.signal);
    t.diagnostic(summarize("EventRouter", comparison));
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });

  it("the converter of CloudEvents", { timeout: 600_000 }, async (t) => {
    const comparison = await compare(cloudEventsCase, t.signal);
    t.diagnostic(summarize("CloudEventsConverter", comparison));
    assert.equal(comparison.unexpected.length, 0, showDifferences(comparison.unexpected));
  });
});
