import { createPrivateKey, X509Certificate } from "node:crypto";
import { ContentInfo, id_data } from "@peculiar/asn1-cms";
import {
  AuthenticatedSafe,
  CertBag,
  id_certBag,
  id_pkcs8ShroudedKeyBag,
  id_x509Certificate,
  PFX,
  PKCS12Attribute,
  SafeBag,
  SafeContents,
} from "@peculiar/asn1-pfx";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import type { KeyPair } from "./certificate.ts";

/**
 * Java's keystores, as PKCS #12 (RFC 7292). Private keys are encrypted with the password; certificates are not secret. There is no MAC, which
 * the standard leaves open: whoever can change such a file in its Secret can change the password beside it.
 */

/** A key with its certificate, under the alias `alias`. */
export function toKeyStore(
  { certificate, key }: KeyPair,
  { alias, password }: { readonly alias: string; readonly password: string },
): Buffer {
  const der = createPrivateKey(key).export({
    type: "pkcs8",
    format: "der",
    cipher: "aes-256-cbc",
    passphrase: password,
  });
  const name = [
    friendlyName(alias),
    attribute(LOCAL_KEY_ID, AsnConvert.serialize(new OctetString(Buffer.from(alias)))),
  ];
  return toFile([
    new SafeBag({ bagId: id_pkcs8ShroudedKeyBag, bagValue: toArrayBuffer(der), bagAttributes: name }),
    certificateBag(certificate, name),
  ]);
}

/** Certificates that are trusted. Each has an alias of its own, and is marked as Java marks what it trusts: others it would ignore. */
export function toTrustStore(certificates: readonly string[]): Buffer {
  return toFile(
    certificates.map((certificate, index) =>
      certificateBag(certificate, [friendlyName(`ca-${index}`), attribute(TRUSTED_KEY_USAGE, ANY_EXTENDED_KEY_USAGE)]),
    ),
  );
}

const FRIENDLY_NAME = "1.2.840.113549.1.9.20";
const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
/** Oracle's mark of a trusted certificate; its value is for what. */
const TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1";
/** The object identifier 2.5.29.37.0, encoded. */
const ANY_EXTENDED_KEY_USAGE = toArrayBuffer(Buffer.from("0604551d2500", "hex"));
const BMP_STRING = 0x1e;

function certificateBag(certificate: string, bagAttributes: PKCS12Attribute[]): SafeBag {
  const certValue = AsnConvert.serialize(new OctetString(new X509Certificate(certificate).raw));
  const bag = new CertBag({ certId: id_x509Certificate, certValue });
  return new SafeBag({ bagId: id_certBag, bagValue: AsnConvert.serialize(bag), bagAttributes });
}

function toFile(bags: SafeBag[]): Buffer {
  const safe = new AuthenticatedSafe([toData(new SafeContents(bags))]);
  const file = new PFX({ version: 3, authSafe: toData(safe) });
  return Buffer.from(AsnConvert.serialize(Object.assign(file, { macData: undefined })));
}

function toData(content: AuthenticatedSafe | SafeContents): ContentInfo {
  const octets = new OctetString(AsnConvert.serialize(content));
  return new ContentInfo({ contentType: id_data, content: AsnConvert.serialize(octets) });
}

/** A name of less than 64 characters, as a BMPString: `[tag][length][UTF-16, big endian]`. */
function friendlyName(name: string): PKCS12Attribute {
  const text = Buffer.from(name, "utf16le").swap16();
  return attribute(FRIENDLY_NAME, toArrayBuffer(Buffer.concat([Buffer.from([BMP_STRING, text.length]), text])));
}

function attribute(attrId: string, value: ArrayBuffer): PKCS12Attribute {
  return Object.assign(new PKCS12Attribute(), { attrId, attrValues: [value] });
}

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
