import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/versitygw");

/** Path of Versity's S3 gateway, an S3 server over a directory, built from `dev/versitygw` with Go if the cache does not have it. */
export async function buildVersitygw(): Promise<string> {
  const version = /versity\/versitygw (v[\d.]+)/.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${SOURCE}/go.mod does not require versitygw`);
  const args = [...QUICK_BUILD, "-ldflags=-s -w"];
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum"], [args, GO_ENV]);
  const program = {
    title: `build versitygw ${version}, an S3 server, with Go`,
    source: SOURCE,
    args: [...args, "github.com/versity/versitygw/cmd/versitygw"],
    name: "versitygw",
  };
  return join(await goBuild(program, join(cacheDir(), "versitygw", `${version}-${key}`)), "versitygw");
}
