import type { Leftover } from "./fields.ts";

/** Something that a reader of a converted resource has to know. */
export interface Note {
  /**
   * dropped: it has no counterpart and is not in the result. changed: it is in the result in another form that needs a look.
   * no-effect: it is in the result and does nothing there.
   */
  readonly kind: "dropped" | "changed" | "no-effect";
  /** Where it stood, for instance `spec.jvmOptions`. */
  readonly path: string;
  /** One sentence. */
  readonly message: string;
}

/** It had no counterpart: what it was is shown, so that nothing is lost. `why` is a part of a sentence. */
export function dropped({ path, value }: Leftover, why: string): Note {
  return { kind: "dropped", path, message: `${path} ${why}; it was ${shown(path, value)}.` };
}

export function changed(path: string, message: string): Note {
  return { kind: "changed", path, message };
}

export function withoutEffect(path: string, message: string): Note {
  return { kind: "no-effect", path, message };
}

const SECRET = /passw|secret(?!Name|Ref)|token|credential|jaas|api[._-]?key|private/i;
const SHOWN_LENGTH = 200;

/** A value for people. What may be a secret stays in the input: notes end up in logs. */
function shown(path: string, value: unknown): string {
  if (SECRET.test(path) && typeof value === "string") return "a value that is not shown here";
  const text = JSON.stringify(value, (key, child: unknown) => {
    if (typeof child === "bigint") return String(child);
    return SECRET.test(key) && typeof child === "string" ? "…" : child;
  });
  if (text === undefined) return "empty";
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
