import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { changelogSection, disagreements } from "#dev/release/versions.ts";

describe("disagreements", () => {
  it("names each place with another version, or none", () => {
    const places = [
      { file: "a", version: "1.0.0" },
      { file: "b", version: "0.9.0" },
      { file: "c", version: undefined },
    ];
    assert.deepEqual(disagreements("1.0.0", places), [
      "b has 0.9.0 instead of 1.0.0",
      "c has no version instead of 1.0.0",
    ]);
  });
});

describe("changelogSection", () => {
  const text =
    "# Changelog\n\n## Unreleased\n\n### Added\n- New.\n\n## [1.0.0] - 2026-01-01\n\n- First.\n\n## 1.0.0-rc.1\n\n- Try.\n";

  it("is that of the version, or what is unreleased", () => {
    assert.equal(changelogSection(text, "1.0.0"), "- First.\n");
    assert.equal(changelogSection(text, "1.0.0-rc.1"), "- Try.\n");
    assert.equal(changelogSection(text, "1.1.0"), "### Added\n- New.\n");
  });

  it("is there in our changelog", () => {
    assert.match(changelogSection(readFileSync(join(repoRoot, "CHANGELOG.md"), "utf8"), "99.0.0"), /^### Added\n/);
  });

  it("is never nothing", () => {
    assert.throws(() => changelogSection("# Changelog\n", "1.0.0"), /no section for 1\.0\.0/);
  });
});
