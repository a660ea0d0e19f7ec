import { randomBytes } from "node:crypto";
import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Secret values that nothing but Secrets may show. */
export interface Canaries {
  /** A new one. It is unlike anything else, and the same at every call with this name. */
  plant(name: string): string;
  /** One that was made elsewhere. */
  add(name: string, value: string): void;
  /** Which of them `text` shows, plain or encoded, as sentences for an assertion. */
  findIn(where: string, text: string | Buffer): readonly string[];
  /** The same for all files below a directory. */
  findBelow(dir: string): readonly string[];
}

export function createCanaries(): Canaries {
  const planted = new Map<string, string>();

  function findIn(where: string, text: string | Buffer): readonly string[] {
    const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
    return [...planted].flatMap(([name, value]) =>
      Object.entries(formsOf(value)).flatMap(([form, encoded]) => {
        const at = bytes.indexOf(encoded);
        if (at === -1) return [];
        const around = bytes.subarray(Math.max(0, at - 120), at + encoded.length + 40).toString("latin1");
        return [`${where} shows ${name} (${form}): …${around}…`];
      }),
    );
  }

  return {
    plant(name) {
      const value = planted.get(name) ?? `canary-${name}-${randomBytes(9).toString("hex")}`;
      planted.set(name, value);
      return value;
    },
    add: (name, value) => void planted.set(name, value),
    findIn,
    findBelow: (dir) => filesBelow(dir).flatMap((file) => findIn(file, readFileSync(file))),
  };
}

/** How a value looks where somebody has encoded it: base64 depends on where in a longer text it begins. */
export function formsOf(value: string): Readonly<Record<string, string>> {
  const base64 = (before: number) => {
    const skipped = [0, 2, 3][before] ?? 0;
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]).toString("base64");
    // The last characters depend on what follows.
    return text.replace(/.{0,3}=*$/, "").slice(skipped);
  };
  return {
    plain: value,
    "base64, first of three": base64(0),
    "base64, second of three": base64(1),
    "base64, third of three": base64(2),
    hex: Buffer.from(value).toString("hex"),
  };
}

function filesBelow(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry: Dirent) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
