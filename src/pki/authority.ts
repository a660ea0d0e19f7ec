import { createAuthority, fingerprintOf, type KeyPair, lifeOf, splitCertificates } from "./certificate.ts";

/** A certificate authority, as it is kept: while it is being replaced there are two. */
export interface Authority {
  /** Signs certificates now. */
  readonly signing: KeyPair;
  /** Made known to everybody, and signs next; null: none is under way. */
  readonly next: KeyPair | null;
  /** Certificates of the authorities that are trusted: those above, and the former one until nobody shows its certificates any more. */
  readonly trusted: readonly string[];
  /** When the last step was taken, epoch ms. */
  readonly changedAtMs: number;
}

/** A step of a replacement: trust both, then switch, then drop. */
export type AuthorityStep = "none" | "introduce" | "switch" | "drop";

/** What is known of those who use the authority. */
export interface AuthorityUse {
  readonly nowMs: number;
  /** Somebody wants a new authority now. */
  readonly renew: boolean;
  /** Fingerprints that every user is known to trust; null: not all of them tell. */
  readonly trustedByAll: ReadonlySet<string> | null;
  /** Everybody is known to show a certificate of the authority that signs. */
  readonly switchedByAll: boolean;
}

const DAY_MS = 86_400_000;
export const AUTHORITY_LIFE_MS = 730 * DAY_MS;
/** A new one is introduced when less than this is left. */
const RENEW_BEFORE_MS = 120 * DAY_MS;
/** With less than this left the switch waits for nobody: those who do not answer would be locked out anyway. */
const URGENT_MS = 7 * DAY_MS;
/** Between two steps, so that those who look only now and then have seen the former one. */
export const SETTLE_MS = 120_000;

/** The next step. */
export function planAuthority(authority: Authority, use: AuthorityUse): AuthorityStep {
  const { signing, next, trusted, changedAtMs } = authority;
  const left = lifeOf(signing.certificate).untilMs - use.nowMs;
  if (next === null && trusted.length === 1) {
    return use.renew || left < RENEW_BEFORE_MS ? "introduce" : "none";
  }
  const urgent = left < URGENT_MS;
  if (use.nowMs - changedAtMs < SETTLE_MS) return "none";
  if (next !== null) {
    return urgent || use.trustedByAll?.has(fingerprintOf(next.certificate)) === true ? "switch" : "none";
  }
  const formerEnded = trusted.every(
    (certificate) => certificate === signing.certificate || lifeOf(certificate).untilMs <= use.nowMs,
  );
  return formerEnded || use.switchedByAll ? "drop" : "none";
}

/** Takes a step; `introduce` makes a new key. */
export async function takeAuthorityStep(
  authority: Authority,
  step: Exclude<AuthorityStep, "none">,
  { commonName, nowMs }: { readonly commonName: string; readonly nowMs: number },
): Promise<Authority> {
  const { signing, next, trusted } = authority;
  switch (step) {
    case "introduce": {
      const made = await createAuthority({ commonName, validMs: AUTHORITY_LIFE_MS }, nowMs);
      return { signing, next: made, trusted: [...trusted, made.certificate], changedAtMs: nowMs };
    }
    case "switch":
      return { signing: next ?? signing, next: null, trusted, changedAtMs: nowMs };
    case "drop":
      return { signing, next, trusted: [signing.certificate], changedAtMs: nowMs };
    default:
      throw new Error(`unreachable: ${step satisfies never}`);
  }
}

/** A first authority. `alsoTrusted`: of a former one whose key is lost, as long as its certificates are around. */
export async function firstAuthority(
  { commonName, nowMs }: { readonly commonName: string; readonly nowMs: number },
  alsoTrusted: readonly string[] = [],
): Promise<Authority> {
  const signing = await createAuthority({ commonName, validMs: AUTHORITY_LIFE_MS }, nowMs);
  const former = alsoTrusted.filter((certificate) => lifeOf(certificate).untilMs > nowMs);
  return { signing, next: null, trusted: [signing.certificate, ...former], changedAtMs: nowMs };
}

type Data = Readonly<Record<string, string>>;

/** The authority as a Secret's data. A key with null is one to remove. */
export function toSecretData({ signing, next, trusted, changedAtMs }: Authority): Record<string, string | null> {
  return {
    "ca.crt": encode(signing.certificate),
    "ca.key": encode(signing.key),
    "next.crt": next === null ? null : encode(next.certificate),
    "next.key": next === null ? null : encode(next.key),
    "trusted.crt": encode(trusted.join("")),
    "changed-at": encode(new Date(changedAtMs).toISOString()),
  };
}

/** The same for a Secret that does not exist yet. */
export function toNewSecretData(authority: Authority): Record<string, string> {
  const entries = Object.entries(toSecretData(authority));
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}

/** The authority in a Secret's data; null if it is none. */
export function fromSecretData(data: Data | undefined): Authority | null {
  const signing = pairIn(data, "ca");
  if (signing === null) return null;
  const next = pairIn(data, "next");
  const trusted = splitCertificates(decode(data?.["trusted.crt"]));
  const known = [signing, ...(next === null ? [] : [next])].map(({ certificate }) => certificate);
  try {
    for (const certificate of [...known, ...trusted]) lifeOf(certificate);
  } catch {
    return null;
  }
  const changedAtMs = Date.parse(decode(data?.["changed-at"]));
  return {
    signing,
    next,
    trusted: [...trusted, ...known.filter((certificate) => !trusted.includes(certificate))],
    changedAtMs: Number.isNaN(changedAtMs) ? 0 : changedAtMs,
  };
}

function pairIn(data: Data | undefined, name: string): KeyPair | null {
  const [certificate] = splitCertificates(decode(data?.[`${name}.crt`]));
  const key = decode(data?.[`${name}.key`]);
  return certificate === undefined || key === "" ? null : { certificate, key };
}

/** Secrets hold base64. */
export function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** The text behind base64; "" if there is none. */
export function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}
