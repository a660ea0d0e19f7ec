import type { StringMap } from "@headrace/contract";
import { ConfigError, config as key, type SourceDefinition } from "@headrace/sdk";
import { isExactlyOnce } from "../offsets-place.ts";
import { parseTopicCreation } from "../task/topic-creation.ts";
import type { Rows } from "./rows.ts";

/** What the framework wants of a sink. Source: SinkConnectorConfig.validate, AbstractHerder.validateSinkConnectorGroupId. */
export function checkSink(worker: StringMap, config: StringMap, rows: Rows): void {
  const topics = key.splitList(config["topics"]);
  const regex = config["topics.regex"]?.trim() ?? "";
  const both = (message: string) => {
    rows.error("topics", message);
    rows.error("topics.regex", message);
  };
  const listed = (config["topics"]?.trim() ?? "") !== "";
  if (!listed && regex === "") both("Must configure one of topics or topics.regex");
  if (listed && regex !== "") both("topics and topics.regex are mutually exclusive options, but both are set.");
  const pattern = compile(regex);
  if (pattern === null) {
    rows.error("topics.regex", `Invalid value ${regex} for configuration topics.regex: Invalid regex`);
  }
  checkDeadLetters(config, topics, regex === "" ? null : pattern, rows);
  checkGroup(worker, config, rows);
}

function checkDeadLetters(
  config: StringMap,
  topics: readonly string[],
  pattern: { test(topic: string): boolean } | null,
  rows: Rows,
): void {
  const dlq = config["errors.deadletterqueue.topic.name"]?.trim() ?? "";
  if (dlq === "") return;
  if (topics.includes(dlq)) {
    rows.error(
      "topics",
      `The DLQ topic '${dlq}' may not be included in the list of topics ('topics=[${topics.join(", ")}]') consumed by the connector`,
    );
  }
  if (pattern?.test(dlq) === true) {
    rows.error(
      "topics.regex",
      `The DLQ topic '${dlq}' may not be matched by the regex for the topics ('topics.regex=${config["topics.regex"] ?? ""}') consumed by the connector`,
    );
  }
}

function checkGroup(worker: StringMap, config: StringMap, rows: Rows): void {
  const own = worker["group.id"];
  const override = config["consumer.override.group.id"];
  if (override !== undefined && override === own) {
    rows.error(
      "consumer.override.group.id",
      `Consumer group ${override} conflicts with Connect worker group ${own ?? ""}`,
    );
  }
  const name = config["name"] ?? "";
  if (override === undefined && `connect-${name}` === own) {
    rows.error("name", `Consumer group for sink connector named ${name} conflicts with Connect worker group ${own}`);
  }
}

function compile(regex: string): { test(topic: string): boolean } | null {
  try {
    return key.fullMatch(regex);
  } catch {
    return null;
  }
}

/**
 * What the framework wants of a source. Topic creation groups are checked here already; Java accepts them and then fails the tasks.
 * Source: DistributedHerder.validateSourceConnectorConfig.
 */
export function checkSource(config: StringMap, rows: Rows): void {
  try {
    parseTopicCreation(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (!rows.hasError("topic.creation.groups")) rows.error("topic.creation.groups", error.message);
  }
}

/**
 * Whether a source can give what its configuration asks of exactly-once delivery; asks the connector, so its own keys must be valid. Source:
 * DistributedHerder.validateSourceConnectorConfig.
 */
export function checkExactlyOnce(worker: StringMap, definition: SourceDefinition, config: StringMap, rows: Rows): void {
  const word = (name: string) => config[name]?.trim().toLowerCase();
  const parsed = definition.config.safeParse(config);
  if (word("exactly.once.support") === "required") {
    const complain = (message: string) => rows.error("exactly.once.support", message);
    if (!isExactlyOnce(worker)) complain("This worker does not have exactly-once source support enabled.");
    asking(complain, () => {
      const support = parsed.success ? (definition.exactlyOnceSupport?.(parsed.data) ?? null) : "SUPPORTED";
      if (support === null) complain(UNKNOWN_SUPPORT);
      if (support === "UNSUPPORTED") {
        complain("The connector does not support exactly-once semantics with the provided configuration.");
      }
    });
  }
  if (word("transaction.boundary") !== "connector") return;
  const complain = (message: string) => rows.error("transaction.boundary", message);
  asking(complain, () => {
    if (!parsed.success || definition.canDefineTransactionBoundaries?.(parsed.data) === true) return;
    complain(
      "The connector does not support connector-defined transaction boundaries with the given configuration. " +
        "Please reconfigure it to use a different transaction boundary definition.",
    );
  });
}

const UNKNOWN_SUPPORT =
  "The connector does not tell whether it supports exactly-once semantics. Consult its documentation, and if it does, set this " +
  'property to "requested", which leaves out this check.';

/** A connector's own failure is a complaint as well. */
function asking(complain: (message: string) => void, ask: () => void): void {
  try {
    ask();
  } catch (error) {
    const detail = error instanceof Error && error.message.trim() !== "" ? `: ${error.message.trim()}` : "";
    complain(`An unexpected error occurred during validation${detail}`);
  }
}
