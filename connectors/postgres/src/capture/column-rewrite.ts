import { createHash, getHashes } from "node:crypto";
import { config, type Value } from "@headrace/sdk";

/** What becomes of the values of some text columns. */
export interface ColumnRewrite {
  /** Match `schema.table.column`. */
  readonly columns: readonly RegExp[];
  readonly action:
    | { readonly kind: "mask"; readonly text: string }
    | { readonly kind: "truncate"; readonly length: number }
    | { readonly kind: "hash"; readonly algorithm: string; readonly salt: string; readonly version: 1 | 2 };
}

/** Keys have numbers, algorithms and salts in their names. Source: Debezium 3.4, column.mask.* and column.truncate.*. */
const KEY =
  /^column\.(?:mask\.with\.(?<mask>\d+)\.chars|truncate\.to\.(?<length>\d+)\.chars|mask\.hash\.(?<v2>v2\.)?(?<algorithm>[^.]+)\.with\.salt\.(?<salt>.+))$/;

/** Whether a key says what becomes of columns. */
export const isRewriteKey = (key: string): boolean => KEY.test(key);

/** Reads one such key. Throws Error for what cannot be. */
export function parseRewrite(key: string, value: string): ColumnRewrite {
  const { mask, length, v2, algorithm, salt } = KEY.exec(key)?.groups ?? {};
  const columns = config.splitList(value).map((text) => {
    try {
      return config.fullMatch(text);
    } catch (cause) {
      throw new Error(`${text} is no regular expression`, { cause });
    }
  });
  if (mask !== undefined) return { columns, action: { kind: "mask", text: "*".repeat(Number(mask)) } };
  if (length !== undefined) {
    if (Number(length) === 0) throw new Error("values cannot be shortened to nothing: give a length, or mask them");
    return { columns, action: { kind: "truncate", length: Number(length) } };
  }
  if (algorithm === undefined || salt === undefined) throw new Error(`${key} says nothing of columns`);
  const known = getHashes().find((name) => plain(name) === plain(algorithm));
  if (known === undefined) throw new Error(`there is no hash algorithm ${algorithm}`);
  return { columns, action: { kind: "hash", algorithm: known, salt, version: v2 === undefined ? 1 : 2 } };
}

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** All of a configuration, in its order. */
export function rewritesOf(settings: Readonly<Record<string, unknown>>): readonly ColumnRewrite[] {
  return Object.entries(settings).flatMap(([key, value]) =>
    isRewriteKey(key) && typeof value === "string" ? [parseRewrite(key, value)] : [],
  );
}

/** How the values of one column are shown. */
export interface Rewriting {
  /** Of the column's schema, as Debezium marks it. */
  readonly parameters: Readonly<Record<string, string>>;
  apply(value: Value): Value;
}

/** Types whose values can be rewritten: those of characters. */
const TEXTS = ["text", "varchar", "bpchar", "name", "citext"];

/**
 * What becomes of a column by the first of the rewrites for it; null: its values are left as they are, as all of other types are. `length` is
 * that of the column, null where it has none.
 */
export function rewritingOf(
  { name, type, length }: { readonly name: string; readonly type: string; readonly length: number | null },
  rewrites: readonly ColumnRewrite[],
): Rewriting | null {
  const action = rewrites.find(({ columns }) => columns.some((pattern) => pattern.test(name)))?.action;
  if (action === undefined || !TEXTS.includes(type)) return null;
  const limit = length ?? Number.MAX_SAFE_INTEGER;
  switch (action.kind) {
    case "mask":
      return { parameters: MASKED, apply: () => action.text };
    case "truncate": {
      if (limit <= action.length) return null;
      const parameters = { truncateLength: String(action.length) };
      return { parameters, apply: (value) => ofText(value, (text) => text.slice(0, action.length)) };
    }
    case "hash":
      return { parameters: MASKED, apply: (value) => ofText(value, (text) => hashed(text, action).slice(0, limit)) };
    default:
      throw new Error(`unreachable: ${action satisfies never}`);
  }
}

const MASKED = { masked: "true" };

const ofText = (value: Value, change: (text: string) => string): Value =>
  typeof value === "string" ? change(value) : value;

function hashed(
  text: string,
  { algorithm, salt, version }: Extract<ColumnRewrite["action"], { kind: "hash" }>,
): string {
  return createHash(algorithm)
    .update(salt)
    .update(version === 2 ? text : serialized(text))
    .digest("hex");
}

/** A string as java.io.ObjectOutputStream writes it. Source: Java Object Serialization Specification, 6.4.2. */
function serialized(text: string): Buffer {
  const bytes = modifiedUtf8(text);
  const isShort = bytes.length <= 0xffff;
  const head = Buffer.alloc(isShort ? 7 : 13);
  head.writeUInt32BE(0xaced_0005, 0);
  head.writeUInt8(isShort ? 0x74 : 0x7c, 4);
  if (isShort) head.writeUInt16BE(bytes.length, 5);
  else head.writeBigUInt64BE(BigInt(bytes.length), 5);
  return Buffer.concat([head, bytes]);
}

/** Each unit of UTF-16 by itself, and 0 as two bytes. Source: java.io.DataInput. */
function modifiedUtf8(text: string): Buffer {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit !== 0 && unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Buffer.from(bytes);
}
