import { stringify } from "yaml";
import type { ValueNode } from "./value-tree.ts";

const WIDTH = 120;

/** `values.yaml`: every value with its description as a comment and its default. */
export function toValuesYaml(nodes: readonly ValueNode[]): string {
  return nodes.map((node) => valueLines(node, "")).join("\n");
}

function valueLines(node: ValueNode, indent: string): string {
  const comment = wrap(node.description, WIDTH - indent.length - 2)
    .map((line) => `${indent}# ${line}\n`)
    .join("");
  if (node.children.length === 0) {
    const text = stringify({ [node.name]: node.value }, { lineWidth: 0 }).trimEnd();
    return `${comment}${text.replace(/^/gm, indent)}\n`;
  }
  return `${comment}${indent}${node.name}:\n${node.children.map((child) => valueLines(child, `${indent}  `)).join("")}`;
}

/** The README's table: one row for each leaf. */
export function toValuesTable(nodes: readonly ValueNode[]): string {
  return `| Value | Type | Default | What it is |\n|---|---|---|---|\n${rows(nodes, "").join("")}`;
}

function rows(nodes: readonly ValueNode[], prefix: string): readonly string[] {
  return nodes.flatMap((node) => {
    const path = `${prefix}${node.name}`;
    if (node.children.length > 0) return rows(node.children, `${path}.`);
    const value = node.value === "" ? "" : `\`${JSON.stringify(node.value)}\``;
    return [`| \`${path}\` | ${node.type} | ${value} | ${node.description} |\n`];
  });
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
