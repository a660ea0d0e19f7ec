import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DATE_SCHEMA, TIMESTAMP_SCHEMA } from "@headrace/sdk";
import { localText, timeZoneOf, UTC } from "@headrace/sql";
import { literalOf } from "../../../connectors/mysql/src/sink/literal.ts";
import { toCell } from "../../../connectors/postgres/src/cell.ts";
import { timeZoneProblem } from "../../../connectors/sql/src/time-zone.ts";

const micros = (text: string) => BigInt(Date.parse(text)) * 1000n;
const iso = (value: bigint) => new Date(Number(value / 1000n)).toISOString();

/** Local times, written as if they were UTC, and the points in time that they are. */
const CASES: readonly [zone: string, what: string, local: string, utc: string][] = [
  ["Europe/Berlin", "winter", "2024-01-15T12:00:00Z", "2024-01-15T11:00:00Z"],
  ["Europe/Berlin", "summer", "2024-07-15T12:00:00Z", "2024-07-15T10:00:00Z"],
  ["Europe/Berlin", "just before the gap", "2024-03-31T01:59:59.999Z", "2024-03-31T00:59:59.999Z"],
  ["Europe/Berlin", "within the gap: an hour later", "2024-03-31T02:30:00Z", "2024-03-31T01:30:00Z"],
  ["Europe/Berlin", "behind the gap", "2024-03-31T03:00:00Z", "2024-03-31T01:00:00Z"],
  ["Europe/Berlin", "before the hour that comes twice", "2024-10-27T01:59:59Z", "2024-10-26T23:59:59Z"],
  ["Europe/Berlin", "in the hour that comes twice: the first", "2024-10-27T02:30:00Z", "2024-10-27T00:30:00Z"],
  ["Europe/Berlin", "behind it", "2024-10-27T03:00:00Z", "2024-10-27T02:00:00Z"],
  ["America/New_York", "within the gap", "2024-03-10T02:15:00Z", "2024-03-10T07:15:00Z"],
  ["America/New_York", "in the hour that comes twice", "2024-11-03T01:15:00Z", "2024-11-03T05:15:00Z"],
  ["Australia/Lord_Howe", "half an hour's gap", "2024-10-06T02:15:00Z", "2024-10-05T15:45:00Z"],
  ["Asia/Kolkata", "a half hour from UTC", "2024-01-01T00:00:00Z", "2023-12-31T18:30:00Z"],
  ["Europe/Berlin", "long ago", "1970-01-01T00:30:00Z", "1969-12-31T23:30:00Z"],
];

describe("db.timezone", () => {
  for (const [name, what, local, utc] of CASES) {
    it(`${name}, ${what}`, () => {
      const zone = timeZoneOf(name);
      assert.equal(iso(zone.toUtc(micros(local))), iso(micros(utc)));
      // Again, from what is kept.
      assert.equal(iso(zone.toUtc(micros(local) + 1_000n)), iso(micros(utc) + 1_000n));
    });
  }

  it("gives back every point in time but those of the second time of an hour", () => {
    const zone = timeZoneOf("Europe/Berlin");
    const [from, to] = [Date.parse("2024-01-01T00:07:00Z"), Date.parse("2025-01-01T00:00:00Z")];
    const moved = new Set<string>();
    for (let ms = from; ms < to; ms += 11 * 60_000) {
      const utc = BigInt(ms) * 1000n + 7n;
      const back = zone.toUtc(zone.toLocal(utc));
      if (back !== utc) moved.add(iso(utc).slice(0, 13));
    }
    assert.deepEqual([...moved], ["2024-10-27T01"]);
  });

  it("is UTC under each of its names, and refuses what is no zone", () => {
    assert.equal(timeZoneOf("UTC"), UTC);
    assert.equal(timeZoneOf("Etc/UTC"), UTC);
    assert.equal(timeZoneProblem("Europe/Berlin"), null);
    for (const name of ["Europe/Atlantis", "", "Berlin"])
      assert.match(String(timeZoneProblem(name)), /is no time zone/);
  });

  it("writes local times where a column has no zone, and nowhere else", () => {
    const berlin = timeZoneOf("Europe/Berlin");
    const noon = BigInt(Date.parse("2024-07-15T12:00:00.123Z"));
    assert.equal(localText(Number(noon), berlin), "2024-07-15 14:00:00.123");
    const cell = (type: string) => toCell(noon, TIMESTAMP_SCHEMA, type, berlin);
    assert.equal(cell("timestamp without time zone"), "2024-07-15 14:00:00.123");
    assert.equal(cell("timestamp(3) without time zone"), "2024-07-15 14:00:00.123");
    assert.equal(cell("timestamp with time zone"), "2024-07-15T12:00:00.123Z");
    assert.equal(cell("text"), "2024-07-15T12:00:00.123Z");
    assert.equal(
      toCell(
        [noon],
        { type: "ARRAY", optional: false, valueSchema: TIMESTAMP_SCHEMA },
        "timestamp without time zone[]",
        berlin,
      ),
      '{"2024-07-15 14:00:00.123"}',
    );
    assert.equal(toCell(19_919, DATE_SCHEMA, "date", berlin), "2024-07-15");
    assert.equal(literalOf(noon, TIMESTAMP_SCHEMA, berlin), "'2024-07-15 14:00:00.123'");
    assert.equal(literalOf(noon, TIMESTAMP_SCHEMA), "'2024-07-15 12:00:00.123'");
  });
});
