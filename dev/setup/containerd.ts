import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/containerd");
const MODULE = "github.com/containerd/containerd/v2";
const PROGRAMS = ["containerd", "containerd-shim-runc-v2", "ctr"] as const;
/** What no node here uses and what takes long to compile, or needs C. */
const TAGS = ["no_btrfs", "no_devmapper", "no_zfs"].join();

/**
 * The directory of containerd 2, its shim and its client, built from `dev/containerd` with Go if the cache does not have them. Debian's containerd is
 * too old for volumes of type `image`.
 */
export async function buildContainerd(): Promise<string> {
  const version = new RegExp(`${MODULE} (v[\\d.]+)`).exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${SOURCE}/go.mod does not require containerd`);
  const linkerFlags = `-s -w -X ${MODULE}/version.Version=${version}`;
  const args = [...QUICK_BUILD, `-tags=${TAGS}`, `-ldflags=${linkerFlags}`];
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum"], [args, GO_ENV, PROGRAMS]);
  const program = {
    title: `build containerd ${version} with Go`,
    source: SOURCE,
    args: [...args, ...PROGRAMS.map((name) => `${MODULE}/cmd/${name}`)],
    // All into one directory, each under its own name.
    name: "",
  };
  return await goBuild(program, join(cacheDir(), "containerd", `${version}-${key}`));
}
