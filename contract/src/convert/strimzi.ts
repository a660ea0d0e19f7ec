import { KafkaConnectSpec } from "../crd/kafka-connect.ts";
import { KafkaConnectorSpec } from "../crd/kafka-connector.ts";
import { apiVersionOf, type Dialect, HEADRACE, STRIMZI, translateKeys } from "./dialect.ts";
import { type Fields, splitBySchema, splitFields } from "./fields.ts";
import { isEmpty, isObject, type JsonObject, type Manifest, withMetadata } from "./manifest.ts";
import { changed, dropped, type Note, withoutEffect } from "./notes.ts";
import { CLUSTER_FIELDS, CONNECTOR_FIELDS_OF_STRIMZI } from "./strimzi-fields.ts";
import { upgrade } from "./strimzi-v1beta2.ts";

/** A resource in another form, and what a reader has to know about it. */
export interface Converted {
  readonly manifest: Manifest;
  readonly notes: readonly Note[];
}

const ARTEFACTS = ["image", "clientRackInitImage"] as const;
const JVM_ONLY = ["jvmOptions", "jmxOptions", "tracing"] as const;
/** Pod annotations by which IBM counts licences: on pods without IBM's programs they would be counted all the same. */
const METERING = /^(product[A-Z]\w*|cloudpak[A-Z]\w*|eventstreams\.production\.type)$/;
const USE_CONNECTOR_RESOURCES = "use-connector-resources";

export interface FromStrimzi {
  readonly dialect: Dialect;
  /** Of the resource's API. */
  readonly version: string;
  /** Jvm: the other operator's image goes on running. */
  readonly runtime?: "Headrace" | "Jvm" | undefined;
}

/**
 * A KafkaConnect or KafkaConnector of an operator of Strimzi's family as ours. Everything keeps its name; what ours has no
 * field for is in the notes.
 */
export function fromStrimzi(manifest: Manifest, { dialect, version, runtime = "Headrace" }: FromStrimzi): Converted {
  const { kind, metadata } = manifest;
  const { spec, notes } = version === "v1beta2" ? upgrade(manifest) : { spec: manifest.spec, notes: [] };
  const own = kind === "KafkaConnector" ? ownConnector(spec) : ownCluster(spec, dialect, runtime);
  const labels = translateKeys(metadata.labels, dialect, HEADRACE);
  const { [`${HEADRACE.prefix}/managed`]: _, ...annotations } = translateKeys(metadata.annotations, dialect, HEADRACE);
  return {
    manifest: {
      apiVersion: apiVersionOf(HEADRACE),
      kind,
      metadata: withMetadata(metadata, labels, annotations),
      spec: own.spec,
    },
    notes: [...notes, ...own.notes, ...noteConnectorResources(annotations)],
  };
}

/** A resource of Strimzi's family in the newest version of its own form. */
export function toNewestVersion(manifest: Manifest, dialect: Dialect, version: string): Converted {
  const { spec, notes } = version === "v1beta2" ? upgrade(manifest) : { spec: manifest.spec, notes: [] };
  return { manifest: { ...manifest, apiVersion: apiVersionOf(dialect), spec }, notes };
}

function noteConnectorResources(annotations: Readonly<Record<string, string>>): readonly Note[] {
  const key = `${HEADRACE.prefix}/${USE_CONNECTOR_RESOURCES}`;
  if (annotations[key] === undefined) return [];
  const message = `${key} does nothing: KafkaConnectors always work, and connectors without one are left alone.`;
  return [withoutEffect(`metadata.annotations.${key}`, message)];
}

function ownConnector(spec: JsonObject): { readonly spec: JsonObject; readonly notes: readonly Note[] } {
  const { kept, leftovers } = splitBySchema(KafkaConnectorSpec, spec, "spec");
  return { spec: kept, notes: leftovers.map((left) => dropped(left, "has no counterpart")) };
}

function ownCluster(
  spec: JsonObject,
  dialect: Dialect,
  runtime: "Headrace" | "Jvm",
): { readonly spec: JsonObject; readonly notes: readonly Note[] } {
  const notes: Note[] = [];
  const rest: Record<string, unknown> = { ...spec };
  if (runtime === "Jvm") {
    rest["runtime"] = "Jvm";
    if (rest["image"] === undefined)
      notes.push(changed("spec.image", "spec.image has to be filled in: an image of Apache Kafka Connect."));
  }
  for (const field of ARTEFACTS) {
    if (rest[field] === undefined || (runtime === "Jvm" && field === "image")) continue;
    notes.push(dropped({ path: `spec.${field}`, value: rest[field] }, `names an image of ${dialect.title}'s`));
    delete rest[field];
  }
  const metered = withoutMetering(rest["template"]);
  if (metered.removed.length > 0) {
    rest["template"] = metered.template;
    const path = "spec.template.pod.metadata.annotations";
    const value = metered.removed;
    notes.push(dropped({ path, value }, "count licences of IBM's programs, which these pods do not run"));
  }
  const { kept, leftovers } = splitBySchema(KafkaConnectSpec, rest, "spec");
  notes.push(...leftovers.map((left) => dropped(left, "has no counterpart")));
  for (const field of JVM_ONLY) {
    if (kept[field] === undefined || kept["runtime"] === "Jvm") continue;
    notes.push(withoutEffect(`spec.${field}`, `spec.${field} is for the JVM only and does nothing.`));
  }
  return { spec: kept, notes };
}

function withoutMetering(template: unknown): { readonly template: unknown; readonly removed: readonly string[] } {
  const pod = isObject(template) ? template["pod"] : undefined;
  const metadata = isObject(pod) ? pod["metadata"] : undefined;
  const annotations = isObject(metadata) ? metadata["annotations"] : undefined;
  if (!isObject(template) || !isObject(pod) || !isObject(metadata) || !isObject(annotations)) {
    return { template, removed: [] };
  }
  const removed = Object.keys(annotations).filter((key) => METERING.test(key));
  const kept = Object.fromEntries(Object.entries(annotations).filter(([key]) => !METERING.test(key)));
  const { annotations: _, ...others } = metadata;
  const rest = isEmpty(kept) ? others : { ...others, annotations: kept };
  const { metadata: __, ...barePod } = pod;
  const newPod = isEmpty(rest) ? barePod : { ...barePod, metadata: rest };
  const { pod: ___, ...bareTemplate } = template;
  return { template: isEmpty(newPod) ? bareTemplate : { ...bareTemplate, pod: newPod }, removed };
}

/** A KafkaConnect or KafkaConnector of ours for an operator of Strimzi's family. */
export function toStrimzi(manifest: Manifest, dialect: Dialect): Converted {
  const { kind, metadata } = manifest;
  const theirs = kind === "KafkaConnector" ? theirConnector(manifest, dialect) : theirCluster(manifest.spec, dialect);
  const understood = dialect === STRIMZI ? metadata : { ...metadata, ...withPrefix(metadata, STRIMZI, HEADRACE) };
  const annotations = translateKeys(understood.annotations, HEADRACE, dialect);
  const key = `${dialect.prefix}/${USE_CONNECTOR_RESOURCES}`;
  const notes = [...theirs.notes];
  if (kind === "KafkaConnect" && annotations[key] === undefined) {
    notes.push(
      changed(
        `metadata.annotations.${key}`,
        `Set ${key} to "true" once all KafkaConnectors are there: without it they are refused, and with it ${dialect.title} deletes connectors that have none.`,
      ),
    );
  }
  return {
    manifest: {
      apiVersion: apiVersionOf(dialect),
      kind,
      metadata: withMetadata(metadata, translateKeys(understood.labels, HEADRACE, dialect), annotations),
      spec: theirs.spec,
    },
    notes,
  };
}

/** Strimzi's words on a resource of ours, which we understand, become ours first. */
function withPrefix({ labels, annotations }: Manifest["metadata"], from: Dialect, to: Dialect) {
  return { labels: translateKeys(labels, from, to), annotations: translateKeys(annotations, from, to) };
}

function theirConnector({ metadata, spec }: Manifest, dialect: Dialect) {
  const notes: Note[] = [];
  const { name, deletionPolicy, ...rest } = spec;
  if (name !== undefined && name !== metadata.name) {
    const why = `has no counterpart: ${dialect.title} would name the connector ${metadata.name}`;
    notes.push(dropped({ path: "spec.name", value: name }, why));
  }
  if (deletionPolicy !== undefined && deletionPolicy !== "Delete") {
    const why = `has no counterpart: ${dialect.title} deletes the connector`;
    notes.push(dropped({ path: "spec.deletionPolicy", value: deletionPolicy }, why));
  }
  return theirSpec(CONNECTOR_FIELDS_OF_STRIMZI, rest, notes, dialect);
}

function theirCluster(spec: JsonObject, dialect: Dialect) {
  const notes: Note[] = [];
  const { image, ...rest } = spec;
  if (image !== undefined) notes.push(dropped({ path: "spec.image", value: image }, "names an image for Headrace"));
  const { runtime, plugins, ...others } = rest;
  if (runtime === "Headrace")
    notes.push(dropped({ path: "spec.runtime", value: runtime }, `is always Jvm with ${dialect.title}`));
  const mounted = imagePlugins(plugins, dialect);
  return theirSpec(
    CLUSTER_FIELDS,
    { ...others, ...(mounted.plugins === undefined ? {} : { plugins: mounted.plugins }) },
    [...notes, ...mounted.notes],
    dialect,
  );
}

/** Plugins come in images there, and in no other way. */
function imagePlugins(
  plugins: unknown,
  { title }: Dialect,
): { readonly plugins: unknown; readonly notes: readonly Note[] } {
  if (!Array.isArray(plugins)) return { plugins, notes: [] };
  const [kept, others] = [plugins.filter(isOfImages), plugins.filter((plugin) => !isOfImages(plugin))];
  const notes = others.map((value) =>
    dropped({ path: "spec.plugins", value }, `with an npm package is not known to ${title}`),
  );
  return { plugins: kept.length === 0 ? undefined : kept, notes };
}

function isOfImages(plugin: unknown): boolean {
  const artifacts = isObject(plugin) ? plugin["artifacts"] : undefined;
  return Array.isArray(artifacts) && artifacts.every((artifact) => isObject(artifact) && artifact["type"] === "image");
}

function theirSpec(fields: Fields, spec: JsonObject, notes: readonly Note[], { title }: Dialect) {
  const { kept, leftovers } = splitFields(fields, spec, "spec");
  return { spec: kept, notes: [...notes, ...leftovers.map((left) => dropped(left, `is not known to ${title}`))] };
}
