import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inOrderOfNeed, publications, type ReleaseFiles } from "#dev/release/publication.ts";

const RELEASE: ReleaseFiles = {
  version: "1.2.3",
  commit: "c0ffee",
  out: "/out",
  images: ["operator"],
  charts: ["headrace"],
  packages: ["@headrace/sdk"],
  files: ["SHA256SUMS"],
};
const commandsOf = (...[release, targets]: Parameters<typeof publications>) =>
  publications(release, targets).map(({ publish: { program, args } }) => [program, ...args].join(" "));

describe("publications", () => {
  it("are those of the targets that are named, the release's page last", () => {
    const all = { images: "ghcr.io/a", charts: "ghcr.io/a/charts", npm: "https://registry.npmjs.org", github: "a/b" };
    assert.deepEqual(commandsOf(RELEASE, all), [
      "crane push /out/operator ghcr.io/a/operator:1.2.3",
      "helm push /out/headrace-1.2.3.tgz oci://ghcr.io/a/charts",
      "npm publish /out/headrace-sdk-1.2.3.tgz --access=public --registry=https://registry.npmjs.org",
      "gh release create v1.2.3 --repo=a/b --target=c0ffee --title=v1.2.3 --notes-file=/out/NOTES.md /out/SHA256SUMS",
    ]);
    assert.deepEqual(commandsOf(RELEASE, { npm: "https://registry.npmjs.org" }).length, 1);
  });

  it("of a version before a release are nobody's latest", () => {
    const [npm, github] = commandsOf(
      { ...RELEASE, version: "1.3.0-rc.1" },
      { npm: "https://r.example.com", github: "a/b" },
    );
    assert.match(npm ?? "", / --tag=next$/);
    assert.match(github ?? "", / --prerelease /);
  });

  it("go without TLS to this machine only", () => {
    assert.match(commandsOf(RELEASE, { charts: "127.0.0.1:5000/charts" })[0] ?? "", / --plain-http$/);
    assert.doesNotMatch(commandsOf(RELEASE, { charts: "localhost.example.com/charts" })[0] ?? "", /plain-http/);
  });
});

describe("inOrderOfNeed", () => {
  it("puts each after what it needs, and leaves out what is not ours", () => {
    const needs = new Map([
      ["@headrace/postgres", ["@headrace/sql", "pg"]],
      ["@headrace/sdk", ["zod"]],
      ["@headrace/sql", ["@headrace/sdk"]],
    ]);
    assert.deepEqual(inOrderOfNeed(needs), ["@headrace/sdk", "@headrace/sql", "@headrace/postgres"]);
  });
});
