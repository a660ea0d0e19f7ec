import {
  CONNECTOR_FIELDS,
  type ConfigValueProblem,
  connectorNameOf,
  type StringMap,
  type TargetState,
  toConnectorConfig,
} from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";
import { connectorMemory } from "./connector-memory.ts";
import { ownFileReferences } from "./sources.ts";

/** What a KafkaConnector asks for, in Kafka Connect's words. */
export interface WantedConnector {
  readonly name: string;
  readonly config: StringMap;
  readonly target: TargetState;
  /** Values that cannot be used. With any, nothing may be changed. */
  readonly problems: readonly ConfigValueProblem[];
  /** What was asked for and is not done, each as a sentence. */
  readonly warnings: readonly string[];
}

const TARGET = { running: "STARTED", paused: "PAUSED", stopped: "STOPPED" } as const;

/** Builds the flat configuration that is wanted. */
export function toWanted(resource: KafkaConnector): WantedConnector {
  const { spec, remarks = [], flaws = [] } = resource;
  const name = connectorNameOf(resource);
  const { config, problems } = toConnectorConfig(name, spec);
  const memory = connectorMemory(spec);
  const misplaced = Object.keys(spec.config ?? {}).filter((key) => CONNECTOR_FIELDS[key] !== undefined);
  return {
    name,
    config: { ...config, ...memory.config },
    target: TARGET[spec.state],
    problems: [
      ...flaws.map((message) => ({ key: "spec", message })),
      ...problems,
      ...memory.problems,
      ...ownFileReferences(config),
    ],
    warnings: [
      ...misplaced.map((key) => `${key} in spec.config is not applied; ${CONNECTOR_FIELDS[key]} says it.`),
      ...memory.warnings,
      ...remarks,
    ],
  };
}

/** True if both have the same keys with the same values. */
export function isSameConfig(a: StringMap, b: StringMap): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
