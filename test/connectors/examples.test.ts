import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { type KafkaConnectorSpec, type StringMap, toConnectorConfig } from "@headrace/contract";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { createPluginRegistry, type PluginDefinition } from "#runtime/plugins/registry.ts";
import { validateConfig } from "#runtime/plugins/validate.ts";

/** Pages with parts of a connector's configuration, such as converters and transforms, for any class. */
const FRAGMENTS = /^(connectors\/.*\/README|docs\/converters)\.md$/;
/** The class that a reader of docs/writing-a-connector.md makes; writing-a-connector.integration.test.ts runs it. */
const MADE_BY_THE_READER = "sqlite-sink";

const Example = z.looseObject({
  kind: z.string().optional(),
  metadata: z.looseObject({ name: z.string().optional() }).optional(),
  spec: z.looseObject({
    class: z.string().optional(),
    tasksMax: z.int().optional(),
    version: z.string().optional(),
    config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  }),
});
type Example = z.infer<typeof Example>;

const globs = (...patterns: readonly string[]) => globSync([...patterns], { cwd: repoRoot }).toSorted();
const texts = [
  ...globs("connectors/*/README.md", "docs/*.md", "examples/**/*.md").flatMap((file) =>
    [...readFileSync(join(repoRoot, file), "utf8").matchAll(/^```yaml.*\n([\s\S]*?)^```$/gm)].map(
      ([, text = ""], index) => ({ file, place: `${file}, YAML block ${index + 1}`, text }),
    ),
  ),
  ...globs("examples/**/*.yaml")
    .filter((file) => !file.includes("/argocd/resource_customizations/"))
    .map((file) => ({ file, place: file, text: readFileSync(join(repoRoot, file), "utf8") })),
];

/** The configurations of a text's connectors, and those that it shows of any. */
function connectorsIn({ file, text }: (typeof texts)[number]): readonly StringMap[] {
  return parseAllDocuments(text)
    .map((document) => Example.safeParse(document.toJS()))
    .flatMap(({ data }) => (data === undefined ? [] : [toSpec(file, data)]))
    .filter((spec) => spec !== null && spec.class !== MADE_BY_THE_READER)
    .map((spec) => {
      const { config, problems } = toConnectorConfig("example", spec as KafkaConnectorSpec);
      assert.deepEqual(problems, []);
      return config;
    });
}

function toSpec(file: string, { kind, spec }: Example) {
  if (spec.class !== undefined) return kind === undefined || kind === "KafkaConnector" ? spec : null;
  if (!FRAGMENTS.test(file) || kind !== undefined || spec.config === undefined) return null;
  return { ...spec, class: "datagen", config: { topic: "example", ...spec.config } };
}

const packaged: readonly PluginDefinition[] = (
  await Promise.all(
    globs("connectors/*/src/plugin.ts").map(
      async (file): Promise<{ readonly default: readonly PluginDefinition[] }> =>
        import(pathToFileURL(join(repoRoot, file)).href),
    ),
  )
).flatMap((module) => module.default);
/** What a connector's own `validate` asks is away here: the databases of the examples. */
const plugins = createPluginRegistry(
  [...BUILT_IN_PLUGINS, ...packaged].map((plugin) =>
    plugin.kind === "source" || plugin.kind === "sink" ? { ...plugin, validate: async () => ({}) } : plugin,
  ),
);
const worker = {
  "group.id": "connect",
  "key.converter": "json",
  "value.converter": "json",
  "exactly.once.source.support": "enabled",
};
/** A placeholder's value: one that a URL may begin with, or else one that is a number, too. */
const resolver = {
  resolve: async (given: StringMap) =>
    Object.fromEntries(
      Object.entries(given).map(([key, value]) => [
        key,
        value.replace(/\$\{\w+:[^}]*\}/g, key.endsWith(".url") ? "https://example.com" : "1"),
      ]),
    ),
};
/** Keys that go on to Kafka's clients and to the topics that are created. */
const PASSED_ON = /^((producer|consumer|admin)\.override|topic\.creation\.\w+)\./;

/** What is wrong with a configuration, by the schemas of its plugins; a key that no schema has is wrong, too. */
async function faultsOf(config: StringMap): Promise<readonly string[]> {
  const { configs } = await validateConfig({ plugins, worker, resolver }, config, AbortSignal.timeout(10_000));
  const known = new Set(configs.flatMap(({ definition }) => (definition === null ? [] : [definition.name])));
  return [
    ...configs.flatMap(({ value }) => value.errors.map((error) => `${value.name}: ${error}`)),
    ...Object.keys(config)
      .filter((key) => !known.has(key) && !PASSED_ON.test(key))
      .map((key) => `${key}: no plugin of this configuration has such a key`),
  ];
}

describe("YAML examples, by the schemas of their connectors", () => {
  for (const example of texts) {
    const configs = connectorsIn(example);
    if (configs.length === 0) continue;
    it(example.place, async () => {
      for (const config of configs) assert.deepEqual(await faultsOf(config), [], `class ${config["connector.class"]}`);
    });
  }

  it("shows every connector of every package", () => {
    const shown = globs("connectors/*/README.md").map((file) => readFileSync(join(repoRoot, file), "utf8"));
    for (const { kind, name, aliases = [] } of packaged) {
      if (kind !== "source" && kind !== "sink") continue;
      const names = [name, ...aliases];
      const isShown = shown.some((text) => names.some((each) => text.includes(`\n  class: ${each}`)));
      assert.ok(isShown, `no README has an example of ${name}`);
    }
  });

  it("finds what is wrong", async () => {
    const config = { name: "a", "connector.class": "datagen", topic: "t", "rate.per.second": "many", rate: "1" };
    assert.deepEqual(await faultsOf(config), [
      "rate.per.second: Invalid value many for configuration rate.per.second: Not a number of type DOUBLE",
      "rate.per.second: Invalid value null for configuration rate.per.second: Value must be non-null",
      "rate: no plugin of this configuration has such a key",
    ]);
  });
});
