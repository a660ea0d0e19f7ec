import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toPlugins } from "#operator/cluster/plugins.ts";

const INTEGRITY = `sha512-${"A".repeat(86)}==`;

describe("toPlugins", () => {
  it("looks into the image alone where nothing is added", () => {
    assert.deepEqual(toPlugins(), { images: [], archives: [], path: "/opt/headrace/plugins" });
  });

  it("gives each artifact a directory of its own, which changes with it", () => {
    const npm = { type: "npm" as const, url: "https://r/p.tgz", integrity: INTEGRITY };
    const of = (reference: string) =>
      toPlugins([
        { name: "jdbc", artifacts: [{ type: "image", reference, pullPolicy: "Always" }] },
        { name: "http", artifacts: [npm] },
      ]);
    const [before, after] = [of("r/jdbc:1"), of("r/jdbc:2")];
    const [image] = before.images;
    assert.match(image?.directory ?? "", /^\/opt\/headrace\/mounted\/jdbc\/[0-9a-f]{8}$/);
    assert.match(image?.volume ?? "", /^headrace-plugin-[0-9a-f]{8}$/);
    assert.deepEqual([image?.reference, image?.pullPolicy], ["r/jdbc:1", "Always"]);
    assert.match(before.archives[0]?.directory ?? "", /^\/opt\/headrace\/packages\/http\/[0-9a-f]{8}$/);
    assert.equal(before.path, `/opt/headrace/plugins,${image?.directory},${before.archives[0]?.directory}`);
    assert.notEqual(after.images[0]?.directory, image?.directory);
    assert.notEqual(after.images[0]?.volume, image?.volume);
    assert.deepEqual(after.archives, before.archives);
  });
});
