import { EXECUTOR_MEMORY_KEY, LEAST_EXECUTOR_MEMORY_MB } from "@headrace/contract";
import { config as key } from "@headrace/sdk";
import { z } from "zod";

/**
 * The keys that every connector understands (contract §6.4), with the groups and order of Java's ConnectorConfig,
 * SourceConnectorConfig and SinkConnectorConfig.
 */

export const COMMON = "Common";
export const TRANSFORMS = "Transforms";
export const PREDICATES = "Predicates";
export const ERRORS = "Error Handling";
export const TOPIC_CREATION = "Topic Creation";
export const EXACTLY_ONCE = "Exactly Once Support";
export const OFFSETS_TOPIC = "offsets.topic";

const CONTROL_CHARACTERS = /\p{Cc}/u;

const aliases = () =>
  key
    .list()
    .superRefine((names, context) => {
      if (new Set(names).size !== names.length) context.addIssue("Duplicate alias provided.");
    })
    .meta({ ifNull: "entry must be non null" });

/** A list that Java's `ValidList` checks: no empty items, none twice. */
const strictList = (name: string) =>
  key
    .list()
    .superRefine((items, context) => {
      const filled = items.filter((item) => item !== "");
      if (new Set(items).size !== items.length) {
        context.addIssue(`Configuration '${name}' values must not be duplicated.`);
      } else if (filled.length !== items.length) {
        context.addIssue(`Configuration '${name}' values must not be empty.`);
      }
    })
    .meta({ ifNull: `Configuration '${name}' values must not be null.` });

/** One of some words in any case; `order` is that of Java's message. */
const anyCase = <const Words extends readonly [string, ...string[]]>(...order: Words) =>
  z
    .string()
    .transform((text, context) => {
      const word = order.find((each) => each === text.trim().toLowerCase());
      if (word !== undefined) return word;
      context.addIssue(oneOfAnyCase(order));
      return z.NEVER;
    })
    .meta({ configType: "STRING", ifNull: oneOfAnyCase(order) });

const oneOfAnyCase = (order: readonly string[]) =>
  `String must be one of (case insensitive): ${order.join(", ").toUpperCase()}`;

/** The name of a plugin. Whether there is one is looked up by the rows that follow from it. */
const pluginClass = () => z.string().trim().meta({ configType: "CLASS" });

/** Milliseconds; anything below 0 means for ever. */
const anyLong = () => key.long().meta({ configType: "LONG" });

function controlCharacters(text: string): string {
  return [...text].flatMap((char) => (CONTROL_CHARACTERS.test(char) ? [String(char.codePointAt(0))] : [])).join(", ");
}

const pluginVersion = (doc: string) => z.string().optional().describe(doc);

const COMMON_KEYS = {
  name: z
    .string()
    .superRefine((name, context) => {
      if (name.trim() === "") context.addIssue("String may not be empty");
      else if (CONTROL_CHARACTERS.test(name)) {
        const codes = controlCharacters(name);
        context.addIssue(`String may not contain control sequences but had the following ASCII chars: ${codes}`);
      }
    })
    .describe("Name of this connector, unique in its cluster.")
    .meta({ importance: "HIGH", group: COMMON, order: 1, width: "MEDIUM", displayName: "Connector name" }),
  "connector.class": z
    .string()
    .describe("The connector's plugin: its short name, or a Java class name, with or without package and suffix.")
    .meta({ importance: "HIGH", group: COMMON, order: 2, width: "LONG", displayName: "Connector class" }),
  "connector.plugin.version": pluginVersion(
    "Version of the connector's plugin: exact, or a range as Maven writes it; not given: the latest.",
  ).meta({ importance: "MEDIUM", group: COMMON, order: 3, width: "MEDIUM", displayName: "Connector version" }),
  "tasks.max": key
    .int({ min: 1 })
    .default(1)
    .describe("The largest number of tasks to use for this connector.")
    .meta({ importance: "HIGH", group: COMMON, order: 4, width: "SHORT", displayName: "Tasks max" }),
  "tasks.max.enforce": key
    .boolean()
    .default(true)
    .describe("Fail the connector if it makes more tasks than tasks.max (deprecated in Kafka Connect).")
    .meta({ importance: "LOW", group: COMMON, order: 5, width: "SHORT", displayName: "Enforce tasks max" }),
  "key.converter": pluginClass()
    .optional()
    .describe("Converter of record keys; not given: the worker's, with the worker's settings for it.")
    .meta({ importance: "LOW", group: COMMON, order: 6, width: "SHORT", displayName: "Key converter class" }),
  "key.converter.plugin.version": pluginVersion("Version of the key converter.").meta({
    importance: "LOW",
    group: COMMON,
    order: 7,
    width: "SHORT",
    displayName: "Key converter version",
  }),
  "value.converter": pluginClass()
    .optional()
    .describe("Converter of record values; not given: the worker's, with the worker's settings for it.")
    .meta({ importance: "LOW", group: COMMON, order: 8, width: "SHORT", displayName: "Value converter class" }),
  "value.converter.plugin.version": pluginVersion("Version of the value converter.").meta({
    importance: "LOW",
    group: COMMON,
    order: 9,
    width: "SHORT",
    displayName: "Value converter version",
  }),
  "header.converter": pluginClass()
    .optional()
    .describe("Converter of record headers; not given: the worker's, with the worker's settings for it.")
    .meta({ importance: "LOW", group: COMMON, order: 10, width: "SHORT", displayName: "Header converter class" }),
  "header.converter.plugin.version": pluginVersion("Version of the header converter.").meta({
    importance: "LOW",
    group: COMMON,
    order: 11,
    width: "SHORT",
    displayName: "Header converter version",
  }),
  transforms: aliases()
    .default([])
    .describe("Aliases of the transformations to apply to each record, in this order.")
    .meta({ importance: "LOW", group: TRANSFORMS, order: 12, width: "LONG", displayName: "Transforms" }),
  predicates: aliases()
    .default([])
    .describe("Aliases of the predicates that transformations may refer to.")
    .meta({ importance: "LOW", group: PREDICATES, order: 13, width: "LONG", displayName: "Predicates" }),
  "config.action.reload": key
    .oneOf("none", "restart")
    .default("restart")
    .describe("What to do when a value of a config provider that has a time to live runs out.")
    .meta({
      importance: "LOW",
      group: COMMON,
      order: 14,
      width: "MEDIUM",
      displayName: "Reload Action",
      recommended: [],
    }),
  "errors.retry.timeout": anyLong()
    .default(0)
    .describe("How long a failed operation on a record is retried, ms; 0: not at all, -1: for ever.")
    .meta({ importance: "MEDIUM", group: ERRORS, order: 1, width: "MEDIUM", displayName: "Retry Timeout for Errors" }),
  "errors.retry.delay.max.ms": anyLong().default(60_000).describe("Longest pause between two retries, ms.").meta({
    importance: "MEDIUM",
    group: ERRORS,
    order: 2,
    width: "MEDIUM",
    displayName: "Maximum Delay Between Retries for Errors",
  }),
  "errors.tolerance": key
    .oneOf("none", "all")
    .default("none")
    .describe("none: a record that cannot be processed fails the task; all: it is skipped.")
    .meta({
      importance: "MEDIUM",
      group: ERRORS,
      order: 3,
      width: "SHORT",
      displayName: "Error Tolerance",
      recommended: [],
    }),
  "errors.log.enable": key
    .boolean()
    .default(false)
    .describe("Log each failed record.")
    .meta({ importance: "MEDIUM", group: ERRORS, order: 4, width: "SHORT", displayName: "Log Errors" }),
  "errors.log.include.messages": key
    .boolean()
    .default(false)
    .describe("Log also which record it was.")
    .meta({ importance: "MEDIUM", group: ERRORS, order: 5, width: "SHORT", displayName: "Log Error Details" }),
} as const;

/** Keys of a source connector. */
export const SOURCE_KEYS = z.object({
  ...COMMON_KEYS,
  "topic.creation.groups": aliases()
    .default([])
    .describe("Aliases of topic creation groups, in the order in which they are tried; `default` always exists.")
    .meta({ importance: "LOW", group: TOPIC_CREATION, order: 1, width: "LONG", displayName: "Topic Creation Groups" }),
  "exactly.once.support": anyCase("required", "requested")
    .default("requested")
    .describe("required: refuse to start without exactly-once delivery.")
    .meta({ importance: "MEDIUM", group: EXACTLY_ONCE, order: 2, width: "SHORT", displayName: "Exactly once support" }),
  "transaction.boundary": anyCase("interval", "poll", "connector")
    .default("poll")
    .describe("Which records make one transaction, with exactly-once delivery.")
    .meta({ importance: "MEDIUM", group: EXACTLY_ONCE, order: 3, width: "SHORT", displayName: "Transaction Boundary" }),
  "transaction.boundary.interval.ms": key
    .long({ min: 0 })
    .optional()
    .describe("Time between two transactions, ms; not given: the worker's offset.flush.interval.ms.")
    .meta({
      importance: "LOW",
      group: EXACTLY_ONCE,
      order: 4,
      width: "SHORT",
      displayName: "Transaction boundary interval",
      bounded: false,
    }),
  "offsets.storage.topic": z
    .string()
    .refine((topic) => topic.trim() !== "", "String must be non-empty")
    .optional()
    .describe("A topic of its own for this connector's offsets; not given: the worker's.")
    .meta({ importance: "LOW", group: OFFSETS_TOPIC, order: 1, width: "LONG", displayName: "Offsets topic" }),
});

/** Keys of a sink connector. */
export const SINK_KEYS = z.object({
  ...COMMON_KEYS,
  topics: strictList("topics")
    .default([])
    .describe("Topics to consume.")
    .meta({ importance: "HIGH", group: COMMON, order: 4, width: "LONG", displayName: "Topics" }),
  "topics.regex": z
    .string()
    .default("")
    .describe("Regular expression of topics to consume.")
    .meta({ importance: "HIGH", group: COMMON, order: 4, width: "LONG", displayName: "Topics regex" }),
  "errors.deadletterqueue.topic.name": z
    .string()
    .default("")
    .describe("Topic for records that could not be processed; empty: they are dropped.")
    .meta({
      importance: "MEDIUM",
      group: ERRORS,
      order: 6,
      width: "MEDIUM",
      displayName: "Dead Letter Queue Topic Name",
    }),
  "errors.deadletterqueue.topic.replication.factor": key
    .short()
    .default(3)
    .describe("Replication factor of that topic if it has to be created.")
    .meta({
      importance: "MEDIUM",
      group: ERRORS,
      order: 7,
      width: "MEDIUM",
      displayName: "Dead Letter Queue Topic Replication Factor",
    }),
  "errors.deadletterqueue.context.headers.enable": key
    .boolean()
    .default(false)
    .describe("Add headers that tell where and why a record failed.")
    .meta({
      importance: "MEDIUM",
      group: ERRORS,
      order: 8,
      width: "MEDIUM",
      displayName: "Enable Error Context Headers",
    }),
});

/** What only Headrace's workers know of every connector. It is looked at as it is written, so that it cannot be a placeholder. */
export const ADDED_KEYS = z.object({
  [EXECUTOR_MEMORY_KEY]: key
    .int({ min: LEAST_EXECUTOR_MEMORY_MB })
    .optional()
    .describe(
      "Memory that the connector may use on each worker, MiB: it gets a process of its own there, which is killed when it outgrows this. No placeholder. Not given: the worker's own limit.",
    )
    .meta({ importance: "LOW", group: COMMON, order: 15, width: "SHORT", displayName: "Executor memory limit" }),
});

export type SourceConfig = z.output<typeof SOURCE_KEYS>;
export type SinkConfig = z.output<typeof SINK_KEYS>;

/** The keys of one transformation alias, without its plugin's own. */
export const TRANSFORM_KEYS = z.object({
  type: pluginClass()
    .describe("The transformation's plugin.")
    .meta({ importance: "HIGH", order: 0, width: "LONG", displayName: "Transformation type" }),
  "plugin.version": pluginVersion("Version of the transformation's plugin.").meta({
    importance: "HIGH",
    order: 1,
    width: "LONG",
    displayName: "Transformation version",
  }),
  predicate: z
    .string()
    .optional()
    .describe("Alias of a predicate: apply the transformation only to records for which it holds.")
    .meta({ importance: "MEDIUM" }),
  negate: key
    .boolean()
    .default(false)
    .describe("Apply the transformation to the other records instead.")
    .meta({ importance: "MEDIUM" }),
});

/** The keys of one predicate alias, without its plugin's own. */
export const PREDICATE_KEYS = z.object({
  type: pluginClass()
    .describe("The predicate's plugin.")
    .meta({ importance: "HIGH", order: 0, width: "LONG", displayName: "Predicate type" }),
  "plugin.version": pluginVersion("Version of the predicate's plugin.").meta({
    importance: "HIGH",
    order: 1,
    width: "LONG",
    displayName: "Predicate version",
  }),
});

/** The part of a configuration below a prefix, the prefix removed. */
export function below(config: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  const entries = Object.entries(config).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}
