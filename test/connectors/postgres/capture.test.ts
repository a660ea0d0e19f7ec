import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { timestampText } from "@headrace/sql";
import { Acknowledged } from "../../../connectors/postgres/src/capture/acknowledged.ts";
import { keyPlacesOf } from "../../../connectors/postgres/src/capture/key-place.ts";
import { lsnText, parseLsn } from "../../../connectors/postgres/src/capture/lsn.ts";
import { fromStreamOffset, isBehind, lastCommitOf } from "../../../connectors/postgres/src/capture/offset.ts";
import { planStart, type StartFacts } from "../../../connectors/postgres/src/capture/start-plan.ts";
import { parseArray } from "../../../connectors/postgres/src/types/array-text.ts";
import { hstoreEntries } from "../../../connectors/postgres/src/types/hstore-text.ts";
import { intervalMicros, intervalText } from "../../../connectors/postgres/src/types/interval-text.ts";
import { parseTimestamp, parseZonedTime, zonedTimestampText } from "../../../connectors/postgres/src/types/moment.ts";

describe("Acknowledged (invariant 1)", () => {
  it("moves to a mark once everything given before it is committed, and no sooner", () => {
    const acknowledged = new Acknowledged();
    acknowledged.mark(5n);
    assert.equal(acknowledged.flushed(), 5n);
    acknowledged.give(3);
    acknowledged.mark(10n);
    acknowledged.give(2);
    acknowledged.mark(20n);
    acknowledged.mark(25n);
    acknowledged.commit(2);
    assert.deepEqual([acknowledged.flushed(), acknowledged.isComplete()], [5n, false]);
    acknowledged.commit(1);
    assert.equal(acknowledged.flushed(), 10n);
    acknowledged.commit(1);
    assert.equal(acknowledged.flushed(), 10n);
    acknowledged.commit(1);
    assert.deepEqual([acknowledged.flushed(), acknowledged.isComplete()], [25n, true]);
  });

  it("never goes back, as when the stream begins again behind what is on its way", () => {
    const acknowledged = new Acknowledged();
    acknowledged.mark(30n);
    acknowledged.give(1);
    acknowledged.mark(40n);
    acknowledged.mark(20n);
    assert.equal(acknowledged.flushed(), 30n);
    acknowledged.commit(1);
    assert.equal(acknowledged.flushed(), 30n);
    acknowledged.mark(40n);
    assert.equal(acknowledged.flushed(), 40n);
  });
});

describe("planStart", () => {
  const base: StartFacts = {
    mode: "initial",
    slotName: "s",
    slot: { confirmed: 10n, isLost: false },
    given: 20n,
    hasRead: false,
    end: 30n,
  };
  const lost = { confirmed: 10n, isLost: true };
  const cases: readonly (readonly [string, Partial<StartFacts>, string])[] = [
    ["goes on with the stream", {}, "stream"],
    ["reads tables with a new slot at first", { given: null, slot: null }, "snapshot anew"],
    ["reads tables on the slot that is there", { given: null }, "snapshot"],
    ["reads nothing where no data are wanted", { given: null, mode: "no_data", slot: null }, "stream"],
    ["fails when the slot is gone", { slot: null }, "fail"],
    ["fails when the slot was invalidated", { slot: lost }, "fail"],
    [
      "fails when the slot was invalidated and nothing may be read",
      { given: null, mode: "no_data", slot: lost },
      "fail",
    ],
    ["begins anew when needed", { slot: null, mode: "when_needed" }, "snapshot anew"],
    ["fails on a database that lies behind the offset", { end: 19n }, "fail"],
    ["begins anew on such a database when needed", { end: 19n, mode: "when_needed" }, "snapshot anew"],
    ["reads again at each start", { mode: "always" }, "snapshot"],
    ["does not read again within one run", { mode: "always", hasRead: true }, "stream"],
  ];
  for (const [name, change, wanted] of cases) {
    it(name, () => {
      const plan = planStart({ ...base, ...change });
      assert.equal(plan.kind === "snapshot" && plan.anew ? "snapshot anew" : plan.kind, wanted);
      if (plan.kind === "fail") assert.match(plan.message, /when_needed/);
    });
  }
});

describe("offsets of the stream", () => {
  it("leave out what was given, to the record", () => {
    const position = fromStreamOffset({ lsn: 5, commit: 10, event: 2, part: 1 });
    const behind = (commit: bigint, event: number, part: number) => isBehind(position, commit, event, part);
    assert.deepEqual(
      [behind(9n, 9, 9), behind(10n, 2, 1), behind(10n, 2, 2), behind(10n, 3, 0), behind(11n, 1, 0)],
      [false, false, true, true, true],
    );
  });

  it("of Debezium go on behind its last complete transaction", () => {
    const offset = { lsn_proc: 23069096, messageType: "COMMIT", lsn_commit: 23069096, lsn: 23069096, txId: 744 };
    assert.deepEqual(fromStreamOffset(offset), { commit: 23_069_096n, event: 0, part: 0 });
    assert.equal(lastCommitOf(offset), 23_069_096n);
    assert.equal(lastCommitOf({ lsn: 5 }), null);
    assert.throws(() => fromStreamOffset({ position: 1 }), /has the integer lsn/);
  });

  it("are places in the log", () => {
    assert.equal(parseLsn("16/B374D848"), 0x16b374d848n);
    assert.equal(lsnText(0x16b374d848n), "16/B374D848");
    assert.throws(() => parseLsn("x"), /no place/);
  });
});

describe("keyPlacesOf", () => {
  const column = (name: string, isKey: boolean) => ({ name, isKey, type: 23, modifier: -1 });
  const places = (identity: string, columns: readonly (readonly [string, boolean])[], now: [string, number | null][]) =>
    keyPlacesOf(
      { id: 1, schema: "s", table: "t", identity, columns: columns.map(([name, isKey]) => column(name, isKey)) },
      now.map(([name, keyPlace]) => ({ name, keyPlace })),
    );
  const id = ["id", true] as const;
  const n = ["n", false] as const;
  const cases: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    [
      "is the catalog's",
      places(
        "d",
        [
          ["a", true],
          ["b", true],
        ],
        [
          ["a", 1],
          ["b", 0],
        ],
      ),
      [1, 0],
    ],
    [
      "of a column that was renamed since is the stream's",
      places(
        "d",
        [id, n],
        [
          ["key", 0],
          ["n", null],
        ],
      ),
      [0, -1],
    ],
    [
      "of a renamed column is the one that is left",
      places(
        "d",
        [
          ["a", true],
          ["b", true],
        ],
        [
          ["c", 1],
          ["b", 0],
        ],
      ),
      [1, 0],
    ],
    [
      "of another column that was renamed is none",
      places(
        "d",
        [id, n],
        [
          ["id", 0],
          ["m", null],
        ],
      ),
      [0, -1],
    ],
    ["of a column that was dropped since is the stream's", places("d", [id, n], [["n", null]]), [1, -1]],
    ["of a table that is gone is the stream's", places("d", [id, n], []), [0, -1]],
    ["is not told by the whole row", places("f", [id, ["n", true]], [["m", null]]), [-1, -1]],
  ];
  for (const [name, given, wanted] of cases) it(name, () => assert.deepEqual(given, wanted));
});

describe("texts of PostgreSQL", () => {
  it("are points in time of any year, to the microsecond", () => {
    const cases: readonly (readonly [string, bigint, string])[] = [
      ["1970-01-01 00:00:00", 0n, "1970-01-01T00:00:00.000000Z"],
      ["2024-02-29 13:14:15.123456+02", 1_709_205_255_123_456n, "2024-02-29T11:14:15.123456Z"],
      ["1969-12-31 23:59:59.9", -100_000n, "1969-12-31T23:59:59.900000Z"],
      ["0001-01-01 00:00:00", -62_135_596_800_000_000n, "0001-01-01T00:00:00.000000Z"],
      ["0044-03-15 12:00:00 BC", -63_517_780_800_000_000n, "-0043-03-15T12:00:00.000000Z"],
      ["294276-12-31 23:59:59.999999", 9_224_318_015_999_999_999n, "+294276-12-31T23:59:59.999999Z"],
    ];
    for (const [text, micros, iso] of cases) {
      assert.equal(parseTimestamp(text), micros, text);
      assert.equal(parseTimestamp(timestampText(micros)), micros, text);
      assert.equal(zonedTimestampText(micros, 6), iso);
    }
    assert.equal(zonedTimestampText(1_500_000n, 0), "1970-01-01T00:00:01Z");
    assert.equal(zonedTimestampText(1_500_000n, 3), "1970-01-01T00:00:01.500Z");
    assert.equal(parseTimestamp("-infinity"), "-infinity");
    assert.equal(parseZonedTime("13:14:15.5+02"), "11:14:15.5Z");
    assert.equal(parseZonedTime("01:00:00+05:30"), "19:30:00Z");
    assert.throws(() => parseTimestamp("yesterday"), /no timestamp/);
  });

  it("are arrays, whatever is in them", () => {
    assert.deepEqual(parseArray('{a,"b \\"c\\\\,{}",NULL,"NULL",""}'), ["a", 'b "c\\,{}', null, "NULL", ""]);
    assert.deepEqual(parseArray("{}"), []);
    assert.deepEqual(parseArray("[2:3]={1,2}"), ["1", "2"]);
    assert.deepEqual(parseArray("{{1,2},{3,4}}"), [
      ["1", "2"],
      ["3", "4"],
    ]);
    assert.throws(() => parseArray("{a"), /no array/);
  });

  it("are intervals and key-value stores", () => {
    assert.equal(intervalMicros("P1Y2M3DT4H5M6.789S"), 37_091_106_789_000n);
    assert.equal(intervalMicros("PT-0.5S"), -500_000n);
    assert.equal(intervalText("P1DT-2H-0.25S"), "P0Y0M1DT-2H0M-0.25S");
    assert.deepEqual(hstoreEntries('"a"=>"1", "b\\"c"=>NULL'), [
      ["a", "1"],
      ['b"c', null],
    ]);
  });
});
