import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { foldAnswer, UNKNOWN_PROBE } from "#dev/agent/probe-state.ts";

describe("foldAnswer", () => {
  const probe = { successThreshold: 2, failureThreshold: 3 };
  const verdicts = (answers: string) => {
    let state = UNKNOWN_PROBE;
    return [...answers].map((answer) => {
      state = foldAnswer(state, answer === "+", probe);
      return state.passing === null ? "?" : state.passing ? "+" : "-";
    });
  };
  for (const [answers, expected] of [
    ["++", "?+"],
    ["+-+", "???"],
    ["---", "??-"],
    ["++--+---", "?+++++" + "+-"],
    ["++---++", "?+++--+"],
  ] as const) {
    it(`answers ${answers} give ${expected}`, () => assert.equal(verdicts(answers).join(""), expected));
  }
});
