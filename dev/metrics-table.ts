import { readFileSync, writeFileSync } from "node:fs";
import { metricsTable } from "#runtime/metrics/families.ts";

/** Writes the table of docs/metrics.md anew from the declaration: `node --conditions=source dev/metrics-table.ts`. */
const page = new URL("../docs/metrics.md", import.meta.url);
const BEGIN = "<!-- table: written by dev/metrics-table.ts -->";
const END = "<!-- end of table -->";
const text = readFileSync(page, "utf8");
const [before] = text.split(BEGIN);
const [, after] = text.split(END);
if (before === undefined || after === undefined) throw new Error(`${page} has no ${BEGIN} … ${END}`);
writeFileSync(page, `${before}${BEGIN}\n${metricsTable()}\n${END}${after}`);
