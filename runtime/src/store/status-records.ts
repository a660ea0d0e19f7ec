import { InstanceState, type TaskId } from "@headrace/contract";
import { isJsonObject, type JsonValue, toJson } from "../json.ts";
import type { StatusEntry } from "./stores.ts";
import { readTextRecord } from "./text-record.ts";

/** Keys and values of the status topic (contract §4), both ways. Source: KafkaStatusBackingStore. */

/** One record, understood. An entry of null, or a topic that is not active, is a tombstone. */
export type StatusRecord =
  | { readonly kind: "connector"; readonly connector: string; readonly entry: StatusEntry | null }
  | { readonly kind: "task"; readonly id: TaskId; readonly entry: StatusEntry | null }
  | { readonly kind: "topic"; readonly connector: string; readonly topic: string; readonly active: boolean }
  | { readonly kind: "corrupt"; readonly problem: string };

const CONNECTOR = "status-connector-";
const TASK = "status-task-";
const TOPIC = "status-topic-";
const TOPIC_SEPARATOR = ":connector-";

export const connectorKey = (connector: string) => `${CONNECTOR}${connector}`;
export const taskKey = ({ connector, task }: TaskId) => `${TASK}${connector}-${task}`;
export const topicKey = (connector: string, topic: string) => `${TOPIC}${topic}${TOPIC_SEPARATOR}${connector}`;

/** DESTROYED is never stored: it is a tombstone. */
export function statusValue({ state, trace, workerId, generation, version }: StatusEntry): Buffer | null {
  if (state === "DESTROYED") return null;
  return Buffer.from(toJson({ state, trace, worker_id: workerId, generation, version }));
}

/** The value of an active topic. */
export function topicValue(topic: {
  name: string;
  connector: string;
  task: number;
  discoverTimestamp: number;
}): Buffer {
  const { name, connector, task, discoverTimestamp } = topic;
  return Buffer.from(toJson({ topic: { name, connector, task, discoverTimestamp } }));
}

const corrupt = (problem: string): StatusRecord => ({ kind: "corrupt", problem });

/** Reads a record; never throws. */
export function readStatusRecord(key: Buffer | null, value: Buffer | null): StatusRecord {
  const record = readTextRecord(key, value);
  if ("problem" in record) return corrupt(record.problem);
  const { name, payload } = record;
  if (name.startsWith(CONNECTOR)) return readConnector(name.slice(CONNECTOR.length), payload);
  if (name.startsWith(TASK)) return readTask(name.slice(TASK.length), payload);
  if (name.startsWith(TOPIC)) return readTopic(name.slice(TOPIC.length), payload);
  return corrupt(`the key '${name}' is unknown`);
}

function readConnector(connector: string, payload: JsonValue): StatusRecord {
  if (connector === "") return corrupt("the key names no connector");
  if (payload === null) return { kind: "connector", connector, entry: null };
  const entry = readEntry(payload);
  return entry === null
    ? corrupt(`the status of connector '${connector}' lacks one of its fields`)
    : { kind: "connector", connector, entry };
}

function readTask(rest: string, payload: JsonValue): StatusRecord {
  const dash = rest.lastIndexOf("-");
  const number = rest.slice(dash + 1);
  if (dash < 1 || !/^\d{1,9}$/.test(number)) return corrupt(`the key '${TASK}${rest}' names no task`);
  const id = { connector: rest.slice(0, dash), task: Number(number) };
  if (payload === null) return { kind: "task", id, entry: null };
  const entry = readEntry(payload);
  return entry === null ? corrupt(`the status of task '${rest}' lacks one of its fields`) : { kind: "task", id, entry };
}

function readTopic(rest: string, payload: JsonValue): StatusRecord {
  const at = rest.indexOf(TOPIC_SEPARATOR);
  const topic = rest.slice(0, Math.max(at, 0));
  const connector = rest.slice(at + TOPIC_SEPARATOR.length);
  if (at < 1 || connector === "") return corrupt(`the key '${TOPIC}${rest}' names no topic and connector`);
  if (payload === null) return { kind: "topic", connector, topic, active: false };
  if (!isJsonObject(payload) || !isJsonObject(payload["topic"])) {
    return corrupt(`the value of topic '${topic}' of connector '${connector}' is not an object`);
  }
  return { kind: "topic", connector, topic, active: true };
}

function readEntry(payload: JsonValue): StatusEntry | null {
  if (!isJsonObject(payload)) return null;
  const { trace = null, worker_id: workerId, generation, version = null } = payload;
  const state = InstanceState.safeParse(payload["state"]);
  if (!state.success || typeof workerId !== "string") return null;
  if (typeof generation !== "number" || !Number.isInteger(generation)) return null;
  if (trace !== null && typeof trace !== "string") return null;
  return { state: state.data, workerId, generation, trace, version: typeof version === "string" ? version : null };
}
