import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toConfigPairs } from "#runtime/kafka/native-config.ts";

describe("toConfigPairs", () => {
  const oidc = { "sasl.oauthbearer.method": "OIDC" };
  const debian = (file: string) => file === "/etc/ssl/certs/ca-certificates.crt";
  const location = (config: Record<string, string>, exists: (file: string) => boolean) => {
    const pairs = toConfigPairs(config, exists);
    const at = pairs.lastIndexOf("https.ca.location");
    return at === -1 ? undefined : pairs[at + 1];
  };

  it("gives names and values in turn", () => {
    assert.deepEqual(toConfigPairs({ "client.id": "a", "linger.ms": "5" }, debian), [
      "client.id",
      "a",
      "linger.ms",
      "5",
    ]);
  });

  it("names the system's certificates for tokens over HTTP", () => {
    assert.equal(location(oidc, debian), "/etc/ssl/certs/ca-certificates.crt");
    assert.equal(location({ ...oidc, "https.ca.location": "probe" }, debian), "/etc/ssl/certs/ca-certificates.crt");
  });

  it("leaves alone what was given, what needs none, and what has none", () => {
    assert.equal(location({}, debian), undefined);
    assert.equal(location({ ...oidc, "https.ca.location": "/mine" }, debian), "/mine");
    assert.equal(location({ ...oidc, "https.ca.pem": "PEM" }, debian), undefined);
    assert.equal(
      location(oidc, () => false),
      undefined,
    );
  });
});
