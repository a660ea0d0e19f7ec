import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGivenValues } from "#runtime/config-providers/given-values.ts";
import { createConfigResolver } from "#runtime/config-providers/resolver.ts";

describe("given values", () => {
  const env = {
    PASSWORD: "p&ss $& word",
    TOKEN: "t0ken\n",
    LONG: "p&ss $& word-and-more",
    SHORT: "abc",
    ODD: "a.b*(c)[d]^{e}$|\\\\",
    KEY: "TOKEN",
  };

  async function resolved() {
    const values = createGivenValues();
    const resolver = createConfigResolver({ "config.providers": "env" }, { env, warn: () => {}, given: values.add });
    const raw = Object.fromEntries(Object.keys(env).map((name) => [name, `https://u:\${env:${name}}@host`]));
    await resolver.resolve({ ...raw, other: `\${env:NOBODY}` }, new AbortController().signal);
    return values;
  }

  for (const [what, text, expected] of [
    ["a value by itself", "bad p&ss $& word", `bad \${env:PASSWORD}`],
    ["a value as part of a larger one", "https://u:p&ss $& word@host", `https://u:\${env:PASSWORD}@host`],
    ["a value encoded for a URL", "GET /?p=p%26ss%20%24%26%20word", `GET /?p=\${env:PASSWORD}`],
    ["a value without the line end of its file", "token t0ken!", `token \${env:TOKEN}!`],
    ["the longest of several that fit", "p&ss $& word-and-more", `\${env:LONG}`],
    ["none inside of a placeholder that is put in", "t0ken TOKEN", `\${env:TOKEN} \${env:KEY}`],
    ["what means something in a pattern", "x a.b*(c)[d]^{e}$|\\\\ y", `x \${env:ODD} y`],
    ["every occurrence", "t0ken t0ken", `\${env:TOKEN} \${env:TOKEN}`],
    ["no value that is too short to tell", "abcdef", "abcdef"],
    ["nothing of what was not given", `\${env:NOBODY}`, `\${env:NOBODY}`],
  ] as const) {
    it(`are hidden: ${what}`, async () => {
      assert.equal((await resolved()).hide(text), expected);
    });
  }

  it("do not pile up", () => {
    const values = createGivenValues();
    for (let at = 0; at <= 10_000; at++) values.add(`value-${at}`, { provider: "p", path: "path", key: "k" });
    assert.equal(values.hide("value-0."), "value-0.");
    assert.equal(values.hide("value-10000."), `\${p:path:k}.`);
  });
});
