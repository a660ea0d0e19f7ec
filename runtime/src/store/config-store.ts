import type { StringMap, TargetState } from "@headrace/contract";
import type { Logger } from "@headrace/sdk";
import type { NewRecord, TopicLog } from "../kafka/topic-log.ts";
import {
  commitRecord,
  connectorRecord,
  loggerLevelRecord,
  restartRecord,
  sessionKeyRecord,
  targetStateRecord,
  taskCountRecord,
  taskRecord,
} from "./config-records.ts";
import { EMPTY_CONFIG, foldConfig } from "./config-state.ts";
import type { PrivilegedWrites } from "./privileged-writes.ts";
import type { ConfigChange, ConfigStore, SessionKey } from "./stores.ts";

/** One write with all its steps (contract §2.3). */
const WRITE_BUDGET_MS = 30_000;

export interface ConfigStoreOptions {
  readonly log: Logger;
  /**
   * Asked before every attempt of a write that only the leader may make; throws if this worker does not lead any more (invariant 5).
   * Not given: whoever calls has made sure.
   */
  readonly confirmLeader?: (signal: AbortSignal) => Promise<void>;
  /** The leader's writes as transactions, which ask for leadership themselves; null or not given: as plain writes. */
  readonly privileged?: PrivilegedWrites | null;
}

/** Makes the config store over its topic (contract §2). */
export function createConfigStore(topic: TopicLog, options: ConfigStoreOptions): ConfigStore {
  const { log, confirmLeader, privileged = null } = options;
  const listeners = new Set<(change: ConfigChange) => void>();
  let state = EMPTY_CONFIG;
  let started = false;

  const before = confirmLeader === undefined ? null : (_: number, signal: AbortSignal) => confirmLeader(signal);

  async function write(signal: AbortSignal, steps: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(WRITE_BUDGET_MS)]);
    await steps(limited);
    await topic.readToEnd(limited);
  }

  async function append(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    await (privileged === null ? topic.append(records, before, signal) : privileged.append(records, signal));
  }

  return {
    async start(signal) {
      await topic.start((records) => {
        const fold = foldConfig(state, records);
        state = fold.state;
        for (const { offset, problem } of fold.problems) {
          log.error({ offset: String(offset), problem }, "record of the config topic ignored");
        }
        if (!started) return; // Old restart requests, above all, must not be carried out again.
        for (const change of fold.changes) for (const listener of listeners) listener(change);
      }, signal);
      started = true;
    },
    config: () => state,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    fencing: (connector) => ({
      pending: state.pendingFencing.has(connector),
      taskCount: state.taskCounts.get(connector) ?? null,
    }),
    readToEnd: (signal) => topic.readToEnd(signal),
    async claimPrivilege(signal) {
      await privileged?.claim(signal);
    },
    putConnector: (connector: string, config: StringMap, targetState: TargetState | null, signal: AbortSignal) =>
      write(signal, (limited) => {
        const initial = targetState === null ? [] : [targetStateRecord(connector, targetState)];
        return append([...initial, connectorRecord(connector, config)], limited);
      }),
    removeConnector: (connector: string, signal: AbortSignal) =>
      write(signal, (limited) =>
        append([connectorRecord(connector, null), targetStateRecord(connector, null)], limited),
      ),
    putTaskConfigs: (connector: string, tasks: readonly StringMap[], signal: AbortSignal) =>
      write(signal, async (limited) => {
        await topic.readToEnd(limited);
        if (tasks.length > 0) {
          await append(
            tasks.map((config, task) => taskRecord(connector, task, config)),
            limited,
          );
          await topic.readToEnd(limited);
        }
        await append([commitRecord(connector, tasks.length)], limited);
      }),
    putSessionKey: (key: SessionKey, signal: AbortSignal) =>
      write(signal, (limited) => append([sessionKeyRecord(key)], limited)),
    putTaskCount: (connector, tasks, signal) =>
      write(signal, (limited) => append([taskCountRecord(connector, tasks)], limited)),
    putRestart: (connector, { includeTasks, onlyFailed }, signal) =>
      write(signal, (limited) => append([restartRecord(connector, includeTasks, onlyFailed)], limited)),
    async putLoggerLevel(namespace, level, signal) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(WRITE_BUDGET_MS)]);
      await topic.append([loggerLevelRecord(namespace, level)], null, limited);
    },
    async putTargetState(connector, targetState, signal) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(WRITE_BUDGET_MS)]);
      await topic.append([targetStateRecord(connector, targetState)], null, limited);
    },
    async stop() {
      privileged?.stop();
      await topic.stop();
    },
  };
}
