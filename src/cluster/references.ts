import type { KafkaConnect } from "../kinds.ts";
import { namedSecrets } from "./credentials.ts";
import { hasJmxPassword, jmxSecretName } from "./jmx-access.ts";
import { jmxExporter } from "./jmx-exporter.ts";
import { type WorkerSource, workerSources } from "./worker-sources.ts";

/** Secrets and ConfigMaps of its own namespace that a KafkaConnect is made of; each once. */
export interface References {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

/** Of specs, which do not change, with where they were seen: it is asked for at each event of a Secret or ConfigMap. */
const known = new WeakMap<KafkaConnect["spec"], { readonly key: string; readonly references: References }>();

/**
 * What the operator itself reads for a KafkaConnect: what its workers get from it, and what they read once, at their start. What only
 * connectors read is not among it.
 */
export function referencesOf(connect: KafkaConnect): References {
  const { namespace = "", name } = connect.metadata;
  const key = `${namespace}/${name}`;
  const former = known.get(connect.spec);
  if (former?.key === key) return former.references;
  const references = findReferences(connect);
  known.set(connect.spec, { key, references });
  return references;
}

function findReferences(connect: KafkaConnect): References {
  const { spec } = connect;
  const { configMapKeyRef: logging } = spec.logging?.valueFrom ?? {};
  const rules = jmxExporter(spec)?.rules;
  const sources = workerSources(connect);
  const namesOf = (wanted: WorkerSource["kind"]) =>
    sources.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
  const jmx = hasJmxPassword(spec) ? [jmxSecretName(connect.metadata.name)] : [];
  const named = [logging, rules].flatMap((reference) => (reference === undefined ? [] : [reference.name]));
  return {
    secrets: [...new Set([...namedSecrets(spec), ...namesOf("Secret"), ...jmx])],
    configMaps: [...new Set([...named, ...namesOf("ConfigMap")])],
  };
}
