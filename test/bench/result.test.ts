import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compare } from "../../bench/result.ts";
import { slopeOf, spreadOf } from "../../bench/statistics.ts";
import { toTable } from "../../bench/table.ts";
import { meets, targetOf } from "../../bench/target.ts";

const run = (side: "headrace" | "jvm" | "jvm-tuned", recordsPerSecond: number) => ({
  side,
  measured: { recordsPerSecond },
});

describe("the results of a benchmark", () => {
  it("have the middle value, the mean of the two middle ones if they are even in number", () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
    assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
    assert.throws(() => spreadOf([]), /no values/);
  });

  it("have the slope of the line that fits best", () => {
    assert.equal(
      slopeOf([
        { x: 1, y: 10 },
        { x: 2, y: 13 },
        { x: 3, y: 10 },
        { x: 4, y: 13 },
      ]),
      0.6,
    );
    assert.throws(() => slopeOf([{ x: 1, y: 1 }]), /no slope/);
  });

  it("compare each figure that both sides have with each peer", () => {
    const runs = [run("headrace", 600), run("jvm", 100), run("jvm-tuned", 300), run("headrace", 400), run("jvm", 100)];
    const comparisons = compare({ scenario: "file-source-100b", runs });
    assert.deepEqual(
      comparisons.map(({ figure, peer, ratio }) => [figure, peer, Number(ratio?.toFixed(2))]),
      [
        ["recordsPerSecond", "jvm", 5],
        ["recordsPerSecond", "jvm-tuned", 1.67],
      ],
    );
  });

  it("meet a target at its bound, and say so in the table", () => {
    const runs = [run("headrace", 500_000), run("jvm", 100_000)];
    const [comparison] = compare({ scenario: "file-source-100b", runs });
    assert.ok(comparison !== undefined);
    const target = targetOf(comparison);
    assert.equal(target?.ratio, 5);
    assert.ok(meets(comparison, target));
    assert.match(toTable([comparison]), /\| 500 k \(500 k–500 k\) \| 100 k .* \| jvm \| 5\.00 \| ≥ 5\.00× \| met \|/);
    assert.match(
      toTable(compare({ scenario: "file-source-100b", runs: [run("headrace", 1), run("jvm", 1)] })),
      /missed/,
    );
  });
});
