import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { INT32_SCHEMA, INT64_SCHEMA, type SourceRecord } from "@headrace/sdk";
import { createRowShape, type Mode, type Row, type SourceDatabase, UTC } from "@headrace/sql";
import { fromOffset } from "../../../connectors/sql/src/source/position.ts";
import { createTableReader } from "../../../connectors/sql/src/source/table-reader.ts";

const UNREADABLE = 13;
const SHAPE = createRowShape("t", [
  {
    name: "id",
    schema: INT32_SCHEMA,
    isRequired: true,
    decode(text) {
      if (text === String(UNREADABLE)) throw new Error(`${text} is no good`);
      return Number(text);
    },
  },
  { name: "at", schema: { ...INT64_SCHEMA, optional: true }, isRequired: true, decode: BigInt },
]);

/** A database whose rows have times in whole seconds, as text of microseconds; `clock` is in milliseconds. */
function createDatabase() {
  const rows: { id: number; seconds: number }[] = [];
  let clock = 0;
  const pending = (): never => {
    throw new Error("not needed here");
  };
  const database: SourceDatabase<null> = {
    connect: pending,
    isOpen: () => true,
    close: async () => {},
    cut: () => {},
    toRetriable: (error) => error,
    quote: (name) => name,
    operand: (operand) => String(operand.kind === "integer" ? operand.value : operand.micros),
    listTables: pending,
    quoteTableName: ({ table }) => table,
    countingColumn: "counting",
    countingColumns: pending,
    zonelessColumns: pending,
    now: async () => BigInt(clock) * 1_000n,
    toMicros: BigInt,
    async openCursor(_, { text }) {
      const end = BigInt(/at < (-?\d+)/.exec(text)?.[1] ?? 0);
      const [, since = "-1", id] = /at > (-?\d+)(?: OR at = \d+ AND id > (\d+))?/.exec(text) ?? [];
      const isBehind = (row: { id: number; micros: bigint }) =>
        row.micros > BigInt(since) || (id !== undefined && row.micros === BigInt(since) && row.id > Number(id));
      const given = rows
        .map((row) => ({ id: row.id, micros: BigInt(row.seconds) * 1_000_000n }))
        .filter((row) => row.micros < end && isBehind(row))
        .toSorted((a, b) => Number(a.micros - b.micros) || a.id - b.id)
        .map(({ id, micros }): Row => [String(id), String(micros)]);
      return { read: async () => ({ shape: SHAPE, rows: given.splice(0, 10) }), end: async () => {} };
    },
  };
  return {
    database,
    rows,
    set(now: number) {
      clock = now;
    },
  };
}

function readerOf(database: SourceDatabase<null>, mode: Mode, delayMs = 0) {
  return createTableReader(database, {
    selection: { mode, from: "t", incrementingColumn: "id", timestampColumns: ["at"], zone: UTC, suffix: "" },
    name: "t",
    topic: "t",
    partition: {},
    start: fromOffset(null),
    rules: { "batch.max.rows": 10, "timestamp.delay.interval.ms": delayMs, "validate.non.null": true },
  });
}

const idsOf = ({ records }: { readonly records: readonly SourceRecord[] }) =>
  records.map(({ value }) => (value.value as { readonly id: number }).id);

function read(database: SourceDatabase<null>, mode: Mode, delayMs = 0) {
  const reader = readerOf(database, mode, delayMs);
  return async () => idsOf(await reader.read(null));
}

describe("a reader of a table by timestamps", () => {
  for (const mode of ["timestamp", "timestamp+incrementing"] as const) {
    it(`passes over no row whose column has whole seconds, in mode ${mode}`, async () => {
      const { database, rows, set } = createDatabase();
      const next = read(database, mode);
      rows.push({ id: 7, seconds: 10 });
      set(10_400);
      const early = await next();
      // In the same second, after it was looked at.
      rows.push({ id: 3, seconds: 10 });
      set(10_900);
      const still = await next();
      set(11_000);
      assert.deepEqual([...early, ...still, ...(await next())].toSorted(), [3, 7]);
      assert.deepEqual(await next(), []);
    });

    it(`keeps the delay for such a row, in mode ${mode}`, async () => {
      const { database, rows, set } = createDatabase();
      const next = read(database, mode, 1_500);
      rows.push({ id: 7, seconds: 8 });
      set(10_000);
      const early = await next();
      // Its transaction began at 8.6 s, took less than the delay, and ended after the look.
      rows.push({ id: 3, seconds: 8 });
      set(11_000);
      assert.deepEqual([...early, ...(await next())].toSorted(), [3, 7]);
    });
  }

  it("gives the rows before one that cannot be read, then fails of it, and goes on there once it is gone", async () => {
    const { database, rows, set } = createDatabase();
    const reader = readerOf(database, "timestamp+incrementing");
    const ids = async () => idsOf(await reader.read(null));
    rows.push(...[1, 2, UNREADABLE, 14].map((id) => ({ id, seconds: id })));
    set(60_000);
    assert.deepEqual(await ids(), [1, 2]);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await assert.rejects(ids, /column id of t: 13 is no good/);
      reader.reset();
    }
    rows.splice(2, 1);
    assert.deepEqual(await ids(), [14]);
  });
});
