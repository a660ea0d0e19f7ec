import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { config, defineConverter } from "@headrace/sdk";
import { z } from "zod";
import { createConfigResolver } from "#runtime/config-providers/resolver.ts";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";
import { validateConfig } from "#runtime/plugins/validate.ts";

const plain = defineConverter({
  name: "plain",
  version: "1",
  config: z.object({}),
  compile: () => ({ encode: () => null, decode: () => ({ schema: null, value: null }) }),
  compileHeader: () => ({ encodeHeader: () => null, decodeHeader: () => ({ schema: null, value: null }) }),
});
const strict = defineConverter({
  name: "strict",
  version: "1",
  config: z.object({ size: config.int() }),
  compile: () => ({ encode: () => null, decode: () => ({ schema: null, value: null }) }),
});
const plugins = createPluginRegistry([...BUILT_IN_PLUGINS, plain, strict]);
const worker = { "group.id": "connect-taken", "key.converter": "json", "value.converter": "json" };
const resolver = createConfigResolver({}, { env: {}, warn: () => {} });

/** The keys with errors, one entry per error. */
async function failing(given: StringMap): Promise<readonly string[]> {
  const infos = await validateConfig({ plugins, worker, resolver }, given, new AbortController().signal);
  const keys = infos.configs.flatMap(({ value }) => value.errors.map(() => value.name));
  assert.equal(infos.error_count, keys.length);
  return keys;
}

const source = { name: "s", "connector.class": "FileStreamSource", file: "f", topic: "t" };
const sink = { name: "k", "connector.class": "FileStreamSink", file: "f", topics: "a,b" };
const { topics: _, ...bare } = sink;
const F = { "transforms.t.type": "Filter" };

describe("ConnectorValidationIntegrationTest", () => {
  const rows: readonly [string, StringMap, readonly string[]][] = [
    ["sink: no topics", bare, ["topics", "topics.regex"]],
    ["sink: both topics and topics.regex", { ...sink, "topics.regex": "x" }, ["topics", "topics.regex"]],
    ["sink: DLQ among the topics", { ...sink, "errors.deadletterqueue.topic.name": "a" }, ["topics"]],
    [
      "sink: DLQ matches topics.regex",
      { ...bare, "topics.regex": "x.*", "errors.deadletterqueue.topic.name": "xd" },
      ["topics.regex"],
    ],
    ["sink: default group id is the worker's", { ...sink, name: "taken" }, ["name"]],
    [
      "sink: overridden group id is the worker's",
      { ...sink, "consumer.override.group.id": "connect-taken" },
      ["consumer.override.group.id"],
    ],
    [
      "source: duplicate topic creation groups",
      {
        ...source,
        "topic.creation.groups": "g,g",
        "topic.creation.g.include": "x",
        "topic.creation.default.partitions": "1",
        "topic.creation.default.replication.factor": "1",
      },
      ["topic.creation.groups"],
    ],
    ["duplicate transform", { ...source, ...F, transforms: "t,t" }, ["transforms"]],
    ["missing transform class", { ...source, transforms: "t" }, ["transforms.t.type"]],
    ["invalid transform class", { ...source, transforms: "t", "transforms.t.type": "json" }, ["transforms.t.type"]],
    [
      "negate without predicate",
      { ...source, ...F, transforms: "t", "transforms.t.negate": "true" },
      ["transforms.t.type"],
    ],
    ["duplicate predicate", { ...source, predicates: "p,p", "predicates.p.type": "RecordIsTombstone" }, ["predicates"]],
    ["missing predicate class", { ...source, predicates: "p" }, ["predicates.p.type"]],
    ["invalid predicate class", { ...source, predicates: "p", "predicates.p.type": "Filter" }, ["predicates.p.type"]],
    ...["key.converter", "header.converter"].flatMap((key): [string, StringMap, readonly string[]][] => [
      [`${key}: class missing`, { ...source, [key]: "org.x.Y" }, [key]],
      [`${key}: class of the wrong type`, { ...source, [key]: "file-sink" }, [key]],
      [
        `${key}: misconfigured`,
        { ...source, [key]: "json", [`${key}.schemas.enable`]: "x" },
        [`${key}.schemas.enable`],
      ],
      [`${key}: without configuration keys`, { ...source, [key]: "plain" }, []],
    ]),
  ];
  for (const [line, given, keys] of rows) it(line, async () => assert.deepEqual(await failing(given), keys));

  it("key.converter: a missing key of its own", async () => {
    assert.deepEqual(await failing({ ...source, "key.converter": "strict" }), ["key.converter.size"]);
  });
});
