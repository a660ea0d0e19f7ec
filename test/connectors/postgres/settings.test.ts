import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRewrite, rewritesOf, rewritingOf } from "../../../connectors/postgres/src/capture/column-rewrite.ts";
import {
  messageKeyOf,
  parseMessageKeys,
  unknownToDeletions,
} from "../../../connectors/postgres/src/capture/message-key.ts";
import { parseIdentityRule } from "../../../connectors/postgres/src/capture/replica-identity.ts";
import { SETTINGS, withoutEffect } from "../../../connectors/postgres/src/capture/settings.ts";

const BASE = { "database.hostname": "db", "database.user": "u", "database.dbname": "d", "topic.prefix": "p" };

function problems(config: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  const result = SETTINGS.safeParse({ ...BASE, ...config });
  return (result.error?.issues ?? []).map(({ path, message }) => [path.join("."), message]);
}

describe("the configuration of change capture", () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["slot.drop.on.stop", "true", /it would lose changes/],
    ["topic.naming.strategy", "com.example.Own", /RegexRouter/],
    ["signal.enabled.channels", "source, jmx", /signal\.data\.collection/],
    ["signal.kafka.topic", "signals", /signal\.data\.collection/],
    ["notification.enabled.channels", "sink", /log/],
    ["event.processing.failure.handling.mode", "skip", /errors\.tolerance/],
    ["field.name.adjustment.mode", "avro", /names of the columns/],
    ["converters", "isbn", /transform/],
    ["xmin.fetch.interval.ms", "500", /xmin is null/],
    ["column.mask.hash.MD99.with.salt.x", "public.a.b", /no hash algorithm MD99/],
    ["column.mask.with.3.chars", "(", /no regular expression/],
    ["column.truncate.to.0.chars", "public.a.b", /mask them/],
    ["message.key.columns", "public.a", /schema\.table:column/],
    ["replica.identity.autoset.values", "public.a:SOME", /FULL, DEFAULT, NOTHING or INDEX/],
    ["snapshot.mode", "configuration_based", /initial, initial_only/],
    ["decimal.handling.mode", "exact", /precise, double, string/],
  ];
  for (const [key, value, message] of refused) {
    it(`refuses ${key}=${value} and says what to do`, () => {
      const [first, ...others] = problems({ [key]: value });
      assert.equal(first?.[0], key);
      assert.match(first[1], message);
      assert.deepEqual(others, []);
    });
  }

  it("wants the statement of each table that is to have its own", () => {
    const overrides = "snapshot.select.statement.overrides";
    assert.deepEqual(problems({ [overrides]: "public.a", [`${overrides}.public.a`]: "SELECT * FROM public.a" }), []);
    assert.equal(problems({ [overrides]: "public.a" })[0]?.[0], `${overrides}.public.a`);
  });

  it("takes Debezium's keys where they say what happens anyway, tells of those without effect, and leaves the worker's alone", () => {
    const idle = {
      "max.queue.size": "8192",
      "snapshot.locking.mode": "none",
      "errors.max.retries": "3",
      "table.includelist": "public.a",
      "driver.socketTimeout": "3",
      "tombstone.on.delete": "false",
      "decimal.handling": "string",
      "provide.transaction.meta.data": "true",
    };
    const config = {
      ...BASE,
      ...idle,
      "slot.drop.on.stop": "false",
      "signal.enabled.channels": "source,kafka",
      "topic.naming.strategy": "io.debezium.schema.SchemaTopicNamingStrategy",
      "topic.creation.default.partitions": "1",
      "column.mask.with.3.chars": "public.a.b",
      "errors.tolerance": "all",
      transforms: "x",
      "tasks.max": "1",
      "producer.override.acks": "all",
    };
    assert.deepEqual(
      withoutEffect(SETTINGS.parse(config)).map(({ key }) => key),
      Object.keys(idle),
    );
  });
});

describe("columns that are rewritten", () => {
  const rewritten = (key: string, value: string | null, length: number | null = null, type = "text") =>
    rewritingOf({ name: "public.a.b", type, length }, [parseRewrite(key, "public[.]a[.].*")])?.apply(value);
  const cases: readonly (readonly [string, string | null, number | null, string | null])[] = [
    ["column.mask.with.3.chars", "secret", null, "***"],
    ["column.mask.with.0.chars", "secret", null, ""],
    // Whether there was a value is not told either.
    ["column.mask.with.3.chars", null, null, "***"],
    ["column.truncate.to.4.chars", "secret", null, "secr"],
    ["column.truncate.to.4.chars", null, null, null],
    ["column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K", null, null, null],
    ["column.mask.hash.v2.MD5.with.salt.x", "a", null, "53e59fface936ea788f7cf51e7b25531"],
    ["column.mask.hash.v2.MD5.with.salt.x", "a", 4, "53e5"],
  ];
  for (const [key, value, length, wanted] of cases) {
    it(`${key} makes ${wanted} of ${value}`, () => {
      assert.equal(rewritten(key, value, length), wanted);
    });
  }

  it("are of types of characters, and not shorter anyway", () => {
    const truncate = "column.truncate.to.4.chars";
    assert.equal(rewritten(truncate, "1", null, "int4"), undefined);
    assert.equal(rewritten(truncate, "secret", null, "citext"), "secr");
    assert.equal(rewritten(truncate, "abcd", 4, "varchar"), undefined);
  });

  it("follow the first key that names them", () => {
    const rewrites = rewritesOf({
      "column.mask.with.2.chars": "public.x.b",
      "column.mask.with.3.chars": "public.a.b",
      "column.mask.with.4.chars": ".*",
      "column.include.list": ".*",
    });
    assert.equal(rewritingOf({ name: "public.a.b", type: "text", length: null }, rewrites)?.apply("x"), "***");
  });
});

describe("message.key.columns", () => {
  const keys = parseMessageKeys(" public.a:x, y ;(.*).b:id") ?? [];
  it("gives the columns in their order, of the tables that match", () => {
    assert.deepEqual(messageKeyOf(keys, "public.a", ["id", "y", "x"]), ["x", "y"]);
    assert.deepEqual(messageKeyOf(keys, "other.b", ["id", "y"]), ["id"]);
    assert.equal(messageKeyOf(keys, "public.c", ["id"]), null);
    assert.equal(messageKeyOf(keys, "public.a", ["id"]), null);
  });
  it("takes alternatives of tables and columns as such", () => {
    const either = parseMessageKeys("public.a|public.b:id|n") ?? [];
    for (const table of ["public.a", "public.b"])
      assert.deepEqual(messageKeyOf(either, table, ["id", "n"]), ["id", "n"]);
    assert.equal(messageKeyOf(either, "public.c", ["id"]), null);
  });
  it("tells of columns that a deletion does not know", () => {
    const column = (name: string, isKey: boolean) => ({ name, isKey, type: 25, modifier: -1 });
    const columns = [column("id", true), column("n", false)];
    assert.deepEqual(unknownToDeletions(["n", "id"], columns), ["n"]);
    assert.deepEqual(unknownToDeletions(null, columns), []);
  });
  it("may be empty, and nothing else that names no column", () => {
    assert.deepEqual(parseMessageKeys(""), []);
    for (const text of ["public.a", "public.a:", "public.a:(", ":id"]) assert.equal(parseMessageKeys(text), null, text);
  });
});

describe("replica.identity.autoset.values", () => {
  it("names tables and identities", () => {
    const shown = (text: string) => {
      const rule = parseIdentityRule(text);
      return rule && [rule.kind, rule.index];
    };
    assert.deepEqual(shown("public.a:FULL"), ["f", null]);
    assert.deepEqual(shown("public.*:nothing"), ["n", null]);
    assert.deepEqual(shown("public.a:INDEX a_key"), ["i", "a_key"]);
    assert.equal(shown("public.a"), null);
  });
});
