import "reflect-metadata";
import { createPrivateKey, X509Certificate as ParsedCertificate, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is for, and how long. */
export interface Subject {
  readonly commonName: string;
  /** DNS names and IP addresses that it stands for. */
  readonly names: readonly string[];
  readonly usages: readonly ("server" | "client")[];
  readonly validMs: number;
}

const KEYS = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };
/** Clocks differ: a certificate is valid a little earlier than it is made. */
const BACKDATED_MS = 3_600_000;

/** Makes a self-signed authority, which signs certificates but no further authorities. */
export async function createAuthority(
  { commonName, validMs }: Pick<Subject, "commonName" | "validMs">,
  nowMs: number,
): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: nameOf(commonName),
    ...validity(nowMs, validMs),
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return toKeyPair(certificate, keys);
}

/** Makes a key and has `authority` sign its certificate, which ends no later than the authority's own. */
export async function issueCertificate(authority: KeyPair, subject: Subject, nowMs: number): Promise<KeyPair> {
  const keys = await generateKeys();
  const issuer = new X509Certificate(authority.certificate);
  const { notBefore, notAfter } = validity(nowMs, subject.validMs);
  const { serverAuth, clientAuth } = ExtendedKeyUsage;
  const certificate = await X509CertificateGenerator.create({
    subject: nameOf(subject.commonName),
    issuer: issuer.subjectName,
    notBefore,
    notAfter: notAfter < issuer.notAfter ? notAfter : issuer.notAfter,
    publicKey: keys.publicKey,
    signingKey: await readPrivateKey(authority.key),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(subject.usages.map((usage) => (usage === "server" ? serverAuth : clientAuth))),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(subject.names.length === 0 ? [] : [new SubjectAlternativeNameExtension(subject.names.map(toGeneralName))]),
    ],
  });
  return toKeyPair(certificate, keys);
}

/** When a certificate begins and ends, epoch ms. Throws if it is not PEM of a certificate. */
export function lifeOf(certificate: string): { readonly fromMs: number; readonly untilMs: number } {
  const { validFromDate, validToDate } = new ParsedCertificate(certificate);
  return { fromMs: validFromDate.getTime(), untilMs: validToDate.getTime() };
}

/** SHA-256, as `AB:CD:…`. */
export function fingerprintOf(certificate: string): string {
  return new ParsedCertificate(certificate).fingerprint256;
}

/** Whether `authority` signed `certificate`, and the pair's key is the certificate's. False if one of them cannot be read. */
export function isIssuedBy({ certificate, key }: KeyPair, authority: string): boolean {
  try {
    const parsed = new ParsedCertificate(certificate);
    return parsed.verify(new ParsedCertificate(authority).publicKey) && parsed.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, in their order. */
export function splitCertificates(text: string): readonly string[] {
  return (text.match(CERTIFICATE) ?? []).map((certificate) => `${certificate}\n`);
}

function generateKeys() {
  return webcrypto.subtle.generateKey(KEYS, true, ["sign", "verify"]);
}

function readPrivateKey(pem: string) {
  const [der] = PemConverter.decode(pem);
  if (der === undefined) throw new Error("the key of the certificate authority is not PEM");
  return webcrypto.subtle.importKey("pkcs8", der, KEYS, false, ["sign"]);
}

async function toKeyPair(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<KeyPair> {
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: `${certificate.toString("pem")}\n`, key: `${PemConverter.encode(der, "PRIVATE KEY")}\n` };
}

function validity(nowMs: number, validMs: number) {
  return { notBefore: new Date(nowMs - BACKDATED_MS), notAfter: new Date(nowMs + validMs) };
}

/** As a list of attributes: in text form some characters of a name would mean something. X.520 allows 64 characters. */
function nameOf(commonName: string) {
  return new Name([{ CN: [{ utf8String: commonName.slice(0, 64) }] }]);
}

function toGeneralName(name: string) {
  return { type: isIP(name) === 0 ? ("dns" as const) : ("ip" as const), value: name };
}
