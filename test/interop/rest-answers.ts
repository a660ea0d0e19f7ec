import { request } from "node:http";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Step } from "./rest-requests.ts";

/** An answer as it is compared: without what must differ between any two workers. */
export interface ComparedAnswer {
  readonly status: number;
  readonly location: string | null;
  readonly allow: readonly string[];
  readonly contentType: string;
  /** Parsed JSON; the text itself if it is none; undefined: no body. */
  readonly body: unknown;
}

/** What both workers answer for a moment after a configuration has changed; nothing was done then. */
const MOMENTARILY = /^Cannot complete request (momentarily due to|because of a conflicting operation)/;

/** Sends a request exactly as it stands, again while the worker has not followed the last change of a configuration yet. */
export async function answerOf(
  url: string,
  connector: string,
  step: Extract<Step, { kind: "request" }>,
): Promise<ComparedAnswer> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await answerAt(url, connector, step);
    if (answer.status !== 409 || !MOMENTARILY.test(messageOf(answer)) || Date.now() > deadline) return answer;
    await setTimeout(200);
  }
}

/** What an error says; the empty text: it is none. */
export function messageOf({ body }: ComparedAnswer): string {
  return typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
}

async function answerAt(
  url: string,
  connector: string,
  step: Extract<Step, { kind: "request" }>,
): Promise<ComparedAnswer> {
  const own = (text: string) => text.replaceAll("{c}", connector);
  const body = step.body === undefined ? undefined : own(step.body);
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<ComparedAnswer>();
  const sent = request({
    hostname,
    port,
    method: step.method,
    path: own(step.path),
    agent: false,
    signal: AbortSignal.timeout(100_000),
    headers: withoutEmpty({
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      ...step.headers,
    }),
  });
  sent.once("error", reject);
  sent.once("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.once("error", reject);
    response.once("end", () => {
      const text = Buffer.concat(chunks).toString("utf8").replaceAll(connector, "{c}");
      resolve({
        status: response.statusCode ?? 0,
        location: pathOf(response.headers.location)?.replaceAll(connector, "{c}") ?? null,
        allow: (response.headers.allow ?? "").split(/, ?/).sort(),
        contentType: (response.headers["content-type"] ?? "").split(";", 1)[0] ?? "",
        body: text === "" ? undefined : step.method === "OPTIONS" ? text.split(", ").sort() : normalize(parsed(text)),
      });
    });
  });
  sent.end(body);
  return await promise;
}

/** A header that is given as empty is not sent. */
function withoutEmpty(headers: Readonly<Record<string, string | number>>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""));
}

function pathOf(location: string | undefined): string | undefined {
  return location === undefined ? undefined : new URL(location, "http://x").pathname;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Values that belong to a worker or a moment, by key. */
const REPLACED = new Set([
  "worker_id",
  "version",
  "commit",
  "kafka_cluster_id",
  "last_modified",
  "trace",
  "documentation",
]);

/** Of the JVM worker's plugins and of ours. */
const OWN_VERSION = /^(4\.3\.1|1\.0\.0)$/;

const VERSIONS = /(available versions: )\[[^\]]*\]/;

function normalize(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => normalize(item));
  if (typeof value === "object" && value !== null) {
    const plugins = "name" in value && /(^|\.)(converter|type)$/.test(String(value.name));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        plugins && name === "recommended_values" ? "<plugins>" : normalize(item, name),
      ]),
    );
  }
  if (REPLACED.has(key) && value !== null) return `<${key}>`;
  if (typeof value === "string" && OWN_VERSION.test(value)) return "<version>";
  if (typeof value === "string") return (key === "message" ? normalizeMessage(value) : value).replace(VERSIONS, "$1…");
  return value;
}

/** Without Jackson's position, Java's exception, the order of a Java map and the list of a worker's plugins. */
function normalizeMessage(message: string): string {
  return message
    .replace(/\n at \[Source: [\s\S]*$/, "")
    .replace(/( \(start marker at | \(through reference chain: )[\s\S]*$/, "")
    .replace(/^org\.apache\.kafka\.connect\.[\w.]+Exception: /, "")
    .replace(
      /(?<=^Connector config )\{([^}]*)\}/,
      (_all, entries: string) => `{${entries.split(", ").sort().join(", ")}}`,
    )
    .replace(/available connectors are: [\s\S]*$/, "available connectors are: …");
}

/** Where two values differ: a line for each place, at most `limit`. */
export function differences(jvm: unknown, own: unknown, limit = 20, path = ""): readonly string[] {
  if (isDeepStrictEqual(jvm, own)) return [];
  if (isContainer(jvm) && isContainer(own) && Array.isArray(jvm) === Array.isArray(own)) {
    const keys = new Set([...Object.keys(jvm), ...Object.keys(own)]);
    return [...keys].flatMap((key) => differences(jvm[key], own[key], limit, `${path}.${key}`)).slice(0, limit);
  }
  return [`${path}: JVM ${JSON.stringify(jvm)}, own ${JSON.stringify(own)}`];
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
