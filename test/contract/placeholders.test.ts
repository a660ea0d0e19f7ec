import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fillPlaceholders, hasPlaceholder, placeholdersIn } from "@headrace/contract";

/** The expression of Kafka's ConfigTransformer: slow, and the definition of what a placeholder is. */
const KAFKAS = /\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}/g;
const PIECES = ["$", "{", "}", ":", "${", "a", "/", "\n", "é", `$\{a:b}`];

function byKafka(value: string) {
  return [...value.matchAll(KAFKAS)].map(([text, provider = "", , path = "", key = ""]) => ({
    text,
    provider,
    path,
    key,
  }));
}

/** Every text of up to so many pieces. */
function* texts(pieces: number): Generator<string> {
  yield "";
  if (pieces === 0) return;
  for (const rest of texts(pieces - 1)) for (const piece of PIECES) yield piece + rest;
}

describe("placeholders", () => {
  it("are those of Kafka's expression, in every short text", () => {
    for (const text of texts(5)) {
      const found = byKafka(text);
      assert.deepEqual(placeholdersIn(text), found, JSON.stringify(text));
      assert.equal(hasPlaceholder(text), found.length > 0, JSON.stringify(text));
      const filled = text.replace(KAFKAS, (whole, provider: string) => (provider === "a" ? "$&" : whole));
      assert.equal(
        fillPlaceholders(text, ({ provider }) => (provider === "a" ? "$&" : undefined)),
        filled,
        JSON.stringify(text),
      );
    }
  });

  it("keep further colons in the key", () => {
    const [found] = placeholdersIn(`x $\{a:b:c:d} y`);
    assert.deepEqual(found, { text: `$\{a:b:c:d}`, provider: "a", path: "b", key: "c:d" });
  });

  // With Kafka's expression each of these takes longer than anybody waits; the limit of a test file ends it.
  const long = [
    `\${${":".repeat(1_000_000)}`,
    `$${"{".repeat(1_000_000)}`,
    "${".repeat(500_000),
    "${:".repeat(400_000),
  ];
  for (const text of long) {
    it(`are looked for in ${text.length} characters like ${text.slice(0, 4)} at once`, () => {
      assert.deepEqual(placeholdersIn(text), []);
      assert.equal(
        fillPlaceholders(text, () => "x"),
        text,
      );
    });
  }
});
