import type { StringMap, TargetState } from "@headrace/contract";
import { ConfigError, type ConnectorInstance, type Logger } from "@headrace/sdk";
import { restorePlaceholders } from "../config-providers/placeholders.ts";
import type { ConfigResolver } from "../config-providers/resolver.ts";
import { ConnectError } from "../errors.ts";
import { parseConfig } from "../plugins/config-def.ts";
import { SINK_KEYS, SOURCE_KEYS } from "../plugins/connector-keys.ts";
import type { ConnectorDefinition, PluginRegistry } from "../plugins/registry.ts";
import { maxTasks, tooManyTasks } from "../task-limit.ts";
import { createTransitions } from "./transitions.ts";

export type ConnectorState = "RUNNING" | "PAUSED" | "STOPPED" | "FAILED" | "UNASSIGNED";

export interface ConnectorOptions {
  readonly connector: string;
  /** Raw: with placeholders. */
  readonly config: StringMap;
  readonly plugins: PluginRegistry;
  readonly resolver: Pick<ConfigResolver, "resolve">;
  readonly log: Logger;
  readonly report: (state: ConnectorState, error: unknown, version: string | null) => void;
  readonly requestTaskReconfiguration: () => void;
}

/** A connector's instance in this executor (contract §7.0): planned and watched here, its tasks may run anywhere. */
export interface RunningConnector {
  setTargetState(target: TargetState, signal: AbortSignal): Promise<void>;
  /** The tasks' configurations, as they may be stored. */
  taskConfigs(signal: AbortSignal): Promise<readonly StringMap[]>;
  stop(): Promise<void>;
}

/** Opens a connector; its states are told through `report`. Rejects if it cannot start, after having told FAILED. */
export async function openConnector(
  options: ConnectorOptions,
  target: TargetState,
  signal: AbortSignal,
): Promise<RunningConnector> {
  const { connector, plugins, resolver, log } = options;
  let definition: ConnectorDefinition | null = null;
  let instance: ConnectorInstance | null = null;

  async function attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      options.report("FAILED", error, definition?.version ?? null);
      throw error;
    }
  }

  const { config, parsed, found } = await attempt(async () => {
    const resolved = await resolver.resolve(options.config, signal);
    definition = plugins.connector(resolved["connector.class"]?.trim() ?? "", resolved["connector.plugin.version"]);
    return { config: resolved, parsed: parse(definition, resolved), found: definition };
  });

  async function close(): Promise<void> {
    const open = instance;
    instance = null;
    await open?.close();
  }

  async function move(wanted: TargetState, within: AbortSignal, superseded: AbortSignal): Promise<void> {
    try {
      if (wanted === "STARTED") {
        const context = { connector, log, requestTaskReconfiguration: options.requestTaskReconfiguration };
        const limited = AbortSignal.any([within, superseded]);
        instance ??= (await found.open?.(parsed, context, limited)) ?? null;
      } else {
        await close();
      }
    } catch (error) {
      // What was given up for a newer wish has not failed.
      if (!superseded.aborted) options.report("FAILED", error, found.version);
      throw error;
    }
    if (!superseded.aborted) options.report(wanted === "STARTED" ? "RUNNING" : wanted, null, found.version);
  }

  const transitions = createTransitions();
  const setTargetState = (wanted: TargetState, within: AbortSignal) =>
    transitions.enter((superseded) => move(wanted, within, superseded));

  await setTargetState(target, signal);
  return {
    setTargetState,
    async taskConfigs(within) {
      const max = maxTasks(config);
      const overlays = await (found.planTasks?.(parsed, max, within) ?? Array.from({ length: max }, () => ({})));
      const refusal = tooManyTasks(connector, config, overlays.length);
      if (refusal !== null) {
        const error = new ConnectError("config-invalid", refusal);
        options.report("FAILED", error, found.version);
        throw error;
      }
      return overlays.map((overlay) =>
        restorePlaceholders({ ...config, ...overlay, "task.class": taskClassOf(found) }, options.config),
      );
    },
    stop: () =>
      transitions.enter(async () => {
        await close();
        options.report("UNASSIGNED", null, found.version);
      }),
  };
}

function parse(definition: ConnectorDefinition, config: StringMap): Record<string, unknown> {
  for (const schema of [definition.kind === "source" ? SOURCE_KEYS : SINK_KEYS, definition.config]) {
    const checked = parseConfig(schema, config);
    if ("problems" in checked) throw new ConfigError(checked.problems.join("; "));
  }
  return definition.config.parse(config);
}

const CONNECTOR_CLASS = /\.(\w+)Connector$/;

/** The Java class of the tasks, where the connector has a Java class, so that a JVM worker can take the tasks over. */
export function taskClassOf(definition: ConnectorDefinition): string {
  const javaClass = definition.aliases?.find((alias) => CONNECTOR_CLASS.test(alias));
  return javaClass === undefined ? definition.name : javaClass.replace(/Connector$/, "Task");
}
