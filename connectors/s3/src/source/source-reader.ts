import { setTimeout as sleep } from "node:timers/promises";
import {
  type CommittedRecord,
  DataError,
  RetriableError,
  reportLag,
  type SourceRecord,
  type SourceTask,
  type SourceTaskContext,
} from "@headrace/sdk";
import { S3Error } from "../store/failure.ts";
import type { ObjectStore, StoredObject } from "../store/object-store.ts";
import { FinishedObjects } from "./finished.ts";
import { placeOf, taskOf } from "./lane.ts";
import { contentOf } from "./object-content.ts";
import { OpenReader } from "./open-reader.ts";
import { compareWork, type Position, positionOf, startIn, toOffset } from "./position.ts";
import { readerOf } from "./readers.ts";
import type { SourceSettings } from "./settings.ts";
import { envelopeContent, plainContent } from "./to-record.ts";

/** Longest time for putting objects away at the end, ms. */
const SETTLE_MS = 5_000;

interface Current {
  readonly object: StoredObject;
  readonly lane: string;
  readonly topic: string;
  readonly partition: number | null;
  readonly reader: OpenReader;
}

/** A task: lists, reads one object after the other, waits, lists again. */
export class SourceReader implements SourceTask {
  readonly #settings: SourceSettings;
  readonly #context: SourceTaskContext;
  readonly #store: ObjectStore;
  readonly #finished: FinishedObjects | null;
  readonly #closing = new AbortController();
  readonly #positions = new Map<string, Position | null>();
  readonly #told = new Set<string>();
  /** Versions of objects that were read to their end and will go away, by key. */
  readonly #read = new Map<string, string>();
  #waiting: StoredObject[] = [];
  #current: Current | null = null;
  #listAt = 0;

  constructor(settings: SourceSettings, context: SourceTaskContext, store: ObjectStore) {
    this.#settings = settings;
    this.#context = context;
    this.#store = store;
    const after = settings["after.reading"];
    const movePrefix = after === "move" ? settings["s3.move.prefix"] : null;
    this.#finished =
      after === "keep"
        ? null
        : new FinishedObjects({ store, movePrefix, log: context.log, gone: (key) => this.#read.delete(key) });
    reportLag(context.metrics, { bytes: () => this.#waiting.reduce((sum, { size }) => sum + size, 0) });
  }

  async poll(signal: AbortSignal): Promise<readonly SourceRecord[]> {
    try {
      await this.#finished?.settle(signal);
      this.#current ??= await this.#openNext(signal);
      if (this.#current === null) return [];
      return await this.#take(this.#current, signal);
    } catch (error) {
      if (signal.aborted) return [];
      throw error;
    }
  }

  committed(records: readonly CommittedRecord[]): void {
    if (this.#finished === null) return;
    for (const { record } of records) {
      const { key, etag, done } = record.sourceOffset;
      if (typeof key === "string" && typeof etag === "string")
        this.#finished.acknowledged({ key, etag }, done === true);
    }
  }

  async close(): Promise<void> {
    this.#leave();
    this.#closing.abort();
    await this.#finished?.settle(AbortSignal.timeout(SETTLE_MS)).catch((error: unknown) => {
      this.#context.log.warn({ error: String(error) }, "objects that were read stay, and may be read again");
    });
  }

  async #take(current: Current, signal: AbortSignal): Promise<readonly SourceRecord[]> {
    const { object, lane } = current;
    try {
      const { items, index, last } = await current.reader.take(this.#settings["record.batch.max.size"], signal);
      const content = this.#settings["format.input.envelope"] ? envelopeContent : plainContent;
      const after = (count: number): Position => ({
        key: object.key,
        etag: object.etag,
        modifiedAt: object.modifiedAt,
        index: index + count,
        done: last && count === items.length,
      });
      const records = items.map((item, at) => ({
        topic: current.topic,
        ...(current.partition !== null && { partition: current.partition }),
        ...content(item),
        sourcePartition: this.#sourcePartition(lane),
        sourceOffset: toOffset(after(at + 1)),
      }));
      this.#positions.set(lane, after(items.length));
      this.#finished?.sent(object, items.length);
      if (last) {
        this.#leave();
        if (this.#finished !== null) this.#read.set(object.key, versionOf(object));
        if (items.length === 0) this.#finished?.ended(object);
      }
      return records;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#leave();
      return this.#afterFailure(current, error);
    }
  }

  /** The object is left; what becomes of it depends on why. */
  #afterFailure({ object, lane }: Current, error: unknown): readonly SourceRecord[] {
    const { log } = this.#context;
    if (error instanceof S3Error && (error.status === 404 || error.status === 412)) {
      log.warn(
        { key: object.key, status: error.status },
        "object is gone or was replaced, it waits for the next listing",
      );
      // What comes behind it waits as well: order is kept.
      const { group } = placeOf(object.key);
      this.#waiting = this.#waiting.filter(({ key }) => placeOf(key).group !== group);
      return [];
    }
    if (error instanceof RetriableError) {
      this.#waiting.unshift(object);
      throw error;
    }
    if (!(error instanceof DataError)) throw error;
    if (this.#settings["behavior.on.error"] === "fail") throw error;
    log.error({ key: object.key, error: error.message }, "the rest of an object cannot be read and is left out");
    const before = this.#positions.get(lane);
    const index = before?.key === object.key ? before.index : 0;
    const { key, etag, modifiedAt } = object;
    this.#positions.set(lane, { key, etag, modifiedAt, index, done: true });
    if (this.#finished !== null) this.#read.set(key, versionOf(object));
    this.#finished?.ended(object);
    return [];
  }

  #leave(): void {
    this.#current?.reader.close();
    this.#current = null;
  }

  /** The next object that has something new; null: there is none now. */
  async #openNext(signal: AbortSignal): Promise<Current | null> {
    if (this.#waiting.length === 0) {
      const restMs = this.#listAt - Date.now();
      if (restMs > 0) await sleep(restMs, undefined, { signal });
      await this.#list(signal);
      this.#listAt = Date.now() + this.#settings["s3.poll.interval.ms"];
    }
    for (let object = this.#waiting.shift(); object !== undefined; object = this.#waiting.shift()) {
      const opened = this.#open(object);
      if (opened !== null) return opened;
    }
    return null;
  }

  #open(object: StoredObject): Current | null {
    const { lane, from, extension } = placeOf(object.key);
    const position = this.#positions.get(lane) ?? null;
    const start = startIn(position, object, this.#finished !== null);
    if (start.kind === "read") return null;
    const topic = this.#settings["topic"] || from?.topic;
    if (topic === undefined) {
      this.#tell(object.key, "object is left out: its name is none of the sink's, and `topic` is not set");
      return null;
    }
    const reader = readerOf(this.#settings, extension);
    if (reader === null) {
      this.#tell(object.key, "object is left out: its name tells no format, and `format.class` is auto");
      return null;
    }
    if (position?.key === object.key && position.etag !== "" && position.etag !== object.etag) {
      this.#context.log.warn({ key: object.key }, "object was replaced, it is read from its start");
    }
    const restored = this.#settings["topic"] === "" && this.#settings["s3.restore.partitions"] && from !== null;
    const content = contentOf(this.#store, object, this.#closing.signal);
    return {
      object,
      lane,
      topic,
      partition: restored ? from.partition : null,
      reader: new OpenReader(reader, content, start.index),
    };
  }

  /** Takes down all objects of the task's own that have something new. */
  async #list(signal: AbortSignal): Promise<void> {
    const [index = 0, count = 1] = this.#settings["task.share"].split("/").map(Number);
    const found: StoredObject[] = [];
    for await (const page of this.#store.list(this.#settings["s3.prefix"], signal)) {
      for (const object of page) {
        const { lane, group } = placeOf(object.key);
        if (object.key.endsWith("/") || taskOf(group, count) !== index) continue;
        if (!this.#positions.has(lane)) {
          signal.throwIfAborted(); // Reading an offset may take a while, and takes no signal.
          this.#positions.set(lane, positionOf(await this.#context.offset(this.#sourcePartition(lane))));
        }
        if (this.#isNew(this.#positions.get(lane) ?? null, object)) found.push(object);
      }
    }
    this.#waiting = found.toSorted(compareWork);
  }

  #isNew(position: Position | null, object: StoredObject): boolean {
    const { key, modifiedAt } = object;
    if (this.#read.get(key) === versionOf(object)) return false;
    if (startIn(position, object, this.#finished !== null).kind === "from") return true;
    if (position?.key === key && this.#finished !== null) {
      // A task before this one has read it to its end, and could not put it away any more.
      this.#read.set(key, versionOf(object));
      this.#finished.ended(object);
    } else if (position !== null && position.key !== key && modifiedAt > position.modifiedAt) {
      this.#tell(key, "object is newer than one that sorts behind it and was read: if it came later, it is not read");
    }
    return false;
  }

  #sourcePartition(lane: string) {
    return { bucket: this.#settings["s3.bucket.name"], lane };
  }

  /** Once for each object. */
  #tell(key: string, message: string): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#context.log.warn({ key }, message);
  }
}

const versionOf = ({ etag, modifiedAt }: StoredObject): string => `${etag} ${modifiedAt}`;
