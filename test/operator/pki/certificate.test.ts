import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import {
  createAuthority,
  fingerprintOf,
  isIssuedBy,
  issueCertificate,
  lifeOf,
  splitCertificates,
} from "#operator/pki/certificate.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2030, 0, 1);

describe("certificates", () => {
  it("are signed by their authority, for the names and uses that are asked for", async () => {
    const authority = await createAuthority({ commonName: "a, O=b", validMs: 100 * HOUR_MS }, NOW_MS);
    const names = ["c-connect-api.ns.svc", "127.0.0.1", "::1"];
    const pair = await issueCertificate(
      authority,
      { commonName: "x".repeat(80), names, usages: ["server", "client"], validMs: HOUR_MS },
      NOW_MS,
    );
    const parsed = new X509Certificate(pair.certificate);
    assert.equal(new X509Certificate(authority.certificate).subject, "CN=a\\, O=b");
    assert.equal(new X509Certificate(authority.certificate).ca, true);
    assert.equal(parsed.ca, false);
    assert.equal(parsed.subject, `CN=${"x".repeat(64)}`);
    assert.equal(parsed.subjectAltName, "DNS:c-connect-api.ns.svc, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
    assert.deepEqual(parsed.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.deepEqual(lifeOf(pair.certificate), { fromMs: NOW_MS - HOUR_MS, untilMs: NOW_MS + HOUR_MS });
    assert.equal(fingerprintOf(pair.certificate), parsed.fingerprint256);
    assert.equal(isIssuedBy(pair, authority.certificate), true);
  });

  it("end with their authority", async () => {
    const authority = await createAuthority({ commonName: "a", validMs: HOUR_MS }, NOW_MS);
    const subject = { commonName: "b", names: [], usages: ["client"], validMs: 100 * HOUR_MS } as const;
    const { certificate } = await issueCertificate(authority, subject, NOW_MS);
    assert.equal(lifeOf(certificate).untilMs, NOW_MS + HOUR_MS);
  });

  it("are not taken for another authority's, nor with another key, nor when they cannot be read", async () => {
    const [one, two] = [
      await createAuthority({ commonName: "a", validMs: HOUR_MS }, NOW_MS),
      await createAuthority({ commonName: "a", validMs: HOUR_MS }, NOW_MS),
    ];
    const subject = { commonName: "b", names: [], usages: ["client"], validMs: HOUR_MS } as const;
    const pair = await issueCertificate(one, subject, NOW_MS);
    const other = await issueCertificate(one, subject, NOW_MS);
    assert.equal(isIssuedBy(pair, two.certificate), false);
    assert.equal(isIssuedBy({ ...pair, key: other.key }, one.certificate), false);
    assert.equal(isIssuedBy({ ...pair, certificate: "" }, one.certificate), false);
    assert.deepEqual(splitCertificates(`x${one.certificate}\n# two\n${two.certificate}`), [
      one.certificate,
      two.certificate,
    ]);
  });
});
