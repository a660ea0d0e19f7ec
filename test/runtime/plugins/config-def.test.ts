import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { config } from "@headrace/sdk";
import { z } from "zod";
import { checkKeys, describeKeys, parseConfig } from "#runtime/plugins/config-def.ts";

const SCHEMA = z.object({
  topic: config.nonEmpty().describe("Where to.").meta({ width: "LONG", displayName: "Topic" }),
  size: config.int({ min: 1 }).default(2000).describe("How many.").meta({ importance: "LOW" }),
  list: config.list().default(["a", "b"]),
  flag: config.boolean().default(false),
  mode: z.enum(["fast", "safe"]).optional(),
  secret: config.password().optional(),
  plain: z.coerce.number().int().positive().default(1000).describe("Plain zod works as well."),
  ratio: z.coerce.number().optional(),
  bool: z.stringbool().default(true),
});

describe("describeKeys", () => {
  const rows = describeKeys(SCHEMA).map((key) => key.info);
  const row = (name: string) => rows.find((info) => info.name === name);

  it("gives name, type, default, importance, documentation and the rest as Java's ConfigDef", () => {
    assert.deepEqual(row("topic"), {
      name: "topic",
      type: "STRING",
      required: true,
      default_value: null,
      importance: "HIGH",
      documentation: "Where to.",
      group: null,
      width: "LONG",
      display_name: "Topic",
      dependents: [],
      order_in_group: -1,
    });
    assert.deepEqual(
      rows.map(({ name, type, required, default_value, importance }) => [
        name,
        type,
        required,
        default_value,
        importance,
      ]),
      [
        ["topic", "STRING", true, null, "HIGH"],
        ["size", "INT", false, "2000", "LOW"],
        ["list", "LIST", false, "a,b", "MEDIUM"],
        ["flag", "BOOLEAN", false, "false", "MEDIUM"],
        ["mode", "STRING", false, null, "MEDIUM"],
        ["secret", "PASSWORD", false, null, "MEDIUM"],
        ["plain", "LONG", false, "1000", "MEDIUM"],
        ["ratio", "DOUBLE", false, null, "MEDIUM"],
        ["bool", "BOOLEAN", false, "true", "MEDIUM"],
      ],
    );
  });

  it("recommends the words of an enum", () => {
    assert.deepEqual(describeKeys(SCHEMA).find((key) => key.info.name === "mode")?.recommended, ["fast", "safe"]);
  });
});

describe("checkKeys", () => {
  const rows: readonly [Record<string, string>, string, string][] = [
    [{}, "topic", 'Missing required configuration "topic" which has no default value.'],
    [{ topic: "" }, "topic", "Invalid value  for configuration topic: String must be non-empty"],
    [{ size: "0" }, "size", "Invalid value 0 for configuration size: Value must be at least 1"],
    [{ plain: "x" }, "plain", "Invalid value x for configuration plain: Not a number of type LONG"],
    [{ mode: "slow" }, "mode", "Invalid value slow for configuration mode: String must be one of: fast, safe"],
    [{ flag: "1" }, "flag", "Invalid value 1 for configuration flag: Expected value to be either true or false"],
  ];
  for (const [given, key, message] of rows) {
    it(message, () => assert.deepEqual(checkKeys(describeKeys(SCHEMA), given).get(key), [message]));
  }

  it("shows the raw value in place of a resolved one", () => {
    const errors = checkKeys(describeKeys(SCHEMA), { topic: "t", size: "hunter2" }, { size: "(raw)" });
    assert.deepEqual(errors.get("size"), [
      "Invalid value (raw) for configuration size: Not a number of type INT",
      "Invalid value null for configuration size: Value must be non-null",
    ]);
  });
});

describe("parseConfig", () => {
  it("gives the typed configuration, or every problem", () => {
    assert.deepEqual(parseConfig(z.object({ n: config.int() }), { n: "5", other: "x" }), { value: { n: 5 } });
    const problems = parseConfig(SCHEMA, { size: "0", flag: "1" });
    assert.equal("problems" in problems && problems.problems.length, 3);
  });
});
