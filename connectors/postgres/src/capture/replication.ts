import type { Duplex } from "node:stream";
import { RetriableError } from "@headrace/sdk";
import type { Client, Connection, Submittable } from "pg";
import copyStreams from "pg-copy-streams";
import { quote, toRetriable, withAbort } from "../connection.ts";
import { BinaryReader } from "./binary-reader.ts";
import { parseLsn } from "./lsn.ts";
import { decodeMessage, type Message, POSTGRES_EPOCH_MICROS } from "./pgoutput.ts";

/** What comes over a replication connection. Source: PostgreSQL, "Streaming Replication Protocol". */
export type Frame =
  /** A message of the output plugin; `end` is where the server's log ends. */
  | { readonly kind: "message"; readonly lsn: bigint; readonly end: bigint; readonly message: Message }
  /** Nothing of interest lies before `end`. */
  | { readonly kind: "keepalive"; readonly end: bigint; readonly replyNow: boolean };

/** The stream of changes of a slot. */
export interface ReplicationStream {
  /** The next frame that is here already; null: there is none. Throws what has ended the stream, RetriableError if it may go on. */
  read(): Frame | null;
  /** Resolves when there may be a frame, after `waitMs`, or when the signal aborts. */
  ready(waitMs: number, signal: AbortSignal): Promise<void>;
  /** Tells the server what it may forget; `replyNow` asks it where its log ends. */
  acknowledge(flushed: bigint, replyNow: boolean): void;
}

/**
 * Creates a slot. The snapshot of its beginning can be used as long as nothing else is done on this connection; a temporary slot goes away with
 * the connection.
 */
export async function createSlot(
  client: Client,
  { name, temporary }: { readonly name: string; readonly temporary: boolean },
  signal: AbortSignal,
): Promise<{ readonly snapshot: string; readonly start: bigint }> {
  return await withAbort(client, signal, async () => {
    const { rows } = await client.query<{ snapshot_name: string; consistent_point: string }>(
      `CREATE_REPLICATION_SLOT ${quote(name)} ${temporary ? "TEMPORARY " : ""}LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    const [slot] = rows;
    if (slot === undefined) throw new Error("the server created no slot");
    return { snapshot: slot.snapshot_name, start: parseLsn(slot.consistent_point) };
  });
}

type CopyBoth = Duplex & Submittable & { submit(connection: Connection): void };

/** What @types/pg-copy-streams does not have. */
interface WithBoth {
  readonly both: (
    text: string,
    options: {
      readonly alignOnCopyDataFrame: boolean;
      readonly readableObjectMode: boolean;
      readonly readableHighWaterMark: number;
    },
  ) => CopyBoth;
}

/** Frames held in memory until they are read; the server waits meanwhile. */
const HELD_FRAMES = 512;

/** What a stream is to bring. */
export interface StreamOptions {
  readonly slot: string;
  readonly publication: string;
  /** Logical messages as well, which PostgreSQL has from 14 on. */
  readonly messages: boolean;
}

/** Starts the stream of a slot at the place up to which it was acknowledged. Whoever closes the client ends it. */
export function openStream(client: Client, { slot, publication, messages }: StreamOptions): ReplicationStream {
  const { both } = copyStreams as unknown as WithBoth;
  // One text that is a literal in the command and an identifier in the list.
  const names = quote(publication).replaceAll("'", "''");
  const options = `proto_version '1', publication_names '${names}'${messages ? ", messages 'true'" : ""}`;
  const copy = client.query(
    both(`START_REPLICATION SLOT ${quote(slot)} LOGICAL 0/0 (${options})`, {
      alignOnCopyDataFrame: true,
      readableObjectMode: true,
      readableHighWaterMark: HELD_FRAMES,
    }),
  );
  let ended: unknown = null;
  const end = (error: unknown) => {
    ended ??= error;
  };
  copy.on("error", (error) => end(toRetriable(error)));
  copy.on("end", () => end(new RetriableError("PostgreSQL has ended the stream of changes")));
  client.on("end", () => end(new RetriableError("PostgreSQL: the connection of the stream of changes was closed")));
  client.on("error", (error) => end(toRetriable(error)));
  let received = 0n;

  return {
    read() {
      if (ended !== null) throw ended;
      const chunk: Buffer | null = copy.read();
      if (chunk === null) return null;
      const frame = decodeFrame(chunk);
      if (frame.kind === "keepalive" || frame.end > received) received = frame.end > received ? frame.end : received;
      return frame;
    },
    async ready(waitMs, signal) {
      if (ended !== null || copy.readableLength > 0 || signal.aborted) return;
      const done = Promise.withResolvers<void>();
      const wake = () => done.resolve();
      const timer = setTimeout(wake, waitMs);
      signal.addEventListener("abort", wake, { once: true });
      for (const event of ["readable", "end", "error", "close"]) copy.once(event, wake);
      client.once("end", wake);
      try {
        await done.promise;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        for (const event of ["readable", "end", "error", "close"]) copy.off(event, wake);
        client.off("end", wake);
      }
    },
    acknowledge(flushed, replyNow) {
      if (ended === null) copy.write(statusUpdate(received, flushed, replyNow));
    },
  };
}

/** `w`: a message with its place; `k`: a sign of life. Throws for what the protocol does not have. */
export function decodeFrame(data: Buffer): Frame {
  const reader = new BinaryReader(data);
  const kind = reader.char();
  if (kind === "k") {
    const end = reader.uint64();
    reader.int64(); // The server's clock.
    return { kind: "keepalive", end, replyNow: reader.uint8() === 1 };
  }
  if (kind !== "w") throw new Error(`the replication protocol has no message ${kind}`);
  const lsn = reader.uint64();
  const end = reader.uint64();
  reader.int64(); // The server's clock.
  return { kind: "message", lsn, end, message: decodeMessage(reader.rest()) };
}

/** `r`: what was written, flushed and applied, the clock, whether to answer at once. */
function statusUpdate(received: bigint, flushed: bigint, replyNow: boolean): Buffer {
  const data = Buffer.alloc(34);
  data.write("r", 0);
  data.writeBigUInt64BE(received > flushed ? received : flushed, 1);
  data.writeBigUInt64BE(flushed, 9);
  data.writeBigUInt64BE(flushed, 17);
  data.writeBigInt64BE(BigInt(Date.now()) * 1_000n - POSTGRES_EPOCH_MICROS, 25);
  data.writeUInt8(replyNow ? 1 : 0, 33);
  return data;
}
