import { isDeepStrictEqual } from "node:util";
import { JMX_HASH_ANNOTATION } from "./jmx-access.ts";
import { AUTH_HASH_ANNOTATION, type PodTemplate, SOURCES_HASH_ANNOTATION } from "./stateful-set.ts";
import { CONFIG_VOLUME } from "./volumes.ts";

/** What the pods of one revision are made from. */
export interface RevisionSource {
  readonly template: PodTemplate;
  /** Text of the worker's properties; null if it is not known any more. */
  readonly properties: string | null;
}

type Container = NonNullable<PodTemplate["spec"]>["containers"][number];

/** Fields of a container that have words of their own, or none since they follow from others. */
const CONTAINER_FIELDS: Readonly<Record<string, string | null>> = {
  name: null,
  image: null,
  env: null,
  command: "the command",
  args: "the command",
  livenessProbe: "probes",
  readinessProbe: "probes",
  startupProbe: "probes",
  volumeMounts: "volumes",
  ports: "ports",
  resources: "resources",
  securityContext: "the security context",
};

/** Annotations that have words of their own. */
const ANNOTATIONS: Readonly<Record<string, string>> = {
  [AUTH_HASH_ANNOTATION]: "credentials for Kafka",
  [SOURCES_HASH_ANNOTATION]: "values of Secrets or ConfigMaps that the configuration reads",
  [JMX_HASH_ANNOTATION]: "user or password of JMX",
};

const POD_FIELDS: Readonly<Record<string, string | null>> = {
  containers: null,
  initContainers: "init containers",
  volumes: "volumes",
  terminationGracePeriodSeconds: "the grace period",
  securityContext: "the security context",
  imagePullSecrets: "image pull secrets",
};

/**
 * Says in words what makes two revisions differ, most telling first: "image a → b", "config offset.flush.interval.ms". Names only,
 * never a value of a configuration or of the environment, which may be a secret. Empty if they are made of the same.
 */
export function describeChange(before: RevisionSource, after: RevisionSource): readonly string[] {
  const words = [
    ...containerWords(mainContainer(before.template), mainContainer(after.template)),
    ...configWords(before.properties, after.properties),
    ...fieldWords(before.template.spec ?? {}, after.template.spec ?? {}, POD_FIELDS),
    ...keyWords("label", before.template.metadata?.labels, after.template.metadata?.labels),
    ...keyWords("annotation", before.template.metadata?.annotations, after.template.metadata?.annotations),
  ];
  return [...new Set(words)];
}

function containerWords(before: Container | undefined, after: Container | undefined): readonly string[] {
  const image = before?.image === after?.image ? [] : [`image ${before?.image} → ${after?.image}`];
  const variables = changedKeys(byName(before?.env), byName(after?.env));
  return [
    ...image,
    ...(variables.length === 0 ? [] : [`environment ${variables.join(", ")}`]),
    ...fieldWords(before ?? {}, after ?? {}, CONTAINER_FIELDS),
  ];
}

function configWords(before: string | null, after: string | null): readonly string[] {
  if (before === null || after === null || before === after) return [];
  const keys = changedKeys(parseProperties(before), parseProperties(after));
  return keys.length === 0 ? [] : [`config ${keys.join(", ")}`];
}

function keyWords(
  what: string,
  before: Readonly<Record<string, string>> | undefined,
  after: Readonly<Record<string, string>> | undefined,
): readonly string[] {
  const keys = changedKeys(before ?? {}, after ?? {}).filter((key) => !key.endsWith("/revision"));
  return keys.map((key) => ANNOTATIONS[key] ?? `${what} ${key}`);
}

function fieldWords(before: object, after: object, words: Readonly<Record<string, string | null>>): readonly string[] {
  return changedKeys(withoutConfigVolume(before), withoutConfigVolume(after)).flatMap((field) => {
    const word = words[field];
    return word === null ? [] : [word ?? field];
  });
}

/** The name of the ConfigMap changes with every change of a property, which has words of its own. */
function withoutConfigVolume(spec: object): object {
  if (!("volumes" in spec) || !Array.isArray(spec.volumes)) return spec;
  const volumes: readonly { readonly name?: string }[] = spec.volumes;
  return { ...spec, volumes: volumes.filter(({ name }) => name !== CONFIG_VOLUME) };
}

function mainContainer({ spec }: PodTemplate): Container | undefined {
  return spec?.containers[0];
}

function byName(list: readonly { readonly name: string }[] | undefined): object {
  return Object.fromEntries((list ?? []).map((item) => [item.name, item]));
}

/** Keys whose values differ, sorted. */
function changedKeys(before: object, after: object): readonly string[] {
  const left = new Map<string, unknown>(Object.entries(before));
  const right = new Map<string, unknown>(Object.entries(after));
  const keys = new Set([...left.keys(), ...right.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(left.get(key), right.get(key))).sort();
}

/** Reads lines as `worker-properties.ts` writes them. */
function parseProperties(text: string): Readonly<Record<string, string>> {
  const entries = text.split("\n").flatMap((line) => {
    const [, key, value] = /^((?:\\.|[^=\\])*)=(.*)$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key.replace(/\\(.)/g, "$1"), value] as const];
  });
  return Object.fromEntries(entries);
}
