import type { Logger } from "@headrace/sdk";
import { unlessAborted } from "../kafka/cluster.ts";
import type { TopicLog } from "../kafka/topic-log.ts";
import { connectorKey, statusValue, taskKey, topicKey, topicValue } from "./status-records.ts";
import { createStatusState, mayReplace } from "./status-state.ts";
import type { StatusChange, StatusEntry, StatusStore, StatusWord } from "./stores.ts";

export interface StatusStoreOptions {
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Withdraws a write that something newer has made pointless. */
class Superseded extends Error {}

/** Makes the status store over its topic (contract §4). */
export function createStatusStore(topic: TopicLog, { log, now = Date.now }: StatusStoreOptions): StatusStore {
  const state = createStatusState();
  const listeners = new Set<(change: StatusChange) => void>();
  const hearers = new Set<(word: StatusWord) => void>();
  const stopping = new AbortController();
  /** The newest write per key, by number: an older one that is still being retried gives way. */
  const newest = new Map<string, number>();
  const outstanding = new Set<Promise<void>>();
  let writes = 0;
  let started = false;

  interface Write {
    readonly key: string;
    readonly value: Buffer | null;
    /** Whether it may still be written, as far as the topic was read. */
    readonly allowed: () => boolean;
    /** To be judged by all that the topic holds: whoever writes it may long have a successor, and would hide that one's status for good. */
    readonly careful?: boolean;
  }

  function put({ key, value, allowed, careful = false }: Write): void {
    if (!allowed()) return;
    writes += 1;
    const number = writes;
    newest.set(key, number);
    const before = async (attempt: number, signal: AbortSignal) => {
      // After the first attempt Kafka was away: others may have written meanwhile.
      if (careful || attempt > 0) await topic.readToEnd(signal);
      if (newest.get(key) !== number || !allowed()) throw new Superseded();
    };
    const write = topic
      .append([{ key: Buffer.from(key), value }], before, stopping.signal)
      .catch((error: unknown) => {
        if (error instanceof Superseded || stopping.signal.aborted) return;
        log.error({ err: error, key }, "status could not be written");
      })
      .finally(() => {
        if (newest.get(key) === number) newest.delete(key);
        outstanding.delete(write);
      });
    outstanding.add(write);
  }

  const always = () => true;
  const rule = (safe: boolean, cached: () => StatusEntry | null, entry: StatusEntry) =>
    safe ? () => mayReplace(cached(), entry) : always;

  return {
    async start(signal) {
      await topic.start((records) => {
        for (const record of records) {
          const { changes, word, problem } = state.apply(record);
          if (problem !== null) {
            log.warn({ partition: record.partition, offset: String(record.offset), problem }, "status record ignored");
          }
          if (!started) continue;
          for (const change of changes) for (const listener of listeners) listener(change);
          if (word !== null) for (const hear of hearers) hear(word);
        }
      }, signal);
      started = true;
    },
    connector: (connector) => state.connector(connector),
    task: (id) => state.task(id),
    tasks: (connector) => state.tasks(connector),
    topics: (connector) => state.topics(connector),
    connectors: () => state.connectors(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onWord(hear) {
      hearers.add(hear);
      return () => hearers.delete(hear);
    },
    putConnector(connector, entry, { safe }) {
      const allowed = rule(safe, () => state.connector(connector), entry);
      put({ key: connectorKey(connector), value: statusValue(entry), allowed, careful: safe });
    },
    putTask(id, entry, { safe }) {
      const allowed = rule(safe, () => state.task(id), entry);
      put({ key: taskKey(id), value: statusValue(entry), allowed, careful: safe });
    },
    removeConnector(connector, isGone) {
      for (const task of state.tasks(connector).keys()) {
        put({ key: taskKey({ connector, task }), value: null, allowed: isGone });
      }
      put({ key: connectorKey(connector), value: null, allowed: isGone });
    },
    removeTask: (id, isGone) => put({ key: taskKey(id), value: null, allowed: isGone }),
    putTopic(connector, name, task) {
      const key = topicKey(connector, name);
      if (newest.has(key)) return;
      const value = topicValue({ name, connector, task, discoverTimestamp: now() });
      put({ key, value, allowed: () => !state.topics(connector).includes(name) });
    },
    resetTopics(connector) {
      for (const name of state.topics(connector)) {
        put({ key: topicKey(connector, name), value: null, allowed: always });
      }
    },
    async flush(signal) {
      await unlessAborted(
        Promise.all(outstanding).then(() => {}),
        signal,
      );
    },
    readToEnd: (signal) => topic.readToEnd(signal),
    async stop() {
      stopping.abort(new Error("the status store is stopped"));
      await topic.stop();
    },
  };
}
