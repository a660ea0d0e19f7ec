import { z } from "zod";

/** A node of an OpenAPI v3 schema, as JSON. */
export type SchemaNode = Record<string, unknown>;

/**
 * The structural OpenAPI v3 schema of a zod schema, as CustomResourceDefinitions want it.
 *
 * Differences to zod's own output: open objects keep unknown fields; the bounds that stand for "safe integer" go;
 * integers get a format; `x-headrace-schema` chooses one of the forms that zod cannot express.
 */
export function toStructuralSchema(schema: z.ZodType): SchemaNode {
  return {
    ...z.toJSONSchema(schema, {
      io: "input",
      target: "openapi-3.0",
      reused: "inline",
      override: ({ jsonSchema }) => rewrite(jsonSchema),
    }),
  };
}

/** Any scalar, but no non-empty map or list (structural schemas have no union of types). */
const SCALAR: SchemaNode = { "x-kubernetes-preserve-unknown-fields": true, maxProperties: 0, maxItems: 0 };

const QUANTITY: SchemaNode = {
  anyOf: [{ type: "integer" }, { type: "string" }],
  "x-kubernetes-int-or-string": true,
  pattern:
    "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
};

const FORMS: Readonly<Record<string, SchemaNode>> = { "scalar-map": SCALAR, "quantity-map": QUANTITY };

function rewrite(node: SchemaNode): void {
  const form = node["x-headrace-schema"];
  if (typeof form === "string") {
    const values = FORMS[form];
    if (values === undefined) throw new Error(`unknown x-headrace-schema: ${form}`);
    delete node["x-headrace-schema"];
    delete node["propertyNames"];
    node["additionalProperties"] = values;
    return;
  }
  if (node["type"] === "integer") rewriteInteger(node);
  const { properties } = node;
  if (isObject(properties) && node["additionalProperties"] !== undefined) {
    delete node["additionalProperties"];
    node["x-kubernetes-preserve-unknown-fields"] = true;
    if (Object.keys(properties).length === 0) delete node["properties"];
  }
}

function rewriteInteger(node: SchemaNode): void {
  if (node["minimum"] === Number.MIN_SAFE_INTEGER) delete node["minimum"];
  if (node["maximum"] === Number.MAX_SAFE_INTEGER) delete node["maximum"];
  node["format"] = "int64";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
