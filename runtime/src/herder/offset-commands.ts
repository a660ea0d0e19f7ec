import {
  type ConnectorOffsets,
  hasPlaceholder,
  type OffsetsMessage,
  type SinkLag,
  type StringMap,
} from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import type { ExecutorPool } from "../executor/pool.ts";
import type { NewSourceOffset, SourceOffsets } from "../store/source-offsets.ts";
import type { ConfigStore, ConnectorEntry } from "../store/stores.ts";
import type { Catalog } from "./catalog.ts";
import type { LeaderSteps, Outcome } from "./leader-steps.ts";
import type { RequestScope } from "./request-scope.ts";
import { type RequestedOffset, readSinkOffset, toConnectorOffset, toSinkLag } from "./sink-offsets.ts";
import { readSourceOffset } from "./source-offsets.ts";

/** Offsets of connectors over REST (KIP-875, contract §5.5). */
export interface OffsetCommands {
  /** Any worker, whatever the connector's state. */
  offsets(name: string, scope: RequestScope): Promise<ConnectorOffsets>;
  /** How far a sink is behind; any worker, whatever its state. */
  lag(name: string, scope: RequestScope): Promise<SinkLag>;
  /** The leader, of a stopped connector. */
  alterOffsets(
    name: string,
    offsets: readonly RequestedOffset[],
    scope: RequestScope,
  ): Promise<Outcome<OffsetsMessage>>;
  /** As {@link alterOffsets}, with everything that is known forgotten. */
  resetOffsets(name: string, scope: RequestScope): Promise<Outcome<OffsetsMessage>>;
}

export interface OffsetCommandsOptions {
  readonly configStore: Pick<ConfigStore, "config" | "readToEnd">;
  readonly sourceOffsets: SourceOffsets;
  readonly pool: Pick<
    ExecutorPool,
    "connectorType" | "alterSourceOffsets" | "sinkOffsets" | "sinkProgress" | "alterSinkOffsets"
  >;
  readonly catalog: () => Pick<Catalog, "connectorType">;
  readonly steps: Pick<LeaderSteps, "asLeader" | "hasTasks" | "tasksStopped">;
  /** Fences tasks of a source connector that may still be writing; needed where offsets are written in transactions. */
  readonly fence: (connector: string, scope: RequestScope) => Promise<void>;
}

/** Creates the commands. */
export function createOffsetCommands(options: OffsetCommandsOptions): OffsetCommands {
  const { configStore, sourceOffsets, pool, steps, fence } = options;

  const find = async (
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly entry: ConnectorEntry; readonly type: "source" | "sink" }> => {
    const entry = configStore.config().connectors.get(name);
    if (entry === undefined) throw new ConnectError("not-found", `Connector ${name} not found`);
    const plugin = entry.config["connector.class"];
    const type = hasPlaceholder(plugin ?? "")
      ? await pool.connectorType(entry.config, signal)
      : options.catalog().connectorType(plugin);
    if (type !== "unknown") return { entry, type };
    throw new ConnectError("internal", `The class ${plugin} of connector ${name} is no plugin of this worker`);
  };

  /** null: everything that is known is forgotten. Resolves with what the connector said. */
  const changeSource = async (
    owner: { readonly connector: string; readonly config: StringMap },
    wanted: readonly NewSourceOffset[] | null,
    scope: RequestScope,
  ): Promise<boolean> => {
    await fence(owner.connector, scope);
    const known = wanted === null ? await sourceOffsets.list(owner, scope.signal) : [];
    const offsets = wanted ?? known.map(({ partition }) => ({ partition, offset: null }));
    const settled = await pool.alterSourceOffsets({ ...owner, offsets }, scope.signal).catch(asInternal);
    await sourceOffsets.write(owner, offsets, scope.signal);
    return settled;
  };

  /** The connector, if its offsets may be modified. */
  const requireStopped = async (name: string, scope: RequestScope) => {
    // Any worker resumes a connector, so the leader may not know it yet.
    scope.enter("reading to the end of the config topic");
    await configStore.readToEnd(scope.signal);
    const found = await find(name, scope.signal);
    if (!isStopped(found.entry)) throw notStopped(name);
    return found;
  };

  const modify = async (
    name: string,
    { entry, type }: Awaited<ReturnType<typeof find>>,
    wanted: readonly RequestedOffset[] | null,
    scope: RequestScope,
  ): Promise<OffsetsMessage> => {
    scope.enter(`modifying offsets for connector ${name}`);
    const owner = { connector: name, config: entry.config };
    const settled =
      type === "source"
        ? await changeSource(owner, wanted?.map(readSourceOffset) ?? null, scope)
        : await pool
            .alterSinkOffsets({ ...owner, offsets: wanted?.map(readSinkOffset) ?? null }, scope.signal)
            .catch((error: unknown) => explain(name, wanted === null ? "reset" : "alter", error));
    return { message: messageOf(settled, wanted === null ? "reset" : "altered") };
  };

  const change = async (
    name: string,
    wanted: readonly RequestedOffset[] | null,
    scope: RequestScope,
  ): Promise<Outcome<OffsetsMessage>> => {
    for (;;) {
      const outcome = await steps.asLeader(name, scope, async () => {
        const found = await requireStopped(name, scope);
        return steps.hasTasks(name) ? null : await modify(name, found, wanted, scope);
      });
      if (outcome.kind === "forward") return outcome;
      if (outcome.value !== null) return { kind: "done", value: outcome.value };
      // Its tasks are still on their way out: the last commit of one must not undo what is written here.
      await steps.tasksStopped(name, scope);
    }
  };

  return {
    async offsets(name, scope) {
      const { entry, type } = await find(name, scope.signal);
      scope.enter(`reading the offsets of connector ${name}`);
      const owner = { connector: name, config: entry.config };
      if (type === "source") return { offsets: [...(await sourceOffsets.list(owner, scope.signal))] };
      return { offsets: (await pool.sinkOffsets(owner, scope.signal)).map(toConnectorOffset) };
    },
    async lag(name, scope) {
      const { entry, type } = await find(name, scope.signal);
      if (type === "source") throw new ConnectError("bad-request", `Connector ${name} is no sink`);
      scope.enter(`reading the lag of connector ${name}`);
      return toSinkLag(await pool.sinkProgress({ connector: name, config: entry.config }, scope.signal));
    },
    alterOffsets: (name, offsets, scope) => change(name, offsets, scope),
    resetOffsets: (name, scope) => change(name, null, scope),
  };
}

function isStopped({ targetState, tasks, inconsistent }: ConnectorEntry): boolean {
  return targetState === "STOPPED" && (tasks?.length ?? 0) === 0 && !inconsistent;
}

function notStopped(name: string): ConnectError {
  return new ConnectError(
    "bad-request",
    "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified " +
      `connector by issuing a 'PUT' request to the '/connectors/${name}/stop' endpoint`,
  );
}

function messageOf(settled: boolean, done: "altered" | "reset"): string {
  if (settled) return `The offsets for this connector have been ${done} successfully`;
  return (
    `The Connect framework-managed offsets for this connector have been ${done} successfully. However, if this connector manages ` +
    `offsets externally, they will need to be manually ${done} in the system that the connector uses.`
  );
}

/** What a connector's own code refuses is a 500, as Java has it, whatever code it carries. */
function asInternal(error: unknown): never {
  if (!(error instanceof ConnectError) || error.code === "timeout") throw error;
  throw new ConnectError("internal", error.message, { cause: error });
}

function explain(name: string, verb: "alter" | "reset", error: unknown): never {
  const offsets = verb === "alter" ? "alter consumer group offsets" : "reset consumer group offsets";
  if (error instanceof ConnectError && error.code === "conflict") {
    throw new ConnectError(
      "internal",
      `Failed to ${offsets} for connector ${name}: ${error.message}. Its tasks have not stopped yet: repeat the request. If that ` +
        "does not help, zombie sink tasks are still in the group: restart the workers that they run on.",
      { cause: error },
    );
  }
  if (error instanceof ConnectError && (error.code === "kafka" || error.code === "not-found")) {
    throw new ConnectError("internal", `Failed to ${offsets} for connector ${name}: ${error.message}`, {
      cause: error,
    });
  }
  return asInternal(error);
}
