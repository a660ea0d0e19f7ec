import {
  config,
  defineSink,
  type ErrantRecordReporter,
  RetriableError,
  type SinkRecord,
  type SinkTask,
} from "@headrace/sdk";
import { z } from "zod";
import { AUTHORIZATION_KEYS, createAuthorizer, missingKeys } from "./authorization.ts";
import { Outgoing } from "./outgoing.ts";
import { type Answer, createSender, type Request, shownUrl } from "./request.ts";
import { createRequestWriter, RECORD_NAMES, type WrittenRecord } from "./request-writer.ts";
import { codesProblem, hasCode, parseStatusCodes, retryAfterMs } from "./status-codes.ts";
import { templateProblem } from "./template.ts";

const KEYS = {
  ...config.group("Request", {
    "http.url": config
      .nonEmpty()
      .describe(
        "URL of the requests; ${topic}, ${key}, ${value.field}, … stand for what the record has, encoded for URLs.",
      ),
    "http.method": config
      .anyCaseOf("POST", "PUT", "PATCH", "DELETE")
      .default("POST")
      .describe("Method of the requests."),
    "http.headers.content.type": config.text().default("application/json").describe("Content type of the requests."),
    "http.headers.additional": config
      .list()
      .default([])
      .describe("More headers, as name:value separated by commas; templates as in http.url."),
    "http.body.template": config
      .text()
      .optional()
      .describe("Body per record; not given: ${value}, which is the value as JSON, or the text itself if it is one."),
    "http.timeout.ms": config.int({ min: 1 }).default(30_000).describe("Time for one request, ms."),
    "behavior.on.null.values": config
      .anyCaseOf("fail", "ignore", "delete", "send")
      .default("fail")
      .describe(
        "Of a record without value: it is refused, left out, sent as DELETE without a body, or sent with an empty body.",
      ),
  }),
  ...AUTHORIZATION_KEYS,
  ...config.group("Batches", {
    "batch.max.size": config
      .int({ min: 1 })
      .default(1)
      .describe("Most records of one request; 1: a request per record."),
    "batch.prefix": z.string().default("[").describe("What stands before the records of a batch."),
    "batch.separator": z.string().default(",").describe("What stands between them; \\n is a line feed."),
    "batch.suffix": z.string().default("]").describe("What stands behind them."),
  }),
  ...config.group("Answers", {
    "retry.on.status.codes": config
      .list()
      .default(["408", "425", "429", "500-599"])
      .describe("Answers after which the request is sent again, after Retry-After or the worker's pause."),
    "ignore.status.codes": config.list().default([]).describe("Answers that count as success, besides 200 to 299."),
    "max.retries": config
      .int({ min: -1 })
      .default(-1)
      .describe(
        "Tries after the first, for such answers and broken connections; -1: no end. Then the record is refused.",
      ),
  }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string | null) => {
    if (message !== null) context.addIssue({ code: "custom", path: [key], message });
  };
  complain("http.url", templateProblem(given["http.url"], RECORD_NAMES));
  if (!/^https?:\/\//.test(given["http.url"])) complain("http.url", "URL must start with http:// or https://");
  complain("http.body.template", templateProblem(given["http.body.template"] ?? "", RECORD_NAMES));
  for (const header of given["http.headers.additional"]) {
    const valid = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:/.test(header);
    complain("http.headers.additional", valid ? templateProblem(header, RECORD_NAMES) : `${header} is not name:value`);
  }
  complain("retry.on.status.codes", codesProblem(given["retry.on.status.codes"]));
  complain("ignore.status.codes", codesProblem(given["ignore.status.codes"]));
  for (const key of missingKeys(given)) {
    complain(key, `${key} is needed with http.authorization.type=${given["http.authorization.type"]}`);
  }
});
type Config = z.output<typeof CONFIG>;

/**
 * Sends each record, or each batch, in a request of its own, one after the other.
 *
 * Guarantees: order; offsets are committed only after the server has answered with success. A request is repeated when its answer got lost.
 */
export const httpSink = defineSink({
  name: "http-sink",
  version: "0.1.0",
  config: CONFIG,
  openTask: async (settings, context) => {
    const sent = context.metrics.counter("http-requests", "Requests sent.");
    const sender = createSender(
      createAuthorizer(settings, settings["http.timeout.ms"], Date.now),
      settings["http.timeout.ms"],
    );
    return createTask({
      settings,
      errants: context.errantRecords,
      timeout: (delayMs) => context.timeout(delayMs),
      async send(request, signal) {
        sent.add();
        return await sender.send(request, signal);
      },
    });
  },
  alterOffsets: () => true,
});

interface TaskParts {
  readonly settings: Config;
  readonly errants: ErrantRecordReporter | null;
  readonly timeout: (delayMs: number) => void;
  readonly send: (request: Request, signal: AbortSignal) => Promise<Answer>;
}

function createTask({ settings, errants, timeout, send }: TaskParts): SinkTask {
  const writer = createRequestWriter(settings);
  const retried = parseStatusCodes(settings["retry.on.status.codes"]);
  const ignored = parseStatusCodes(settings["ignore.status.codes"]);
  const maxRetries = settings["max.retries"];
  const outgoing = new Outgoing();
  let tries = 0;

  async function refuse(record: SinkRecord, error: Error): Promise<void> {
    if (errants === null) throw error;
    await errants.report(record, error);
  }

  /** null: taken. An error: refused for good. Throws RetriableError if it is to be sent again. */
  async function attempt(request: Request, signal: AbortSignal): Promise<Error | null> {
    try {
      const { status, headers, text } = await send(request, signal);
      if ((status >= 200 && status < 300) || hasCode(ignored, status)) return null;
      const message = `${request.method} ${shownUrl(request.url)} answered ${status}: ${text.slice(0, 300)}`;
      if (!hasCode(retried, status)) return new Error(message);
      const delayMs = retryAfterMs(headers.get("retry-after"), Date.now());
      if (delayMs !== null) timeout(delayMs);
      throw new RetriableError(message);
    } catch (error) {
      if (!(error instanceof RetriableError) || maxRetries < 0 || tries < maxRetries) throw error;
      return new Error(`${error.message}, after ${tries} retries`, { cause: error });
    }
  }

  async function deliver(batch: readonly WrittenRecord[], signal: AbortSignal): Promise<void> {
    const problem = await attempt(writer.toRequest(batch), signal);
    tries = 0;
    const [first] = batch;
    if (problem !== null && batch.length > 1) {
      // A server that refuses a batch has taken none of it; which record was meant shows one by one.
      for (const each of batch) await deliver([each], signal);
      return;
    }
    if (problem !== null && first !== undefined) await refuse(first.record, problem);
    for (const { record } of batch) outgoing.delivered(record);
  }

  return {
    open: (partitions) => outgoing.forget(partitions),
    async put(records, signal) {
      let batch: WrittenRecord[] = [];
      const flush = async () => {
        const full = batch;
        batch = [];
        if (full.length > 0) await deliver(full, signal);
      };
      try {
        for (const record of records) {
          if (outgoing.isDelivered(record)) continue;
          const written = writer.write(record);
          if (written.kind === "ignored") continue;
          if (written.kind === "refused") {
            await flush();
            await refuse(record, new Error(written.problem));
            outgoing.delivered(record);
            continue;
          }
          const [head] = batch;
          if (head !== undefined && (batch.length >= settings["batch.max.size"] || !writer.fits(head, written)))
            await flush();
          batch.push(written);
        }
        await flush();
      } catch (error) {
        if (error instanceof RetriableError) tries += 1;
        throw error;
      }
      outgoing.settle();
    },
    close() {},
  };
}
