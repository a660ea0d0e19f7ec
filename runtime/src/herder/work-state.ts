import type { StringMap } from "@headrace/contract";
import type { Assigned } from "../group/group.ts";
import type { ClusterConfig, ConfigChange, StatusWord } from "../store/stores.ts";
import { type ActiveTopics, createActiveTopics } from "./active-topics.ts";
import { createCrashHistory } from "./crash-history.ts";
import type { HerderOptions } from "./herder-options.ts";
import { LastRound } from "./last-round.ts";
import type { Message, Waiter } from "./messages.ts";
import { createPredecessors } from "./predecessors.ts";
import { type ReconcileInput, reconcileWork, type WorkAction } from "./reconcile-work.ts";
import { createReconfigured, type Reconfigured } from "./reconfigured.ts";
import { RestartRequests } from "./restart-requests.ts";
import { createRestarts } from "./restarts.ts";
import type { Report } from "./status-writer.ts";
import { createStopWaiters } from "./stop-waiters.ts";
import { itemKey, type Phase, type Work } from "./work.ts";
import { WorkOutcomes } from "./work-outcomes.ts";
import { createWorkRunner, type WorkRunner } from "./work-runner.ts";
import { createWorkTable } from "./work-table.ts";

const FLUSH_TIMEOUT_MS = 1_000;
const STOPPED: Report = { state: "STOPPED" };
/** Phases that last until something happens. */
const STEADY: ReadonlySet<Phase> = new Set(["running", "failed", "waiting"] as const);

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
  readonly #round: LastRound;
  readonly #requests: RestartRequests;
  readonly #topics: ActiveTopics;
  readonly #outcomes: WorkOutcomes;
  readonly #reconfigured: Reconfigured;
  readonly #table = createWorkTable();
  readonly #crashes = createCrashHistory();
  readonly #predecessors = createPredecessors();
  readonly #restarts = createRestarts();
  readonly #stops = createStopWaiters();
  readonly #dirty = new Set<string>();
  #config: ClusterConfig;
  #ending = false;

  constructor(options: HerderOptions, post: (message: Message) => void) {
    const { pool, configStore, statusStore, workerId, member, now, gracefulTimeoutMs, log } = options;
    this.#options = options;
    this.#config = configStore.config();
    this.#round = new LastRound({ rejoin: (reason) => member().requestRejoin(reason), now });
    this.#requests = new RestartRequests({
      ...options,
      table: this.#table,
      restarts: this.#restarts,
      isOurs: (connector, task) => this.owns(connector, task),
      markStale: (connector, task) => this.#markStale(connector, task),
    });
    const isPredecessorDead = (connector: string, task: number) => {
      const status = statusStore.task({ connector, task });
      return this.#predecessors.isDead(itemKey({ connector, task }), { status, workerId });
    };
    this.#topics = createActiveTopics({
      ...options,
      isConfigured: (connector) => this.#config.connectors.has(connector),
    });
    this.#runner = createWorkRunner({ pool, isPredecessorDead, post, gracefulTimeoutMs, log });
    this.#reconfigured = createReconfigured({
      ...options,
      table: this.#table,
      restarts: this.#restarts,
      stops: this.#stops,
    });
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
    this.#round.end();
  }

  owns(connector: string, task: number | null): boolean {
    return this.#round.owns(connector, task);
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
      case "activeTopic":
        this.#topics.used(message);
        return;
      case "executorLost":
        this.#outcomes.executorLost(message.lost);
        return;
      case "restart":
        this.#requests.one(message.connector, message.task, message.done);
        return;
      case "pluginsFound":
        this.#startFailedUsersOf(message.isUsedBy);
        return;
      case "foreignWord":
        this.#answer(message.word);
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
    this.#touchAll();
    if (this.#ending) this.#round.giveUp();
    else this.#round.complete(round);
    this.#touchAll();
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
    this.#touchAll();
    this.#round.giveUp();
    this.settle();
    this.#whenGone(this.#table.all(), done);
  }

  #touchAll(): void {
    for (const connector of [...this.#round.connectors(), ...this.#table.connectors()]) this.#dirty.add(connector);
  }

  #foldChange(change: ConfigChange, config: ClusterConfig): void {
    const before = this.#config;
    this.#config = config;
    switch (change.kind) {
      case "connectorUpdated": {
        if (!before.connectors.has(change.connector))
          this.#round.need(config.offset, `new connector ${change.connector}`);
        this.#markStale(change.connector, null);
        this.#reconfigured.connector(change.connector);
        return;
      }
      case "connectorRemoved":
        this.#round.forget(change.connector);
        this.#crashes.forgetConnector(change.connector);
        this.#predecessors.forgetConnector(change.connector);
        this.#round.need(config.offset, `connector ${change.connector} deleted`);
        break;
      case "tasksCommitted": {
        this.#round.taskSetCommitted(change.connector, config.offset);
        const tasks = (entry: ClusterConfig) => entry.connectors.get(change.connector)?.tasks?.length ?? 0;
        if (tasks(before) + tasks(config) > 0) this.#round.need(config.offset, `tasks of ${change.connector} changed`);
        break;
      }
      case "restartRequested":
        this.#requests.requested(change.connector, change);
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

  #markStale(connector: string, task: number | null): void {
    const work = this.#table.find(connector, task);
    if (work !== null) work.stale = true;
    this.#crashes.forget(itemKey({ connector, task }));
    this.#dirty.add(connector);
  }

  /** What is true of an item that is here is said again after a word of another worker. What is about to change is told by that change. */
  #answer({ connector, task, entry }: StatusWord): void {
    if (!this.owns(connector, task)) return;
    const work = this.#table.find(connector, task);
    const isSteady = work !== null && !work.stale && STEADY.has(work.phase);
    const report = isSteady ? work.told : task === null ? this.#stopped(connector) : null;
    if (report !== null) this.#options.statuses.answer({ connector, task }, entry, report);
  }

  #stopped(connector: string): Report | null {
    const parts = this.#table.peek(connector);
    return parts?.instance === null && parts.stoppedReported ? STOPPED : null;
  }

  /** They may have failed for want of just this plugin, and nobody else would start them. */
  #startFailedUsersOf(isUsedBy: (connectorConfig: StringMap) => boolean): void {
    for (const work of this.#table.all()) {
      const entry = this.#config.connectors.get(work.connector);
      if (work.phase !== "failed" || entry === undefined || !isUsedBy(entry.config)) continue;
      const { connector, task } = work;
      this.#options.log.info({ connector, task }, "its plugin can be used now, starting what had failed");
      this.#options.statuses.report(work, { state: "RESTARTING" });
      this.#markStale(connector, task);
    }
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

  /** Brings every connector that something happened to in line with what is wanted. */
  settle(): void {
    this.#requests.carryOut();
    for (const connector of this.#dirty) {
      const entry = this.#config.connectors.get(connector) ?? null;
      const share = this.#round.share(connector);
      const work = this.#table.of(connector);
      if (entry?.targetState !== "STOPPED" || share?.instance !== true) work.stoppedReported = false;
      const released = this.#round.released(connector, this.#config.offset);
      const input = { entry, share, work, released, nowMs: this.#options.now() };
      for (const action of reconcileWork(input)) {
        this.#act(connector, action);
        if (action.kind === "stop" && isReconfigured(action.work, input)) this.#reconfigured.stopping(action.work);
      }
      // It had stopped to be started again, and before it was, nobody wanted it any more.
      this.#restarts.prune(connector, (task) => this.#table.find(connector, task) !== null);
      if (share === null) this.#table.prune(connector);
    }
    this.#dirty.clear();
    this.#reconfigured.tell();
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
        this.#options.statuses.report({ connector, task: null }, STOPPED);
        return;
      default:
        throw new Error(`unreachable: ${action satisfies never}`);
    }
  }

  /** Statuses of what has stopped are written before anybody else may start it. */
  #whenGone(works: readonly Work[], done: Waiter): void {
    const { statusStore, stages, log } = this.#options;
    this.#stops.whenStopped(works, () => {
      if (works.length === 0) {
        done.resolve();
        return;
      }
      stages
        .during("flushing updates to the status topic", () => statusStore.flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS)))
        .catch((error: unknown) => log.warn({ error }, "statuses of stopped work are late"))
        .finally(done.resolve);
    });
  }
}

/** True of a task that stays with this worker, of a set that has been replaced. */
function isReconfigured({ task, taskGeneration }: Work, { entry, share }: ReconcileInput): boolean {
  return task !== null && share?.tasks.has(task) === true && entry !== null && taskGeneration !== entry.taskGeneration;
}
