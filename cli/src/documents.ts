import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { isObject } from "@headrace/contract";
import { Document, isMap, parseAllDocuments, type Tags } from "yaml";
import { UserError } from "./errors.ts";

/** One document of a file. */
export interface SourceDocument {
  /** Its file, with the number of the document if there are several. */
  readonly source: string;
  /** The file's name without its ending. */
  readonly stem: string;
  readonly value: unknown;
}

const ENDINGS: ReadonlySet<string> = new Set([".yaml", ".yml", ".json"]);

/** Kubernetes reads YAML 1.1: `yes` is true and 0644 is octal. It knows no sexagesimal numbers and no times. */
const YAML = {
  version: "1.1",
  intAsBigInt: true,
  customTags: (tags: Tags): Tags =>
    tags.filter(
      (tag) =>
        typeof tag === "string" ||
        !(tag.tag === "tag:yaml.org,2002:timestamp" || ("format" in tag && tag.format === "TIME")),
    ),
} as const;

/** Reads files, all files in folders, and `-` for standard input. Throws UserError naming the file. */
export async function readDocuments(
  paths: readonly string[],
  readInput: () => Promise<string>,
): Promise<readonly SourceDocument[]> {
  const documents: SourceDocument[] = [];
  for (const path of paths.length === 0 ? ["-"] : paths) {
    if (path === "-") documents.push(...parseText("standard input", "connector", await readInput()));
    else for (const file of await filesOf(path)) documents.push(...(await readOne(file)));
  }
  return documents;
}

async function filesOf(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new UserError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && ENDINGS.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw new UserError(`${path} has no .yaml, .yml or .json file in it`);
  return files;
}

async function readOne(file: string): Promise<readonly SourceDocument[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new UserError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  return parseText(file, basename(file, extname(file)), text);
}

/** Parses YAML or JSON, of which there may be several documents. Empty documents are left out. */
export function parseText(source: string, stem: string, text: string): readonly SourceDocument[] {
  const parsed = parseAllDocuments(text, YAML);
  if (!Array.isArray(parsed)) return [];
  const documents = parsed.map((document, index) => {
    const place = parsed.length === 1 ? source : `${source} (document ${index + 1})`;
    const [error] = document.errors;
    if (error !== undefined) throw new UserError(`${place} is no YAML: ${error.message}`);
    return { source: place, stem, value: toJson(document.toJS({ maxAliasCount: 1000 })) };
  });
  return documents.filter(({ value }) => value !== null && value !== undefined);
}

/** Whole numbers become numbers again where a number can hold them. */
function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(toJson);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, toJson(child)]));
}

/** A document as YAML that Kubernetes reads as it is meant, with `comments` above it. */
export function toYaml(value: unknown, comments: readonly string[]): string {
  const document = new Document(value, { version: "1.1", aliasDuplicateObjects: false, customTags: YAML.customTags });
  if (comments.length > 0) {
    const comment = comments.map((line) => ` ${line}`).join("\n");
    if (isMap(document.contents)) document.contents.commentBefore = comment;
    else document.commentBefore = comment;
  }
  return document.toString({ lineWidth: 0, directives: false });
}
