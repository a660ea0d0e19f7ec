import { isDeepStrictEqual } from "node:util";
import type { Case } from "./cases.ts";
import { intendedReason } from "./intended.ts";
import type { JsonValue } from "./random.ts";

/** An input of a case that the two sides answered differently; `intended` is the reason if that is meant. */
export interface Difference {
  readonly case: Case;
  readonly input: JsonValue;
  readonly java: JsonValue | undefined;
  readonly ours: JsonValue | undefined;
  readonly intended: string | null;
}

/** Compares the answers to a case, one per input; a single configuration error stands for all. */
export function differences(test: Case, java: readonly JsonValue[], ours: readonly JsonValue[]): readonly Difference[] {
  const found: Difference[] = [];
  test.inputs.forEach((input, index) => {
    const isJson = test.class.endsWith("JsonConverter") && test.kind === "converter" && test.direction === "encode";
    const [theirs, own] = [java[index], ours[index]].map((each) =>
      normalize(isJson && typeof each === "string" ? { json: Buffer.from(each, "base64").toString() } : (each ?? null)),
    );
    if (isDeepStrictEqual(theirs, own) || bothFailed(theirs, own)) return;
    const encoded: JsonValue = JSON.parse(JSON.stringify(input));
    const difference = { case: test, input: encoded, java: theirs, ours: own };
    found.push({ ...difference, intended: intendedReason(difference) });
  });
  return found;
}

interface Failed {
  readonly error: string;
  readonly message: string;
}

function asFailure(answer: JsonValue | undefined): Failed | null {
  if (answer === null || typeof answer !== "object" || !("error" in answer)) return null;
  return { error: String(answer["error"]), message: String(answer["message"]) };
}

/** Messages are compared for data errors. Java's own exceptions (a null pointer, a class cast) only have to be failures of ours as well. */
function bothFailed(java: JsonValue | undefined, ours: JsonValue | undefined): boolean {
  const theirs = asFailure(java);
  const own = asFailure(ours);
  if (theirs === null || own === null) return false;
  if (theirs.error === "data") return own.error === "data" && theirs.message === own.message;
  return theirs.error !== "config" || own.error === "config";
}

/** JSON text in `json` members becomes a text whose objects are in the order of their names: Java's hash maps have none. */
function normalize(answer: JsonValue): JsonValue {
  if (answer === null || typeof answer !== "object") return answer;
  if (Array.isArray(answer)) return answer.map(normalize);
  const members = Object.entries(answer).map(([name, value]): [string, JsonValue] => {
    if (name === "json" && typeof value === "string") return [name, sortMembers(value)];
    // An answer within an answer: what could not be written.
    return [name, normalize(value)];
  });
  return Object.fromEntries(members);
}

/** Sorts the members of all objects in a JSON text but for the schema in front, whose order counts; scalars stay as they are written. */
export function sortMembers(json: string): string {
  const schema = /^\{"schema":\{.*?\},"payload":/s.exec(json)?.[0] ?? "";
  return schema + sort(json.slice(schema.length).replace(/\}$/, schema === "" ? "}" : ""));
}

function sort(json: string): string {
  let at = 0;
  const scalar = /"(?:[^"\\]|\\.)*"|[^,:[\]{}"]+/y;
  function read(): string {
    if (json[at] === "[") return `[${items(() => read()).join(",")}]`;
    if (json[at] === "{") {
      return `{${items(() => {
        const name = read();
        at += 1;
        return `${name}:${read()}`;
      })
        .sort()
        .join(",")}}`;
    }
    scalar.lastIndex = at;
    const [text = ""] = scalar.exec(json) ?? [];
    at += text.length;
    return text;
  }
  function items(one: () => string): string[] {
    const found: string[] = [];
    at += 1;
    while (json[at] !== "]" && json[at] !== "}") {
      found.push(one());
      if (json[at] === ",") at += 1;
    }
    at += 1;
    return found;
  }
  return read();
}
