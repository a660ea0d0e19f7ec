import type { ConfigValueProblem, StringMap } from "@headrace/contract";
import type { KafkaConnector } from "../kinds.ts";

const KEY = "headrace.executor.memory.max.mb";
const FIELD = "spec.resources.limits.memory";
const LEAST_MB = 64;
const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

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
  const mb = Math.floor(toBytes(String(memory)) / 2 ** 20);
  if (mb >= LEAST_MB) return { config: { [KEY]: String(mb) }, problems: [], warnings };
  const message = `must be an amount of memory of at least ${LEAST_MB}Mi, which an executor needs by itself`;
  return { config: {}, problems: [{ key: FIELD, message }], warnings };
}

/** NaN for what is no amount of memory. */
function toBytes(quantity: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?(?:e\d+)?)([a-zA-Z]*)$/.exec(quantity) ?? [];
  return digits === "" ? Number.NaN : Number(digits) * (FACTORS[unit] ?? Number.NaN);
}
