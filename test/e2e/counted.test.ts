import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { count } from "./counted.ts";

describe("count", () => {
  it("misses nothing where sequences have come to different lengths, each to what was acknowledged or further", () => {
    assert.deepEqual(count([0, 3, 6, 1, 2, 5], [3, 1, 1]), { distinct: 6, repeated: 0, missing: [] });
  });

  it("tells what came twice, and what never came", () => {
    assert.deepEqual(count([0, 6, 1, 1, 2, 8, 8, 8], [0, 0, 0]), { distinct: 5, repeated: 3, missing: [3, 5] });
  });

  it("misses the end of a sequence, and a whole one, that was acknowledged", () => {
    assert.deepEqual(count([0, 3, 2], [3, 2, 1]), { distinct: 3, repeated: 0, missing: [6, 1, 4] });
  });
});
