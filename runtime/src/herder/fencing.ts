import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Logger } from "../log.ts";
import type { ConfigStore } from "../store/stores.ts";
import type { Catalog } from "./catalog.ts";
import { type FencingPlan, planFencing } from "./fencing-plan.ts";
import type { LeaderSteps, Outcome } from "./leader-steps.ts";
import type { RequestScope } from "./request-scope.ts";

/** Fencing of a source connector's former tasks, so that its new ones start from a settled state (KIP-618, contract §7.2). */
export interface Fencing {
  /** The leader's work. Requests that come while a round is running for the same task set share it. */
  fence(connector: string, scope: RequestScope): Promise<Outcome<null>>;
  /** The same as a part of a step that has this connector's lane already. */
  fenceInStep(connector: string, scope: RequestScope): Promise<void>;
}

export interface FencingOptions {
  readonly configStore: Pick<ConfigStore, "config" | "fencing" | "readToEnd" | "putTaskCount">;
  readonly pool: Pick<ExecutorPool, "fenceProducers">;
  readonly catalog: () => Pick<Catalog, "connectorType">;
  readonly steps: Pick<LeaderSteps, "group" | "asLeader">;
  /** For a round, which may outlive the request that began it. */
  readonly openScope: () => RequestScope;
  readonly log: Logger;
}

interface Round {
  readonly taskGeneration: number;
  readonly ended: Promise<void>;
}

/** Time for all producers of one connector. */
const FENCE_MS = 90_000;

/** Creates the fencing of one worker. */
export function createFencing(options: FencingOptions): Fencing {
  const { configStore, pool, steps, openScope, log } = options;
  const rounds = new Map<string, Round>();

  const find = (connector: string) => {
    const entry = configStore.config().connectors.get(connector);
    if (entry === undefined) throw new ConnectError("not-found", `Connector ${connector} not found`);
    if (options.catalog().connectorType(entry.config["connector.class"]) === "sink") {
      throw new ConnectError("bad-request", `Tasks of the sink connector ${connector} cannot be fenced`);
    }
    return entry;
  };

  const plan = (connector: string): FencingPlan => {
    const { tasks } = find(connector);
    return planFencing({ ...configStore.fencing(connector), tasks: tasks?.length ?? 0 });
  };

  async function fenceProducers(connector: string, tasks: number, signal: AbortSignal): Promise<void> {
    if (tasks === 0) return;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(FENCE_MS)]);
    await pool.fenceProducers({ connector, config: find(connector).config, tasks }, limited);
    log.info({ connector, tasks }, "producers of former tasks fenced");
  }

  /** The end of a round. Rejects if a newer task set was committed since the producers were fenced: they may be its predecessors. */
  async function record(connector: string, taskGeneration: number, signal: AbortSignal): Promise<void> {
    await configStore.readToEnd(signal);
    const entry = find(connector);
    if (entry.taskGeneration !== taskGeneration) {
      throw new ConnectError(
        "conflict",
        `Fencing of connector ${connector} is of no use any more: new task configurations were committed meanwhile. Ask again`,
      );
    }
    if (plan(connector).kind === "done") return;
    await configStore.putTaskCount(connector, entry.tasks?.length ?? 0, signal);
  }

  async function run(connector: string, taskGeneration: number, tasks: number): Promise<void> {
    const scope = openScope();
    await scope.run(async () => {
      scope.enter(`fencing former tasks of connector ${connector}`);
      await fenceProducers(connector, tasks, scope.signal);
      const outcome = await steps.asLeader(connector, scope, () => record(connector, taskGeneration, scope.signal));
      if (outcome.kind === "forward") throw new ConnectError("conflict", "The group has got another leader");
    });
  }

  function begin(connector: string, taskGeneration: number, tasks: number): Round {
    const ended = run(connector, taskGeneration, tasks).finally(() => {
      if (rounds.get(connector) === round) rounds.delete(connector);
    });
    ended.catch(() => {}); // Everybody who shares the round is told.
    const round: Round = { taskGeneration, ended };
    rounds.set(connector, round);
    return round;
  }

  return {
    async fence(connector, scope) {
      const view = await steps.group(scope);
      if (!view.isLeader) return { kind: "forward", url: view.leaderUrl };
      scope.enter(`fencing former tasks of connector ${connector}`);
      await configStore.readToEnd(scope.signal);
      const { taskGeneration } = find(connector);
      const wanted = plan(connector);
      if (wanted.kind === "done") return { kind: "done", value: null };
      const running = rounds.get(connector);
      const round =
        running?.taskGeneration === taskGeneration ? running : begin(connector, taskGeneration, wanted.producers);
      await unlessExpired(round.ended, scope.signal);
      return { kind: "done", value: null };
    },
    async fenceInStep(connector, scope) {
      await configStore.readToEnd(scope.signal);
      const { taskGeneration } = find(connector);
      const wanted = plan(connector);
      if (wanted.kind === "done") return;
      await fenceProducers(connector, wanted.producers, scope.signal);
      await record(connector, taskGeneration, scope.signal);
    },
  };
}

function unlessExpired(ended: Promise<void>, signal: AbortSignal): Promise<void> {
  const expired = Promise.withResolvers<never>();
  const expire = () => expired.reject(signal.reason);
  if (signal.aborted) expire();
  else signal.addEventListener("abort", expire, { once: true });
  return Promise.race([ended, expired.promise]).finally(() => signal.removeEventListener("abort", expire));
}
