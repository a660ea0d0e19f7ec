import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noticesOf, type SlotState, type WalStatus } from "../../../connectors/postgres/src/capture/slot-state.ts";

const state = (status: WalStatus, retainedBytes = 0): SlotState => ({
  status,
  retainedBytes,
  unconfirmedBytes: 0,
  safeBytes: null,
});

describe("what is said of a slot", () => {
  const cases: readonly (readonly [string, SlotState | null, SlotState, readonly RegExp[]])[] = [
    ["nothing of one that is well", null, state("reserved", 100), []],
    ["an alarm beyond the limit", null, state("reserved", 101), [/^warn .*keeps much/]],
    ["no alarm twice", state("reserved", 101), state("reserved", 500), []],
    ["the end of the alarm", state("reserved", 101), state("reserved", 100), [/^info .*does not keep much/]],
    ["more than max_wal_size", state("reserved"), state("extended"), [/^warn .*max_wal_size/]],
    ["danger", state("extended"), state("unreserved"), [/^error .*next checkpoint/]],
    ["danger that was there at first", null, state("unreserved"), [/^error .*next checkpoint/]],
    ["the loss, with the end of the alarm", state("unreserved", 101), state("lost"), [/^info/, /^error .*is lost/]],
    ["no loss twice", state("lost"), state("lost"), []],
    ["the end of the danger", state("unreserved"), state("reserved"), [/^info .*again/]],
  ];
  for (const [name, before, now, wanted] of cases) {
    it(`is ${name}`, () => {
      const lines = noticesOf(before, now, 100).map(({ level, message }) => `${level} ${message}`);
      assert.equal(lines.length, wanted.length, lines.join());
      for (const [index, line] of lines.entries()) assert.match(line, wanted[index] ?? /never/);
    });
  }
});
