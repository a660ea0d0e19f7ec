import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  type OffsetMap,
  RetriableError,
  type SourceRecord,
  type SourceTask,
  type SourceTaskContext,
} from "@headrace/sdk";
import type { Client } from "pg";
import { BlockingSnapshot, tablesOf } from "../blocking/blocking-snapshot.ts";
import { close, isFull, toRetriable, withAbort, withAbortOfAll } from "../connection.ts";
import { IncrementalSnapshot } from "../incremental/incremental-snapshot.ts";
import { fromEntries, IDLE } from "../incremental/progress.ts";
import { Signals } from "../signals/signals.ts";
import { createTypeCatalog } from "../types/pg-type.ts";
import { Changes } from "./changes.ts";
import { listPublished, nameOf, openClient, readServer, readSlot, type TableId } from "./database.ts";
import { isRead } from "./filter.ts";
import { Follower } from "./follower.ts";
import { Heartbeat } from "./heartbeat.ts";
import { fromStreamOffset, isUnfinishedReading, lastCommitOf, type StreamPosition, toStreamOffset } from "./offset.ts";
import { ensurePublication, ensureReplicaIdentities, isPublished } from "./publication.ts";
import { createSlot, openStream, type ReplicationStream } from "./replication.ts";
import { Retention } from "./retention.ts";
import { type Settings, selectOverride, withoutEffect } from "./settings.ts";
import { SlotWatch } from "./slot-watch.ts";
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
  readonly follower: Follower;
  readonly control: Client;
}

/** The first version of PostgreSQL whose stream can have logical messages. */
const FIRST_WITH_MESSAGES = 140_000;

const DROP_SLOT = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";

/** Copies a slot to one that lasts, at the same place. */
const KEEP_SLOT = "SELECT pg_copy_logical_replication_slot($1, $2, false)";

/** A task: reads tables if need be, waits until Kafka has them, then follows the stream of changes. */
export async function createCaptureTask(settings: Settings, context: SourceTaskContext): Promise<SourceTask> {
  const partition: OffsetMap = { server: settings["topic.prefix"] };
  const types = createTypeCatalog();
  const given = context.metrics.counter("changes-given", "Records of changes and of rows read.");
  const stored = await context.offset(partition);
  let position = stored === null || isUnfinishedReading(stored) ? null : fromStreamOffset(stored);
  let lastCommit = stored === null || position === null ? null : lastCommitOf(stored);
  const readsNothing = /^(no_data|never)$/.test(settings["snapshot.mode"]);
  const retention = new Retention(position !== null || readsNothing);
  let hasRead = false;
  const read = new Set<string>();
  /** The last record read so far: of the whole reading it begins the stream's offsets. */
  let held: SourceRecord | null = null;
  /** Whether the reading had a last record. */
  let hasLast = false;
  const pending: SourceRecord[] = [];
  /** Of what came behind all that is pending: the task fails of it once that is given. */
  let failure: { readonly error: unknown } | null = null;
  let phase: Phase = { kind: "starting" };
  let clients: Client[] = [];
  let database = "";
  let version = 0;
  let slotStart = 0n;
  /**
   * Name of the slot while tables are read anew though an offset of the stream is stored: it is made to last only when that offset is another,
   * so that a kill before leads here again, and not to the stream. null: the slot is what it is to be.
   */
  let provisional: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let askedAt = 0;
  const heartbeat = new Heartbeat(settings, performance.now());
  const incremental = new IncrementalSnapshot({
    settings,
    types,
    log: context.log,
    progress: stored === null ? IDLE : fromEntries(stored),
    now: Date.now,
  });
  const blocking = new BlockingSnapshot({
    settings,
    types,
    log: context.log,
    tables: stored === null ? [] : tablesOf(stored),
    now: Date.now,
    open,
    async close(client) {
      clients = clients.filter((each) => each !== client);
      await close(client);
    },
  });
  const signals = new Signals({ settings, log: context.log, incremental, blocking });

  for (const { key, reason } of withoutEffect(settings)) context.log.warn({ key, reason }, "a key has no effect");
  const watch = new SlotWatch({
    settings,
    log: context.log,
    metrics: context.metrics,
    slot: () => provisional ?? settings["slot.name"],
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
    await Promise.all(all.map(close));
  }

  function push(records: readonly SourceRecord[]): void {
    retention.give(records.length);
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
      ({ database, version } = server);
      await ensurePublication(control, settings);
      await ensureReplicaIdentities(control, settings);
      const table = settings["signal.data.collection"];
      if (table !== "" && !(await isPublished(control, settings, table))) {
        const publication = settings["publication.name"];
        context.log.warn({ table, publication }, "no signal will come: the publication does not have their table");
      }
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
      if (!retention.isComplete()) throw new RetriableError("kafka does not have all records of before yet");
      retention.restart();
      read.clear();
      held = null;
      hasLast = false;
      position = null;
      lastCommit = null;
      incremental.forget();
      blocking.forget();
      await control.query(DROP_SLOT, [name]);
      provisional = (await context.offset(partition)) === null ? null : `${name.slice(0, 56)}_anew`;
      const replication = await open(signal, true);
      const slot = { name: provisional ?? name, temporary: provisional !== null };
      view = (await createSlot(replication, slot, signal)).snapshot;
    }
    slotStart = (await readSlot(control, provisional ?? name))?.confirmed ?? 0n;
    const captured = await listPublished(control, settings);
    const tables = await unread(captured.filter(({ schema, table }) => isRead(settings, schema, table)));
    const readers: Client[] = [];
    for (let index = 0; index < Math.min(settings["snapshot.max.threads"], Math.max(tables.length, 1)); index += 1)
      readers.push(await open(signal));
    await withAbortOfAll(readers, signal, async () => {
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
      rowsOf: (table) => selectOverride(settings, nameOf(table)),
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
      const name = nameOf(table);
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
    const stream = openStream(replication, {
      slot: settings["slot.name"],
      publication: settings["publication.name"],
      messages: version >= FIRST_WITH_MESSAGES,
    });
    incremental.restart();
    blocking.restart();
    const changes = new Changes({
      rules: settings,
      database,
      position,
      lastCommit,
      now: Date.now,
      entries: () => ({ ...incremental.entries(), ...blocking.entries() }),
      onChange: (table, row) => incremental.changed(table, row),
    });
    timer = setInterval(() => retention.tell(stream), settings["status.update.interval.ms"]);
    const follower = new Follower({
      settings,
      types,
      log: context.log,
      database,
      stream,
      changes,
      control,
      retention,
      incremental,
      blocking,
      signals,
      heartbeat,
      push,
    });
    phase = { kind: "streaming", stream, changes, follower, control };
    context.log.info({ slot: settings["slot.name"] }, "changes are followed");
  }

  async function readTables(snapshot: Snapshot): Promise<void> {
    const { records, done } = await snapshot.next(settings["max.batch.size"]);
    for (const table of snapshot.finished()) read.add(nameOf(table));
    const all = held === null ? [...records] : [held, ...records];
    held = all.pop() ?? null;
    push(all);
    if (done) phase = { kind: "settling" };
  }

  /** Once Kafka has all but the last record, that begins the stream: its offset says that all tables were read. */
  async function settle(signal: AbortSignal): Promise<void> {
    const at = position ?? { commit: slotStart, event: 0, part: 0 };
    const last = held;
    if (!retention.isComplete() || (last === null && !(await isStored(at)))) {
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
    provisional = null;
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

  async function follow({ follower, changes }: Streaming, signal: AbortSignal): Promise<void> {
    await allowAcknowledging();
    await follower.next(settings["max.batch.size"], settings["poll.interval.ms"], signal);
    keepPlace(changes);
  }

  function keepPlace(changes: Changes): void {
    position = changes.position();
    lastCommit = changes.lastCommit();
  }

  async function allowAcknowledging(): Promise<void> {
    if (retention.isAllowed() || performance.now() - askedAt < settings["status.update.interval.ms"]) return;
    askedAt = performance.now();
    if ((await context.offset(partition)) !== null) retention.allow();
  }

  async function advance(signal: AbortSignal): Promise<void> {
    switch (phase.kind) {
      case "starting":
        return await start(signal);
      case "reading": {
        const { snapshot } = phase;
        return await withAbortOfAll(clients, signal, () => readTables(snapshot));
      }
      case "settling":
        return await settle(signal);
      case "streaming": {
        const streaming = phase;
        return await withAbort(streaming.control, signal, () => follow(streaming, signal));
      }
      case "finished":
        await watch.close();
        return await sleep(IDLE_MS, undefined, { signal }).catch(() => {});
      default:
        throw new Error(`unreachable: ${phase satisfies never}`);
    }
  }

  watch.start();
  return {
    async poll(signal) {
      if (pending.length === 0) {
        if (failure !== null) throw failure.error;
        try {
          await advance(signal);
        } catch (error) {
          if (phase.kind === "streaming") keepPlace(phase.changes);
          await disconnect();
          if (signal.aborted) return [];
          if (isFull(error)) watch.makeRoom();
          const told = toRetriable(error);
          if (pending.length === 0 || told instanceof RetriableError) throw told;
          failure = { error: told };
        }
      }
      const batch = pending.splice(0, settings["max.batch.size"]);
      given.add(batch.length);
      return batch;
    },
    committed(records) {
      retention.commit(records.length);
    },
    async close() {
      if (phase.kind === "streaming") retention.tell(phase.stream, false);
      await Promise.all([watch.close(), disconnect()]);
    },
  };
}
