import type { KafkaConnectSpec } from "@headrace/contract";
import { namedSecrets } from "./credentials.ts";
import { jmxExporter } from "./jmx-exporter.ts";

/** Secrets and ConfigMaps of its own namespace that a KafkaConnect is made of; each once. */
export interface References {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

/**
 * What the operator itself reads for a KafkaConnect. What only the workers read is not among it: they look at the files of their volumes
 * and at the objects of placeholders by themselves.
 */
export function referencesOf(spec: KafkaConnectSpec): References {
  const { configMapKeyRef: logging } = spec.logging?.valueFrom ?? {};
  const rules = jmxExporter(spec)?.rules;
  const configMaps = new Set(
    [logging, rules].flatMap((reference) => (reference === undefined ? [] : [reference.name])),
  );
  return { secrets: namedSecrets(spec), configMaps: [...configMaps] };
}
