import { config } from "@headrace/sdk";

/** What the log is to have of the rows of some tables before a change. */
export interface IdentityRule {
  /** Matches `schema.table`. */
  readonly tables: RegExp;
  /** As in pg_class.relreplident. */
  readonly kind: "d" | "f" | "n" | "i";
  /** Of kind `i` only. */
  readonly index: string | null;
}

/** `tables:identity`. Source: Debezium 3.4, replica.identity.autoset.values. */
const RULE = /^([^\s:]+):(default|full|nothing|index\s+(\S+))$/i;
const KINDS: Readonly<Record<string, IdentityRule["kind"]>> = { default: "d", full: "f", nothing: "n" };

/** Reads one item of `replica.identity.autoset.values`; null: it cannot be read. */
export function parseIdentityRule(text: string): IdentityRule | null {
  const [, tables, identity, index] = RULE.exec(text) ?? [];
  if (tables === undefined || identity === undefined) return null;
  try {
    return { tables: config.fullMatch(tables), kind: KINDS[identity.toLowerCase()] ?? "i", index: index ?? null };
  } catch {
    return null;
  }
}
