import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { STRING_SCHEMA } from "@headrace/sdk";
import { z } from "zod";
import { type ChangedRow, Changes } from "../../../connectors/postgres/src/capture/changes.ts";
import type { StreamPosition } from "../../../connectors/postgres/src/capture/offset.ts";
import type { Message } from "../../../connectors/postgres/src/capture/pgoutput.ts";
import { SETTINGS } from "../../../connectors/postgres/src/capture/settings.ts";
import { createTable } from "../../../connectors/postgres/src/capture/table.ts";

const SETTINGS_GIVEN = {
  "database.hostname": "db",
  "database.user": "u",
  "database.dbname": "d",
  "topic.prefix": "p",
  "provide.transaction.metadata": "true",
};
const column = (name: string, index: number, keyPlace: number) => ({
  name,
  index,
  keyPlace,
  column: { schema: STRING_SCHEMA, decode: (text: string) => text },
  required: false,
  rewriting: null,
});
const TABLE = createTable({
  topic: "p.public.a",
  schema: "public",
  table: "a",
  columns: [column("id", 0, 0), column("n", 1, -1)],
  messageKey: ["n"],
});

function open(
  position: StreamPosition,
  { lastCommit = null, onChange = () => {} }: { lastCommit?: bigint | null; onChange?: (row: ChangedRow) => void } = {},
): Changes {
  const rules = SETTINGS.parse(SETTINGS_GIVEN);
  const options = { rules, database: "d", position, lastCommit, now: () => 0 };
  const changes = new Changes({ ...options, onChange: (_, row) => onChange(row()) });
  changes.setTable(1, TABLE);
  return changes;
}

/** A message of no transaction that ends just where the commit of the next transaction begins. */
const STREAM: readonly (readonly [bigint, Message])[] = [
  [40n, { kind: "message", transactional: false, prefix: "x", content: Buffer.from("m") }],
  [30n, { kind: "begin", commitLsn: 40n, committedAt: 0n, xid: 7 }],
  [30n, { kind: "insert", relation: 1, after: ["1", "one"] }],
  [35n, { kind: "message", transactional: true, prefix: "x", content: Buffer.from("t") }],
  [40n, { kind: "commit", commitLsn: 40n, endLsn: 48n }],
];

describe("Changes", () => {
  it("have places of their own, at each of which the stream goes on without a gap and without anything twice", () => {
    const whole: (readonly [string, StreamPosition])[] = [];
    const first = open({ commit: 40n, event: 0, part: 0 });
    for (const [lsn, message] of STREAM) {
      for (const { topic, sourceOffset } of first.next(lsn, message)) {
        const [commit, event, part] = ["commit", "event", "part"].map((name) => Number(sourceOffset[name]));
        whole.push([topic, { commit: BigInt(commit ?? 0), event: event ?? 0, part: part ?? 0 }]);
      }
    }
    const topics = whole.map(([topic]) => topic);
    assert.deepEqual(topics, ["p.message", "p.transaction", "p.public.a", "p.message", "p.transaction"]);
    for (const [index, [, position]] of whole.entries()) {
      const changes = open(position);
      const left = STREAM.flatMap(([lsn, message]) => changes.next(lsn, message)).map(({ topic }) => topic);
      assert.deepEqual(left, topics.slice(index + 1), `behind ${index}`);
    }
  });

  it("name the last complete transaction in offset and source block, that of the stored offset until there is another", () => {
    const changes = open({ commit: 40n, event: 1, part: 0 }, { lastCommit: 20n });
    const again: readonly (readonly [bigint, Message])[] = [
      ...STREAM.slice(1),
      [50n, { kind: "begin", commitLsn: 60n, committedAt: 0n, xid: 8 }],
      [50n, { kind: "insert", relation: 1, after: ["2", "two"] }],
    ];
    const rows = again
      .flatMap(([lsn, message]) => changes.next(lsn, message))
      .filter(({ topic }) => topic === "p.public.a" || topic === "p.message");
    const sequences = rows.map(({ value }) => {
      return z.object({ value: z.object({ source: z.object({ sequence: z.string() }) }) }).parse(value).value.source
        .sequence;
    });
    assert.deepEqual(sequences, ['["20","35"]', '["48","50"]']);
    assert.deepEqual(
      rows.map(({ sourceOffset }) => sourceOffset["lsn_commit"]),
      [20n, 48n],
    );
    assert.equal(changes.lastCommit(), 48n);
  });

  it("tell rows by their primary key, whatever key the records have, and say when they do not know it", () => {
    const told: ChangedRow[] = [];
    const changes = open({ commit: 0n, event: 0, part: 0 }, { onChange: (row) => told.push(row) });
    changes.next(1n, { kind: "begin", commitLsn: 9n, committedAt: 0n, xid: 7 });
    changes.next(2n, { kind: "update", relation: 1, before: { complete: true, row: ["1", "a"] }, after: ["2", "a"] });
    changes.next(3n, { kind: "delete", relation: 1, before: { complete: false, row: [null, "a"] } });
    changes.next(4n, { kind: "update", relation: 1, before: null, after: [undefined, "a"] });
    assert.deepEqual(told, [
      { kind: "one", identity: '["1"]' },
      { kind: "one", identity: '["2"]' },
      { kind: "unknown" },
      { kind: "unknown" },
    ]);
  });
});
