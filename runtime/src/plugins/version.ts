import { ConfigError } from "@headrace/sdk";

/**
 * Versions of plugins and what a configuration may ask for (KIP-891): an exact version, or ranges as Maven writes them,
 * `[1.0,2.0)`, `[1.5,)`, `[1.0,1.2],[2.0,)`.
 */

/** Which versions are wanted; null: the latest. */
export type VersionRange = {
  /** As Maven writes it: an exact version as `[1.0,1.0]`. */
  readonly text: string;
  includes(version: string): boolean;
} | null;

interface Bound {
  readonly version: string;
  readonly inclusive: boolean;
}

interface Interval {
  readonly low: Bound | null;
  readonly high: Bound | null;
}

/** Reads what a `….plugin.version` says. Throws ConfigError in Maven's words. */
export function parseVersionRange(text: string | undefined): VersionRange {
  const given = text?.trim();
  if (given === undefined || given === "latest") return null;
  const spec = /^[[(]/.test(given) ? given : `[${given}]`;
  const intervals: Interval[] = [];
  let rest = spec;
  while (/^[[(]/.test(rest)) {
    const end = rest.search(/[\])]/);
    if (end < 0) throw new ConfigError(`Unbounded range: ${spec}`);
    const interval = parseInterval(rest.slice(0, end + 1), spec);
    const before = intervals.at(-1);
    if (before !== undefined && !endsBefore(before, interval)) throw new ConfigError(`Ranges overlap: ${spec}`);
    intervals.push(interval);
    rest = rest.slice(end + 1).replace(/^\s*,?\s*/, "");
  }
  if (rest !== "") {
    throw new ConfigError(`Only fully-qualified sets allowed in multiple set scenario: ${spec}`);
  }
  return {
    text: intervals.map(toText).join(","),
    includes: (version) => intervals.some((interval) => contains(interval, version)),
  };
}

/** What is wrong with such a text, in Maven's words; null: nothing. */
export function problemOfRange(text: string | undefined): string | null {
  try {
    parseVersionRange(text);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

function parseInterval(text: string, spec: string): Interval {
  const lowInclusive = text.startsWith("[");
  const highInclusive = text.endsWith("]");
  const inside = text.slice(1, -1).trim();
  const comma = inside.indexOf(",");
  if (comma < 0) {
    if (!lowInclusive || !highInclusive) {
      throw new ConfigError(`Single version must be surrounded by []: ${spec}`);
    }
    const only = { version: inside, inclusive: true };
    return { low: only, high: only };
  }
  const low = inside.slice(0, comma).trim();
  const high = inside.slice(comma + 1).trim();
  if (low !== "" && high !== "") {
    const order = compareVersions(low, high);
    if (order > 0 || (order === 0 && !(lowInclusive && highInclusive))) {
      throw new ConfigError(`Range defies version ordering: ${spec}`);
    }
  }
  return {
    low: low === "" ? null : { version: low, inclusive: lowInclusive },
    high: high === "" ? null : { version: high, inclusive: highInclusive },
  };
}

function endsBefore(first: Interval, second: Interval): boolean {
  if (first.high === null || second.low === null) return false;
  return compareVersions(first.high.version, second.low.version) <= 0;
}

function contains({ low, high }: Interval, version: string): boolean {
  if (low !== null) {
    const order = compareVersions(version, low.version);
    if (order < 0 || (order === 0 && !low.inclusive)) return false;
  }
  if (high !== null) {
    const order = compareVersions(version, high.version);
    if (order > 0 || (order === 0 && !high.inclusive)) return false;
  }
  return true;
}

function toText({ low, high }: Interval): string {
  return `${low?.inclusive === true ? "[" : "("}${low?.version ?? ""},${high?.version ?? ""}${high?.inclusive === true ? "]" : ")"}`;
}

/** What Maven puts before a release, in order; other words come after it. */
const QUALIFIERS = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const ALIASES: Readonly<Record<string, string>> = {
  a: "alpha",
  b: "beta",
  m: "milestone",
  cr: "rc",
  ga: "",
  final: "",
  release: "",
};

/**
 * Orders two versions as Maven's ComparableVersion does: number by number, a missing one counts as 0; `1.0-rc1` comes before `1.0`.
 * Negative: `a` is older.
 */
export function compareVersions(a: string, b: string): number {
  const left = tokens(a);
  const right = tokens(b);
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const order = compareTokens(left[index], right[index]);
    if (order !== 0) return order;
  }
  return 0;
}

type Token = bigint | string;

function tokens(version: string): readonly Token[] {
  // As if a 0 stood before a separator that comes first.
  const text = (/^[.-]/.test(version) ? `0${version}` : version).toLowerCase();
  return [...text.matchAll(/\d+|[^\d.-]+/g)].map(({ 0: part, index }) => {
    if (/^\d/.test(part)) return BigInt(part);
    // A single letter is short for a word only right before a number: 1.0-a1.
    const numbered = /\d/.test(text.charAt(index + part.length));
    return part.length > 1 || numbered ? (ALIASES[part] ?? part) : part;
  });
}

function compareTokens(a: Token | undefined, b: Token | undefined): number {
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "bigint") return typeof b === "string" ? 1 : a === 0n ? 0 : 1;
  if (typeof b === "bigint") return typeof a === "string" ? -1 : b === 0n ? 0 : -1;
  const first = a ?? "";
  const second = b ?? "";
  const order = rank(first) - rank(second);
  return order !== 0 ? order : first < second ? -1 : first > second ? 1 : 0;
}

function rank(qualifier: string): number {
  const known = QUALIFIERS.indexOf(qualifier);
  return known < 0 ? QUALIFIERS.length : known;
}
