import type { TargetState } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorNotice } from "../executor/channel.ts";
import type { ExecutorLost, ExecutorPool } from "../executor/pool.ts";
import type { Assigned, GroupHost, GroupMember } from "../group/group.ts";
import type { Logger } from "../log.ts";
import type { ClusterConfig, ConfigChange, ConfigStore, StatusStore } from "../store/stores.ts";
import { createCrashHistory } from "./crash-history.ts";
import { createInbox } from "./inbox.ts";
import type { Message, StatusNotice, Waiter } from "./messages.ts";
import { createPredecessors } from "./predecessors.ts";
import { reconcileWork, type WorkAction } from "./reconcile-work.ts";
import type { StartCounters, StartCounts } from "./start-counters.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { TaskPlanner } from "./task-planner.ts";
import type { ConnectorShare, StartPlan, Work } from "./work.ts";
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

/** Decides what runs on this worker, and sees to it. */
export interface Herder extends GroupHost {
  /** Works until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** News of the executors. */
  hear(notice: Extract<ExecutorNotice, { kind: "status" | "taskReconfiguration" | "activeTopic" }>): void;
  executorLost(lost: ExecutorLost): void;
  /** A connector planned more tasks than it may. */
  refused(connector: string, message: string): void;
  /** True if the last round gave the connector instance (null) or task to this worker. */
  owns(connector: string, task: number | null): boolean;
  /** Stops and starts an item; resolves when it was started, rejects when that failed. */
  restart(connector: string, task: number | null): Promise<void>;
  /** Stops everything, for good; resolves when nothing runs any more. */
  stopAll(): Promise<void>;
  /** How much is in this worker's hands, by phase. */
  running(): readonly Readonly<Work>[];
}

/** Changes of the config topic are gathered for so long before one rejoin is asked for all of them. */
const REJOIN_QUIET_MS = 20;
const REJOIN_MAX_MS = 200;
const FLUSH_TIMEOUT_MS = 1_000;
const TARGET_STATE_TIMEOUT_MS = 60_000;

/** Creates a herder; it does nothing before `run`. */
export function createHerder(options: HerderOptions): Herder {
  return new EventLoopHerder(options);
}

/**
 * One inbox, one loop, one writer. Whatever takes time runs beside the loop and comes back as a message.
 *
 * Guarantees: nothing is started that the last completed round has not given to this worker, and no task before that round knew its
 * present task set; `assigned` and `lost` resolve only after what was taken away has stopped or its process is dead (invariant 3).
 */
class EventLoopHerder implements Herder {
  readonly #options: HerderOptions;
  readonly #inbox = createInbox<Message>();
  readonly #table = createWorkTable();
  readonly #crashes = createCrashHistory();
  readonly #predecessors = createPredecessors();
  readonly #dirty = new Set<string>();
  readonly #stopWaiters = new Set<{ readonly works: Set<Work>; readonly done: () => void }>();
  readonly #restarts = new Set<{ connector: string; task: number | null; afterRun: number; done: Waiter }>();
  /** Config offset at which a connector's present task set was committed, if that was seen as a change. */
  readonly #taskSetOffsets = new Map<string, bigint>();
  #config: ClusterConfig;
  #shares = new Map<string, ConnectorShare>();
  /** Config offset of the last completed round; null: nothing may start. */
  #roundOffset: bigint | null = null;
  /** Offset of the last change that needs a round. */
  #rejoinOffset = -1n;
  #rejoin: { timer: NodeJS.Timeout; sinceMs: number } | null = null;
  #lastRun = 0;
  #ending = false;

  constructor(options: HerderOptions) {
    this.#options = options;
    this.#config = options.configStore.config();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { configStore } = this.#options;
    this.#config = configStore.config();
    const unsubscribe = configStore.onChange((change) =>
      this.#inbox.post({ kind: "configChanged", change, config: configStore.config() }),
    );
    signal.addEventListener("abort", () => this.#inbox.close(), { once: true });
    try {
      while (!signal.aborted) {
        for (const message of await this.#inbox.take()) this.#fold(message);
        this.#settle();
      }
    } finally {
      unsubscribe();
      if (this.#rejoin !== null) clearTimeout(this.#rejoin.timer);
    }
  }

  snapshot() {
    const { offset, connectors } = this.#options.configStore.config();
    const tasks = [...connectors].flatMap(([connector, entry]) =>
      (entry.tasks ?? []).map((_, task) => ({ connector, task })),
    );
    return { offset, connectors: [...connectors.keys()], tasks };
  }

  refreshConfig(signal: AbortSignal): Promise<void> {
    return this.#options.configStore.readToEnd(signal);
  }

  assigned(round: Assigned, signal: AbortSignal): Promise<void> {
    const config = this.#options.configStore.config();
    return this.#ask((done) => ({ kind: "assigned", round, config, done }), signal);
  }

  lost(reason: string, signal: AbortSignal): Promise<void> {
    return this.#ask((done) => ({ kind: "lost", reason, done }), signal);
  }

  renewLease(sentAtMs: number, leaseMs: number): void {
    this.#options.pool.renewLease(sentAtMs + leaseMs);
  }

  hear(notice: Extract<ExecutorNotice, { kind: "status" | "taskReconfiguration" | "activeTopic" }>): void {
    switch (notice.kind) {
      case "status":
        this.#inbox.post({ kind: "status", notice });
        return;
      case "taskReconfiguration":
        this.#inbox.post({ kind: "reconfigure", connector: notice.connector });
        return;
      case "activeTopic":
        this.#inbox.post(notice);
        return;
      default:
        throw new Error(`unreachable: ${notice satisfies never}`);
    }
  }

  executorLost(lost: ExecutorLost): void {
    this.#inbox.post({ kind: "executorLost", lost });
  }

  refused(connector: string, message: string): void {
    this.#inbox.post({ kind: "refused", connector, message });
  }

  owns(connector: string, task: number | null): boolean {
    const share = this.#shares.get(connector);
    return task === null ? share?.instance === true : share?.tasks.has(task) === true;
  }

  restart(connector: string, task: number | null): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#inbox.post({ kind: "restart", connector, task, done: { resolve, reject } }),
    );
  }

  stopAll(): Promise<void> {
    return new Promise((resolve, reject) => this.#inbox.post({ kind: "stopAll", done: { resolve, reject } }));
  }

  running(): readonly Readonly<Work>[] {
    return this.#table.all();
  }

  #ask(message: (done: Waiter) => Message, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#inbox.post(message({ resolve, reject }));
    });
  }

  #fold(message: Message): void {
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
        this.#foldStarted(message.work);
        return;
      case "startFailed":
        this.#foldStartFailed(message.work, message.error);
        return;
      case "stopped":
        this.#foldStopped(message);
        return;
      case "targetStateReached":
        this.#planTasks(message.connector);
        return;
      case "status":
        this.#foldStatus(message.notice);
        return;
      case "reconfigure":
        this.#planTasks(message.connector);
        return;
      case "refused":
        this.#refuse(message.connector, message.message);
        return;
      case "activeTopic":
        this.#recordTopic(message.connector, message.task, message.topic);
        return;
      case "executorLost":
        this.#foldExecutorLost(message.lost);
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
    if (this.#rejoinOffset > round.configOffset) this.#requestRejoin("configuration changed during the round");
    const { generation } = round.view;
    const counts = { connectors: round.assignment.connectors.length, tasks: round.assignment.tasks.length };
    log.info({ generation, ...counts, configOffset: round.configOffset }, "round completed");
    this.#settle();
    this.#whenStopped(
      this.#table.all().filter((work) => !this.owns(work.connector, work.task)),
      done,
    );
  }

  #giveUpAll(done: Waiter): void {
    for (const connector of [...this.#shares.keys(), ...this.#table.connectors()]) this.#dirty.add(connector);
    this.#shares = new Map();
    this.#roundOffset = null;
    this.#settle();
    this.#whenStopped(this.#table.all(), done);
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
        return;
      default:
        throw new Error(`unreachable: ${change satisfies never}`);
    }
    this.#dirty.add(change.connector);
  }

  #needRound(offset: bigint, reason: string): void {
    this.#rejoinOffset = offset;
    this.#requestRejoin(reason);
  }

  /** Many changes in a row become one rejoin: after a short silence, or after a while anyhow. */
  #requestRejoin(reason: string): void {
    const { now, member } = this.#options;
    const sinceMs = this.#rejoin?.sinceMs ?? now();
    if (this.#rejoin !== null) clearTimeout(this.#rejoin.timer);
    const delayMs = Math.max(0, Math.min(REJOIN_QUIET_MS, sinceMs + REJOIN_MAX_MS - now()));
    const timer = setTimeout(() => {
      this.#rejoin = null;
      member().requestRejoin(reason);
    }, delayMs);
    this.#rejoin = { timer, sinceMs };
  }

  #markStale(connector: string, task: number | null): void {
    const work = this.#table.find(connector, task);
    if (work !== null) work.stale = true;
    this.#crashes.forget(itemName(connector, task));
  }

  #foldStarted(work: Work): void {
    if (work.phase !== "starting") return;
    work.phase = "running";
    this.#startCounts(work).succeeded += 1;
    this.#endRestarts(work, null);
    this.#dirty.add(work.connector);
    if (work.task === null) this.#planTasks(work.connector);
  }

  #foldStartFailed(work: Work, error: unknown): void {
    // A dead executor is news of its own, with everything that ran in it.
    if (work.phase !== "starting" || (error instanceof ConnectError && error.code === "executor-gone")) return;
    work.phase = "failed";
    this.#startCounts(work).failed += 1;
    this.#options.log.error({ connector: work.connector, task: work.task, error }, "start failed");
    this.#options.statuses.report(work, { state: "FAILED", trace: traceOf(error) });
    this.#endRestarts(work, error);
  }

  #startCounts(work: Work): StartCounts {
    return work.task === null ? this.#options.starts.connectors : this.#options.starts.tasks;
  }

  #foldStopped(message: Extract<Message, { kind: "stopped" }>): void {
    const { work } = message;
    this.#table.remove(work);
    this.#dirty.add(work.connector);
    const name = itemName(work.connector, work.task);
    if (message.end === "killed") this.#predecessors.died(name);
    else this.#predecessors.stopped(name);
    for (const waiter of [...this.#stopWaiters]) {
      waiter.works.delete(work);
      if (waiter.works.size > 0) continue;
      this.#stopWaiters.delete(waiter);
      waiter.done();
    }
    const again = message.again && this.owns(work.connector, work.task) && this.#isConfigured(work);
    if (!again) this.#giveUpRestarts(work);
    if (again || message.wasFailed || !this.#isConfigured(work)) return;
    this.#options.statuses.report(work, { state: "UNASSIGNED" });
  }

  /** False for what was deleted: its status is gone, or will be by the leader's tombstone. */
  #isConfigured(work: Work): boolean {
    const entry = this.#config.connectors.get(work.connector);
    if (entry === undefined) return false;
    return work.task === null ? entry.targetState !== "STOPPED" : entry.tasks?.[work.task] !== undefined;
  }

  #foldStatus(notice: StatusNotice): void {
    const work = this.#table.find(notice.connector, notice.task);
    if (work === null || work.phase === "stopping" || work.phase === "waiting") return;
    if (notice.state !== "FAILED" && notice.state !== "RUNNING" && notice.state !== "PAUSED") return;
    this.#options.statuses.report(work, notice);
    if (notice.state !== "FAILED") return;
    work.phase = "failed";
    if (work.task === null) this.#options.planner.cancel(work.connector);
    const { connector, task, trace } = notice;
    this.#options.log.error({ connector, task, trace }, "failed");
  }

  #planTasks(connector: string): void {
    const work = this.#table.find(connector, null);
    const startable = this.#config.connectors.get(connector)?.targetState === "STARTED";
    if (work?.phase === "running" && !work.stale && startable) this.#options.planner.plan(connector);
  }

  #refuse(connector: string, message: string): void {
    const work = this.#table.find(connector, null);
    if (work?.phase !== "running") return;
    work.phase = "failed";
    this.#options.log.error({ connector }, "connector planned more tasks than it may");
    this.#options.statuses.report(work, { state: "FAILED", trace: message });
  }

  #recordTopic(connector: string, task: number, topic: string): void {
    const { statusStore, topicTracking } = this.#options;
    if (!topicTracking || statusStore.topics(connector).includes(topic)) return;
    statusStore.putTopic(connector, topic, task);
  }

  #foldExecutorLost(lost: ExecutorLost): void {
    const items = [
      ...lost.connectors.map((connector) => ({ connector, task: null })),
      ...lost.tasks.map(({ connector, task }) => ({ connector, task })),
    ];
    for (const { connector, task } of items) {
      const work = this.#table.find(connector, task);
      if (work?.phase === "starting" || work?.phase === "running") this.#foldCrash(work, lost);
    }
  }

  #foldCrash(work: Work, lost: ExecutorLost): void {
    const { now, statuses } = this.#options;
    if (work.task === null) this.#options.planner.cancel(work.connector);
    else this.#predecessors.died(itemName(work.connector, work.task));
    const after = this.#crashes.record(itemName(work.connector, work.task), { atMs: now(), alone: lost.alone });
    if (after.kind === "giveUp") {
      work.phase = "failed";
      const trace = `Its executor died ${after.crashes} times in a row, the last time: ${lost.reason}`;
      statuses.report(work, { state: "FAILED", trace });
      this.#endRestarts(work, new ConnectError("executor-gone", trace));
      return;
    }
    work.phase = "waiting";
    work.notBeforeMs = now() + after.delayMs;
    statuses.report(work, { state: "RESTARTING", trace: `Its executor died and it is started again: ${lost.reason}` });
    this.#dirty.add(work.connector);
    if (after.delayMs > 0) {
      setTimeout(() => this.#inbox.post({ kind: "due", connector: work.connector }), after.delayMs).unref();
    }
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
    this.#restarts.add({ connector, task, afterRun: work.run, done });
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

  #endRestarts(work: Work, error: unknown): void {
    for (const restart of [...this.#restarts]) {
      if (restart.connector !== work.connector || restart.task !== work.task || restart.afterRun >= work.run) continue;
      this.#restarts.delete(restart);
      if (error === null) restart.done.resolve();
      else restart.done.reject(error);
    }
  }

  #giveUpRestarts(work: Work): void {
    for (const restart of [...this.#restarts]) {
      if (restart.connector !== work.connector || restart.task !== work.task) continue;
      this.#restarts.delete(restart);
      restart.done.reject(new ConnectError("rebalance", "It was stopped instead: the work has moved or was deleted"));
    }
  }

  /** Brings every connector that something happened to in line with what is wanted. */
  #settle(): void {
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
        this.#start(connector, action.task, action.plan);
        return;
      case "stop":
        this.#stop(action.work, action.again);
        return;
      case "setTargetState":
        this.#setTargetState(connector, action.targetState);
        return;
      case "reportStopped":
        this.#table.of(connector).stoppedReported = true;
        this.#options.statuses.report({ connector, task: null }, { state: "STOPPED" });
        return;
      default:
        throw new Error(`unreachable: ${action satisfies never}`);
    }
  }

  #start(connector: string, task: number | null, plan: StartPlan): void {
    const { targetState, taskGeneration, connectorConfig } = plan;
    this.#lastRun += 1;
    const work: Work = {
      connector,
      task,
      run: this.#lastRun,
      phase: "starting",
      taskGeneration,
      targetState,
      stale: false,
      notBeforeMs: 0,
      abort: new AbortController(),
    };
    this.#table.put(work);
    const { pool } = this.#options;
    const { signal } = work.abort;
    const started =
      task === null
        ? pool.startConnector({ connector, config: connectorConfig, targetState }, signal)
        : pool.startTask(
            {
              key: { connector, task },
              connectorConfig,
              taskConfig: plan.taskConfig ?? {},
              targetState,
              evictPredecessor: this.#isPredecessorDead(connector, task),
            },
            signal,
          );
    started.then(
      () => this.#inbox.post({ kind: "started", work }),
      (error: unknown) => this.#inbox.post({ kind: "startFailed", work, error }),
    );
  }

  #isPredecessorDead(connector: string, task: number): boolean {
    const { statusStore, workerId, workers } = this.#options;
    const status = statusStore.task({ connector, task });
    return this.#predecessors.isDead(itemName(connector, task), { status, workerId, workers: workers() });
  }

  #stop(work: Work, again: boolean): void {
    const { pool, planner, gracefulTimeoutMs } = this.#options;
    const { connector, task } = work;
    const wasFailed = work.phase === "failed";
    if (work.phase === "starting" && task === null) work.abort.abort();
    work.phase = "stopping";
    if (task === null) planner.cancel(connector);
    const stopped =
      task === null
        ? pool.stopConnector(connector, gracefulTimeoutMs)
        : pool.stopTask({ connector, task }, gracefulTimeoutMs);
    void stopped.then((end) => {
      work.abort.abort();
      this.#inbox.post({ kind: "stopped", work, end, wasFailed, again });
    });
  }

  #setTargetState(connector: string, targetState: TargetState): void {
    const { pool, log } = this.#options;
    const parts = this.#table.of(connector);
    for (const part of [parts.instance, ...parts.tasks.values()]) if (part !== null) part.targetState = targetState;
    pool.setTargetState(connector, targetState, AbortSignal.timeout(TARGET_STATE_TIMEOUT_MS)).then(
      () => this.#inbox.post({ kind: "targetStateReached", connector }),
      (error: unknown) => log.warn({ connector, targetState, error }, "setting the target state failed"),
    );
  }

  #whenStopped(works: readonly Work[], done: Waiter): void {
    const { statusStore, log } = this.#options;
    if (works.length === 0) {
      done.resolve();
      return;
    }
    const finish = () => {
      statusStore
        .flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS))
        .catch((error: unknown) => log.warn({ error }, "statuses of stopped work are late"))
        .finally(done.resolve);
    };
    this.#stopWaiters.add({ works: new Set(works), done: finish });
  }
}

function itemName(connector: string, task: number | null): string {
  return task === null ? connector : `${connector}-${task}`;
}

function traceOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
