import { RetriableError } from "@headrace/sdk";
import { S3Error } from "../store/failure.ts";
import type { ObjectStore, Upload } from "../store/object-store.ts";
import { orAborted } from "../waiting.ts";

/** Parts of one object that are on their way at the same time. */
const MAX_RUNNING = 2;

interface Part {
  readonly number: number;
  /** Empty when it is there. */
  bytes: Buffer;
  etag: string;
  running: Promise<void> | null;
}

export interface UploadOptions {
  readonly store: ObjectStore;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, at least 5 MiB. */
  readonly partSize: number;
  /** Ends what runs in the background. */
  readonly closing: AbortSignal;
}

/**
 * An object on its way to the bucket: one request if it is small, otherwise a multipart upload whose parts go while it still grows.
 *
 * Guarantees: nothing is to be seen under the name before `finish` has resolved. A call that rejected may be repeated: bytes are kept
 * until the server has them. At most the part that fills and {@link MAX_RUNNING} others are in memory, and those that failed.
 */
export class ObjectUpload {
  readonly #options: UploadOptions;
  readonly #parts: Part[] = [];
  /** Those that the server does not have yet. */
  readonly #pending = new Set<Part>();
  #filling: Uint8Array[] = [];
  #filled = 0;
  #size = 0;
  #upload: Upload | null = null;
  #failure: unknown = null;
  #done = false;
  /** Ends the parts that are on their way when the object is dropped. */
  readonly #dropped = new AbortController();

  constructor(options: UploadOptions) {
    this.#options = options;
  }

  get key(): string {
    return this.#options.key;
  }

  /** Takes bytes into memory. */
  add(bytes: Uint8Array): void {
    this.#filling.push(bytes);
    this.#filled += bytes.length;
    this.#size += bytes.length;
  }

  /** Sends what fills a part; resolves when few enough are on their way. */
  async advance(signal: AbortSignal): Promise<void> {
    // What failed goes first: otherwise memory would fill up while the server is away.
    if ([...this.#pending].some((part) => part.running === null)) await this.#send(MAX_RUNNING, signal);
    if (this.#filled < this.#options.partSize) return;
    this.#cut();
    await this.#send(MAX_RUNNING, signal);
  }

  /** Makes the object; resolves when it is there. */
  async finish(signal: AbortSignal): Promise<void> {
    if (this.#done) return;
    const { store, key, headers } = this.#options;
    if (this.#parts.length === 0) {
      await store.put(key, this.#joined(), headers, signal);
    } else {
      if (this.#filled > 0) this.#cut();
      await this.#send(0, signal);
      if (this.#upload === null) throw new Error("parts without an upload");
      await store.completeUpload(this.#upload, this.#parts, this.#size, signal);
    }
    this.#done = true;
    this.#filling = [];
  }

  /** Drops what the server has of it; waits for nothing that is on its way. */
  async abandon(signal: AbortSignal): Promise<void> {
    this.#dropped.abort(new RetriableError(`${this.key} is dropped`));
    await orAborted(Promise.all([...this.#pending].map((part) => part.running)), signal);
    if (this.#upload !== null && !this.#done) await this.#options.store.abortUpload(this.#upload, signal);
  }

  #joined(): Buffer {
    return Buffer.concat(this.#filling, this.#filled);
  }

  #cut(): void {
    const bytes = this.#joined();
    const part: Part = { number: this.#parts.length + 1, bytes, etag: "", running: null };
    this.#parts.push(part);
    this.#pending.add(part);
    this.#filling = [];
    this.#filled = 0;
  }

  /** Starts all parts that are neither there nor on their way, in turn; resolves when at most `left` run. */
  async #send(left: number, signal: AbortSignal): Promise<void> {
    const { store, key, headers } = this.#options;
    this.#upload ??= await store.createUpload(key, headers, signal);
    const upload = this.#upload;
    for (;;) {
      if (this.#failure !== null) {
        const failure = this.#failure;
        this.#failure = null;
        throw failure;
      }
      const running = [...this.#pending].flatMap((part) => part.running ?? []);
      const waiting = [...this.#pending].find((part) => part.running === null);
      if (waiting !== undefined && running.length < MAX_RUNNING) {
        waiting.running = this.#sendPart(upload, waiting);
        continue;
      }
      if (waiting === undefined && running.length <= left) return;
      await orAborted(Promise.race(running), signal);
    }
  }

  async #sendPart(upload: Upload, part: Part): Promise<void> {
    const { store, closing } = this.#options;
    const signal = AbortSignal.any([closing, this.#dropped.signal]);
    try {
      part.etag = await store.uploadPart(upload, part.number, part.bytes, signal);
      part.bytes = Buffer.alloc(0);
      this.#pending.delete(part);
    } catch (error) {
      this.#failure ??= error instanceof S3Error && error.code === "NoSuchUpload" ? this.#lost(error) : error;
    } finally {
      part.running = null;
    }
  }

  #lost(cause: S3Error): Error {
    return new Error(`The upload of ${this.key} is gone; the task has to start again from its last commit`, { cause });
  }
}
