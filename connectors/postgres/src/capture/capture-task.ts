import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  type OffsetMap,
  RetriableError,
  reportLag,
  type SourceRecord,
  type SourceTask,
  type SourceTaskContext,
} from "@headrace/sdk";
import type { Client } from "pg";
import { toRetriable, withAbort } from "../connection.ts";
import { createTypeCatalog } from "../types/pg-type.ts";
import { Acknowledged } from "./acknowledged.ts";
import { Changes } from "./changes.ts";
import {
  describeRelation,
  ensurePublication,
  listPublished,
  openClient,
  readServer,
  readSlot,
  type TableId,
} from "./database.ts";
import { HEARTBEAT_KEY_SCHEMA, HEARTBEAT_SCHEMA } from "./envelope.ts";
import { fromStreamOffset, isUnfinishedReading, type StreamPosition, toStreamOffset } from "./offset.ts";
import { createSlot, openStream, type ReplicationStream } from "./replication.ts";
import { isCaptured, type Settings } from "./settings.ts";
import { createSnapshot, importView, labelled, openFreshView, type Snapshot, snapshotPartition } from "./snapshot.ts";
import { planStart } from "./start-plan.ts";

/** Longest time between polls that return while nothing is to be done. */
const IDLE_MS = 1_000;
const SETTLE_MS = 20;

/** What the task is at; whatever fails leads back to `starting`. */
type Phase =
  | { readonly kind: "starting" }
  | { readonly kind: "reading"; readonly snapshot: Snapshot }
  /** Everything was read; the stream begins once Kafka has it. */
  | { readonly kind: "settling" }
  | Streaming
  /** snapshot.mode=initial_only: nothing more to do. */
  | { readonly kind: "finished" };

interface Streaming {
  readonly kind: "streaming";
  readonly stream: ReplicationStream;
  readonly changes: Changes;
  /** For questions to the catalog, and the heartbeat's query. */
  readonly control: Client;
}

const DROP_SLOT = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";

/** Copies a slot to one that lasts, at the same place. */
const KEEP_SLOT = "SELECT pg_copy_logical_replication_slot($1, $2, false)";

/** A task: reads tables if need be, waits until Kafka has them, then follows the stream of changes. */
export async function createCaptureTask(settings: Settings, context: SourceTaskContext): Promise<SourceTask> {
  const partition: OffsetMap = { server: settings["topic.prefix"] };
  const types = createTypeCatalog();
  let acknowledged = new Acknowledged();
  const given = context.metrics.counter("changes-given", "Records of changes and of rows read.");
  const stored = await context.offset(partition);
  let position = stored === null || isUnfinishedReading(stored) ? null : fromStreamOffset(stored);
  /** As long as Kafka has no offset of the stream, a restart reads tables: the slot has to stay where it is. */
  let mayAcknowledge =
    position !== null || settings["snapshot.mode"] === "no_data" || settings["snapshot.mode"] === "never";
  let hasRead = false;
  const read = new Set<string>();
  /** The last record read so far: of the whole reading it begins the stream's offsets. */
  let held: SourceRecord | null = null;
  /** Whether the reading had a last record. */
  let hasLast = false;
  const pending: SourceRecord[] = [];
  let phase: Phase = { kind: "starting" };
  let clients: Client[] = [];
  let database = "";
  let slotStart = 0n;
  /**
   * Name of the slot while tables are read anew though an offset of the stream is stored: it is made to last only when that offset is another,
   * so that a kill before leads here again, and not to the stream. null: the slot is what it is to be.
   */
  let provisional: string | null = null;
  let serverEnd = 0n;
  let timer: NodeJS.Timeout | undefined;
  let alarmed = false;
  let askedAt = 0;
  let beatAt = performance.now();

  const lagBytes = () => (serverEnd > acknowledged.flushed() ? Number(serverEnd - acknowledged.flushed()) : 0);
  reportLag(context.metrics, {
    bytes: () => (phase.kind === "streaming" && acknowledged.flushed() > 0n ? lagBytes() : 0),
  });

  async function open(signal: AbortSignal, replication = false): Promise<Client> {
    const client = await openClient(settings, signal, replication);
    clients.push(client);
    return client;
  }

  async function disconnect(): Promise<void> {
    clearInterval(timer);
    phase = { kind: "starting" };
    const all = clients;
    clients = [];
    // They may be broken already; what was not acknowledged comes again.
    await Promise.all(all.map((client) => client.end().catch(() => {})));
  }

  function push(records: readonly SourceRecord[]): void {
    acknowledged.give(records.length);
    for (const record of records) pending.push(record);
  }

  async function start(signal: AbortSignal): Promise<void> {
    if (settings["snapshot.mode"] === "initial_only" && position !== null) {
      phase = { kind: "finished" };
      return;
    }
    const control = await open(signal);
    await withAbort(control, signal, async () => {
      const server = await readServer(control);
      ({ database } = server);
      serverEnd = server.end;
      await ensurePublication(control, settings);
      const name = settings["slot.name"];
      const slot = await readSlot(control, name);
      const mode = settings["snapshot.mode"];
      const commit = position?.commit ?? null;
      const plan = planStart({ mode, slotName: name, slot, given: commit, hasRead, end: server.end });
      if (plan.kind === "fail") throw new ConfigError(plan.message);
      if (plan.kind === "snapshot") {
        await startReading(control, plan.anew, signal);
        return;
      }
      if (slot === null) {
        const replication = await open(signal, true);
        slotStart = (await createSlot(replication, { name, temporary: false }, signal)).start;
        await replication.end();
      } else {
        slotStart = slot.confirmed;
      }
      await startStream(control, signal);
    });
  }

  async function startReading(control: Client, anew: boolean, signal: AbortSignal): Promise<void> {
    const name = settings["slot.name"];
    let view: string | null = null;
    if (anew) {
      // What was given before counts no more, and nothing of it may be taken for what comes now.
      if (!acknowledged.isComplete()) throw new RetriableError("kafka does not have all records of before yet");
      acknowledged = new Acknowledged();
      read.clear();
      held = null;
      hasLast = false;
      position = null;
      mayAcknowledge = false;
      await control.query(DROP_SLOT, [name]);
      provisional = (await context.offset(partition)) === null ? null : `${name.slice(0, 56)}_anew`;
      const replication = await open(signal, true);
      const slot = { name: provisional ?? name, temporary: provisional !== null };
      view = (await createSlot(replication, slot, signal)).snapshot;
    }
    slotStart = (await readSlot(control, provisional ?? name))?.confirmed ?? 0n;
    const tables = await unread(await listPublished(control, settings));
    const readers: Client[] = [];
    for (let index = 0; index < Math.min(settings["snapshot.max.threads"], Math.max(tables.length, 1)); index += 1)
      readers.push(await open(signal));
    await withAll(readers, signal, async () => {
      for (const reader of readers) {
        if (view === null) view = await openFreshView(reader, signal);
        else await importView(reader, view);
      }
    });
    const done = { snapshot: "done", slot: slotStart };
    const micros = BigInt(Date.now()) * 1_000n;
    const snapshot = createSnapshot({
      settings,
      types,
      view: { database, lsn: slotStart, micros, done },
      tables,
      clients: readers,
      now: Date.now,
    });
    context.log.info({ tables: tables.length, slot: name }, "tables are read");
    phase = { kind: "reading", snapshot };
  }

  /** Tables that neither this task nor one before it has read since the slot began. */
  async function unread(tables: readonly TableId[]): Promise<readonly TableId[]> {
    const left: TableId[] = [];
    for (const table of tables) {
      const name = `${table.schema}.${table.table}`;
      if (read.has(name)) continue;
      const own = snapshotPartition(settings["topic.prefix"], table);
      const offset = settings["snapshot.mode"] === "always" ? null : await context.offset(own);
      // A slot that is at another place has been followed since, or is another one: then the reading says nothing.
      const slot = offset?.["slot"] ?? null;
      if (offset?.["snapshot"] === "done" && slot !== null && BigInt(slot) === slotStart) read.add(name);
      else left.push(table);
    }
    return left;
  }

  async function startStream(control: Client, signal: AbortSignal): Promise<void> {
    hasRead = true;
    position ??= { commit: slotStart, event: 0, part: 0 };
    const replication = await open(signal, true);
    const stream = openStream(replication, settings["slot.name"], settings["publication.name"]);
    const changes = new Changes({ rules: settings, database, position, now: Date.now });
    timer = setInterval(() => tell(stream), settings["status.update.interval.ms"]);
    phase = { kind: "streaming", stream, changes, control };
    context.log.info({ slot: settings["slot.name"] }, "changes are followed");
  }

  /** Tells PostgreSQL what Kafka has, and raises the alarm where too much is kept. */
  function tell(stream: ReplicationStream, replyNow = true): void {
    stream.acknowledge(mayAcknowledge ? acknowledged.flushed() : 0n, replyNow);
    const isTooMuch = acknowledged.flushed() > 0n && lagBytes() > settings["slot.lag.alarm.bytes"];
    if (isTooMuch && !alarmed)
      context.log.warn(
        { slot: settings["slot.name"], bytes: lagBytes() },
        "postgresql keeps much of its log for the slot",
      );
    alarmed = isTooMuch;
  }

  async function readTables(snapshot: Snapshot): Promise<void> {
    const { records, done } = await snapshot.next(settings["max.batch.size"]);
    for (const { schema, table } of snapshot.finished()) read.add(`${schema}.${table}`);
    const all = held === null ? [...records] : [held, ...records];
    held = all.pop() ?? null;
    push(all);
    if (done) phase = { kind: "settling" };
  }

  /** Once Kafka has all but the last record, that begins the stream: its offset says that all tables were read. */
  async function settle(signal: AbortSignal): Promise<void> {
    const at = position ?? { commit: slotStart, event: 0, part: 0 };
    const last = held;
    if (!acknowledged.isComplete() || (last === null && !(await isStored(at)))) {
      await sleep(SETTLE_MS, undefined, { signal }).catch(() => {});
      return;
    }
    if (last !== null) {
      push([toLast(last, at)]);
      held = null;
      hasLast = true;
      if (provisional !== null) return;
    }
    const [control] = clients;
    const name = settings["slot.name"];
    if (provisional !== null) await control?.query(KEEP_SLOT, [provisional, name]);
    const isOver = settings["snapshot.mode"] === "initial_only";
    await disconnect();
    if (isOver) await dropSlot(signal);
    hasRead = true;
    position = at;
    context.log.info({ slot: name }, "all tables were read");
    if (isOver) phase = { kind: "finished" };
  }

  /** With a provisional slot: whether the offset that is stored is the one of the last record. */
  async function isStored(at: StreamPosition): Promise<boolean> {
    if (provisional === null || !hasLast) return true;
    const offset = await context.offset(partition);
    return offset !== null && fromStreamOffset(offset).commit === at.commit;
  }

  /** Nobody follows the changes: PostgreSQL need not keep its log. */
  async function dropSlot(signal: AbortSignal): Promise<void> {
    const control = await open(signal);
    await withAbort(control, signal, () => control.query(DROP_SLOT, [settings["slot.name"]]));
    await disconnect();
  }

  function toLast(record: SourceRecord, at: StreamPosition): SourceRecord {
    const facts = { lsn: slotStart, lastCommit: null, xid: null, micros: BigInt(Date.now()) * 1_000n };
    const offset = toStreamOffset(at, facts);
    return { ...labelled(record, "last"), sourcePartition: partition, sourceOffset: offset };
  }

  async function follow({ stream, changes, control }: Streaming, signal: AbortSignal): Promise<void> {
    await allowAcknowledging();
    let waited = false;
    while (pending.length < settings["max.batch.size"]) {
      const frame = stream.read();
      if (frame === null) {
        if (waited || pending.length > 0 || signal.aborted) break;
        await stream.ready(settings["poll.interval.ms"], signal);
        waited = true;
        continue;
      }
      if (frame.end > serverEnd) serverEnd = frame.end;
      if (frame.kind === "keepalive") {
        if (!changes.isInTransaction()) {
          changes.skipTo(frame.end);
          acknowledged.mark(frame.end);
        }
        if (frame.replyNow) tell(stream, false);
        continue;
      }
      const { message } = frame;
      if (message.kind === "relation") {
        const { relation } = message;
        const isOne = isCaptured(settings, relation.schema, relation.table);
        changes.setTable(relation.id, isOne ? await describeRelation(control, types, settings, relation) : null);
        continue;
      }
      push(changes.next(frame.lsn, message));
      if (message.kind === "commit") acknowledged.mark(message.endLsn);
    }
    await beat(changes, control);
    position = changes.position();
  }

  async function allowAcknowledging(): Promise<void> {
    if (mayAcknowledge || performance.now() - askedAt < settings["status.update.interval.ms"]) return;
    askedAt = performance.now();
    mayAcknowledge = (await context.offset(partition)) !== null;
  }

  async function beat(changes: Changes, control: Client): Promise<void> {
    const interval = settings["heartbeat.interval.ms"];
    if (interval === 0 || performance.now() - beatAt < interval) return;
    beatAt = performance.now();
    const prefix = settings["topic.prefix"];
    const topic = `${settings["topic.heartbeat.prefix"]}${settings["topic.delimiter"]}${prefix}`;
    const key = { schema: HEARTBEAT_KEY_SCHEMA, value: { serverName: prefix } };
    push([changes.standing({ topic, key, value: { schema: HEARTBEAT_SCHEMA, value: { ts_ms: BigInt(Date.now()) } } })]);
    const sql = settings["heartbeat.action.query"];
    if (sql !== "") await control.query(sql);
  }

  async function advance(signal: AbortSignal): Promise<void> {
    switch (phase.kind) {
      case "starting":
        return await start(signal);
      case "reading": {
        const { snapshot } = phase;
        return await withAll(clients, signal, () => readTables(snapshot));
      }
      case "settling":
        return await settle(signal);
      case "streaming": {
        const streaming = phase;
        return await withAbort(streaming.control, signal, () => follow(streaming, signal));
      }
      case "finished":
        return await sleep(IDLE_MS, undefined, { signal }).catch(() => {});
      default:
        throw new Error(`unreachable: ${phase satisfies never}`);
    }
  }

  return {
    async poll(signal) {
      if (pending.length === 0) {
        try {
          await advance(signal);
        } catch (error) {
          if (phase.kind === "streaming") position = phase.changes.position();
          await disconnect();
          if (signal.aborted) return [];
          throw toRetriable(error);
        }
      }
      const batch = pending.splice(0, settings["max.batch.size"]);
      given.add(batch.length);
      return batch;
    },
    committed(records) {
      acknowledged.commit(records.length);
    },
    async close() {
      if (phase.kind === "streaming") tell(phase.stream, false);
      await disconnect();
    },
  };
}

/** As {@link withAbort}, with several connections. */
async function withAll<T>(clients: readonly Client[], signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const nested = clients.reduce<() => Promise<T>>((inner, client) => () => withAbort(client, signal, inner), run);
  return await nested();
}
