import type { StringMap } from "@headrace/contract";
import type { ExecutorNotice } from "../executor/channel.ts";
import type { ExecutorLost } from "../executor/pool.ts";
import type { Assigned, GroupHost } from "../group/group.ts";
import type { HerderOptions } from "./herder-options.ts";
import { createInbox } from "./inbox.ts";
import type { Message, Waiter } from "./messages.ts";
import type { Work } from "./work.ts";
import { WorkState } from "./work-state.ts";

/** Decides what runs on this worker, and sees to it. */
export interface Herder extends GroupHost {
  /** Works until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** News of the executors. */
  hear(notice: Extract<ExecutorNotice, { kind: "status" | "taskReconfiguration" | "activeTopic" }>): void;
  executorLost(lost: ExecutorLost): void;
  /** Plugins can be used that could not before; what has failed of connectors that use one of them is started again. */
  pluginsFound(isUsedBy: (connectorConfig: StringMap) => boolean): void;
  /** True if the last round gave the connector instance (null) or task to this worker. */
  owns(connector: string, task: number | null): boolean;
  /** Stops and starts an item; resolves when it was started, rejects when that failed. */
  restart(connector: string, task: number | null): Promise<void>;
  /** Stops everything, for good; resolves when nothing runs any more. */
  stopAll(): Promise<void>;
  /** How much is in this worker's hands, by phase. */
  running(): readonly Readonly<Work>[];
}

/** Creates a herder; it does nothing before `run`. */
export function createHerder(options: HerderOptions): Herder {
  return new EventLoopHerder(options);
}

/**
 * One inbox, one loop, one writer. Whatever takes time runs beside the loop and comes back as a message.
 *
 * Guarantees: `assigned` and `lost` resolve only after what was taken away has stopped or its process is dead (invariant 3).
 */
class EventLoopHerder implements Herder {
  readonly #options: HerderOptions;
  readonly #inbox = createInbox<Message>();
  readonly #state: WorkState;

  constructor(options: HerderOptions) {
    this.#options = options;
    this.#state = new WorkState(options, (message) => this.#inbox.post(message));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { configStore, statusStore, workerId } = this.#options;
    this.#state.begin(configStore.config());
    const subscriptions = [
      configStore.onChange((change) =>
        this.#inbox.post({ kind: "configChanged", change, config: configStore.config() }),
      ),
      statusStore.onWord((word) => {
        if (word.entry.workerId !== workerId) this.#inbox.post({ kind: "foreignWord", word });
      }),
    ];
    signal.addEventListener("abort", () => this.#inbox.close(), { once: true });
    try {
      while (!signal.aborted) {
        for (const message of await this.#inbox.take()) this.#state.fold(message);
        this.#state.settle();
      }
    } finally {
      for (const unsubscribe of subscriptions) unsubscribe();
      this.#state.end();
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

  pluginsFound(isUsedBy: (connectorConfig: StringMap) => boolean): void {
    this.#inbox.post({ kind: "pluginsFound", isUsedBy });
  }

  owns(connector: string, task: number | null): boolean {
    return this.#state.owns(connector, task);
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
    return this.#state.all();
  }

  #ask(message: (done: Waiter) => Message, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#inbox.post(message({ resolve, reject }));
    return promise.finally(() => signal.removeEventListener("abort", giveUp));
  }
}
