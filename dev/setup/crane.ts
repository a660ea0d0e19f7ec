import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/crane");

/** Path of the program crane, which moves images to and from registries and can be a registry itself; built with Go if the cache does not have it. */
export async function buildCrane(): Promise<string> {
  const module = /go-containerregistry (v[\d.]+)/.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"));
  const version = module?.[1];
  if (version === undefined) throw new Error(`${SOURCE}/go.mod does not require crane`);
  const args = [...QUICK_BUILD, "-ldflags=-s -w"];
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum"], [args, GO_ENV]);
  const program = {
    title: `build crane ${version} with Go`,
    source: SOURCE,
    args: [...args, "github.com/google/go-containerregistry/cmd/crane"],
    name: "crane",
  };
  return join(await goBuild(program, join(cacheDir(), "crane", `${version}-${key}`)), "crane");
}
