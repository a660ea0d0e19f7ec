import fc from "fast-check";

/** Requests to a worker's REST API as anybody may send them: any path, names and bodies of all kinds. */

const PATHS = [
  "/",
  "/health",
  "/connectors",
  "/connectors/{}",
  "/connectors/{}/config",
  "/connectors/{}/status",
  "/connectors/{}/pause",
  "/connectors/{}/resume",
  "/connectors/{}/stop",
  "/connectors/{}/restart",
  "/connectors/{}/topics",
  "/connectors/{}/topics/reset",
  "/connectors/{}/offsets",
  "/connectors/{}/tasks",
  "/connectors/{}/tasks/{}/status",
  "/connectors/{}/tasks/{}/restart",
  "/connectors/{}/fence",
  "/connector-plugins",
  "/connector-plugins/{}/config",
  "/connector-plugins/{}/config/validate",
  "/admin/loggers",
  "/admin/loggers/{}",
  "/headrace/self",
  "/headrace/group",
  "/{}/{}",
] as const;

const name = fc.oneof(
  fc.constantFrom("c", "0", "root", "FileStreamSource", ".", "..", "a/b %?", "__proto__", "constructor", ""),
  fc.string({ unit: "binary" }),
);
const segment = fc.oneof(
  name.map(encodeLoosely),
  fc.webSegment(),
  fc.constantFrom("%", "%zz", "%ff", "%00", "a;b", "\\"),
);
const json = fc.oneof(
  fc.jsonValue(),
  fc.record({
    name: fc.oneof(name, fc.jsonValue()),
    config: fc.oneof(fc.dictionary(name, fc.string()), fc.jsonValue()),
  }),
  fc.record({ offsets: fc.array(fc.record({ partition: fc.jsonValue(), offset: fc.jsonValue() })) }),
  fc.record({ level: fc.oneof(fc.constantFrom("debug", "x"), fc.jsonValue()) }),
  fc.dictionary(name, fc.oneof(fc.string(), fc.constant(null), fc.integer())),
);
const body = fc.oneof(
  json.map((value) => Buffer.from(JSON.stringify(value))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom("{", "nul", '{"a":1}x', "[".repeat(5_000), "").map((text) => Buffer.from(text)),
);
/** One request; the segments fill the `{}` of the path in turn. */
export const hostileRequest = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"),
  path: fc.constantFrom(...PATHS),
  segments: fc.array(segment, { minLength: 2, maxLength: 2 }),
  query: fc.option(fc.webQueryParameters(), { nil: "" }),
  body: fc.option(body, { nil: undefined }),
  type: fc.constantFrom("application/json", "application/json; charset=x", "text/plain", "garbage", ""),
  accept: fc.constantFrom("application/json", "*/*", "text/plain", "garbage"),
});

function encodeLoosely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** The request's path and query, as they go over the wire. */
export function urlOf({ path, segments, query }: Pick<HostileRequest, "path" | "segments" | "query">): string {
  let next = 0;
  const filled = path.replace(/\{\}/g, () => segments[next++] ?? "");
  // Injected URLs are resolved first, and one that begins with two slashes has a host.
  return `${filled.replace(/^[/\\]{2,}/, "/")}${query === "" ? "" : `?${query}`}`;
}

export type HostileRequest = typeof hostileRequest extends fc.Arbitrary<infer T> ? T : never;
