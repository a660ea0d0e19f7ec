import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { describeKeys } from "#runtime/plugins/config-def.ts";
import type { PluginDefinition } from "#runtime/plugins/registry.ts";
import { repoRoot } from "./cache.ts";

/**
 * Writes the configuration tables into `connectors/<system>/README.md`, and those of the worker's own connectors into
 * `docs/built-in-connectors.md`, between `<!-- config: NAME -->` and `<!-- end -->`, from the very schemas that validate. With `--check` it writes nothing and fails if a table is stale or missing.
 */
const check = process.argv.includes("--check");
const stale: string[] = [];

for (const file of globSync("connectors/*/src/plugin.ts", { cwd: repoRoot }).toSorted()) {
  const module: { readonly default: readonly PluginDefinition[] } = await import(
    pathToFileURL(join(repoRoot, file)).href
  );
  refresh(join(repoRoot, file, "../../README.md"), module.default);
}
refresh(
  join(repoRoot, "docs/built-in-connectors.md"),
  BUILT_IN_PLUGINS.filter(({ kind }) => kind === "source" || kind === "sink"),
);
if (stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}; run \`npm run generate\` and commit the result`);
  process.exitCode = 1;
}

/** Writes the tables of these plugins into a page, or notes that it is stale. */
function refresh(page: string, definitions: readonly PluginDefinition[]): void {
  const current = readFileSync(page, "utf8");
  let text = current;
  for (const definition of definitions) {
    const place = new RegExp(`<!-- config: ${definition.name} -->[\\s\\S]*?<!-- end -->`);
    if (!place.test(text)) throw new Error(`${page} has no place for the table of ${definition.name}`);
    text = text.replace(place, () => `<!-- config: ${definition.name} -->\n${tableOf(definition)}<!-- end -->`);
  }
  if (text === current) return;
  if (check) stale.push(page);
  else writeFileSync(page, text);
}

function tableOf(definition: PluginDefinition): string {
  const rows = describeKeys(definition.config).map(({ info }) => {
    const fallback = info.required ? "required" : info.default_value === null ? "" : code(info.default_value);
    return `| \`${info.name}\` | ${info.type.toLowerCase()} | ${fallback} | ${escaped(info.documentation)} |\n`;
  });
  if (rows.length === 0) return "No keys of its own.\n";
  return `| Key | Type | Default | What it does |\n|---|---|---|---|\n${rows.join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function code(text: string): string {
  return text === "" ? "empty" : `\`${escaped(text)}\``;
}
