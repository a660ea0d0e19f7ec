import { ConnectError } from "../errors.ts";
import type { RestartScope, StatusStore } from "../store/stores.ts";
import type { Waiter } from "./messages.ts";
import { type PresentStates, planRestart, stronger } from "./restart-plan.ts";
import type { Restarts } from "./restarts.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { Work } from "./work.ts";
import type { WorkTable } from "./work-table.ts";

export interface RestartRequestsOptions {
  readonly table: WorkTable;
  readonly restarts: Restarts;
  readonly statuses: StatusWriter;
  readonly statusStore: Pick<StatusStore, "connector" | "tasks">;
  readonly isOurs: (connector: string, task: number | null) => boolean;
  /** The item has to be stopped and started anew. */
  readonly markStale: (connector: string, task: number | null) => void;
}

/** Requests to restart what runs here: one item, or by a record of the config topic several (KIP-745). */
export class RestartRequests {
  readonly #options: RestartRequestsOptions;
  /** Records that were read and not carried out yet, one per connector. */
  readonly #pending = new Map<string, RestartScope>();

  constructor(options: RestartRequestsOptions) {
    this.#options = options;
  }

  /** Restarts one item; `done` is settled by its next start. */
  one(connector: string, task: number | null, done: Waiter): void {
    const { table, restarts, isOurs, markStale } = this.#options;
    const work = table.find(connector, task);
    if (!isOurs(connector, task)) {
      done.reject(new ConnectError("rebalance", "The work has just moved to another worker"));
      return;
    }
    markStale(connector, task);
    // Not here yet, or wanted stopped: it starts when its time has come.
    if (work === null || work.phase === "stopping") done.resolve();
    else restarts.awaitNext(work, done);
  }

  /** A request was read; of several for one connector the strongest counts. */
  requested(connector: string, scope: RestartScope): void {
    const pending = this.#pending.get(connector);
    this.#pending.set(connector, pending === undefined ? scope : stronger(pending, scope));
  }

  /** Marks what the requests are for, as far as it is here and as its statuses stand now. */
  carryOut(): void {
    for (const [connector, scope] of this.#pending) {
      for (const work of this.#chosen(connector, scope)) {
        this.#options.statuses.report(work, { state: "RESTARTING" });
        this.#options.markStale(work.connector, work.task);
      }
    }
    this.#pending.clear();
  }

  #chosen(connector: string, scope: RestartScope): readonly Work[] {
    const parts = this.#options.table.peek(connector);
    const states = this.#states(connector);
    if (parts === undefined || states === null) return [];
    const plan = planRestart(states, scope);
    // What has failed here has failed, whether its status was read back already or not.
    const failed = (work: Work, included: boolean) => included && work.phase === "failed";
    const instance = parts.instance;
    return [
      ...(instance !== null && (plan.instance || failed(instance, true)) ? [instance] : []),
      ...[...parts.tasks].flatMap(([task, work]) =>
        plan.tasks.has(task) || failed(work, scope.includeTasks) ? [work] : [],
      ),
    ].filter((work) => work.phase !== "stopping");
  }

  #states(connector: string): PresentStates | null {
    const { statusStore } = this.#options;
    const own = statusStore.connector(connector);
    if (own === null) return null;
    return { connector: own, tasks: [...statusStore.tasks(connector)].map(([id, { state }]) => ({ id, state })) };
  }
}
