import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the bearer of a token may do: read, or everything. */
export type Role = "read" | "admin";

/** Whose token it is, and what it allows. */
export interface Bearer {
  /** Name of the file that the token is in. */
  readonly name: string;
  readonly role: Role;
}

/** Bearers by the digest of their tokens, see {@link digestOf}. */
export type Tokens = ReadonlyMap<string, Bearer>;

/** The weaker role first: a token in both folders has the stronger one. */
const ROLES: readonly Role[] = ["read", "admin"];

/**
 * Reads the tokens in `<dir>/read` and `<dir>/admin`, one per file; white space around them does not count, and a folder may be missing.
 * Throws an error that says which file cannot be read; never with a token in it.
 */
export function readTokens(dir: string): Tokens {
  const tokens = new Map<string, Bearer>();
  for (const role of ROLES) {
    for (const name of filesIn(join(dir, role))) {
      const text = readFileSync(join(dir, role, name), "utf8").trim();
      if (text !== "") tokens.set(digestOf(text), { name, role });
    }
  }
  return tokens;
}

/** Tokens are kept and looked up by this digest, so that the time of a look-up tells nothing of them. */
export function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Kubernetes keeps its own entries beside the files of a volume; their names begin with a dot. */
function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .toSorted();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
