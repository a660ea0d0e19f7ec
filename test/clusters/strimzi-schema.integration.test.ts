import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { strimziCrds } from "#dev/setup/strimzi.ts";

/** What of a structural schema says which values are good. */
const Schema = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  required: z.array(z.string()).default([]),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxItems: z.number().optional(),
  minLength: z.number().optional(),
  pattern: z.string().optional(),
  "x-kubernetes-preserve-unknown-fields": z.boolean().default(false),
  "x-kubernetes-int-or-string": z.boolean().default(false),
  get properties(): z.ZodOptional<z.ZodRecord<z.ZodString, typeof Schema>> {
    return z.optional(z.record(z.string(), Schema));
  },
  get items(): z.ZodOptional<typeof Schema> {
    return z.optional(Schema);
  },
  get additionalProperties(): z.ZodOptional<typeof Schema> {
    return z.optional(Schema);
  },
});
type Schema = z.infer<typeof Schema>;

const Definition = z.looseObject({
  spec: z.looseObject({
    names: z.looseObject({ plural: z.string() }),
    versions: z.array(z.looseObject({ name: z.string(), schema: z.object({ openAPIV3Schema: Schema }) })),
  }),
});

/** What is another thing here, and why. */
const DIFFERENT: readonly (readonly [difference: RegExp, reason: string])[] = [
  [/ has the minLength 1$/, "an empty text names nothing"],
  [/ has the maxItems \d+$/, "rules in CEL are for lists that have an end"],
  [/\[\]\.(name|value|mountPath) is required$/, "without it an entry says nothing"],
  [
    /(configMapKeyRef|configMapKeyRef\.(name|key)|ConfigMap\.name) is required$/,
    "without it a reference leads nowhere",
  ],
  [
    /^kafkaconnects\.spec\.(groupId|(config|offset|status)StorageTopic) is required$/,
    "Strimzi's operator asks for it as well, by itself, in resources of its v1",
  ],
  [/^kafkaconnects\.spec\.replicas has the (minimum 0|maximum 1000)$/, "a number of workers that there can be"],
  [
    /^kafkaconnects\.spec\.authentication\.type does not take oauth$/,
    "Strimzi's v1 has no oauth any more: it is custom",
  ],
  [
    /^kafkaconnects\.spec\.authentication\.(access|audience|client|connectT|disableTls|enableM|grantT|httpR|includeA|maxTokenE|readT|refreshT|saslE|scope|tlsT|tokenE)\w* is missing$/,
    "of oauth, as above",
  ],
  [/^kafkaconnects\.spec\.tracing\.type does not take jaeger$/, "Strimzi's v1 has no jaeger any more"],
  [/\.volumes\[\]\.name has to match /, "the API server would refuse the pods"],
  [/\.plugins\[\]\.name has to match /, "names of one letter are good, too"],
  [/\.sha512sum has to match /, "nothing else is such a sum"],
  [/\.pullPolicy does not take any text$/, "it takes those that Kubernetes has"],
  [/^kafkaconnectors\.spec\.class is required$/, "no connector is without one"],
  [/^kafkaconnectors\.spec\.autoRestart\.maxRestarts has the minimum 0$/, "there are no fewer restarts"],
  [/^\w+\.status\./, "nobody but the operator writes it; its fields are all there"],
];

/**
 * What a value that `theirs` takes could meet in `ours`: a field that is missing, of another type, or with fewer values. Each as a sentence that begins
 * with the path of the field.
 */
function differences(theirs: Schema, ours: Schema | undefined, path: string): readonly string[] {
  if (ours === undefined) return [`${path} is missing`];
  const found: string[] = [];
  const kind = (node: Schema) => (node["x-kubernetes-int-or-string"] ? "integer or string" : node.type);
  if (kind(theirs) !== kind(ours)) found.push(`${path} is ${kind(ours)}, there it is ${kind(theirs)}`);
  if (ours.enum !== undefined) {
    const fewer = theirs.enum?.filter((value) => !ours.enum?.includes(value)) ?? ["any text"];
    if (fewer.length > 0) found.push(`${path} does not take ${fewer.join(", ")}`);
  }
  if (ours.pattern !== undefined && ours.pattern !== theirs.pattern) found.push(`${path} has to match ${ours.pattern}`);
  for (const [bound, narrower] of [
    ["minimum", (here: number, there: number) => here > there],
    ["minLength", (here: number, there: number) => here > there],
    ["maximum", (here: number, there: number) => here < there],
    ["maxItems", (here: number, there: number) => here < there],
  ] as const) {
    const [here, there] = [ours[bound], theirs[bound]];
    if (here !== undefined && (there === undefined || narrower(here, there))) {
      found.push(`${path} has the ${bound} ${here}`);
    }
  }
  for (const field of ours.required) {
    if (!theirs.required.includes(field)) found.push(`${path}.${field} is required`);
  }
  const isOpen = ours["x-kubernetes-preserve-unknown-fields"];
  for (const [name, property] of Object.entries(theirs.properties ?? {})) {
    const own = ours.properties?.[name];
    if (own === undefined && isOpen) continue;
    found.push(...differences(property, own, `${path}.${name}`));
  }
  if (theirs.items !== undefined && !(ours.items === undefined && isOpen)) {
    found.push(...differences(theirs.items, ours.items, `${path}[]`));
  }
  if (theirs.additionalProperties !== undefined && !(ours.additionalProperties === undefined && isOpen)) {
    found.push(...differences(theirs.additionalProperties, ours.additionalProperties, `${path}.*`));
  }
  if (theirs["x-kubernetes-preserve-unknown-fields"] && !isOpen && ours.additionalProperties === undefined) {
    found.push(`${path} does not take what it does not know`);
  }
  return found;
}

/** Strimzi's own schemas, made by its own generator, beside ours: a resource of its v1 has to be one of ours. */
describe("Strimzi's v1 schemas", () => {
  const found: string[] = [];

  before(async () => {
    for (const document of parseAllDocuments(await strimziCrds("v1"))) {
      const theirs = Definition.parse(document.toJS());
      const { plural } = theirs.spec.names;
      const file = join(repoRoot, `crds/${plural}.headrace.dev.yaml`);
      const ours = Definition.parse(parse(readFileSync(file, "utf8")));
      const schema = ({ spec }: typeof ours) => spec.versions.find(({ name }) => name === "v1")?.schema.openAPIV3Schema;
      const there = schema(theirs) ?? assert.fail("no v1");
      for (const part of ["spec", "status"]) {
        const node = there.properties?.[part] ?? assert.fail(part);
        assert.ok(Object.keys(node.properties ?? {}).length > 3);
        found.push(...differences(node, schema(ours)?.properties?.[part], `${plural}.${part}`));
      }
    }
  });

  const listed = (difference: string) => DIFFERENT.filter(([pattern]) => pattern.test(difference));

  it("have no status whose fields, or their types, are others", () => {
    assert.deepEqual(
      found.filter((one) => /^\w+\.status\..*( is missing$|, there it is )/.test(one)),
      [],
    );
  });

  it("have no field that ours has not, nor one with other values, but those that are listed with a reason", () => {
    assert.deepEqual(
      found.filter((difference) => listed(difference).length === 0),
      [],
    );
  });

  it("differ in everything that is listed", () => {
    assert.deepEqual(
      DIFFERENT.filter(([pattern]) => !found.some((one) => pattern.test(one))).map(([pattern]) => pattern.source),
      [],
    );
  });
});
