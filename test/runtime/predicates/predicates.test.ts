import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConnectRecord, NULL_VALUE, STRING_SCHEMA } from "@headrace/sdk";
import { hasHeaderKey } from "#runtime/predicates/has-header-key.ts";
import { recordIsTombstone } from "#runtime/predicates/record-is-tombstone.ts";
import { topicNameMatches } from "#runtime/predicates/topic-name-matches.ts";

const base: ConnectRecord = {
  topic: "orders-eu",
  partition: null,
  key: NULL_VALUE,
  value: { schema: null, value: 1 },
  headers: [{ key: "h", schema: null, value: 1 }],
  timestamp: null,
  offset: null,
};

describe("predicates", () => {
  it("TopicNameMatches wants the whole name", () => {
    const holds = (pattern: string) => topicNameMatches.compile(topicNameMatches.config.parse({ pattern }))(base);
    assert.deepEqual([holds("orders-.*"), holds("orders"), holds(".*-eu|x")], [true, false, true]);
    assert.equal(topicNameMatches.config.safeParse({ pattern: "(" }).error?.issues[0]?.message, "Invalid regex");
  });

  it("RecordIsTombstone looks at the value only", () => {
    const holds = recordIsTombstone.compile({});
    assert.equal(holds(base), false);
    assert.equal(holds({ ...base, value: { schema: STRING_SCHEMA, value: null } }), true);
  });

  it("HasHeaderKey looks for a header", () => {
    assert.equal(hasHeaderKey.compile({ name: "h" })(base), true);
    assert.equal(hasHeaderKey.compile({ name: "H" })(base), false);
  });
});
