import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, repoRoot } from "../cache.ts";
import { GO_ENV, goBuild, goBuildKey, QUICK_BUILD } from "./go-build.ts";

const SOURCE = join(repoRoot, "dev/helm");

/** Path of the Helm program, built from `dev/helm` with Go if the cache does not have it. */
export async function buildHelm(): Promise<string> {
  const version = /helm\.sh\/helm\/v3 (v[\d.]+)/.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${SOURCE}/go.mod does not require Helm`);
  const args = [...QUICK_BUILD, `-ldflags=${linkerFlags(version)}`];
  const key = await goBuildKey(SOURCE, ["go.mod", "go.sum"], [args, GO_ENV]);
  const program = {
    title: `build Helm ${version} with Go`,
    source: SOURCE,
    args: [...args, "helm.sh/helm/v3/cmd/helm"],
    name: "helm",
  };
  return join(await goBuild(program, join(cacheDir(), "helm", `${version}-${key}`)), "helm");
}

/** Helm's version, and that of the Kubernetes that charts are rendered for when no cluster is asked. */
function linkerFlags(version: string): string {
  const values = {
    "helm.sh/helm/v3/internal/version.version": version,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "34",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "34",
  };
  return ["-s", "-w", ...Object.entries(values).map(([name, value]) => `-X ${name}=${value}`)].join(" ");
}
