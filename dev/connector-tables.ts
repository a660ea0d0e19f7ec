import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { describeKeys } from "#runtime/plugins/config-def.ts";
import type { PluginDefinition } from "#runtime/plugins/registry.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { repoRoot } from "./cache.ts";

/**
 * Writes the configuration tables into `connectors/<system>/README.md`, and those of the worker's own connectors into
 * `docs/built-in-connectors.md`, between `<!-- config: NAME -->` and `<!-- end -->`, from the very schemas that validate; into the README of the
 * SDK, which cases of the acceptance suites do not apply to a connector, and why. With `--check` it writes nothing and fails if a table is
 * stale or missing.
 */
const check = process.argv.includes("--check");
const stale: string[] = [];

for (const file of globSync("connectors/*/src/plugin.ts", { cwd: repoRoot }).toSorted()) {
  const module: { readonly default: readonly PluginDefinition[] } = await import(
    pathToFileURL(join(repoRoot, file)).href
  );
  refresh(join(repoRoot, file, "../../README.md"), configTables(module.default));
}
const builtIn = BUILT_IN_PLUGINS.filter(({ kind }) => kind === "source" || kind === "sink");
refresh(join(repoRoot, "docs/built-in-connectors.md"), configTables(builtIn));
refresh(join(repoRoot, "sdk/README.md"), new Map([["not applicable", reasonsTable()]]));
if (stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}; run \`npm run generate\` and commit the result`);
  process.exitCode = 1;
}

/** Writes tables into a page, each at the place of its name, or notes that the page is stale. */
function refresh(page: string, tables: ReadonlyMap<string, string>): void {
  const current = readFileSync(page, "utf8");
  let text = current;
  for (const [name, table] of tables) {
    const place = new RegExp(`<!-- ${name} -->[\\s\\S]*?<!-- end -->`);
    if (!place.test(text)) throw new Error(`${page} has no place for ${name}`);
    text = text.replace(place, () => `<!-- ${name} -->\n${table}<!-- end -->`);
  }
  if (text === current) return;
  if (check) stale.push(page);
  else writeFileSync(page, text);
}

function configTables(definitions: readonly PluginDefinition[]): ReadonlyMap<string, string> {
  return new Map(definitions.map((definition) => [`config: ${definition.name}`, tableOf(definition)]));
}

function reasonsTable(): string {
  const rows = Object.entries(NOT_APPLICABLE).flatMap(([suite, reasons]) =>
    Object.entries(reasons).map(([topic, why]) => `| ${suite} | \`${topic}\` | ${escaped(why)} |\n`),
  );
  return `| Connector | Does not apply | Why |\n|---|---|---|\n${rows.join("")}`;
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
