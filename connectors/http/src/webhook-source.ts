import {
  config,
  DataError,
  defineSource,
  RetriableError,
  reportLag,
  type SourceRecord,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { parseJson } from "./json.ts";
import { createWebhookServer, type Delivery } from "./webhook-server.ts";

const CONFIG = z.object({
  ...config.group("Server", {
    "webhook.host": config.text().default("0.0.0.0").describe("Address to listen on."),
    "webhook.port": config.int({ min: 1, max: 65_535 }).describe("Port to listen on."),
    "webhook.path": config.text().default("/").describe("Path of the requests; others are answered with 404."),
    "webhook.max.body.bytes": config
      .int({ min: 1 })
      .default(1_048_576)
      .describe("Largest body; larger ones are answered with 413."),
    "webhook.queue.max": config
      .int({ min: 1 })
      .default(1000)
      .describe("Most requests that wait for Kafka; further ones are answered with 429 and Retry-After."),
    "webhook.answer.timeout.ms": config
      .int({ min: 1 })
      .default(30_000)
      .describe("Longest wait for Kafka; then the answer is 503, and the record may be there nevertheless, ms."),
  }),
  ...config.group("Signature", {
    "webhook.hmac.secret": config
      .password()
      .optional()
      .describe("Secret of the signatures; not given: requests are not checked."),
    "webhook.hmac.header": config
      .text()
      .default("X-Hub-Signature-256")
      .describe("Header with the signature of the body, in hexadecimal."),
    "webhook.hmac.algorithm": config
      .anyCaseOf("sha256", "sha512", "sha1")
      .default("sha256")
      .describe("Hash of the signature."),
  }),
  ...config.group("Records", {
    topic: config.nonEmpty().describe("Topic to write to."),
    "webhook.format": config
      .anyCaseOf("json", "text", "bytes")
      .default("json")
      .describe("What a body is; one that is no JSON is answered with 400."),
    "webhook.key.header": config.text().optional().describe("Header whose value is the record's key."),
    "webhook.headers": config.list().default([]).describe("Headers that become headers of the record."),
    "batch.size": config.int({ min: 1 }).default(500).describe("Most records of one poll.").meta({ importance: "LOW" }),
  }),
});

/** Pause of a poll while nobody waits for an answer, and while somebody does. */
const IDLE_MS = 500;
const BUSY_MS = 5;

/**
 * Takes requests and gives a record for each; a request is answered with success only when Kafka has its record.
 *
 * Guarantees: what was answered with 200 is in Kafka. What was not may be there, too: senders that repeat give at-least-once delivery.
 */
export const webhookSource = defineSource({
  name: "webhook-source",
  version: "0.1.0",
  config: CONFIG,
  planTasks: () => [{}],
  exactlyOnceSupport: () => "UNSUPPORTED",
  async openTask(settings, context) {
    const { topic } = settings;
    const format = settings["webhook.format"];
    const secret = settings["webhook.hmac.secret"];
    const server = createWebhookServer({
      host: settings["webhook.host"],
      port: settings["webhook.port"],
      path: settings["webhook.path"],
      maxBodyBytes: settings["webhook.max.body.bytes"],
      maxWaiting: settings["webhook.queue.max"],
      answerTimeoutMs: settings["webhook.answer.timeout.ms"],
      signature:
        secret === undefined
          ? null
          : {
              secret: secret.reveal(),
              header: settings["webhook.hmac.header"].toLowerCase(),
              algorithm: settings["webhook.hmac.algorithm"],
            },
      accepts: (body) => format !== "json" || isJson(body),
    });
    reportLag(context.metrics, { records: () => server.waiting() });
    const partition = { webhook: `${settings["webhook.port"]}${settings["webhook.path"]}` };
    const deliveries = new WeakMap<SourceRecord, Delivery>();

    function toRecord(delivery: Delivery): SourceRecord {
      const key = settings["webhook.key.header"] === undefined ? null : delivery.header(settings["webhook.key.header"]);
      const record: SourceRecord = {
        topic,
        key: key === null ? null : { schema: null, value: key },
        value: { schema: null, value: toBody(delivery.body) },
        headers: settings["webhook.headers"].flatMap((name) => {
          const value = delivery.header(name);
          return value === null ? [] : [{ key: name, schema: null, value }];
        }),
        timestamp: delivery.receivedAt,
        sourcePartition: partition,
        sourceOffset: { received: delivery.receivedAt },
      };
      deliveries.set(record, delivery);
      return record;
    }

    function toBody(body: Buffer): Value {
      if (format === "bytes") return body;
      const text = body.toString("utf8");
      return format === "text" ? text : parseJson(text, "the body");
    }

    return {
      async poll(signal) {
        try {
          await server.listen();
        } catch (cause) {
          const reason = cause instanceof Error ? cause.message : String(cause);
          throw new RetriableError(
            `cannot listen on ${settings["webhook.host"]}:${settings["webhook.port"]}: ${reason}`,
            { cause },
          );
        }
        await server.arrival(server.waiting() > 0 ? BUSY_MS : IDLE_MS, signal);
        return signal.aborted ? [] : server.take(settings["batch.size"]).map(toRecord);
      },
      committed(records) {
        for (const { record, metadata } of records) deliveries.get(record)?.answer(metadata);
      },
      close: () => server.close(),
    };
  },
  // Senders keep what was not answered; there is no position to alter.
  alterOffsets: () => true,
});

function isJson(body: Buffer): boolean {
  try {
    parseJson(body.toString("utf8"), "the body");
    return true;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return false;
  }
}
