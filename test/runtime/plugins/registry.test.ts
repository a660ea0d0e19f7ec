import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineSink, defineSource } from "@headrace/sdk";
import { z } from "zod";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";
import { createPluginRegistry } from "#runtime/plugins/registry.ts";

const registry = createPluginRegistry(BUILT_IN_PLUGINS);

describe("plugin registry", () => {
  const connectors: readonly [string, string][] = [
    ["file-source", "file-source"],
    ["org.apache.kafka.connect.file.FileStreamSourceConnector", "file-source"],
    ["FileStreamSourceConnector", "file-source"],
    ["FileStreamSource", "file-source"],
    ["FileStreamSink", "file-sink"],
    ["datagen", "datagen"],
  ];
  for (const [name, found] of connectors) {
    it(`finds connector ${name}`, () => assert.equal(registry.connector(name).name, found));
  }

  it("finds converters, transforms and predicates by Java's names", () => {
    assert.equal(registry.converter("org.apache.kafka.connect.json.JsonConverter").name, "json");
    assert.equal(registry.converter("JsonConverter").name, "json");
    assert.equal(
      registry.headerConverter("org.apache.kafka.connect.storage.SimpleHeaderConverter").name,
      "simple-header",
    );
    assert.equal(
      registry.transform("org.apache.kafka.connect.transforms.InsertField$Value").name,
      "insert-field-value",
    );
    assert.equal(registry.transform("InsertField$Key").name, "insert-field-key");
    assert.equal(
      registry.predicate("org.apache.kafka.connect.transforms.predicates.RecordIsTombstone").name,
      "record-is-tombstone",
    );
  });

  it("says in Connect's words what it does not find", () => {
    assert.throws(
      () => registry.connector("org.x.Y"),
      /^ConfigError: Failed to find any class that implements Connector and which name matches org\.x\.Y, available connectors are: file-source, file-sink, /,
    );
    assert.throws(() => registry.connector("json"), /Failed to find any class/);
    assert.throws(() => registry.converter("org.x.Y"), /^ConfigError: Class org\.x\.Y could not be found\.$/);
    assert.throws(() => registry.any("x"), /^ConfigError: Unknown plugin x\.$/);
  });

  it("refuses an alias that two connectors share, but takes their full names", () => {
    const rest = { version: "1", config: z.object({}) };
    const source = defineSource({
      ...rest,
      name: "one",
      aliases: ["org.a.ThingConnector"],
      planTasks: () => [],
      openTask: () => Promise.reject(new Error("never opened")),
    });
    const sink = defineSink({
      ...rest,
      name: "two",
      aliases: ["org.b.ThingConnector"],
      openTask: () => Promise.reject(new Error("never opened")),
    });
    const both = createPluginRegistry([source, sink]);
    assert.throws(
      () => both.connector("Thing"),
      /More than one connector matches alias Thing.*Classes found: one, two/,
    );
    assert.equal(both.connector("org.a.ThingConnector").name, "one");
    assert.equal(createPluginRegistry([source, source]).list().length, 1);
  });

  it("lists sinks, sources, transformations, predicates, converters, header converters, in this order", () => {
    const types = registry.list().map((entry) => entry.type);
    assert.deepEqual(
      [...new Set(types)],
      ["sink", "source", "transformation", "predicate", "converter", "header_converter"],
    );
    const source = registry.list().find((entry) => entry.class === "file-source");
    assert.ok(source?.aliases.includes("FileStreamSource"));
  });
});
