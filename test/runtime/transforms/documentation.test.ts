import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";

const text = readFileSync(join(import.meta.dirname, "../../../docs/transforms.md"), "utf8");

describe("docs/transforms.md", () => {
  const listed = BUILT_IN_PLUGINS.filter((each) => ["transform", "predicate", "converter"].includes(each.kind));
  for (const plugin of listed) {
    it(`has ${plugin.name} with all its keys`, () => {
      const [alias = ""] = plugin.aliases ?? [];
      const simple = alias.slice(alias.lastIndexOf(".") + 1).replace(/\$.*/, "");
      const row = text.split("\n").find((line) => line.startsWith(`| \`${simple}\``));
      assert.ok(row !== undefined, `a row of ${simple}`);
      for (const key of Object.keys(plugin.config.shape)) assert.ok(row.includes(`\`${key}\``), `${simple}: ${key}`);
    });
  }
});
