import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey } from "./go-build.ts";

/** Small programs of ours around other projects' Go libraries, which tell what those projects would make of our files. */
const TITLES = {
  olm: "OLM's validators of bundles",
  lua: "Argo CD's engine of Lua scripts",
  flux: "Flux's health checks",
} as const;

/** Path of the program, built from `dev/<name>` with Go if the cache does not have it. */
export async function buildJudge(name: keyof typeof TITLES): Promise<string> {
  const source = join(repoRoot, "dev", name);
  const args = ["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-N -l", "-ldflags=-s -w"];
  const key = await goBuildKey(source, ["go.mod", "go.sum", "main.go"], [args, GO_ENV]);
  const program = { title: `build ${TITLES[name]} with Go`, source, args: [...args, "."], name };
  return join(await goBuild(program, join(cacheDir(), name, key)), name);
}
