import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  config,
  DataError,
  defineSource,
  type OffsetMap,
  RetriableError,
  reportLag,
  type SourceRecord,
} from "@headrace/sdk";
import { z } from "zod";
import { AUTHORIZATION_KEYS, createAuthorizer, missingKeys } from "./authorization.ts";
import { pathOf } from "./json.ts";
import { type Page, readPage } from "./page.ts";
import { createSender, shownUrl } from "./request.ts";
import { hasCode, parseStatusCodes, retryAfterMs } from "./status-codes.ts";
import { parseTemplate, templateProblem } from "./template.ts";

const KEYS = {
  ...config.group("Request", {
    "http.url": config.nonEmpty().describe("URL to poll; ${cursor} stands for the cursor, encoded for URLs."),
    topic: config.nonEmpty().describe("Topic to write to."),
    "poll.interval.ms": config
      .int({ min: 1 })
      .default(60_000)
      .describe("Pause between two polls that bring nothing more, ms."),
    "http.headers.additional": config.list().default([]).describe("More headers, as name:value separated by commas."),
    "http.timeout.ms": config.int({ min: 1 }).default(30_000).describe("Time for one request, ms."),
  }),
  ...AUTHORIZATION_KEYS,
  ...config.group("Answers", {
    "http.response.records.path": config
      .text()
      .default("")
      .describe("Where the records are in the answer, as a.b; empty: the answer itself."),
    "http.record.key.path": config.text().optional().describe("Where a record has its key; not given: no key."),
    pagination: config
      .anyCaseOf("none", "cursor", "record", "link")
      .default("none")
      .describe(
        "How to go on: none (the whole answer each time it has changed), cursor (the answer names the next one), " +
          "record (the last record has it) or link (the header Link, rel=next).",
      )
      .meta({ dependents: ["http.cursor.path", "http.cursor.initial"] }),
    "http.cursor.path": config.text().optional().describe("Where the answer, or the record, has the cursor."),
    "http.cursor.initial": config.text().default("").describe("The first cursor."),
    "batch.size": config.int({ min: 1 }).default(500).describe("Most records of one poll.").meta({ importance: "LOW" }),
    "retry.on.status.codes": config
      .list()
      .default(["408", "425", "429", "500-599"])
      .describe("Answers after which the request is sent again."),
  }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string | null) => {
    if (message !== null) context.addIssue({ code: "custom", path: [key], message });
  };
  complain("http.url", templateProblem(given["http.url"], ["cursor"]));
  if (!/^https?:\/\//.test(given["http.url"])) complain("http.url", "URL must start with http:// or https://");
  const byCursor = given.pagination === "cursor" || given.pagination === "record";
  if (byCursor && given["http.cursor.path"] === undefined) {
    complain("http.cursor.path", `http.cursor.path is needed with pagination=${given.pagination}`);
  }
  if (byCursor && !given["http.url"].includes("${cursor}")) complain("http.url", "${cursor} has to be in the URL");
  for (const key of missingKeys(given)) {
    complain(key, `${key} is needed with http.authorization.type=${given["http.authorization.type"]}`);
  }
});

/** Where reading goes on: in the page that this cursor asks for, behind so many records. */
interface Position {
  readonly cursor: string;
  readonly index: number;
  /** Of the answer in which `index` counts, or that was read to its end. */
  readonly etag: string | null;
}

/**
 * Polls a URL and gives a record per item of its answers.
 *
 * Guarantees: each item once and in order, also after a kill, as long as the server gives the same page for the same cursor.
 */
export const httpSource = defineSource({
  name: "http-source",
  version: "0.1.0",
  config: CONFIG,
  planTasks: () => [{}],
  async openTask(settings, context) {
    const { topic, pagination } = settings;
    const partition = { url: settings["http.url"] };
    const template = parseTemplate(settings["http.url"], ["cursor"]);
    const sender = createSender(
      createAuthorizer(settings, settings["http.timeout.ms"], Date.now),
      settings["http.timeout.ms"],
    );
    const retried = parseStatusCodes(settings["retry.on.status.codes"]);
    const headers = Object.fromEntries(
      settings["http.headers.additional"].map((header) => [
        header.split(":")[0] ?? "",
        header.slice(header.indexOf(":") + 1).trim(),
      ]),
    );
    const keyPath = settings["http.record.key.path"];
    let position = positionOf(await context.offset(partition), settings["http.cursor.initial"]);
    let waiting: SourceRecord[] = [];
    let waitUntil = 0;
    // Of the page that is being read: how many pages there are behind it nobody tells.
    reportLag(context.metrics, { records: () => waiting.length });

    async function fetchPage(signal: AbortSignal): Promise<Page | null> {
      const url =
        pagination === "link" && position.cursor !== ""
          ? position.cursor
          : (template.fill(() => encodeURIComponent(position.cursor)) ?? "");
      const known = position.index === 0 ? position.etag : null;
      const request = {
        method: "GET",
        url,
        headers: { accept: "application/json", ...headers, ...(known !== null && { "if-none-match": known }) },
      };
      const answer = await sender.send(request, signal);
      if (answer.status === 304) return null;
      const message = `GET ${shownUrl(url)} answered ${answer.status}`;
      if (hasCode(retried, answer.status)) {
        waitUntil = Date.now() + (retryAfterMs(answer.headers.get("retry-after"), Date.now()) ?? 0);
        throw new RetriableError(message);
      }
      if (answer.status < 200 || answer.status > 299) throw new Error(`${message}: ${answer.text.slice(0, 300)}`);
      try {
        return readPage(answer, {
          url,
          pagination,
          recordsPath: pathOf(settings["http.response.records.path"]),
          cursorPath: pathOf(settings["http.cursor.path"] ?? ""),
          keyPath: keyPath === undefined ? null : pathOf(keyPath),
        });
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        const byCursor = pagination === "cursor" || pagination === "record";
        const page = byCursor ? ` with the cursor ${JSON.stringify(position.cursor)}` : "";
        throw new DataError(`GET ${shownUrl(url)}${page}: ${error.message}`, { cause: error });
      }
    }

    /** The records of a page that have not been read yet, each with where reading goes on behind it. */
    function recordsOf(page: Page): SourceRecord[] {
      const same = page.etag !== null && page.etag === position.etag;
      const skipped = position.etag === null || same ? position.index : 0;
      const cursor = page.next ?? position.cursor;
      const after = (index: number): Position => {
        const own = page.items[index]?.cursor ?? null;
        if (own !== null) return { cursor: own, index: 0, etag: null };
        if (index + 1 < page.items.length) {
          // A page that only grows keeps what it had; a whole answer that has changed is another one.
          return { cursor: position.cursor, index: index + 1, etag: pagination === "none" ? page.etag : null };
        }
        if (page.next !== null) return { cursor, index: 0, etag: null };
        // The last page stays where it is: more may come behind what it has now.
        return pagination === "none"
          ? { cursor, index: page.etag === null ? index + 1 : 0, etag: page.etag }
          : { cursor, index: index + 1, etag: null };
      };
      return page.items.slice(skipped).map(({ key, value }, index) => ({
        topic,
        ...(key !== undefined && { key: { schema: null, value: key } }),
        value: { schema: null, value },
        sourcePartition: partition,
        sourceOffset: { ...after(skipped + index) },
      }));
    }

    return {
      async poll(signal) {
        if (waiting.length === 0) {
          const restMs = waitUntil - Date.now();
          if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => {});
          if (signal.aborted) return [];
          const page = await fetchPage(signal);
          waiting = page === null ? [] : recordsOf(page);
          if (page !== null && waiting.length === 0 && page.next !== null && page.next !== position.cursor) {
            position = { cursor: page.next, index: 0, etag: null };
            return [];
          }
          if (waiting.length === 0) waitUntil = Date.now() + settings["poll.interval.ms"];
        }
        const batch = waiting.splice(0, settings["batch.size"]);
        const last = batch.at(-1);
        if (last !== undefined) position = positionOf(last.sourceOffset, "");
        return batch;
      },
      close() {},
    };
  },
  alterOffsets(_, offsets) {
    for (const { partition, offset } of offsets) {
      if (offset === null) continue;
      if (typeof partition["url"] !== "string")
        throw new ConfigError('A partition of this connector is {"url":"<http.url>"}');
      positionOf(offset, "");
    }
    return true;
  },
});

function positionOf(offset: OffsetMap | null, initial: string): Position {
  if (offset === null) return { cursor: initial, index: 0, etag: null };
  const { cursor, index = 0, etag = null } = offset;
  if (typeof cursor !== "string")
    throw new ConfigError('An offset is {"cursor":"<text>"}, with "index" and "etag" if need be');
  if (typeof index !== "number" || !Number.isSafeInteger(index) || index < 0)
    throw new ConfigError("index must be an integer of at least 0");
  if (etag !== null && typeof etag !== "string") throw new ConfigError("etag must be a text, or null");
  return { cursor, index, etag };
}
