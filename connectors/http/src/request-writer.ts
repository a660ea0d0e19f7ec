import { type SinkRecord, toJsonText, toText, type Value } from "@headrace/sdk";
import { at, pathOf } from "./json.ts";
import type { Request } from "./request.ts";
import { parseTemplate, type Template } from "./template.ts";

/** What templates may name. */
export const RECORD_NAMES = ["topic", "partition", "offset", "timestamp", "key", "key.", "value", "value.", "header."];

/** A record with all that its request needs. */
export interface WrittenRecord {
  readonly kind: "written";
  readonly record: SinkRecord;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** undefined: none. */
  readonly body: string | undefined;
}

export interface RequestWriter {
  write(
    record: SinkRecord,
  ): WrittenRecord | { readonly kind: "ignored" } | { readonly kind: "refused"; readonly problem: string };
  /** Whether two records may be in one request. */
  fits(head: WrittenRecord, other: WrittenRecord): boolean;
  /** The request of at least one record. */
  toRequest(batch: readonly WrittenRecord[]): Request;
}

export interface RequestSettings {
  readonly "http.url": string;
  readonly "http.method": string;
  readonly "http.headers.content.type": string;
  readonly "http.headers.additional": readonly string[];
  readonly "http.body.template"?: string | undefined;
  readonly "behavior.on.null.values": "fail" | "ignore" | "delete" | "send";
  readonly "batch.max.size": number;
  readonly "batch.prefix": string;
  readonly "batch.separator": string;
  readonly "batch.suffix": string;
}

/** Compiles the templates. Throws ConfigError. */
export function createRequestWriter(settings: RequestSettings): RequestWriter {
  const url = parseTemplate(settings["http.url"], RECORD_NAMES);
  const body = parseTemplate(settings["http.body.template"] ?? "${value}", RECORD_NAMES);
  const more = settings["http.headers.additional"].map((header): readonly [string, Template] => {
    const colon = header.indexOf(":");
    return [header.slice(0, colon).toLowerCase(), parseTemplate(header.slice(colon + 1).trim(), RECORD_NAMES)];
  });
  const contentType = settings["http.headers.content.type"];
  const separator = settings["batch.separator"].replaceAll("\\n", "\n");
  const suffix = settings["batch.suffix"].replaceAll("\\n", "\n");

  return {
    write(record) {
      const onNull = settings["behavior.on.null.values"];
      const empty = record.value.value === null;
      if (empty && onNull === "ignore") return { kind: "ignored" };
      if (empty && onNull === "fail")
        return { kind: "refused", problem: "the record has no value (behavior.on.null.values=fail)" };
      const filledUrl = url.fill((name) => encode(textOf(record, name)));
      if (filledUrl === null || URL.parse(filledUrl) === null) {
        return { kind: "refused", problem: "the record lacks what http.url asks for" };
      }
      const headers: Record<string, string> = {};
      for (const [name, template] of more) {
        const value = template.fill((each) => textOf(record, each));
        if (value === null || /[\r\n\0]/.test(value)) {
          return { kind: "refused", problem: `the record lacks what the header ${name} asks for, or breaks it` };
        }
        headers[name] = value;
      }
      const written = { kind: "written", record, url: filledUrl, headers } as const;
      if (empty && onNull === "delete") return { ...written, method: "DELETE", body: undefined };
      const filledBody =
        empty && settings["http.body.template"] === undefined ? "" : body.fill((name) => textOf(record, name));
      if (filledBody === null) return { kind: "refused", problem: "the record lacks what http.body.template asks for" };
      return { ...written, method: settings["http.method"], body: filledBody };
    },
    fits: (head, other) =>
      head.body !== undefined &&
      other.body !== undefined &&
      head.url === other.url &&
      more.every(([name]) => head.headers[name] === other.headers[name]),
    toRequest(batch) {
      const [head] = batch;
      if (head === undefined) throw new Error("a request has at least one record");
      const { method, url: target, headers } = head;
      if (head.body === undefined) return { method, url: target, headers };
      const bodies = batch.map((each) => each.body ?? "");
      const batched = settings["batch.max.size"] > 1;
      const text = batched ? `${settings["batch.prefix"]}${bodies.join(separator)}${suffix}` : bodies.join("");
      return { method, url: target, headers: { "content-type": contentType, ...headers }, body: text };
    },
  };
}

const encode = (text: string | null): string | null => (text === null ? null : encodeURIComponent(text));

/** What a template's name stands for; null if the record has no such thing. */
function textOf(record: SinkRecord, name: string): string | null {
  if (name === "topic") return record.topic;
  if (name === "partition") return String(record.partition);
  if (name === "offset") return String(record.offset);
  if (name === "timestamp") return record.timestamp === null ? null : String(record.timestamp);
  const dot = name.indexOf(".");
  const [root, rest] = dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1)];
  if (root === "header") {
    const header = record.headers.findLast(({ key }) => key === rest);
    return header === undefined || header.value === null ? null : toText(header);
  }
  const data = root === "key" ? record.key : record.value;
  const found = at(data.value, pathOf(rest));
  if (found === undefined || found === null) return null;
  if (typeof found === "string") return found;
  const schema = rest === "" ? data.schema : null;
  return toJsonText({ schema, value: toValue(found) });
}

/** Decoder: what lies inside of a value is a value. */
const toValue = (found: unknown): Value => found as Value;
