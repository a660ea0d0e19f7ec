import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Authentication, Tls } from "@headrace/contract";
import { NO_CREDENTIALS, namedSecrets, readCredentials } from "#operator/cluster/credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const secrets = (contents: Readonly<Record<string, Readonly<Record<string, string>> | null>>) =>
  new Map(
    Object.entries(contents).map(([name, data]) => [
      name,
      data && Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
    ]),
  );
const TLS: Tls = {
  trustedCertificates: [
    { secretName: "one", certificate: "ca.crt" },
    { secretName: "more", pattern: "c?-*.crt" },
  ],
};
const PLAIN: Authentication = {
  type: "plain",
  username: "ada",
  passwordSecret: { secretName: "user", password: "pw" },
};

describe("readCredentials", () => {
  it("needs nothing where nothing is asked for", () => {
    assert.deepEqual(namedSecrets({ tls: {} }), []);
    assert.deepEqual(readCredentials({ tls: {} }, new Map()), NO_CREDENTIALS);
  });

  it("joins certificates by key and by pattern, in a fixed order", () => {
    assert.deepEqual(namedSecrets({ tls: TLS, authentication: PLAIN }), ["one", "more", "user"]);
    const more = { "c1-b.crt": "B\n", "c1-a.crt": "A", "c12.crt": "no", "c1-a.key": "no" };
    const { trusted, problems, hash } = readCredentials({ tls: TLS }, secrets({ one: { "ca.crt": "ONE\n" }, more }));
    assert.equal(trusted, "ONE\nA\nB\n");
    assert.deepEqual(problems, []);
    assert.match(hash, /^[0-9a-f]{10}$/);
  });

  it("gives another hash for another password, and the same for the same", () => {
    const hashOf = (pw: string) => readCredentials({ authentication: PLAIN }, secrets({ user: { pw, x: pw } })).hash;
    assert.equal(hashOf("a"), hashOf("a"));
    assert.notEqual(hashOf("a"), hashOf("b"));
  });

  const troubles: readonly [string, Readonly<Record<string, Readonly<Record<string, string>> | null>>, RegExp][] = [
    ["a Secret that is missing", { user: null }, /^Secret user does not exist$/],
    ["a key that is missing", { user: { other: "canary" } }, /^Secret user has no key pw$/],
    ["an empty password", { user: { pw: "" } }, /password in pw is empty/],
    ["a password with a line break", { user: { pw: "canary\n" } }, /ends with a line break; write the Secret without/],
    ["a password with quotes", { user: { pw: 'canary"' } }, /which a JAAS configuration cannot hold/],
  ];
  for (const [what, contents, message] of troubles) {
    it(`tells ${what}, and never a value`, () => {
      const { problems } = readCredentials({ authentication: PLAIN }, secrets(contents));
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", message);
      assert.doesNotMatch(problems[0] ?? "", /canary/);
    });
  }

  it("tells a pattern that matches nothing", () => {
    const { problems } = readCredentials({ tls: TLS }, secrets({ one: { "ca.crt": "x" }, more: {} }));
    assert.deepEqual(problems, ["Secret more has no key that matches c?-*.crt"]);
  });
});
