import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { namedTests, tableRows, whyMissing } from "#support/named-tests.ts";

const read = (page: string) => readFileSync(join(repoRoot, page), "utf8");

for (const [page, least] of [
  ["docs/acceptance.md", 60],
  ["docs/acceptance-operator.md", 60],
  ["docs/migrating.md", 45],
] as const) {
  describe(`scenarios of ${page}`, () => {
    const rows = tableRows(read(page), 2);

    it("are rows, each of which names a test or says plainly why there is none", () => {
      assert.ok(rows.length >= least, `only ${rows.length} rows`);
      for (const [scenario, text = ""] of rows) {
        assert.ok(namedTests(text).length > 0 || /cannot apply: /.test(text), `${scenario}: ${text}`);
        assert.doesNotMatch(text, /pending/, scenario);
      }
    });

    it("name tests that exist, by their titles", () => {
      for (const [scenario, text = ""] of rows) {
        for (const reference of namedTests(text)) {
          assert.ok(reference.includes(" › "), `${scenario}: ${reference} is named without a title`);
          assert.equal(whyMissing(reference), null, scenario);
        }
      }
    });
  });
}

describe("the table of features in docs/migrating.md", () => {
  const rows = tableRows(read("docs/migrating.md"), 5);

  it("has no tick of ours without a test, and no test without a tick", () => {
    assert.ok(rows.length >= 40, `only ${rows.length} rows`);
    for (const [feature = "", ...cells] of rows) {
      const [strimzi = "", eventStreams = "", confluent = "", ours = ""] = cells;
      for (const cell of [strimzi, eventStreams, confluent]) assert.match(cell, /^([✓–]|\? \[\d+\])/, feature);
      assert.match(ours, /^[✓–]/, feature);
      assert.equal(namedTests(ours).length > 0, ours.startsWith("✓"), `${feature}: ${ours}`);
    }
  });

  it("names tests that exist", () => {
    for (const [feature = "", ...cells] of rows) {
      for (const reference of namedTests(cells.at(-1) ?? "")) assert.equal(whyMissing(reference), null, feature);
    }
  });
});
