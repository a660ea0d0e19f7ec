import { type ConfigValueProblem, type StringMap, type TargetState, toStringMap } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";

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

/** Keys of `spec.config` that have a field of their own. */
const FIELD_OF: Readonly<Record<string, string>> = {
  name: "metadata.name",
  "connector.class": "spec.class",
  "tasks.max": "spec.tasksMax",
  "connector.plugin.version": "spec.version",
};

const TARGET = { running: "STARTED", paused: "PAUSED", stopped: "STOPPED" } as const;

/** Builds the flat configuration that is wanted. */
export function toWanted({ metadata, spec }: KafkaConnector): WantedConnector {
  const { values, problems } = toStringMap(spec.config ?? {});
  const users = Object.entries(values).filter(([key]) => FIELD_OF[key] === undefined);
  const misplaced = Object.keys(spec.config ?? {}).filter((key) => FIELD_OF[key] !== undefined);
  return {
    name: metadata.name,
    config: {
      ...Object.fromEntries(users),
      name: metadata.name,
      "connector.class": spec.class,
      ...(spec.tasksMax === undefined ? {} : { "tasks.max": String(spec.tasksMax) }),
      ...(spec.version === undefined ? {} : { "connector.plugin.version": spec.version }),
    },
    target: TARGET[spec.state],
    problems,
    warnings: misplaced.map((key) => `${key} in spec.config is not applied; ${FIELD_OF[key]} says it.`),
  };
}

/** True if both have the same keys with the same values. */
export function isSameConfig(a: StringMap, b: StringMap): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
