import type { TaskId } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { Assignment } from "./group.ts";
import { WireReader, WireWriter } from "./wire.ts";

/**
 * The bytes that Connect workers exchange through JoinGroup and SyncGroup. Source: ConnectProtocol and
 * IncrementalCooperativeConnectProtocol (KIP-415, KIP-507).
 *
 *     metadata    [version:int16][url:string][configOffset:int64]                                      version 0
 *                 … [allocation:nullable bytes]                                                        versions 1, 2
 *                 … [weight:int8]                                                                      ours, only while draining
 *     assignment  [version:int16][error:int16][leader:string][leaderUrl:string][configOffset:int64][assigned:work]
 *                 … [revoked:work][delayMs:int32]                                                      versions 1, 2
 *     work        array of [connector:string][tasks: array of int32], the connector itself being task -1
 *
 * The allocation is a whole assignment, header included. Java's Schema.read ignores trailing bytes, so a JVM leader overlooks the weight.
 */

/** 0 eager, 1 compatible (incremental cooperative), 2 sessioned (the same bytes, and signed internal requests). */
export type ProtocolVersion = 0 | 1 | 2;

/** The worker setting `connect.protocol`. */
export type ConnectProtocol = "sessioned" | "compatible" | "eager";

/** Names on the wire, most preferred first; the broker chooses one that all members support. */
export const PROTOCOLS: Readonly<Record<ConnectProtocol, readonly { name: string; version: ProtocolVersion }[]>> = {
  sessioned: [
    { name: "sessioned", version: 2 },
    { name: "compatible", version: 1 },
    { name: "default", version: 0 },
  ],
  compatible: [
    { name: "compatible", version: 1 },
    { name: "default", version: 0 },
  ],
  eager: [{ name: "default", version: 0 }],
};

/** Version of a protocol name that the broker chose. Throws on a name that no worker offers. */
export function protocolVersion(name: string): ProtocolVersion {
  const known = PROTOCOLS.sessioned.find((protocol) => protocol.name === name);
  if (known === undefined) throw new ConnectError("kafka", `The group uses the unknown protocol ${name}`);
  return known.version;
}

/** What a member says of itself when it joins. */
export interface MemberMetadata {
  readonly url: string;
  /** Next offset to be read in the config topic; -1 if nothing has been read. */
  readonly configOffset: bigint;
  /** What the member holds; null for a fresh one. */
  readonly allocation: RoundAssignment | null;
  /** Written as weight 0: give me nothing, take what I hold. */
  readonly draining: boolean;
}

/** What the leader tells one member: increments in a round, the whole work in an allocation and in version 0. */
export interface RoundAssignment {
  readonly error: "none" | "config-mismatch";
  readonly leaderId: string;
  readonly leaderUrl: string;
  readonly configOffset: bigint;
  readonly assigned: Assignment;
  readonly revoked: Assignment;
  /** Milliseconds until the leader wants the next round; 0: no such round. */
  readonly delayMs: number;
}

const CONNECTOR_TASK = -1;
const NO_WORK: Assignment = { connectors: [], tasks: [] };
const DRAINING_WEIGHT = 0;

export function encodeMetadata(version: ProtocolVersion, metadata: MemberMetadata): Buffer {
  const writer = new WireWriter().int16(version).string(metadata.url).int64(metadata.configOffset);
  if (version === 0) return writer.bytes();
  writer.nullableBytes(metadata.allocation === null ? null : encodeAssignment(version, metadata.allocation));
  if (metadata.draining) writer.int8(DRAINING_WEIGHT);
  return writer.bytes();
}

/** Missing trailing fields take their defaults; a higher version is read with the highest known layout. Throws ConnectError "kafka". */
export function decodeMetadata(bytes: Buffer): MemberMetadata {
  return decode("metadata", bytes, (reader) => {
    readVersion(reader);
    const url = reader.string();
    const configOffset = reader.int64();
    const allocation = reader.remaining === 0 ? null : reader.nullableBytes();
    const draining = reader.remaining > 0 && reader.int8() === DRAINING_WEIGHT;
    return { url, configOffset, allocation: allocation === null ? null : decodeAssignment(allocation), draining };
  });
}

export function encodeAssignment(version: ProtocolVersion, assignment: RoundAssignment): Buffer {
  const writer = new WireWriter()
    .int16(version)
    .int16(assignment.error === "none" ? 0 : 1)
    .string(assignment.leaderId)
    .string(assignment.leaderUrl)
    .int64(assignment.configOffset);
  writeWork(writer, assignment.assigned);
  if (version === 0) return writer.bytes();
  writeWork(writer, assignment.revoked);
  return writer.int32(assignment.delayMs).bytes();
}

/** Reads as tolerantly as {@link decodeMetadata}. Throws ConnectError "kafka". */
export function decodeAssignment(bytes: Buffer): RoundAssignment {
  return decode("assignment", bytes, (reader) => {
    readVersion(reader);
    return {
      error: reader.int16() === 0 ? "none" : "config-mismatch",
      leaderId: reader.string(),
      leaderUrl: reader.string(),
      configOffset: reader.int64(),
      assigned: readWork(reader),
      revoked: reader.remaining === 0 ? NO_WORK : readWork(reader),
      delayMs: reader.remaining === 0 ? 0 : reader.int32(),
    };
  });
}

function decode<T>(what: string, bytes: Buffer, read: (reader: WireReader) => T): T {
  try {
    return read(new WireReader(bytes));
  } catch (cause) {
    throw new ConnectError("kafka", `Unreadable group ${what}: ${bytes.toString("hex")}`, { cause });
  }
}

function readVersion(reader: WireReader): number {
  const version = reader.int16();
  if (version < 0) throw new RangeError(`version ${version}`);
  return version;
}

function writeWork(writer: WireWriter, work: Assignment): void {
  const tasks = new Map<string, number[]>(work.connectors.map((connector) => [connector, [CONNECTOR_TASK]]));
  for (const { connector, task } of work.tasks) {
    const list = tasks.get(connector);
    if (list === undefined) tasks.set(connector, [task]);
    else list.push(task);
  }
  writer.array([...tasks], ([connector, list]) => writer.string(connector).array(list, (task) => writer.int32(task)));
}

function readWork(reader: WireReader): Assignment {
  const connectors: string[] = [];
  const tasks: TaskId[] = [];
  reader.array(() => {
    const connector = reader.string();
    reader.array(() => {
      const task = reader.int32();
      if (task === CONNECTOR_TASK) connectors.push(connector);
      else tasks.push({ connector, task });
    });
  });
  return { connectors, tasks };
}
