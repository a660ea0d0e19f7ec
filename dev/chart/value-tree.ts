import { z } from "zod";
import { ChartValues } from "./values.ts";

/** A value of the chart or a group of them, as JSON schema says it. */
export interface ValueNode {
  readonly name: string;
  readonly description: string;
  /** The values of a group; empty for a leaf. */
  readonly children: readonly ValueNode[];
  /** Default of a leaf. */
  readonly value: unknown;
  /** Type of a leaf, for people. */
  readonly type: string;
}

interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
}

/** `values.schema.json`. Helm checks values by it in install, upgrade, lint and template. */
export function valuesSchema(): object {
  const schema = z.toJSONSchema(ChartValues, { io: "input", target: "draft-7" });
  return {
    ...schema,
    title: "Values of the Headrace operator's chart",
    allOf: [
      {
        if: { properties: { leaderElection: { const: false } }, required: ["leaderElection"] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON schema
        then: { properties: { replicas: { maximum: 1 } } },
      },
      {
        if: {
          properties: { watch: { properties: { mode: { const: "listed" } }, required: ["mode"] } },
          required: ["watch"],
        },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON schema
        then: { properties: { watch: { properties: { namespaces: { minItems: 1 } }, required: ["namespaces"] } } },
      },
    ],
  };
}

/** All values of the chart, groups and leaves, in the order of their declaration. Throws for a value without default or description. */
export function valueTree(): readonly ValueNode[] {
  const schema: SchemaNode = JSON.parse(
    JSON.stringify(z.toJSONSchema(ChartValues, { io: "input", target: "draft-7" })),
  );
  return children(schema, "");
}

function children(schema: SchemaNode, path: string): readonly ValueNode[] {
  return Object.entries(schema.properties ?? {}).map(([name, node]) => toNode(name, node, `${path}.${name}`));
}

function toNode(name: string, node: SchemaNode, path: string): ValueNode {
  const { description } = node;
  if (description === undefined) throw new Error(`the value ${path} has no description`);
  const isGroup = node.additionalProperties === false && node.default === undefined;
  if (isGroup) return { name, description, children: children(node, path), value: undefined, type: "group" };
  if (node.default === undefined) throw new Error(`the value ${path} has no default`);
  return { name, description, children: [], value: node.default, type: typeOf(node) };
}

function typeOf(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.join(" \\| ");
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" \\| ");
  if (node.type === "array") return "list";
  return node.type ?? "any";
}
