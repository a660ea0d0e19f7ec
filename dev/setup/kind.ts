import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/kind");
const MODULE = "sigs.k8s.io/kind";

/** Path of the program kind, built from `dev/kind` with Go if the cache does not have it. */
export async function buildKind(): Promise<string> {
  const version = new RegExp(`${MODULE} (v[\\d.]+)`).exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${SOURCE}/go.mod does not require kind`);
  const args = [...QUICK_BUILD, "-ldflags=-s -w"];
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum"], [args, GO_ENV]);
  const program = { title: `build kind ${version} with Go`, source: SOURCE, args: [...args, MODULE], name: "kind" };
  return join(await goBuild(program, join(cacheDir(), "kind", `${version}-${key}`)), "kind");
}
