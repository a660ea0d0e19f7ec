import {
  type ConfigValueProblem,
  EXECUTOR_MEMORY_KEY,
  LEAST_EXECUTOR_MEMORY_MB,
  quantityOf,
  type StringMap,
} from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";

const FIELD = "spec.resources.limits.memory";

/** What spec.resources becomes: a key of the connector's configuration, what is wrong with it, what of it has no effect. */
export function connectorMemory({ resources }: KafkaConnector["spec"]): {
  readonly config: StringMap;
  readonly problems: readonly ConfigValueProblem[];
  readonly warnings: readonly string[];
} {
  if (resources === undefined) return { config: {}, problems: [], warnings: [] };
  const { memory, ...others } = resources.limits ?? {};
  const idle = [
    ...Object.keys(others).map((name) => `limits.${name}`),
    ...(resources.requests === undefined ? [] : ["requests"]),
    ...(resources.claims === undefined ? [] : ["claims"]),
  ];
  const warnings = idle.length === 0 ? [] : [`Without effect in spec.resources: ${idle.join(", ")}.`];
  if (memory === undefined) return { config: {}, problems: [], warnings };
  const mb = Math.floor(quantityOf(String(memory)) / 2 ** 20);
  if (mb >= LEAST_EXECUTOR_MEMORY_MB) return { config: { [EXECUTOR_MEMORY_KEY]: String(mb) }, problems: [], warnings };
  const message = `must be an amount of memory of at least ${LEAST_EXECUTOR_MEMORY_MB}Mi, which an executor needs by itself`;
  return { config: {}, problems: [{ key: FIELD, message }], warnings };
}
