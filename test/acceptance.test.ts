import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";

interface Row {
  readonly scenario: string;
  /** `file › title` references, as they stand in backquotes. */
  readonly references: readonly string[];
  readonly text: string;
}

const rows = readRows(readFileSync(join(repoRoot, "docs/acceptance.md"), "utf8"));

function readRows(page: string): readonly Row[] {
  return page.split("\n").flatMap((line) => {
    const [, scenario, text, rest] = /^\| (.+?) \| (.+) \|(.*)$/.exec(line) ?? [];
    if (scenario === undefined || text === undefined || rest !== "" || scenario === "Scenario") return [];
    return [{ scenario, text, references: [...text.matchAll(/`(test\/[^`]+)`/g)].flatMap(([, found]) => found ?? []) }];
  });
}

describe("docs/acceptance.md", () => {
  it("has rows, each of which names a test or says plainly why there is none", () => {
    assert.ok(rows.length >= 60, `only ${rows.length} rows`);
    for (const { scenario, text, references } of rows) {
      assert.ok(references.length > 0 || /cannot apply: /.test(text), `${scenario}: ${text}`);
      assert.doesNotMatch(text, /pending/, scenario);
    }
  });

  it("names tests that exist, by their titles", () => {
    for (const { scenario, references } of rows) {
      for (const reference of references) {
        const [file = "", title] = reference.split(" › ");
        assert.ok(existsSync(join(repoRoot, file)), `${scenario}: ${file} is not there`);
        assert.ok(title !== undefined, `${scenario}: ${file} is named without a title`);
        assert.ok(
          readFileSync(join(repoRoot, file), "utf8").includes(title),
          `${scenario}: ${file} has no test called ${title}`,
        );
      }
    }
  });
});
