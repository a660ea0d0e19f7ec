import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { count } from "./counted.ts";

describe("count", () => {
  it("misses nothing where sequences have come to different lengths", () => {
    assert.deepEqual(count([0, 3, 6, 1, 2, 5], 3), { distinct: 6, repeated: 0, missing: [] });
  });

  it("tells what came twice, and what never came", () => {
    assert.deepEqual(count([0, 6, 1, 1, 2, 8, 8, 8], 3), { distinct: 5, repeated: 3, missing: [3, 5] });
  });
});
