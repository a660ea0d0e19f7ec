import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  defineSource,
  exactInteger,
  config as key,
  parseExactJson,
  type SourceRecord,
  type SourceTask,
  type SourceTaskContext,
  STRING_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { compileTemplate, createRandom, type Template } from "./template.ts";

const CONFIG = z.object({
  topic: key.nonEmpty().describe("The topic to write to."),
  template: z
    .string()
    .default('{"sequence":{{sequence}},"user":"user-{{int 1 1000}}","amount":{{double 0 100}}}')
    .describe("The value, with {{sequence}}, {{int 1 100}}, {{double 0 1}}, {{pick a|b}}, {{hex 8}}, {{uuid}}."),
  "template.format": key
    .oneOf("json", "text")
    .default("json")
    .describe("json: the value is the object that the text describes; text: the text itself."),
  "key.template": z.string().optional().describe("The key, as text; not given: no key."),
  "rate.per.second": key
    .double({ min: 0 })
    .default(10)
    .describe("Records per second, all tasks together; 0: as fast as possible."),
  count: key.long({ min: 0 }).default(0).describe("Number of records, all tasks together; 0: without end."),
  seed: key.long().default(0).describe("Another seed gives other records."),
  streams: key
    .int({ min: 1, max: 1024 })
    .default(8)
    .describe(
      "Number of independent sequences, which are divided among the tasks. Must not change while offsets are kept.",
    ),
  "batch.size": key.int({ min: 1 }).default(1000).describe("The largest number of records that one poll gives."),
  "task.streams": key
    .list()
    .default([])
    .describe("The streams of one task; set by the connector.")
    .meta({ importance: "LOW" }),
});
type Config = z.output<typeof CONFIG>;

/** Longest wait for the next record to be due, and the pause at the end. */
const MAX_PAUSE_MS = 1_000;

/**
 * Makes records up. Record n is a function of seed and n alone; stream s of S gives the records s, s + S, s + 2S, …, so that offsets
 * resume exactly, whatever the number of tasks.
 */
export const datagenSource = defineSource({
  name: "datagen",
  version: "1.0.0",
  config: CONFIG,
  planTasks(config, maxTasks) {
    const tasks = Math.min(maxTasks, config.streams);
    return Array.from({ length: tasks }, (_, task) => {
      const own = Array.from({ length: config.streams }, (_, stream) => stream).filter((each) => each % tasks === task);
      return { "task.streams": own.join(",") };
    });
  },
  async validate(config) {
    const errors: Record<string, string[]> = {};
    for (const name of ["template", "key.template"] as const) {
      try {
        compileTemplate(config[name] ?? "");
      } catch (error) {
        errors[name] = [error instanceof Error ? error.message : String(error)];
      }
    }
    return errors;
  },
  exactlyOnceSupport: () => "SUPPORTED",
  openTask: createTask,
});

interface Stream {
  readonly index: number;
  /** How many records it has given. */
  given: number;
}

async function createTask(config: Config, context: SourceTaskContext): Promise<SourceTask> {
  const streams: Stream[] = [];
  for (const name of config["task.streams"]) {
    const index = Number(name);
    const offset = await context.offset({ stream: index });
    const given = Number(offset?.["given"] ?? 0);
    if (!Number.isSafeInteger(given) || given < 0) throw new ConfigError(`Offset of stream ${index} is not a count`);
    streams.push({ index, given });
  }
  const make = compileRecord(config);
  const share = streams.length / config.streams;
  const rate = config["rate.per.second"];
  const startedAt = performance.now();
  let made = 0;

  return {
    async poll(signal) {
      const allowed = Math.min(config["batch.size"], dueNow(rate * share, performance.now() - startedAt, made));
      const records: SourceRecord[] = [];
      for (let idle = 0; records.length < allowed && idle < streams.length; ) {
        const stream = streams[(made + idle) % streams.length];
        const sequence = stream === undefined ? 0 : stream.index + stream.given * config.streams;
        if (stream === undefined || (config.count > 0 && sequence >= config.count)) {
          idle += 1;
          continue;
        }
        stream.given += 1;
        records.push(make(stream, sequence));
        made += 1;
        idle = 0;
      }
      if (records.length === 0) {
        const pauseMs = rate > 0 && share > 0 ? Math.min(1_000 / (rate * share), MAX_PAUSE_MS) : MAX_PAUSE_MS;
        await sleep(pauseMs, undefined, { signal }).catch(() => {});
      }
      return records;
    },
    close: () => {},
  };
}

/** How many records may be made now: those that are due by the rate and were not made yet. */
function dueNow(rate: number, elapsedMs: number, made: number): number {
  return rate === 0 ? Number.POSITIVE_INFINITY : Math.floor((rate * elapsedMs) / 1_000) + 1 - made;
}

function compileRecord(config: Config): (stream: Stream, sequence: number) => SourceRecord {
  const value = compileTemplate(config.template);
  const keyTemplate = config["key.template"] === undefined ? null : compileTemplate(config["key.template"]);
  const { topic, seed } = config;
  return (stream, sequence) => {
    const input = { sequence, random: createRandom(seed, sequence) };
    return {
      topic,
      key: keyTemplate === null ? null : { schema: STRING_SCHEMA, value: keyTemplate(input) },
      value: toValue(value, input, config["template.format"]),
      sourcePartition: { stream: stream.index },
      sourceOffset: { given: stream.given },
    };
  };
}

function toValue(template: Template, input: Parameters<Template>[0], format: Config["template.format"]) {
  const text = template(input);
  if (format === "text") return { schema: STRING_SCHEMA, value: text };
  const toNumber = (source: string, value: number) => exactInteger(source, value) ?? value;
  const value: Value = parseExactJson(text, `What the template gives (${text})`, toNumber);
  return { schema: null, value };
}
