import { writeFile } from "node:fs/promises";
import { fileSource } from "#runtime/connectors/file-source.ts";
import { stringConverter } from "#runtime/converters/string.ts";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { compileSourcePipeline } from "#runtime/task/record-pipeline.ts";
import type { SourceTaskOptions } from "#runtime/task/source-options.ts";
import { createSourceTask } from "#runtime/task/source-task.ts";
import { eventually } from "./eventually.ts";
import { createLogRecorder, runTask } from "./task-run.ts";

/** Far more than a file takes whose lines are refused, under sanitizers and load. */
const LIMIT_MS = 240_000;

/** What {@link writeMixedFile} makes long lines of, at least. */
export const LONG_BYTES = 200_000;
/** How lines begin that a Kafka of a test may refuse. */
export const GUILTY = "guilty";

/**
 * Writes the same file each time: lines of all lengths up to 600 KB, none between 20 KB and {@link LONG_BYTES}, with any ending; some are
 * empty, and a few bytes are no UTF-8. Returns its size, and its lines as they have to arrive.
 */
export async function writeMixedFile(
  file: string,
  count: number,
): Promise<{ readonly size: number; readonly lines: readonly string[] }> {
  let state = 7;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const units = ["x", "ü", "馬", "😀"].map((unit) => Buffer.from(unit));
  const endings = ["\n", "\n", "\r\n", "\r"];
  const pieces: Buffer[] = [];
  const lines: string[] = [];
  let before = "";
  for (let number = 0; number < count; number += 1) {
    const unit = units[next(units.length)] ?? Buffer.from("x");
    const length = next(200) === 0 ? LONG_BYTES + next(400_000) : next(20) === 0 ? next(20_000) : next(200);
    const name = next(400) === 0 ? GUILTY : "line";
    const text = Buffer.concat([
      Buffer.from(`${name} ${number} `),
      Buffer.alloc(length - (length % unit.length), unit),
    ]);
    if (next(300) === 0) text[text.length - 1] = 0xff;
    const line = next(10) === 0 ? Buffer.alloc(0) : text;
    const ending = endings[next(endings.length)] ?? "\n";
    pieces.push(line, Buffer.from(ending));
    // Nothing between a CR and an LF is no line.
    if (line.length > 0 || before !== "\r" || ending !== "\n") lines.push(line.toString());
    before = ending;
  }
  pieces.push(Buffer.from("end\n"));
  lines.push("end");
  const bytes = Buffer.concat(pieces);
  await writeFile(file, bytes);
  return { size: bytes.length, lines };
}

/** Runs a file source that skips what is refused until its offset stands at `size`; `endTasks` ends it. */
export async function runFileSource(
  { file, topic, size }: { readonly file: string; readonly topic: string; readonly size: number },
  openProducer: SourceTaskOptions["openProducer"],
): Promise<void> {
  const text = stringConverter.compile({ "converter.encoding": "UTF-8" }, false);
  const log = createLogRecorder();
  const config = fileSource.config.parse({ file, topic, "batch.size": "150" });
  let stored: unknown = null;
  const body = createSourceTask({
    label: "c-0",
    context: { connector: "c", task: 0, log, metrics: createPluginMetrics().metrics },
    openTask: async (context, signal) => await fileSource.openTask(config, context, signal),
    pipeline: compileSourcePipeline({
      transforms: [],
      key: { plugin: "string", converter: text },
      value: { plugin: "string", converter: text },
      header: {
        plugin: "none",
        converter: { encodeHeader: () => null, decodeHeader: () => ({ schema: null, value: null }) },
      },
    }),
    policy: { tolerance: "all", retryTimeoutMs: 0, retryDelayMaxMs: 60_000, logEnable: true, logIncludeMessages: true },
    openProducer,
    ensureTopic: null,
    offsets: {
      read: async () => null,
      write: async (offsets) => {
        stored = offsets.at(-1)?.offset["position"];
      },
    },
    exactlyOnce: null,
    activeTopic: () => {},
    flushIntervalMs: 5,
    flushTimeoutMs: 60_000,
    log,
    now: () => performance.now(),
    random: () => 0.5,
  });
  const run = runTask(body);
  await eventually(
    "the whole file is acknowledged",
    () => {
      if (run.states.at(-1) === "FAILED") throw run.error();
      return stored === size;
    },
    LIMIT_MS,
  );
}
