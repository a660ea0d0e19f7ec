import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "./cache.ts";

/**
 * `npm run check`: format, lint and import boundaries (Biome), types (packages, then tests and dev tools), generated files.
 * Runs all of them, then exits 1 if any failed.
 */
const checks: readonly (readonly [title: string, command: string, args: readonly string[]])[] = [
  ["format, lint, import boundaries", "biome", ["check", "--error-on-warnings", "."]],
  ["types of the packages", "tsc", ["-b"]],
  ["types of tests and dev tools", "tsc", ["-p", "test"]],
  ["generated files", process.execPath, ["--conditions=source", "contract/scripts/generate-crds.ts", "--check"]],
  ["the sdk's API report", process.execPath, ["--conditions=source", "sdk/scripts/api-report.ts", "--check"]],
  ["tables of the connectors", process.execPath, ["--conditions=source", "dev/connector-tables.ts", "--check"]],
  ["the bundle for OLM", process.execPath, ["--conditions=source", "dev/olm/generate.ts", "--check"]],
  ["Argo CD's configuration", process.execPath, ["--conditions=source", "dev/gitops/generate.ts", "--check"]],
  ["generated parts of the charts", process.execPath, ["--conditions=source", "dev/chart/generate.ts", "--check"]],
];

const env = { ...process.env, PATH: `${join(repoRoot, "node_modules/.bin")}:${process.env["PATH"] ?? ""}` };

if (!existsSync(join(repoRoot, "node_modules/.bin/biome"))) {
  console.error("dependencies are missing: run `make setup`");
  process.exit(1);
}

const failed = checks.filter(([title, command, args]) => {
  const started = performance.now();
  const { status, error } = spawnSync(command, [...args], { cwd: repoRoot, env, stdio: "inherit" });
  const ok = status === 0 && error === undefined;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.error(`${ok ? "✓" : "✗"} ${title} (${seconds} s)${error === undefined ? "" : `: ${error.message}`}`);
  return !ok;
});
process.exit(failed.length === 0 ? 0 : 1);
