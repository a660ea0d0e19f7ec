import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";

const goMod = (module: string) => readFileSync(join(repoRoot, "dev", module, "go.mod"), "utf8");

/** Modules and their versions, of all that a go.mod requires. */
const required = (text: string) =>
  new Map(
    [...text.matchAll(/^(?:require )?\t?(\S+\.\S+) (v\S+)/gm)].map(([, name = "", version = ""]) => [name, version]),
  );

describe("the Go modules of tools", () => {
  for (const module of ["helm", "judges", "node"])
    it(`dev/${module} has what it shares with dev/kubernetes in the same versions, so that it is compiled once`, () => {
      const kubernetes = required(goMod("kubernetes"));
      const text = goMod(module);
      const [, block = ""] = /^\/\/ As dev\/kubernetes has them.*\nreplace \(\n([^)]*)\)/m.exec(text) ?? [];
      const replaced = [...block.matchAll(/^\t(\S+) => (\S+) (v\S+)$/gm)];
      assert.ok(replaced.length > 0);
      for (const [, name = "", by, version] of replaced) assert.deepEqual([by, version], [name, kubernetes.get(name)]);
      // What others need of these two is most of what there is to compile.
      for (const name of ["k8s.io/api", "k8s.io/client-go", "google.golang.org/protobuf"]) {
        const own = replaced.find(([, one]) => one === name)?.[3] ?? required(text).get(name);
        assert.equal(own, kubernetes.get(name), name);
      }
    });
});
