import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utcOffsetOf } from "@headrace/sdk";
import type { Layout } from "../../../connectors/s3/src/format/sink-format.ts";
import { textLayout } from "../../../connectors/s3/src/format/text-writer.ts";
import {
  isFullAfter,
  isFullBefore,
  isOverdue,
  type NextRecord,
  type RotationLimits,
  type RoundState,
} from "../../../connectors/s3/src/sink/rotation.ts";

const LIMITS: RotationLimits = { maxRecords: 10, maxBytes: 1000, maxObjects: 3, recordTimeMs: 60_000, schedule: null };
const ROUND: RoundState = { records: 5, bytes: 500, objects: 2, firstTimestamp: 1_000_000, openedAt: 1_000_000 };
const layout: Layout = textLayout("");
const other: Layout = textLayout("");

describe("rotation before a record", () => {
  const table: readonly [string, Partial<RoundState>, Partial<NextRecord>, Partial<RotationLimits>, boolean][] = [
    ["a record like those before", {}, {}, {}, false],
    ["nothing is open", { records: 0 }, { timestamp: 9e9, openLayout: other }, {}, false],
    ["another layout in the same directory", {}, { openLayout: other }, {}, true],
    ["a directory more, up to the limit", { objects: 2 }, { openLayout: null }, {}, false],
    ["a directory more than may be open", { objects: 3 }, { openLayout: null }, {}, true],
    ["just before the interval has passed", {}, { timestamp: 1_059_999 }, {}, false],
    ["as the interval has passed", {}, { timestamp: 1_060_000 }, {}, true],
    ["an earlier time than the first", {}, { timestamp: 0 }, {}, false],
    ["no time", {}, { timestamp: null }, {}, false],
    ["no time of the first", { firstTimestamp: null }, { timestamp: 9e9 }, {}, false],
    ["no interval", {}, { timestamp: 9e9 }, { recordTimeMs: null }, false],
  ];
  for (const [name, round, next, limits, full] of table) {
    it(`${full ? "completes" : "goes on"}: ${name}`, () => {
      const record = { timestamp: 1_000_000, layout, openLayout: layout, ...next };
      assert.equal(isFullBefore({ ...ROUND, ...round }, record, { ...LIMITS, ...limits }), full);
    });
  }
});

describe("rotation after a record", () => {
  const table: readonly [string, Partial<RoundState>, Partial<RotationLimits>, boolean][] = [
    ["below all limits", {}, {}, false],
    ["as many records as asked for", { records: 10 }, {}, true],
    ["as many bytes as asked for", { bytes: 1000 }, {}, true],
    ["no limit of bytes", { bytes: 1e12 }, { maxBytes: null }, false],
    ["nothing is open", { records: 0, bytes: 1e12 }, {}, false],
  ];
  for (const [name, round, limits, full] of table) {
    it(`${full ? "completes" : "goes on"}: ${name}`, () => {
      assert.equal(isFullAfter({ ...ROUND, ...round }, { ...LIMITS, ...limits }), full);
    });
  }
});

describe("rotation by the clock", () => {
  const hour = 3_600_000;
  const at = (text: string) => Date.parse(text);
  const table: readonly [string, string, string, number, string, boolean][] = [
    ["the same hour", "2026-01-01T10:00:00Z", "2026-01-01T10:59:59Z", hour, "UTC", false],
    ["the hour is over", "2026-01-01T10:59:59Z", "2026-01-01T11:00:00Z", hour, "UTC", true],
    ["midnight in Berlin", "2026-07-01T21:59:59Z", "2026-07-01T22:00:00Z", 24 * hour, "Europe/Berlin", true],
    [
      "midnight in UTC, seen from Berlin",
      "2026-07-01T23:00:00Z",
      "2026-07-02T00:30:00Z",
      24 * hour,
      "Europe/Berlin",
      false,
    ],
  ];
  for (const [name, openedAt, now, intervalMs, zone, due] of table) {
    it(`${due ? "completes" : "goes on"}: ${name}`, () => {
      const limits = { ...LIMITS, schedule: { intervalMs, utcOffsetMs: utcOffsetOf(zone) } };
      assert.equal(isOverdue({ ...ROUND, openedAt: at(openedAt) }, at(now), limits), due);
      assert.equal(isOverdue({ ...ROUND, records: 0, openedAt: at(openedAt) }, at(now), limits), false);
      assert.equal(isOverdue({ ...ROUND, openedAt: at(openedAt) }, at(now), LIMITS), false);
    });
  }
});
