import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { repoRoot } from "#dev/cache.ts";
import { toValuesTable, toValuesYaml } from "#dev/chart/texts.ts";
import { type ValueNode, valueTree } from "#dev/chart/value-tree.ts";
import { ChartValues } from "#dev/chart/values.ts";

const LEAF: ValueNode = { name: "a", description: "What a is.", children: [], value: { b: ["c"] }, type: "object" };
const GROUP: ValueNode = { ...LEAF, name: "g", description: "A group.", children: [LEAF], value: undefined };

describe("values of the chart", () => {
  it("are all in values.yaml, which satisfies the declaration", () => {
    const values: unknown = parse(readFileSync(join(repoRoot, "charts/headrace/values.yaml"), "utf8"));
    const parsed = ChartValues.parse(values);
    assert.deepEqual(parsed, values);
    assert.deepEqual(Object.keys(parsed).toSorted(), Object.keys(ChartValues.shape).toSorted());
  });

  it("have a description each, with an end", () => {
    const all = (nodes: readonly ValueNode[]): readonly ValueNode[] =>
      nodes.flatMap((node) => [node, ...all(node.children)]);
    for (const { name, description } of all(valueTree())) assert.match(description, /\.$/, name);
  });

  it("stand in YAML with their description as comment", () => {
    assert.equal(
      toValuesYaml([LEAF, GROUP]),
      "# What a is.\na:\n  b:\n    - c\n\n# A group.\ng:\n  # What a is.\n  a:\n    b:\n      - c\n",
    );
  });

  it("stand in the table with their whole path", () => {
    const row = 'object | `{"b":["c"]}` | What a is. |';
    const [, , ...rows] = toValuesTable([LEAF, GROUP]).trimEnd().split("\n");
    assert.deepEqual(rows, [`| \`a\` | ${row}`, `| \`g.a\` | ${row}`]);
  });
});
