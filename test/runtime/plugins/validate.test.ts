import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigInfos, type StringMap } from "@headrace/contract";
import { config, defineSource } from "@headrace/sdk";
import { z } from "zod";
import { createConfigResolver } from "#runtime/config-providers/resolver.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";
import type { GivenConfig } from "#runtime/plugins/rows.ts";
import { configDefOf, validateConfig } from "#runtime/plugins/validate.ts";

const signal = new AbortController().signal;
const picky = defineSource({
  name: "picky",
  version: "1",
  config: z.object({ password: config.nonEmpty(), url: z.string().default("x") }),
  validate: async ({ password }) => ({ url: [`cannot log in with ${password}`], nowhere: ["no such row"] }),
  planTasks: () => [],
  openTask: () => Promise.reject(new Error("never opened")),
});
const paired = defineSource({
  name: "paired",
  version: "1",
  config: z
    .object({ user: config.text().optional(), secret: config.password().optional(), port: config.int().default(1) })
    .superRefine(({ user, secret }, context) => {
      if (user !== undefined && secret === undefined)
        context.addIssue({ code: "custom", path: ["secret"], message: "secret is needed where user is set" });
    }),
  planTasks: () => [],
  openTask: () => Promise.reject(new Error("never opened")),
});
const plugins = createPluginRegistry([...BUILT_IN_PLUGINS, picky, paired]);
const worker = { "group.id": "connect-taken", "key.converter": "json", "value.converter": "json" };
const resolver = createConfigResolver(
  { "config.providers": "env" },
  { env: { SECRET: "hunter2", TOPIC: "t" }, warn: () => {} },
);
const validate = (given: GivenConfig, as: StringMap = worker) =>
  validateConfig({ plugins, worker: as, resolver }, given, signal);

/** Errors by key. */
async function errorsOf(given: StringMap, as?: StringMap): Promise<Record<string, readonly string[]>> {
  const infos = await validate(given, as);
  ConfigInfos.parse(infos);
  const errors = infos.configs.filter(({ value }) => value.errors.length > 0);
  assert.equal(infos.error_count, errors.flatMap(({ value }) => value.errors).length);
  return Object.fromEntries(errors.map(({ value }) => [value.name, value.errors]));
}

const source = { name: "s", "connector.class": "FileStreamSource", file: "f", topic: "t" };
const sink = { name: "k", "connector.class": "FileStreamSink", file: "f", topics: "a,b" };
const without = (given: StringMap, key: string) =>
  Object.fromEntries(Object.entries(given).filter(([name]) => name !== key));

describe("validateConfig", () => {
  it("finds nothing wrong with a good configuration", async () => {
    assert.deepEqual(await errorsOf(source), {});
    assert.deepEqual(await errorsOf(sink), {});
  });

  it("tells at its key what is wrong with several keys together, once each is right", async () => {
    const given = { name: "p", "connector.class": "paired", user: "u" };
    assert.deepEqual(await errorsOf(given), { secret: ["secret is needed where user is set"] });
    assert.deepEqual(await errorsOf({ ...given, secret: "s" }), {});
    assert.deepEqual(await errorsOf({ ...given, secret: "s", port: "x" }), {
      port: ["Invalid value x for configuration port: Not a number of type INT"],
    });
  });

  it("answers with groups, framework keys first, defaults as values", async () => {
    const infos = await validate({ ...source, transforms: "t", "transforms.t.type": "Filter" });
    assert.equal(infos.name, "FileStreamSource");
    assert.deepEqual(infos.groups.slice(0, 4), ["Common", "Transforms", "Predicates", "Error Handling"]);
    assert.ok(infos.groups.includes("Transforms: t"));
    const names = infos.configs.map(({ value }) => value.name);
    assert.deepEqual(names.slice(0, 3), ["name", "connector.class", "connector.plugin.version"]);
    assert.ok(names.indexOf("transforms.t.type") < names.indexOf("file"));
    const value = (name: string) => infos.configs.find(({ value }) => value.name === name)?.value.value;
    assert.deepEqual([value("tasks.max"), value("topic"), value("key.converter")], ["1", "t", "json"]);
  });

  const rows: readonly [string, StringMap, Record<string, readonly string[]>][] = [
    [
      "a missing key",
      without(source, "topic"),
      { topic: ['Missing required configuration "topic" which has no default value.'] },
    ],
    [
      "an empty name",
      { ...source, name: "" },
      { name: ["Invalid value  for configuration name: String may not be empty"] },
    ],
    [
      "a number that is none",
      { ...source, "tasks.max": "x" },
      {
        "tasks.max": [
          "Invalid value x for configuration tasks.max: Not a number of type INT",
          "Invalid value null for configuration tasks.max: Value must be non-null",
        ],
      },
    ],
    [
      "no tasks",
      { ...source, "tasks.max": "0" },
      { "tasks.max": ["Invalid value 0 for configuration tasks.max: Value must be at least 1"] },
    ],
    [
      "a plugin's own key",
      { ...source, "batch.size": " many " },
      { "batch.size": ["Invalid value  many  for configuration batch.size: Not a number of type INT"] },
    ],
    [
      "an unknown converter",
      { ...source, "value.converter": "org.x.Y" },
      {
        "value.converter": [
          "Invalid value org.x.Y for configuration value.converter: Class org.x.Y could not be found.",
        ],
      },
    ],
    [
      "a converter's own key",
      { ...source, "value.converter": "json", "value.converter.schemas.enable": "maybe" },
      {
        "value.converter.schemas.enable": [
          "Invalid value maybe for configuration schemas.enable: Expected value to be either true or false",
        ],
      },
    ],
    [
      "a transform without type",
      { ...source, transforms: "a" },
      { "transforms.a.type": ['Missing required configuration "transforms.a.type" which has no default value.'] },
    ],
    [
      "an unknown transform",
      { ...source, transforms: "a", "transforms.a.type": "org.x.Y" },
      {
        "transforms.a.type": [
          "Invalid value org.x.Y for configuration transforms.a.type: Class org.x.Y could not be found.",
        ],
      },
    ],
    [
      "a transform's own key",
      { ...source, transforms: "a", "transforms.a.type": "HoistField$Value" },
      { "transforms.a.field": ['Missing required configuration "transforms.a.field" which has no default value.'] },
    ],
    [
      "a transform with nothing to do",
      { ...source, transforms: "a", "transforms.a.type": "InsertField$Value" },
      { "transforms.a.type": ["No field insertion configured"] },
    ],
    [
      "an alias given twice",
      { ...source, transforms: "a,a", "transforms.a.type": "Filter" },
      { transforms: ["Invalid value [a, a] for configuration transforms: Duplicate alias provided."] },
    ],
    [
      "an unknown predicate alias",
      { ...source, transforms: "a", "transforms.a.type": "Filter", "transforms.a.predicate": "p" },
      {
        "transforms.a.predicate": [
          "Invalid value p for configuration transforms.a.predicate: must be one of the configured predicate aliases: ",
        ],
      },
    ],
    [
      "negate without predicate",
      { ...source, transforms: "a", "transforms.a.type": "Filter", "transforms.a.negate": "true" },
      {
        "transforms.a.type": [
          "Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated.",
        ],
      },
    ],
    [
      "a predicate's own key",
      { ...source, predicates: "p", "predicates.p.type": "TopicNameMatches" },
      { "predicates.p.pattern": ['Missing required configuration "predicates.p.pattern" which has no default value.'] },
    ],
    [
      "a sink without topics",
      without(sink, "topics"),
      {
        topics: ["Must configure one of topics or topics.regex"],
        "topics.regex": ["Must configure one of topics or topics.regex"],
      },
    ],
    [
      "a sink with both",
      { ...sink, "topics.regex": "x.*" },
      {
        topics: ["topics and topics.regex are mutually exclusive options, but both are set."],
        "topics.regex": ["topics and topics.regex are mutually exclusive options, but both are set."],
      },
    ],
    [
      "a dead letter queue among the topics",
      { ...sink, "errors.deadletterqueue.topic.name": "b" },
      {
        topics: [
          "The DLQ topic 'b' may not be included in the list of topics ('topics=[a, b]') consumed by the connector",
        ],
      },
    ],
    [
      "a consumer group that is the worker's",
      { ...sink, name: "taken" },
      { name: ["Consumer group for sink connector named taken conflicts with Connect worker group connect-taken"] },
    ],
    [
      "topic creation without defaults",
      { ...source, "topic.creation.default.partitions": "3" },
      {
        "topic.creation.groups": [
          'Missing required configuration "topic.creation.default.replication.factor" which has no default value.',
        ],
      },
    ],
    [
      "a regular expression that is none",
      {
        ...source,
        transforms: "a",
        "transforms.a.type": "RegexRouter",
        "transforms.a.regex": "(",
        "transforms.a.replacement": "x",
      },
      { "transforms.a.regex": ["Invalid value ( for configuration regex: Invalid regex"] },
    ],
    [
      "exactly-once required",
      { ...source, "exactly.once.support": "required" },
      { "exactly.once.support": ["This worker does not have exactly-once source support enabled."] },
    ],
    [
      "errors.tolerance",
      { ...source, "errors.tolerance": "some" },
      {
        "errors.tolerance": ["Invalid value some for configuration errors.tolerance: String must be one of: none, all"],
      },
    ],
  ];
  for (const [what, given, errors] of rows) {
    it(`reports ${what}`, async () => assert.deepEqual(await errorsOf(given), errors));
  }

  it("wants a converter from the connector or the worker", async () => {
    assert.deepEqual(Object.keys(await errorsOf(source, {})), ["key.converter", "value.converter"]);
  });

  it("checks resolved values and shows raw ones", async () => {
    const raw = `\${env:TOPIC}`;
    const infos = await validate({ ...source, topic: raw });
    assert.equal(infos.error_count, 0);
    assert.equal(infos.configs.find(({ value }) => value.name === "topic")?.value.value, raw);
  });

  it("shows no resolved value in what it says of it", async () => {
    const infos = await validate({ ...source, "tasks.max": `\${env:SECRET}`, "key.converter": `\${env:SECRET}` });
    const row = (name: string) => infos.configs.find(({ value }) => value.name === name)?.value;
    assert.match(row("tasks.max")?.errors[0] ?? "", /^Invalid value \$\{env:SECRET\} for configuration tasks\.max/);
    assert.equal(row("key.converter")?.value, `\${env:SECRET}`);
    assert.match(row("key.converter")?.errors[0] ?? "", /Class \$\{env:SECRET\} could not be found/);
  });

  it("has rows of nulls that nobody knows first, in the order of a Java map, and tells them last", async () => {
    const infos = await validate({ ...source, x: null, y: null, b: null, "tasks.max": null });
    assert.deepEqual(
      infos.configs.slice(0, 4).map(({ definition, value }) => [definition?.name ?? null, value.name]),
      [
        [null, "b"],
        [null, "x"],
        [null, "y"],
        ["name", "name"],
      ],
    );
    assert.deepEqual(infos.configs.find(({ value }) => value.name === "tasks.max")?.value.errors, [
      "Invalid value null for configuration tasks.max: Value must be non-null",
      "Null value can not be supplied as the configuration value.",
    ]);
  });

  it("asks the connector last, and hides resolved secrets in what it says", async () => {
    const given = { name: "p", "connector.class": "picky", password: `\${env:SECRET}` };
    assert.deepEqual(await errorsOf(given), {
      url: [`cannot log in with \${env:SECRET}`],
      nowhere: ["no such row"],
    });
    assert.deepEqual(Object.keys(await errorsOf({ ...given, password: "" })), ["password"]);
  });

  it("throws for a class that is missing or unknown", async () => {
    await assert.rejects(validate({ name: "x" }), {
      code: "bad-request",
      message: "Connector config {name=x} contains no connector type",
    });
    await assert.rejects(validate({ name: "x", "connector.class": "org.x.Y" }), { name: "ConfigError" });
  });
});

describe("configDefOf", () => {
  it("gives a connector's own keys first, then the common ones; of others only their own", () => {
    const keys = configDefOf(plugins, plugins.any("file-sink")).map((info) => info.name);
    assert.deepEqual(keys.slice(0, 3), ["file", "name", "connector.class"]);
    assert.equal(keys.at(-1), "headrace.executor.memory.max.mb");
    assert.deepEqual(
      configDefOf(plugins, plugins.any("HoistField$Value")).map((info) => info.name),
      ["field"],
    );
  });
});
