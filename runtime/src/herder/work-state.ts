import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Assigned, GroupMember } from "../group/group.ts";
import type { Logger } from "../log.ts";
import type { ClusterConfig, ConfigChange, ConfigStore, StatusStore } from "../store/stores.ts";
import { createCrashHistory } from "./crash-history.ts";
import type { Message, Waiter } from "./messages.ts";
import { createPredecessors } from "./predecessors.ts";
import { reconcileWork, type WorkAction } from "./reconcile-work.ts";
import { createRejoins, type Rejoins } from "./rejoins.ts";
import { createRestarts } from "./restarts.ts";
import type { StartCounters } from "./start-counters.ts";
import type { StatusWriter } from "./status-writer.ts";
import { createStopWaiters } from "./stop-waiters.ts";
import type { TaskPlanner } from "./task-planner.ts";
import { type ConnectorShare, itemKey, type Work } from "./work.ts";
import { WorkOutcomes } from "./work-outcomes.ts";
import { createWorkRunner, type WorkRunner } from "./work-runner.ts";
import { createWorkTable, toShares } from "./work-table.ts";

/** What the herder works with. */
export interface HerderOptions {
  readonly configStore: Pick<ConfigStore, "config" | "onChange" | "readToEnd">;
  readonly statusStore: Pick<StatusStore, "task" | "putTopic" | "topics" | "flush">;
  readonly workerId: string;
  /** Ids of the group's present workers; null if they are not known. */
  readonly workers: () => ReadonlySet<string> | null;
  readonly statuses: StatusWriter;
  readonly pool: Pick<
    ExecutorPool,
    "startConnector" | "startTask" | "stopConnector" | "stopTask" | "setTargetState" | "renewLease"
  >;
  readonly member: () => Pick<GroupMember, "requestRejoin">;
  readonly planner: Pick<TaskPlanner, "plan" | "cancel" | "stop">;
  readonly starts: StartCounters;
  readonly topicTracking: boolean;
  readonly gracefulTimeoutMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

const FLUSH_TIMEOUT_MS = 1_000;

/**
 * What this worker was given and what it makes of it. Messages are folded in one after the other; then everything that they touched is
 * brought in line with what is wanted.
 *
 * Guarantees: nothing is started that the last completed round has not given to this worker, and no task before that round knew its
 * present task set. Assumptions: only the herder's loop calls it.
 */
export class WorkState {
  readonly #options: HerderOptions;
  readonly #runner: WorkRunner;
  readonly #rejoins: Rejoins;
  readonly #outcomes: WorkOutcomes;
  readonly #table = createWorkTable();
  readonly #crashes = createCrashHistory();
  readonly #predecessors = createPredecessors();
  readonly #restarts = createRestarts();
  readonly #stops = createStopWaiters();
  readonly #dirty = new Set<string>();
  /** Config offset at which a connector's present task set was committed, if that was seen as a change. */
  readonly #taskSetOffsets = new Map<string, bigint>();
  #config: ClusterConfig;
  #shares = new Map<string, ConnectorShare>();
  /** Config offset of the last completed round; null: nothing may start. */
  #roundOffset: bigint | null = null;
  /** Offset of the last change that needs a round. */
  #rejoinOffset = -1n;
  #ending = false;

  constructor(options: HerderOptions, post: (message: Message) => void) {
    const { pool, configStore, statusStore, workerId, workers, member, now, gracefulTimeoutMs, log } = options;
    this.#options = options;
    this.#config = configStore.config();
    this.#rejoins = createRejoins({ rejoin: (reason) => member().requestRejoin(reason), now });
    const isPredecessorDead = (connector: string, task: number) => {
      const status = statusStore.task({ connector, task });
      return this.#predecessors.isDead(itemKey({ connector, task }), { status, workerId, workers: workers() });
    };
    this.#runner = createWorkRunner({ pool, isPredecessorDead, post, gracefulTimeoutMs, log });
    this.#outcomes = new WorkOutcomes({
      ...options,
      table: this.#table,
      crashes: this.#crashes,
      predecessors: this.#predecessors,
      restarts: this.#restarts,
      stops: this.#stops,
      isConfigured: (work) => this.#isConfigured(work),
      isOurs: (work) => this.owns(work.connector, work.task),
      touch: (connector) => this.#dirty.add(connector),
      post,
    });
  }

  /** What the config topic said when it had been read for the first time. */
  begin(config: ClusterConfig): void {
    this.#config = config;
  }

  end(): void {
    this.#rejoins.cancel();
  }

  owns(connector: string, task: number | null): boolean {
    const share = this.#shares.get(connector);
    return task === null ? share?.instance === true : share?.tasks.has(task) === true;
  }

  all(): readonly Work[] {
    return this.#table.all();
  }

  /** Takes one message in. */
  fold(message: Message): void {
    switch (message.kind) {
      case "assigned":
        this.#foldRound(message.round, message.config, message.done);
        return;
      case "lost":
        this.#options.log.warn({ reason: message.reason }, "membership lost, stopping everything");
        this.#options.pool.renewLease(0);
        this.#giveUpAll(message.done);
        return;
      case "stopAll":
        this.#ending = true;
        this.#giveUpAll(message.done);
        return;
      case "configChanged":
        this.#foldChange(message.change, message.config);
        return;
      case "started":
        if (this.#outcomes.started(message.work) && message.work.task === null) this.#planTasks(message.work.connector);
        return;
      case "startFailed":
        this.#outcomes.startFailed(message.work, message.error);
        return;
      case "stopped":
        this.#outcomes.stopped(message);
        return;
      case "targetStateReached":
        this.#planTasks(message.connector);
        return;
      case "status":
        this.#outcomes.told(message.notice);
        return;
      case "reconfigure":
        this.#planTasks(message.connector);
        return;
      case "refused":
        this.#outcomes.refused(message.connector, message.message);
        return;
      case "activeTopic":
        this.#recordTopic(message.connector, message.task, message.topic);
        return;
      case "executorLost":
        this.#outcomes.executorLost(message.lost);
        return;
      case "restart":
        this.#foldRestart(message.connector, message.task, message.done);
        return;
      case "due":
        this.#dirty.add(message.connector);
        return;
      default:
        throw new Error(`unreachable: ${message satisfies never}`);
    }
  }

  #foldRound(round: Assigned, config: ClusterConfig, done: Waiter): void {
    const { log } = this.#options;
    this.#config = config;
    if (round.configMismatch) {
      // The member reads the config topic to its end and joins again; nothing changes here until then.
      log.info({ configOffset: round.configOffset }, "the leader's config was behind");
      done.resolve();
      return;
    }
    for (const connector of this.#shares.keys()) this.#dirty.add(connector);
    this.#shares = this.#ending ? new Map() : toShares(round.assignment);
    for (const connector of [...this.#shares.keys(), ...this.#table.connectors()]) this.#dirty.add(connector);
    this.#roundOffset = round.configOffset;
    if (this.#rejoinOffset > round.configOffset) this.#rejoins.request("configuration changed during the round");
    const { generation } = round.view;
    const counts = { connectors: round.assignment.connectors.length, tasks: round.assignment.tasks.length };
    log.info({ generation, ...counts, configOffset: round.configOffset }, "round completed");
    this.settle();
    this.#whenGone(
      this.#table.all().filter((work) => !this.owns(work.connector, work.task)),
      done,
    );
  }

  #giveUpAll(done: Waiter): void {
    for (const connector of [...this.#shares.keys(), ...this.#table.connectors()]) this.#dirty.add(connector);
    this.#shares = new Map();
    this.#roundOffset = null;
    this.settle();
    this.#whenGone(this.#table.all(), done);
  }

  #foldChange(change: ConfigChange, config: ClusterConfig): void {
    const before = this.#config;
    this.#config = config;
    switch (change.kind) {
      case "connectorUpdated": {
        if (!before.connectors.has(change.connector))
          this.#needRound(config.offset, `new connector ${change.connector}`);
        this.#markStale(change.connector, null);
        break;
      }
      case "connectorRemoved":
        this.#taskSetOffsets.delete(change.connector);
        this.#needRound(config.offset, `connector ${change.connector} deleted`);
        break;
      case "tasksCommitted": {
        this.#taskSetOffsets.set(change.connector, config.offset);
        const tasks = (entry: ClusterConfig) => entry.connectors.get(change.connector)?.tasks?.length ?? 0;
        if (tasks(before) + tasks(config) > 0) this.#needRound(config.offset, `tasks of ${change.connector} changed`);
        break;
      }
      case "restartRequested":
        this.#foldRestartRequest(change);
        return;
      case "targetStateChanged":
        break;
      case "sessionKeyUpdated":
      case "loggerLevelChanged":
        return;
      default:
        throw new Error(`unreachable: ${change satisfies never}`);
    }
    this.#dirty.add(change.connector);
  }

  #needRound(offset: bigint, reason: string): void {
    this.#rejoinOffset = offset;
    this.#rejoins.request(reason);
  }

  #markStale(connector: string, task: number | null): void {
    const work = this.#table.find(connector, task);
    if (work !== null) work.stale = true;
    this.#crashes.forget(itemKey({ connector, task }));
  }

  #isConfigured(work: Work): boolean {
    const entry = this.#config.connectors.get(work.connector);
    if (entry === undefined) return false;
    return work.task === null ? entry.targetState !== "STOPPED" : entry.tasks?.[work.task] !== undefined;
  }

  #planTasks(connector: string): void {
    const work = this.#table.find(connector, null);
    const startable = this.#config.connectors.get(connector)?.targetState === "STARTED";
    if (work?.phase === "running" && !work.stale && startable) this.#options.planner.plan(connector);
  }

  #recordTopic(connector: string, task: number, topic: string): void {
    const { statusStore, topicTracking } = this.#options;
    if (!topicTracking || !this.#config.connectors.has(connector)) return;
    if (statusStore.topics(connector).includes(topic)) return;
    statusStore.putTopic(connector, topic, task);
  }

  #foldRestart(connector: string, task: number | null, done: Waiter): void {
    const work = this.#table.find(connector, task);
    if (!this.owns(connector, task)) {
      done.reject(new ConnectError("rebalance", "The work has just moved to another worker"));
      return;
    }
    this.#markStale(connector, task);
    this.#dirty.add(connector);
    // Not here yet, or wanted stopped: it starts when its time has come.
    if (work === null || work.phase === "stopping") {
      done.resolve();
      return;
    }
    this.#restarts.awaitNext(work, done);
  }

  #foldRestartRequest(request: Extract<ConfigChange, { kind: "restartRequested" }>): void {
    const parts = this.#table.peek(request.connector);
    const chosen = (work: Work) => !request.onlyFailed || work.phase === "failed";
    const works = [
      ...(parts?.instance == null ? [] : [parts.instance]),
      ...(request.includeTasks ? [...(parts?.tasks.values() ?? [])] : []),
    ].filter((work) => work.phase !== "stopping" && chosen(work));
    for (const work of works) {
      this.#options.statuses.report(work, { state: "RESTARTING" });
      this.#markStale(work.connector, work.task);
    }
    this.#dirty.add(request.connector);
  }

  /** Brings every connector that something happened to in line with what is wanted. */
  settle(): void {
    for (const connector of this.#dirty) {
      const entry = this.#config.connectors.get(connector) ?? null;
      const share = this.#shares.get(connector) ?? null;
      const work = this.#table.of(connector);
      if (entry?.targetState !== "STOPPED" || share?.instance !== true) work.stoppedReported = false;
      const instancesReleased = this.#roundOffset !== null && this.#config.offset >= this.#roundOffset;
      const tasksReleased =
        instancesReleased && (this.#taskSetOffsets.get(connector) ?? -1n) <= (this.#roundOffset ?? -1n);
      const input = { entry, share, work, instancesReleased, tasksReleased, nowMs: this.#options.now() };
      for (const action of reconcileWork(input)) this.#act(connector, action);
      if (share === null) this.#table.prune(connector);
    }
    this.#dirty.clear();
  }

  #act(connector: string, action: WorkAction): void {
    switch (action.kind) {
      case "start":
        this.#table.put(this.#runner.start({ connector, task: action.task }, action.plan));
        return;
      case "stop":
        if (action.work.task === null) this.#options.planner.cancel(connector);
        this.#runner.stop(action.work, action.again);
        return;
      case "setTargetState":
        this.#runner.setTargetState(connector, this.#table.of(connector), action.targetState);
        return;
      case "reportStopped":
        this.#table.of(connector).stoppedReported = true;
        this.#options.statuses.report({ connector, task: null }, { state: "STOPPED" });
        return;
      default:
        throw new Error(`unreachable: ${action satisfies never}`);
    }
  }

  /** Statuses of what has stopped are written before anybody else may start it. */
  #whenGone(works: readonly Work[], done: Waiter): void {
    const { statusStore, log } = this.#options;
    this.#stops.whenStopped(works, () => {
      if (works.length === 0) {
        done.resolve();
        return;
      }
      statusStore
        .flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS))
        .catch((error: unknown) => log.warn({ error }, "statuses of stopped work are late"))
        .finally(done.resolve);
    });
  }
}
