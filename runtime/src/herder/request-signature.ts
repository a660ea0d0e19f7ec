import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { ConnectError } from "../errors.ts";
import type { SessionKey } from "../store/stores.ts";

/** Headers of signed internal requests (contract §5.8, KIP-507). */
export const SIGNATURE_HEADER = "x-connect-authorization";
export const ALGORITHM_HEADER = "x-connect-request-signature-algorithm";

/** Java's MAC names, with Node's hash name and the default key size in bytes of Java's KeyGenerator. */
const ALGORITHMS = {
  HmacMD5: { hash: "md5", keyBytes: 64 },
  HmacSHA1: { hash: "sha1", keyBytes: 64 },
  HmacSHA224: { hash: "sha224", keyBytes: 28 },
  HmacSHA256: { hash: "sha256", keyBytes: 32 },
  HmacSHA384: { hash: "sha384", keyBytes: 48 },
  HmacSHA512: { hash: "sha512", keyBytes: 64 },
} as const;

/** Names of the MAC algorithms that this worker can use. */
export const MAC_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);

function lookUp(algorithm: string): { readonly hash: string; readonly keyBytes: number } {
  for (const [name, found] of Object.entries(ALGORITHMS)) if (name === algorithm) return found;
  throw new ConnectError("bad-request", `Unsupported signature algorithm ${algorithm}`);
}

/** The signature of a request body as bytes; an absent body counts as no bytes. */
export function sign(key: SessionKey, algorithm: string, body: Buffer): Buffer {
  return createHmac(lookUp(algorithm).hash, key.key).update(body).digest();
}

/** The two headers that prove to the leader that a request comes from a member of the group. */
export function signatureHeaders(key: SessionKey, algorithm: string, body: Buffer): Record<string, string> {
  return { [SIGNATURE_HEADER]: sign(key, algorithm, body).toString("base64"), [ALGORITHM_HEADER]: algorithm };
}

/** A received internal request, as far as its signature goes. */
export interface SignedRequest {
  readonly signature: string | undefined;
  readonly algorithm: string | undefined;
  readonly body: Buffer;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Throws the contract's answer (§5.8) unless the request was signed with the present session key. */
export function verify(request: SignedRequest, key: SessionKey | null, accepted: readonly string[]): void {
  const { signature, algorithm } = request;
  if (signature === undefined || algorithm === undefined) {
    throw new ConnectError("bad-request", "Internal request missing required signature");
  }
  if (!accepted.includes(algorithm)) {
    throw new ConnectError(
      "bad-request",
      `This worker does not support the '${algorithm}' key signing algorithm used by other workers. This worker is currently configured to use: ${accepted.join(", ")}`,
    );
  }
  if (signature.length % 4 !== 0 || !BASE64.test(signature)) {
    const odd = /[^A-Za-z0-9+/=]/.exec(signature)?.[0];
    const problem =
      odd === undefined ? "Incomplete base64" : `Illegal base64 character ${odd.charCodeAt(0).toString(16)}`;
    throw new ConnectError("bad-request", problem);
  }
  if (key === null) {
    throw new ConnectError(
      "unavailable",
      "This worker is still starting up and has not been able to read a session key from the config topic yet",
    );
  }
  const wanted = sign(key, algorithm, request.body);
  const given = Buffer.from(signature, "base64");
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) {
    throw new ConnectError("invalid-signature", "Internal request contained invalid signature.");
  }
}

/** What the worker's configuration says about session keys. */
export interface SessionKeyPolicy {
  readonly ttlMs: number;
  readonly generationAlgorithm: string;
  /** null: the algorithm's default. */
  readonly keyBits: number | null;
  readonly signatureAlgorithm: string;
  readonly verificationAlgorithms: readonly string[];
}

/** True if the leader has to write a new key: there is none, it is too old, or it was made by other rules. */
export function needsNewKey(key: SessionKey | null, policy: SessionKeyPolicy, nowMs: number): boolean {
  if (key === null) return true;
  if (key.createdAtMs + policy.ttlMs <= nowMs || key.algorithm !== policy.generationAlgorithm) return true;
  return policy.keyBits !== null && key.key.length !== keyBytes(policy);
}

/** Makes a new random key. */
export function generateKey(policy: SessionKeyPolicy, nowMs: number): SessionKey {
  return { key: randomBytes(keyBytes(policy)), algorithm: policy.generationAlgorithm, createdAtMs: nowMs };
}

function keyBytes(policy: SessionKeyPolicy): number {
  return policy.keyBits === null ? lookUp(policy.generationAlgorithm).keyBytes : Math.ceil(policy.keyBits / 8);
}
