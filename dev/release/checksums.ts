import { createHash, createPrivateKey, sign } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Artifact } from "./provenance.ts";

/** SHA-256 of a file, in hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** All files below `dir`, by their paths in it, sorted; the lists of checksums themselves are left out. */
export async function artifactsIn(dir: string): Promise<readonly Artifact[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("SHA256SUMS"))
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .toSorted();
  const made: Artifact[] = [];
  for (const name of names) made.push({ name, sha256: await sha256Of(join(dir, name)) });
  return made;
}

/** As `sha256sum --check` reads it. */
export function toChecksums(artifacts: readonly Artifact[]): string {
  return artifacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
}

/** The signature of a text as `cosign verify-blob --key` takes it: ECDSA over SHA-256, DER, base64. `key` is a PEM of an unencrypted P-256 key. */
export function toSignature(text: string, key: string): string {
  const privateKey = createPrivateKey(key);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new Error("a signing key is on the curve P-256");
  return sign("sha256", Buffer.from(text), privateKey).toString("base64");
}
