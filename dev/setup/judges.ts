import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/judges");
const NAMES = ["flux", "lua", "olm"] as const;
const ARGS = [...QUICK_BUILD, "-ldflags=-s -w"];

/**
 * Path of one of the small programs around other projects' Go libraries, which tell what those projects would make of our files: OLM's validators of
 * bundles, Argo CD's engine of Lua scripts, Flux's health checks. All are built from `dev/judges` with Go if the cache does not have them.
 */
export async function buildJudge(name: (typeof NAMES)[number]): Promise<string> {
  const files = ["go.mod", "go.sum", "answering/answering.go", ...NAMES.map((one) => `${one}/main.go`)];
  const key = await goBuildKey(SOURCE, files, [ARGS, GO_ENV]);
  const program = {
    title: "build the judges of OLM, Argo CD and Flux with Go",
    source: SOURCE,
    args: [...ARGS, ...NAMES.map((one) => `./${one}`)],
    // All into one directory, each under its own name.
    name: "",
  };
  return join(await goBuild(program, join(cacheDir(), "judges", key)), name);
}
