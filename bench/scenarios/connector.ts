import { join } from "node:path";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { startProcess } from "#dev/process.ts";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { createConnector } from "../connect.ts";
import { withEnds } from "../end.ts";
import { measureRate } from "../rate.ts";
import type { Bench, Measurement, Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { scaled } from "./records.ts";

/** The text of every record beside its id: about 100 B in all. */
export const NOTE = "x".repeat(80);
const RECORDS_AT_ONCE = 5_000;
const CONVERTER = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "false",
} as const;

/** Where one run reads from or writes to: a table, a bucket, a server. */
export interface Place {
  /** The connector's configuration, but for converters and, of a sink, its topic. */
  readonly connector: Readonly<Record<string, string>>;
  /** The client: what a script of bench/clients is told besides Kafka and the topic, or another program. */
  readonly client:
    | { readonly script: string; readonly options: object }
    | { readonly command: string; readonly args: readonly string[]; readonly progress: () => Promise<number> };
  /** Records that have come; a source need not tell them: they are counted in the topic. */
  readonly progress?: () => Promise<number> | number;
  /** Ids of all records that have come, read by `idOf`: of a sink, or of a client that writes no topic. */
  readonly ids?: () => Promise<readonly number[]> | readonly number[];
  close(): Promise<void> | void;
}

/** A connector and the nearest thing that moves the same records without one. */
export interface ConnectorWork {
  readonly name: string;
  /** Folder of its package below connectors/. */
  readonly package: string;
  readonly role: "sink" | "source";
  readonly count: number;
  /** What is moved is a multiple of it. Default: 1. */
  readonly portion?: number;
  /** Whether records may come in another order than that of their ids. Default: they may not. */
  readonly unordered?: boolean;
  /** Where a record of a source has its row: names of fields. */
  readonly rowPath?: readonly string[];
  /** Starts the system, which ends with the scenario; makes a place for each run, of a source one with all records. */
  start(bench: Bench, total: number): Promise<(topic: string) => Promise<Place>>;
}

/** Records of about 100 B between a topic of one partition and a real system, by a connector and beside it by a plain client. */
export function besideClient(work: ConnectorWork): Scenario {
  return {
    name: work.name,
    quick: false,
    sides: ["headrace", "client"],
    async prepare(bench) {
      const [directory = ""] = await buildConnectors([work.package]);
      const wanted = scaled(bench, work.count);
      const portion = work.portion ?? 1;
      const total = Math.ceil(wanted / portion) * portion;
      const open = await work.start(bench, total);
      const filled = bench.name(`${work.name}-records`);
      if (work.role === "sink") await fill(bench, filled, total);
      return async (side) => {
        const topic = work.role === "sink" ? filled : bench.name(`${work.name}-out`);
        if (work.role === "source") await bench.topics.create(topic);
        const place = await open(topic);
        const run = { bench, work, place, topic, total };
        return await withEnds([() => place.close()], async () => {
          const measured = side === "client" ? await runClient(run) : await runConnector({ ...run, directory });
          await check(run, side === "client");
          return measured;
        });
      };
    },
  };
}

interface Run {
  readonly bench: Bench;
  readonly work: ConnectorWork;
  readonly place: Place;
  readonly topic: string;
  readonly total: number;
}

async function runClient({ bench, work, place, topic, total }: Run): Promise<Measurement> {
  const name = bench.name(`${work.name}-client`);
  const { client } = place;
  const told = { bootstrap: bench.bootstrap, topic };
  const [command, args] =
    "script" in client
      ? [
          process.execPath,
          [
            "--conditions=source",
            join(repoRoot, "bench/clients", client.script),
            JSON.stringify({ role: work.role, ...told, ...client.options }),
          ],
        ]
      : [client.command, client.args];
  const progress = "progress" in client ? client.progress : (place.progress ?? (() => bench.topics.count(topic)));
  const started = await startProcess({ name, command, args, logFile: join(bench.dir, `${name}.log`) });
  const end = async () => void (await started.stop());
  return await withEnds([end], () => measureRate({ pid: started.pid, total, progress }));
}

async function runConnector({
  bench,
  work,
  place,
  topic,
  total,
  directory,
}: Run & { directory: string }): Promise<Measurement> {
  const group = bench.name(work.name);
  const worker = await startSide("headrace", {
    dir: bench.dir,
    bootstrap: bench.bootstrap,
    group,
    // Also on a machine that has other things to do.
    properties: { "plugin.path": directory, "headrace.plugin.load.timeout.ms": "120000" },
  });
  return await withEnds([() => worker.stop()], async () => {
    const reading = { topics: topic, "consumer.override.auto.offset.reset": "earliest" };
    await createConnector(worker.url, group, {
      ...CONVERTER,
      ...(work.role === "sink" ? reading : {}),
      ...place.connector,
      "tasks.max": "1",
    });
    const progress = place.progress ?? (() => bench.topics.count(topic));
    return await measureRate({ pid: worker.pid, total, progress });
  });
}

async function check({ bench, work, place, topic, total }: Run, isClient: boolean): Promise<void> {
  const isTold = place.ids !== undefined && (work.role === "sink" || (isClient && "command" in place.client));
  const ids = isTold
    ? await place.ids?.()
    : await idsIn(bench, { topic, total, path: isClient ? [] : (work.rowPath ?? []) });
  const distinct = new Set(ids);
  if (distinct.size !== total || ids?.length !== total)
    throw new Error(`${ids?.length} records with ${distinct.size} different ids have come instead of ${total}`);
  if (isTold || work.unordered === true) return;
  const misplaced = ids.findIndex((id, index) => id <= (ids[index - 1] ?? -1));
  if (misplaced !== -1)
    throw new Error(`record ${ids[misplaced]} of ${topic} came behind record ${ids[misplaced - 1]}`);
}

const Row = z.object({ id: z.coerce.number(), note: z.literal(NOTE) });

/** The id of a record that has come. Throws if it is not as it was written. */
export function idOf(row: unknown): number {
  return Row.parse(row).id;
}

async function idsIn(
  bench: Bench,
  { topic, total, path }: { readonly topic: string; readonly total: number; readonly path: readonly string[] },
): Promise<readonly number[]> {
  const ids: number[] = [];
  await bench.topics.read(topic, total, (value) => {
    let found: unknown = JSON.parse(String(value));
    for (const name of path) found = z.record(z.string(), z.unknown()).parse(found)[name];
    ids.push(idOf(found));
  });
  return ids;
}

async function fill(bench: Bench, topic: string, total: number): Promise<void> {
  await bench.topics.create(topic);
  const producer = await bench.topics.openProducer();
  for (let from = 0; from < total; from += RECORDS_AT_ONCE) {
    const length = Math.min(RECORDS_AT_ONCE, total - from);
    const messages = Array.from({ length }, (_, index) => ({
      value: JSON.stringify({ id: from + index, note: NOTE }),
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}
