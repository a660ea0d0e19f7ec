import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createCatalog } from "#runtime/herder/catalog.ts";

describe("catalog of plugins", () => {
  const aliases = ["org.x.FooSourceConnector"];
  const catalog = createCatalog([
    { class: "foo", type: "source", version: "1.9", aliases },
    { class: "foo", type: "source", version: "1.10", aliases },
    { class: "foo", type: "sink", version: "7", aliases: [] },
    { class: "unversioned", type: "sink", aliases: [] },
  ]);

  const versions: readonly (readonly [string, Record<string, string>, string | null])[] = [
    ["the latest", { "connector.class": "FooSource" }, "1.10"],
    ["what a range admits", { "connector.class": "foo", "connector.plugin.version": "[1.0,1.10)" }, "1.9"],
    ["none outside of a range", { "connector.class": "foo", "connector.plugin.version": "[2,)" }, null],
    ["none for a range that cannot be read", { "connector.class": "foo", "connector.plugin.version": "[" }, null],
    ["none of a plugin that has none", { "connector.class": "unversioned" }, null],
    ["none of a class that is not there", { "connector.class": "nope" }, null],
    ["none without a class", {}, null],
  ];
  for (const [what, config, version] of versions) {
    it(`knows which version a connector gets: ${what}`, () => assert.equal(catalog.versionOf(config), version));
  }
});
