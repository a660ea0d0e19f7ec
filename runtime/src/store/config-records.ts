import { StringMap, TargetState } from "@headrace/contract";
import { isJsonObject, type JsonObject, type JsonValue, toJson } from "../json.ts";
import type { SessionKey } from "./stores.ts";
import { readTextRecord } from "./text-record.ts";

/** Keys and values of the config topic (contract §2.2), both ways. Field order is Java's. */

/** One record, understood. `connector` is part of the key. A payload of null is a tombstone. */
export type ConfigRecord =
  | { readonly kind: "connector"; readonly connector: string; readonly config: StringMap | null }
  | { readonly kind: "task"; readonly connector: string; readonly task: number; readonly config: StringMap }
  | { readonly kind: "commit"; readonly connector: string; readonly tasks: number }
  | { readonly kind: "targetState"; readonly connector: string; readonly state: TargetState | null }
  | { readonly kind: "taskCount"; readonly connector: string; readonly count: number }
  | { readonly kind: "sessionKey"; readonly key: SessionKey }
  | {
      readonly kind: "restart";
      readonly connector: string;
      readonly includeTasks: boolean;
      readonly onlyFailed: boolean;
    }
  | { readonly kind: "loggerLevel"; readonly namespace: string; readonly level: string }
  /** Known, and of no consequence: tombstones that nothing follows from. */
  | { readonly kind: "ignored" }
  /** Not understood; `problem` says why. */
  | { readonly kind: "corrupt"; readonly problem: string };

const SESSION_KEY = "session-key";
const LOGGER = "logger-cluster-";

export interface EncodedRecord {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

function encode(key: string, value: JsonObject | null): EncodedRecord {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(toJson(value)) };
}

/** `connector-<c>`; null is a tombstone. */
export function connectorRecord(connector: string, config: StringMap | null): EncodedRecord {
  return encode(`connector-${connector}`, config === null ? null : { properties: config });
}

/** `task-<c>-<n>` */
export function taskRecord(connector: string, task: number, config: StringMap): EncodedRecord {
  return encode(`task-${connector}-${task}`, { properties: config });
}

/** `commit-<c>` */
export function commitRecord(connector: string, tasks: number): EncodedRecord {
  return encode(`commit-${connector}`, { tasks });
}

/** `target-state-<c>`; workers before 3.5 read `state` and do not know STOPPED. null is a tombstone. */
export function targetStateRecord(connector: string, state: TargetState | null): EncodedRecord {
  const fallback = state === "STOPPED" ? "PAUSED" : state;
  return encode(`target-state-${connector}`, state === null ? null : { state: fallback, "state.v2": state });
}

/** `session-key` */
export function sessionKeyRecord({ key, algorithm, createdAtMs }: SessionKey): EncodedRecord {
  return encode(SESSION_KEY, { key: key.toString("base64"), algorithm, "creation-timestamp": createdAtMs });
}

/** `tasks-fencing-<c>`: the number of tasks whose zombies the last fencing round has covered (KIP-618). */
export function taskCountRecord(connector: string, count: number): EncodedRecord {
  return encode(`tasks-fencing-${connector}`, { "task-count": count });
}

/** `restart-connector-<c>` (KIP-745) */
export function restartRecord(connector: string, includeTasks: boolean, onlyFailed: boolean): EncodedRecord {
  return encode(`restart-connector-${connector}`, { "include-tasks": includeTasks, "only-failed": onlyFailed });
}

/** `logger-cluster-<namespace>` (KIP-976) */
export function loggerLevelRecord(namespace: string, level: string): EncodedRecord {
  return encode(`${LOGGER}${namespace}`, { level });
}

/** Reads a record. Prefixes are tried in Java's order (KafkaConfigBackingStore.ConsumeCallback). Never throws. */
export function readConfigRecord(key: Buffer | null, value: Buffer | null): ConfigRecord {
  const record = readTextRecord(key, value);
  if ("problem" in record) return corrupt(record.problem);
  const { name, payload } = record;
  for (const [prefix, read] of READERS) {
    if (name.startsWith(prefix)) return read(name.slice(prefix.length), payload);
  }
  if (name === SESSION_KEY) return readSessionKey(payload);
  if (name.startsWith(LOGGER)) return readLoggerLevel(name.slice(LOGGER.length), payload);
  return corrupt(`the key '${name}' is unknown`);
}

type Reader = (rest: string, payload: JsonValue) => ConfigRecord;

const READERS: readonly (readonly [prefix: string, read: Reader])[] = [
  ["target-state-", readTargetState],
  ["connector-", readConnector],
  ["task-", readTask],
  ["commit-", readCommit],
  ["restart-connector-", readRestart],
  ["tasks-fencing-", readTaskCount],
];

const corrupt = (problem: string): ConfigRecord => ({ kind: "corrupt", problem });

function readTargetState(connector: string, payload: JsonValue): ConfigRecord {
  if (payload === null) return { kind: "targetState", connector, state: null };
  if (!isJsonObject(payload)) return corrupt(`the target state of connector '${connector}' is not an object`);
  const state = TargetState.safeParse(payload["state.v2"] ?? payload["state"]);
  if (!state.success) return corrupt(`the target state of connector '${connector}' is missing or unknown`);
  return { kind: "targetState", connector, state: state.data };
}

function readConnector(connector: string, payload: JsonValue): ConfigRecord {
  if (payload === null) return { kind: "connector", connector, config: null };
  const config = readProperties(payload);
  if (config === null) return corrupt(`the configuration of connector '${connector}' is not a map of strings`);
  return { kind: "connector", connector, config };
}

function readTask(rest: string, payload: JsonValue): ConfigRecord {
  const dash = rest.lastIndexOf("-");
  const connector = rest.slice(0, dash);
  const number = rest.slice(dash + 1);
  if (dash < 1 || !/^\d{1,9}$/.test(number)) return corrupt(`the key 'task-${rest}' names no task`);
  if (payload === null) return { kind: "ignored" };
  const config = readProperties(payload);
  if (config === null) return corrupt(`the configuration of task '${rest}' is not a map of strings`);
  return { kind: "task", connector, task: Number(number), config };
}

function readCommit(connector: string, payload: JsonValue): ConfigRecord {
  const tasks = isJsonObject(payload) ? readCount(payload["tasks"]) : null;
  if (tasks === null) return corrupt(`the tasks commit of connector '${connector}' has no number of tasks`);
  return { kind: "commit", connector, tasks };
}

function readTaskCount(connector: string, payload: JsonValue): ConfigRecord {
  const count = isJsonObject(payload) ? readCount(payload["task-count"]) : null;
  if (count === null) return corrupt(`the task count of connector '${connector}' has no number of tasks`);
  return { kind: "taskCount", connector, count };
}

/** Fields that are missing or no booleans count as false, as in Java. */
function readRestart(connector: string, payload: JsonValue): ConfigRecord {
  if (!isJsonObject(payload)) return corrupt(`the restart request of connector '${connector}' is not an object`);
  return {
    kind: "restart",
    connector,
    includeTasks: payload["include-tasks"] === true,
    onlyFailed: payload["only-failed"] === true,
  };
}

function readSessionKey(payload: JsonValue): ConfigRecord {
  if (!isJsonObject(payload)) return corrupt("the session key is not an object");
  const { key, algorithm, "creation-timestamp": createdAt } = payload;
  if (typeof key !== "string" || typeof algorithm !== "string" || typeof createdAt !== "number") {
    return corrupt("the session key lacks one of its fields");
  }
  return { kind: "sessionKey", key: { key: Buffer.from(key, "base64"), algorithm, createdAtMs: createdAt } };
}

function readLoggerLevel(namespace: string, payload: JsonValue): ConfigRecord {
  const level = isJsonObject(payload) ? payload["level"] : undefined;
  if (namespace === "" || typeof level !== "string") {
    return corrupt(`the record of logger '${namespace}' names no logger and level`);
  }
  return { kind: "loggerLevel", namespace, level };
}

/** The `properties` of a record. Those that are null are left out: to a configuration it is the same. */
function readProperties(payload: JsonValue): StringMap | null {
  const properties = isJsonObject(payload) ? payload["properties"] : undefined;
  if (!isJsonObject(properties)) return null;
  const given = StringMap.safeParse(
    Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null)),
  );
  return given.success ? given.data : null;
}

function readCount(value: JsonValue | undefined): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0x7fffffff ? value : null;
}
