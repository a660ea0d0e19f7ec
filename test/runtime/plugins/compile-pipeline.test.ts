import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import { STRING_SCHEMA, Utf8Text } from "@headrace/sdk";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { chooseConverter, compilePipeline } from "#runtime/plugins/compile-pipeline.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";
import { compileSinkPipeline, compileSourcePipeline, type OutboundBatch } from "#runtime/task/record-pipeline.ts";
import { inboundBatch } from "#support/fake-record-consumer.ts";

const registry = createPluginRegistry(BUILT_IN_PLUGINS);
const worker = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "false",
};

describe("chooseConverter", () => {
  const rows: readonly [string, StringMap, ReturnType<typeof chooseConverter>][] = [
    [
      "the worker's",
      {},
      {
        plugin: worker["value.converter"],
        version: undefined,
        config: { "schemas.enable": "false", "converter.type": "value" },
      },
    ],
    [
      "the connector's, without the worker's settings",
      { "value.converter": "json" },
      { plugin: "json", version: undefined, config: { "converter.type": "value" } },
    ],
    [
      "the worker's, without settings that the connector gave for no class",
      { "value.converter.schemas.enable": "true" },
      {
        plugin: worker["value.converter"],
        version: undefined,
        config: { "schemas.enable": "false", "converter.type": "value" },
      },
    ],
  ];
  for (const [what, connector, chosen] of rows) {
    it(`takes ${what}`, () => assert.deepEqual(chooseConverter("value", worker, connector), chosen));
  }

  it("has a default for headers only", () => {
    assert.equal(chooseConverter("key", {}, {}), null);
    assert.equal(chooseConverter("header", {}, {})?.plugin, "org.apache.kafka.connect.storage.SimpleHeaderConverter");
  });
});

describe("compilePipeline", () => {
  const connector = {
    transforms: "hoist,tag,route",
    "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
    "transforms.hoist.field": "line",
    "transforms.tag.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.tag.static.field": "env",
    "transforms.tag.static.value": "prod",
    "transforms.tag.predicate": "eu",
    "transforms.tag.negate": "true",
    "transforms.route.type": "RegexRouter",
    "transforms.route.regex": "(.*)-eu",
    "transforms.route.replacement": "$1",
    predicates: "eu",
    "predicates.eu.type": "TopicNameMatches",
    "predicates.eu.pattern": ".*-eu",
  };
  const parts = compilePipeline(registry, worker, connector);

  it("takes source records through transforms and converters, in order", () => {
    const pipeline = compileSourcePipeline(parts);
    const record = (topic: string) => ({
      topic,
      key: { schema: STRING_SCHEMA, value: "k" },
      value: { schema: STRING_SCHEMA, value: "x" },
      headers: [{ key: "h", schema: null, value: 1 }],
      sourcePartition: {},
      sourceOffset: {},
    });
    const out = { records: [], sources: [] };
    assert.equal(pipeline.run([record("a-eu"), record("b")], 0, out), null);
    const same = { partition: null, key: "k", headers: [{ key: "h", value: "1" }], timestamp: null };
    assert.deepEqual(out, {
      records: [
        { ...same, topic: "a", value: '{"line":"x"}' },
        { ...same, topic: "b", value: '{"line":"x","env":"prod"}' },
      ],
      sources: [0, 1],
    });
  });

  it("hands text that is bytes on as it is only where no transform and no other converter sees it", () => {
    const bytes = Buffer.from("-grüße-");
    const text = new Utf8Text(STRING_SCHEMA, bytes, 1, 8);
    const record = { topic: "b", key: text, value: text, sourcePartition: {}, sourceOffset: {} };
    const string = "org.apache.kafka.connect.storage.StringConverter";
    const latin = { "value.converter": string, "value.converter.converter.encoding": "ISO-8859-1" };
    const rows: readonly [Record<string, string>, unknown][] = [
      [{ "value.converter": string }, text],
      [latin, Buffer.from("grüße", "latin1")],
      [{}, '"grüße"'],
      [{ ...connector, "value.converter": string }, "Struct{line=grüße,env=prod}"],
    ];
    for (const [config, value] of rows) {
      const out: OutboundBatch = { records: [], sources: [] };
      assert.equal(compileSourcePipeline(compilePipeline(registry, worker, config)).run([record], 0, out), null);
      assert.deepEqual(
        out.records.map((each) => [each.key, each.value]),
        [["grüße", value]],
      );
    }
  });

  it("hands a record of nothing but such text on itself where neither converter would change anything", () => {
    const text = new Utf8Text(STRING_SCHEMA, Buffer.from("line"), 0, 4);
    const given = { topic: "b", value: text, sourcePartition: {}, sourceOffset: {} };
    const string = "org.apache.kafka.connect.storage.StringConverter";
    const json = "org.apache.kafka.connect.json.JsonConverter";
    const made = { topic: "b", partition: null, headers: null, timestamp: null, value: text };
    const rows: readonly [object, Record<string, string>, unknown][] = [
      [given, {}, given],
      [{ ...given, partition: 3, timestamp: 5 }, {}, { ...given, partition: 3, timestamp: 5 }],
      [{ ...given, key: text }, {}, { ...made, key: "line" }],
      [
        { ...given, headers: [{ key: "h", schema: null, value: 1 }] },
        {},
        { ...made, key: null, headers: [{ key: "h", value: "1" }] },
      ],
      [given, { "key.converter": json }, { ...made, key: null }],
    ];
    for (const [record, config, expected] of rows) {
      const out: OutboundBatch = { records: [], sources: [] };
      const parts = compilePipeline(registry, worker, { "value.converter": string, ...config });
      assert.equal(compileSourcePipeline(parts).run([{ ...given, ...record }], 0, out), null);
      assert.deepEqual(out.records, [expected]);
    }
  });

  it("takes what a plugin in plain JavaScript leaves out, or gives as null, for nothing", () => {
    const none: null = null;
    const record = { topic: "b", value: { schema: null, value: none }, sourcePartition: {}, sourceOffset: {} };
    const untyped: typeof record = {
      ...record,
      ...JSON.parse('{"key":null,"headers":null,"partition":null,"timestamp":null}'),
    };
    for (const each of [record, untyped]) {
      const out: OutboundBatch = { records: [], sources: [] };
      assert.equal(compileSourcePipeline(compilePipeline(registry, worker, {})).run([each], 0, out), null);
      assert.deepEqual(out.records, [
        { topic: "b", partition: null, key: null, value: null, headers: null, timestamp: null },
      ]);
    }
  });

  it("takes sink records through converters and transforms, and remembers where they lay", () => {
    const pipeline = compileSinkPipeline(parts);
    const batch = inboundBatch([
      {
        topic: "a-eu",
        partition: 2,
        offset: 5n,
        key: "k",
        value: '"x"',
        timestamp: 9,
        headers: [{ key: "h", value: Buffer.from("1") }],
      },
    ]);
    const out: Parameters<typeof pipeline.run>[2] = [];
    assert.equal(pipeline.run(batch, 0, out), null);
    assert.deepEqual(out, [
      {
        topic: "a",
        partition: 2,
        offset: 5n,
        key: { schema: { type: "STRING", optional: true }, value: "k" },
        value: { schema: null, value: { line: "x" } },
        headers: [{ key: "h", schema: { type: "INT8", optional: false }, value: 1 }],
        timestamp: 9,
        original: { topic: "a-eu", partition: 2, offset: 5n },
      },
    ]);
  });

  it("leaves text as the bytes that it is only for sinks that take it, without transforms, and if it is UTF-8", () => {
    const string = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };
    const latin = { ...string, "value.converter.converter.encoding": "ISO-8859-1" };
    const half = Buffer.from("ü");
    const rows: readonly [
      Record<string, string>,
      boolean,
      readonly (string | Buffer | null)[],
      readonly [boolean, unknown][],
    ][] = [
      [
        string,
        true,
        ["grüße", null, ""],
        [
          [true, "grüße"],
          [false, null],
          [true, ""],
        ],
      ],
      [string, false, ["grüße"], [[false, "grüße"]]],
      [latin, true, [Buffer.from([0xfc])], [[false, "ü"]]],
      [{}, true, ['"a"'], [[false, "a"]]],
      [{ ...connector, ...string }, true, ["a"], [[false, "Struct"]]],
      [
        string,
        true,
        ["a", Buffer.from([0xff])],
        [
          [false, "a"],
          [false, "\ufffd"],
        ],
      ],
      // The batch is UTF-8 though its records are not.
      [
        string,
        true,
        [half.subarray(0, 1), half.subarray(1), "a"],
        [
          [false, "\ufffd"],
          [false, "\ufffd"],
          [true, "a"],
        ],
      ],
    ];
    for (const [config, takes, values, wanted] of rows) {
      const pipeline = compileSinkPipeline(compilePipeline(registry, worker, config), takes);
      const out: Parameters<typeof pipeline.run>[2] = [];
      assert.equal(
        pipeline.run(inboundBatch(values.map((value, index) => ({ offset: BigInt(index), value }))), 0, out),
        null,
      );
      assert.deepEqual(
        out.map(({ value }) => [
          value instanceof Utf8Text,
          typeof value.value === "object" && value.value !== null ? "Struct" : value.value,
        ]),
        wanted,
      );
    }
  });

  it("gives sinks plain numbers, and transforms what was written", () => {
    const cast = {
      transforms: "cast",
      "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Value",
      "transforms.cast.spec": "text:string,number:float64",
    };
    const pipeline = compileSinkPipeline(compilePipeline(registry, worker, cast));
    const batch = inboundBatch([{ offset: 0n, value: '{"text":10.0,"number":5,"other":[3.0]}' }]);
    const out: Parameters<typeof pipeline.run>[2] = [];
    assert.equal(pipeline.run(batch, 0, out), null);
    assert.deepEqual(out[0]?.value.value, { text: "10.0", number: 5, other: [3] });
  });

  it("stops at the record that fails, tells stage and plugin, and goes on behind it", () => {
    const pipeline = compileSinkPipeline(compilePipeline(registry, worker, {}));
    const batch = inboundBatch([
      { offset: 0n, value: "1" },
      { offset: 1n, value: "{" },
      { offset: 2n, value: "3" },
    ]);
    const out: Parameters<typeof pipeline.run>[2] = [];
    const fault = pipeline.run(batch, 0, out);
    assert.deepEqual([fault?.index, fault?.stage, fault?.plugin], [1, "VALUE_CONVERTER", worker["value.converter"]]);
    assert.equal(pipeline.run(batch, 2, out), null);
    assert.deepEqual(
      out.map((record) => record.value.value),
      [1, 3],
    );
  });

  it("refuses what cannot be compiled, by its key", () => {
    assert.throws(() => compilePipeline(registry, {}, {}), /Missing required configuration "key.converter"/);
    assert.throws(
      () => compilePipeline(registry, worker, { transforms: "a" }),
      /transforms.a: Missing required configuration "type"/,
    );
    assert.throws(
      () => compilePipeline(registry, worker, { "key.converter": "org.x.Y" }),
      /Class org.x.Y could not be found/,
    );
  });
});
