import { ConnectError } from "../errors.ts";

/** A request's body: its bytes as they came, for signatures, and what they say. */
export interface JsonBody {
  readonly raw: Buffer;
  /** undefined: no body. */
  readonly json: unknown;
}

/** In place of what a body says, if it does not say what it is. */
export const UNTYPED = Symbol("a body without a media type");

/** A connector configuration as it was sent. */
export type NullableMap = Readonly<Record<string, string | null>>;

/** Parses JSON; numbers keep their text as Java's strings do. Malformed JSON is a 500, as Java has it (contract §5.0). */
export function parseBody(raw: Buffer): JsonBody {
  if (raw.length === 0) return { raw, json: undefined };
  try {
    return { raw, json: JSON.parse(raw.toString("utf8"), numbersAsText) };
  } catch (error) {
    throw new ConnectError("internal", `Malformed JSON: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function numbersAsText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" ? (context?.source ?? String(value)) : value;
}

/** A flat map of scalars; numbers and booleans become strings, as Jackson does it. Anything else is a 500 (contract §5.0). */
export function parseMap(json: unknown): NullableMap {
  if (!isObject(json)) throw cannotDeserialize("a map of strings", json);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, parseText(key, value)]));
}

/**
 * A connector configuration with `name` in it. Another name, no connector class or null values are the contract's 400 (§5.3, §5.4), in
 * this order.
 */
export function parseConfig(json: unknown, name: string): Record<string, string> {
  const given = parseMap(json);
  const own = given["name"] ?? name;
  if (own !== name) {
    throw new ConnectError(
      "bad-request",
      `Connector name configuration (${own}) doesn't match connector name in the URL (${name})`,
    );
  }
  const entries = Object.entries({ ...given, name });
  if ((given["connector.class"] ?? null) === null) {
    const shown = entries.map(([key, value]) => `${key}=${value}`).join(", ");
    throw new ConnectError("bad-request", `Connector config {${shown}} contains no connector type`);
  }
  const nulls = entries.filter(([, value]) => value === null).length;
  if (nulls > 0) {
    const lines = [
      `Connector configuration is invalid and contains the following ${nulls} error(s):`,
      ...Array<string>(nulls).fill("Null value can not be supplied as the configuration value."),
      "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    ];
    throw new ConnectError("bad-request", lines.join("\n"));
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, value ?? ""]));
}

/** A scalar as Jackson reads it into a string; null: there is none. */
export function parseText(key: string, json: unknown): string | null {
  if (json === undefined || json === null) return null;
  if (typeof json === "string") return json;
  if (typeof json === "boolean") return String(json);
  throw cannotDeserialize(`a string at ${key}`, json);
}

/** The properties of an object body; one that is not known is a 500, as Jackson has it. */
export function parseObject(json: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isObject(json)) throw cannotDeserialize("an object", json);
  for (const key of Object.keys(json)) {
    if (!known.includes(key)) throw new ConnectError("internal", `Unrecognized field "${key}"`);
  }
  return json;
}

/** A list of maps of strings. */
export function parseMaps(json: unknown): Record<string, string>[] {
  if (!Array.isArray(json)) throw cannotDeserialize("a list", json);
  return json.map((entry) => {
    const map = parseMap(entry);
    return Object.fromEntries(Object.entries(map).flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
  });
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** JSON of another type than the one that is wanted: a 500, as Jackson has it (contract §5.0). */
export function cannotDeserialize(wanted: string, json: unknown): ConnectError {
  const found = json === undefined ? "nothing" : Array.isArray(json) ? "a list" : json === null ? "null" : typeof json;
  return new ConnectError("internal", `Cannot deserialize value: expected ${wanted}, found ${found}`);
}
