import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { AuthenticatedSafe, CertBag, PFX, type SafeBag, SafeContents } from "@peculiar/asn1-pfx";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { createAuthority, issueCertificate } from "#operator/pki/certificate.ts";
import { toKeyStore, toTrustStore } from "#operator/pki/pkcs12.ts";

const NOW_MS = Date.UTC(2030, 0, 1);
const VALID_MS = 86_400_000;

function bagsIn(file: Buffer): readonly SafeBag[] {
  const { authSafe, version } = AsnConvert.parse(file, PFX);
  assert.equal(version, 3);
  const octets = (content: ArrayBuffer) => AsnConvert.parse(content, OctetString);
  const safe = AsnConvert.parse(octets(authSafe.content), AuthenticatedSafe);
  return [...safe].flatMap(({ content }) => [...AsnConvert.parse(octets(content), SafeContents)]);
}

function certificateIn({ bagValue }: SafeBag): Buffer {
  return Buffer.from(AsnConvert.parse(AsnConvert.parse(bagValue, CertBag).certValue, OctetString).buffer);
}

describe("PKCS #12", () => {
  it("holds a key, encrypted, and its certificate, tied to one another", async () => {
    const authority = await createAuthority({ commonName: "ca", validMs: VALID_MS }, NOW_MS);
    const subject = { commonName: "worker", names: [], usages: ["server"], validMs: VALID_MS } as const;
    const pair = await issueCertificate(authority, subject, NOW_MS);
    const [key, certificate, ...others] = bagsIn(toKeyStore(pair, { alias: "worker", password: "secret" }));
    assert.ok(key !== undefined && certificate !== undefined);
    assert.deepEqual(others, []);
    assert.equal(key.bagId, "1.2.840.113549.1.12.10.1.2");
    const der = { key: Buffer.from(key.bagValue), format: "der", type: "pkcs8" } as const;
    const opened = createPrivateKey({ ...der, passphrase: "secret" });
    assert.equal(
      opened.export({ type: "pkcs8", format: "pem" }),
      createPrivateKey(pair.key).export({ type: "pkcs8", format: "pem" }),
    );
    assert.throws(() => createPrivateKey({ ...der, passphrase: "other" }));
    assert.deepEqual(certificateIn(certificate), new X509Certificate(pair.certificate).raw);
    assert.deepEqual(key.bagAttributes, certificate.bagAttributes);
  });

  it("marks each certificate that is trusted", async () => {
    const authorities = await Promise.all(
      ["one", "two"].map((commonName) => createAuthority({ commonName, validMs: VALID_MS }, NOW_MS)),
    );
    const bags = bagsIn(toTrustStore(authorities.map(({ certificate }) => certificate)));
    assert.deepEqual(
      bags.map(certificateIn),
      authorities.map(({ certificate }) => new X509Certificate(certificate).raw),
    );
    for (const { bagAttributes = [] } of bags) {
      assert.ok(bagAttributes.some(({ attrId }) => attrId === "2.16.840.1.113894.746875.1.1"));
    }
  });
});
