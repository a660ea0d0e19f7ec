import { flushCompileCache } from "node:module";
import type { SinkDefinition } from "../sink.ts";
import type { SourceDefinition, SourceRecord } from "../source.ts";
import { Utf8Text } from "../utf8-text.ts";
import { type ProcessAnswer, type ProcessParts, type ProcessRequest, QUESTION } from "./connector-process.ts";
import { createMemoryOffsets } from "./memory-offsets.ts";
import { openSinkRun, type SinkRun } from "./sink-run.ts";
import { openSourceRun, type SourceRun } from "./source-run.ts";

/** The program that runs a connector for {@link openSinkProcess} and {@link openSourceProcess}, until it is killed. */
let sink: SinkRun | null = null;
let source: SourceRun | null = null;
const taken: SourceRecord[] = [];
let told = 0;

async function answer(request: ProcessRequest): Promise<unknown> {
  switch (request.kind) {
    case "open-sink":
      sink = await openSinkRun(await definitionOf(request.parts, "sink"), { config: request.parts.config });
      return null;
    case "put":
      await sink?.put(request.records);
      return null;
    case "commit":
      return await sink?.commit(request.offsets);
    case "open-source": {
      const offsets = createMemoryOffsets(request.offsets);
      source = await openSourceRun(await definitionOf(request.parts, "source"), {
        config: request.parts.config,
        offsets,
      });
      return null;
    }
    case "take": {
      const records = (await source?.take(request.count, request.timeoutMs)) ?? [];
      taken.push(...records);
      return records.map(plain);
    }
    case "acknowledge":
      await source?.acknowledge(request.places.flatMap((place) => taken[place] ?? []));
      return null;
    default:
      throw new Error(`unreachable: ${request satisfies never}`);
  }
}

async function definitionOf(parts: ProcessParts, kind: "sink"): Promise<SinkDefinition>;
async function definitionOf(parts: ProcessParts, kind: "source"): Promise<SourceDefinition>;
async function definitionOf({ module, name }: ProcessParts, kind: string): Promise<SinkDefinition | SourceDefinition> {
  const exported: readonly unknown[] = Object.values((await import(module)) as object).flat();
  const isWanted = (each: unknown): each is SinkDefinition | SourceDefinition =>
    typeof each === "object" &&
    each !== null &&
    "kind" in each &&
    each.kind === kind &&
    "name" in each &&
    each.name === name;
  const found = exported.find(isWanted);
  if (found === undefined) throw new Error(`${module} exports no ${kind} of the name ${name}`);
  return found;
}

/** A record as it can be sent, whatever class it is of. */
function plain(record: SourceRecord): SourceRecord {
  const { topic, key, value, sourcePartition, sourceOffset } = record;
  return {
    ...record,
    topic,
    sourcePartition,
    sourceOffset,
    value: value instanceof Utf8Text ? value.decode() : value,
    key: key instanceof Utf8Text ? key.decode() : (key ?? null),
  };
}

/** The log lines that were not told yet. */
function newLines(): readonly string[] {
  const lines = (sink ?? source)?.log.lines.slice(told) ?? [];
  told += lines.length;
  return lines;
}

process.on("message", (message) => {
  const { id, request } = QUESTION.parse(message);
  const send = (outcome: Partial<ProcessAnswer>) => process.send?.({ id, lines: newLines(), ...outcome });
  answer(request).then(
    (result) => {
      send({ result });
      // At its end it has no time for that.
      if (request.kind === "open-sink" || request.kind === "open-source") flushCompileCache();
    },
    (error: unknown) => send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// Whoever started it is gone.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
