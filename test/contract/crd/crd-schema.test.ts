import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { customResourceDefinitions } from "../../../contract/scripts/crd-definitions.ts";
import { toStructuralSchema } from "../../../contract/scripts/crd-schema.ts";

/** Paths of all nodes below `node` that break a rule of structural schemas or have no description. */
function faults(node: unknown, path: string, described: boolean): readonly string[] {
  const parsed = z.looseObject({}).parse(node);
  const found: string[] = [];
  const free = parsed["x-kubernetes-preserve-unknown-fields"] === true || parsed["x-kubernetes-int-or-string"] === true;
  if (parsed["type"] === undefined && !free) found.push(`${path}: no type`);
  if (parsed["anyOf"] !== undefined && parsed["x-kubernetes-int-or-string"] !== true) found.push(`${path}: anyOf`);
  if (described && parsed["description"] === undefined) found.push(`${path}: no description`);
  const properties = z.record(z.string(), z.unknown()).optional().parse(parsed["properties"]);
  for (const [name, child] of Object.entries(properties ?? {})) found.push(...faults(child, `${path}.${name}`, true));
  if (parsed["items"] !== undefined) found.push(...faults(parsed["items"], `${path}[]`, false));
  const values = parsed["additionalProperties"];
  if (values !== undefined) found.push(...faults(values, `${path}{}`, false));
  if (properties !== undefined && values !== undefined) found.push(`${path}: properties and additionalProperties`);
  return found;
}

const Definition = z.object({
  spec: z.object({
    versions: z.array(
      z.object({
        schema: z.object({
          openAPIV3Schema: z.object({ properties: z.object({ spec: z.looseObject({}), status: z.looseObject({}) }) }),
        }),
      }),
    ),
  }),
});

describe("toStructuralSchema", () => {
  it("keeps unknown fields of open objects", () => {
    assert.deepEqual(toStructuralSchema(z.looseObject({})), {
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
    });
  });

  it("drops the bounds that zod gives to every integer", () => {
    assert.deepEqual(toStructuralSchema(z.int()), { type: "integer", format: "int64" });
    assert.deepEqual(toStructuralSchema(z.int().min(1)), { type: "integer", format: "int64", minimum: 1 });
  });

  it("does not require what has a default", () => {
    const schema = toStructuralSchema(z.object({ a: z.string(), b: z.int().default(1), c: z.string().optional() }));
    assert.deepEqual(schema["required"], ["a"]);
  });
});

describe("customResourceDefinitions", () => {
  for (const [name, definition] of customResourceDefinitions()) {
    it(`${name} is structural and every field is described`, () => {
      for (const { schema } of Definition.parse(definition).spec.versions) {
        assert.deepEqual(faults(schema.openAPIV3Schema.properties.spec, "spec", true), []);
        assert.deepEqual(faults(schema.openAPIV3Schema.properties.status, "status", true), []);
      }
    });

    it(`${name} is what is committed in crds/`, async () => {
      const file = new URL(`../../../crds/${name}`, import.meta.url);
      assert.deepEqual(parse(await readFile(file, "utf8")), definition);
    });
  }
});
