import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventRouter, extractNewRecordState } from "@headrace/debezium";
import {
  type ConnectRecord,
  INT64_SCHEMA,
  NULL_VALUE,
  optional,
  STRING_SCHEMA,
  structSchema,
  type Value,
} from "@headrace/sdk";

const ROW = structSchema({ id: INT64_SCHEMA, name: optional(STRING_SCHEMA) }, "s.public.t.Value");
const OUTBOX = structSchema(
  { id: STRING_SCHEMA, aggregatetype: STRING_SCHEMA, aggregateid: STRING_SCHEMA, payload: optional(STRING_SCHEMA) },
  "s.public.outbox.Value",
);

function event(row: typeof ROW, op: string, before: Value, after: Value): ConnectRecord {
  const schema = structSchema(
    { before: optional(row), after: optional(row), op: STRING_SCHEMA, ts_ms: optional(INT64_SCHEMA) },
    "s.public.t.Envelope",
  );
  const value = { schema, value: { before, after, op, ts_ms: 7n } };
  return { topic: "s.public.t", partition: null, key: NULL_VALUE, value, headers: [], timestamp: null, offset: null };
}

const extract = (config: Record<string, string> = {}) =>
  extractNewRecordState.compile(extractNewRecordState.config.parse(config));
const route = (config: Record<string, string> = {}) => eventRouter.compile(eventRouter.config.parse(config));
const tombstone = { ...event(ROW, "d", null, null), value: NULL_VALUE };
const row = { id: 1n, name: "a" };

describe("extract-new-record-state", () => {
  it("gives the row, with what is asked for besides", () => {
    const record = extract({ "add.fields": "op,ts_ms:at", "add.headers": "op" })(event(ROW, "c", null, row));
    assert.deepEqual(record?.value.value, { ...row, __op: "c", __at: 7n });
    assert.deepEqual(record?.headers, [{ key: "__op", schema: optional(STRING_SCHEMA), value: "c" }]);
    assert.equal(record?.value.schema?.name, "s.public.t.Value");
  });

  it("treats deletions and tombstones by the mode, Debezium 3's and the former keys", () => {
    const gone = event(ROW, "d", row, null);
    const modes: readonly [Record<string, string>, unknown, boolean][] = [
      [{}, null, false],
      [{ "delete.tombstone.handling.mode": "drop" }, undefined, false],
      [{ "delete.tombstone.handling.mode": "rewrite" }, { ...row, __deleted: "true" }, false],
      [{ "delete.tombstone.handling.mode": "rewrite-with-tombstone" }, { ...row, __deleted: "true" }, true],
      [{ "delete.tombstone.handling.mode": "delete-to-tombstone" }, null, false],
      [{ "drop.tombstones": "false" }, undefined, true],
      [{ "delete.handling.mode": "rewrite" }, { ...row, __deleted: "true" }, false],
      [{ "delete.handling.mode": "none", "drop.tombstones": "true" }, null, false],
    ];
    for (const [config, value, kept] of modes) {
      const transform = extract(config);
      assert.deepEqual(transform(gone)?.value.value, value, JSON.stringify(config));
      assert.equal(transform(tombstone) !== null, kept, JSON.stringify(config));
    }
  });

  it("routes by a column, and leaves other records alone", () => {
    const transform = extract({ "route.by.field": "name" });
    assert.equal(transform(event(ROW, "u", row, row))?.topic, "a");
    assert.equal(transform(event(ROW, "d", row, null))?.topic, "a");
    const other = { ...tombstone, value: { schema: STRING_SCHEMA, value: "heartbeat" } };
    assert.equal(transform(other), other);
    assert.equal(transform(event(ROW, "t", null, null)), null);
  });

  it("refuses a name that is there already", () => {
    const transform = extract({ "add.fields": "op:name", "add.fields.prefix": "" });
    assert.throws(() => transform(event(ROW, "c", null, row)), { name: "DataError", message: /duplication name/ });
  });
});

describe("event-router", () => {
  const entry = (payload: string | null) =>
    event(OUTBOX, "c", null, { id: "e", aggregatetype: "order", aggregateid: "k", payload });

  it("gives topic, key, header and payload", () => {
    const record = route()(entry("hello"));
    assert.equal(record?.topic, "outbox.event.order");
    assert.deepEqual(record?.key, { schema: STRING_SCHEMA, value: "k" });
    assert.deepEqual(record?.value, { schema: optional(STRING_SCHEMA), value: "hello" });
    assert.deepEqual(record?.headers, [{ key: "id", schema: STRING_SCHEMA, value: "e" }]);
    assert.equal(record?.timestamp, 7);
  });

  it("expands JSON, and leaves text that is none as it is", () => {
    const transform = route({ "table.expand.json.payload": "true" });
    assert.deepEqual(transform(entry('{"a":1,"b":[{"c":2},{"d":"x"}],"n":null}'))?.value.value, {
      a: 1,
      b: [
        { c: 2, d: null },
        { c: null, d: "x" },
      ],
    });
    assert.deepEqual(transform(entry('{"b":[{"constructor":"x"},{"d":1}]}'))?.value.value, {
      b: [
        { constructor: "x", d: null },
        { constructor: null, d: 1 },
      ],
    });
    assert.equal(transform(entry("{broken"))?.value.value, "{broken");
  });

  it("leaves deletions out, and updates unless they are fatal; makes tombstones of empty payloads if asked", () => {
    const before = { id: "e", aggregatetype: "order", aggregateid: "k", payload: "p" };
    assert.equal(route()(event(OUTBOX, "d", before, null)), null);
    assert.equal(route()(event(OUTBOX, "u", before, before)), null);
    const fatal = route({ "table.op.invalid.behavior": "fatal" });
    assert.throws(() => fatal(event(OUTBOX, "u", before, before)), /Unexpected update/);
    assert.deepEqual(route({ "route.tombstone.on.empty.payload": "true" })(entry(" "))?.value, NULL_VALUE);
    assert.equal(route()(tombstone), null);
  });

  it("says which keys cannot be", () => {
    const faults = (config: Record<string, string>) =>
      eventRouter.config.safeParse(config).error?.issues.map((issue) => issue.path[0]);
    assert.deepEqual(faults({ "table.fields.additional.placement": "type:nowhere" }), [
      "table.fields.additional.placement",
    ]);
    assert.deepEqual(faults({ "route.topic.regex": "(" }), ["route.topic.regex"]);
    assert.deepEqual(faults({}), undefined);
  });
});
