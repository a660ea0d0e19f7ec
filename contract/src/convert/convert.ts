import { CONFLUENT_GROUP, fromConfluentConnect, toConfluentConnect } from "./confluent-cluster.ts";
import { fromConfluentConnector, toConfluentConnector } from "./confluent-connector.ts";
import { fromRestConnectors, type RestConnector, readRestConnectors, toRest } from "./connect-rest.ts";
import { type Dialect, dialectOf, EVENT_STREAMS, HEADRACE, STRIMZI } from "./dialect.ts";
import { type Manifest, problemOf, toManifest } from "./manifest.ts";
import type { Note } from "./notes.ts";
import { type Converted, fromStrimzi, toNewestVersion, toStrimzi } from "./strimzi.ts";

/** What resources can be converted to. */
export const TARGETS = ["headrace", "strimzi", "event-streams", "confluent", "rest"] as const;
export type Target = (typeof TARGETS)[number];

export interface ConvertOptions {
  readonly to: Target;
  /** What clusters run that come from an operator of Strimzi's family. Headrace if not given. */
  readonly runtime?: "Headrace" | "Jvm" | undefined;
  /** KafkaConnect of connectors that do not say theirs. */
  readonly cluster?: string | undefined;
  /** Namespace of resources that do not say theirs. */
  readonly namespace?: string | undefined;
  /** Name of a connector whose configuration does not say it, for instance that of its file. */
  readonly connectorName?: string | undefined;
}

/** One document of the result. */
export type ConvertedDocument =
  /** A resource in the form that was asked for. */
  | { readonly kind: "resource"; readonly manifest: Manifest; readonly notes: readonly Note[] }
  /** A connector for the REST API. */
  | { readonly kind: "connector"; readonly connector: RestConnector; readonly notes: readonly Note[] }
  /** Not a Connect resource: it is passed on as it was; `value` is undefined where the target has no place for it. */
  | { readonly kind: "untouched"; readonly value: unknown; readonly what: string };

/** What is no form of anything that we know. */
export class ConvertError extends Error {
  override readonly name = "ConvertError";
}

const CONFLUENT_KINDS: Readonly<Record<string, string>> = { Connect: "KafkaConnect", Connector: "KafkaConnector" };

/**
 * Converts one document: a resource of Strimzi, Event Streams, Confluent for Kubernetes or ours, a `List` of them, or JSON of
 * Connect's REST API. Nothing is dropped without a note. `taken` are the names that resources have got already; it grows.
 */
export function convert(value: unknown, options: ConvertOptions, taken: Set<string>): readonly ConvertedDocument[] {
  const items = itemsOf(value);
  if (items !== undefined) return items.flatMap((item) => convert(item, options, taken));
  const manifest = toManifest(value);
  if (manifest === undefined) {
    const problem = problemOf(value);
    if (problem !== undefined) throw new ConvertError(`the resource cannot be read: ${problem}`);
    const connectors = readRestConnectors(value, options.connectorName);
    if (connectors === undefined)
      throw new ConvertError("it is neither a Kubernetes resource nor the JSON of a connector");
    return fromRestConnectors(connectors, options.cluster, taken).map((own) => write(own, options.to));
  }
  const placed = withNamespace(manifest, options.namespace);
  const same = upgraded(placed, options.to);
  if (same !== undefined) return [{ kind: "resource", ...same }];
  const own = toOwn(placed, options);
  if (own === undefined) return [untouched(manifest, options.to === "rest" ? undefined : value)];
  if (own.manifest.kind === "KafkaConnector") taken.add(own.manifest.metadata.name);
  return [write(own, options.to)];
}

function untouched({ kind, metadata }: Manifest, value: unknown): ConvertedDocument {
  return { kind: "untouched", value, what: `${kind} ${metadata.name}` };
}

/** The items of a `List`, as `kubectl get -o yaml` gives them. */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value) || !("items" in value)) return undefined;
  return String(value.kind).endsWith("List") && Array.isArray(value.items) ? value.items : undefined;
}

function withNamespace(manifest: Manifest, namespace: string | undefined): Manifest {
  if (namespace === undefined || manifest.metadata.namespace !== undefined) return manifest;
  return { ...manifest, metadata: { ...manifest.metadata, namespace } };
}

/** A resource that is of the target's family already, in its newest version: it keeps what only that family knows. */
function upgraded(manifest: Manifest, to: Target): Converted | undefined {
  const { apiVersion, kind } = manifest;
  if (kind !== "KafkaConnect" && kind !== "KafkaConnector") return undefined;
  const found = dialectOf(apiVersion);
  return found === undefined || found.dialect.name !== to
    ? undefined
    : toNewestVersion(manifest, found.dialect, found.version);
}

/** A resource in our form; undefined if it is none that we know. */
function toOwn(manifest: Manifest, { cluster, runtime }: ConvertOptions): Converted | undefined {
  const { apiVersion, kind } = manifest;
  if (apiVersion.startsWith(`${CONFLUENT_GROUP}/`)) {
    switch (CONFLUENT_KINDS[kind]) {
      case "KafkaConnect":
        return fromConfluentConnect(manifest);
      case "KafkaConnector":
        return fromConfluentConnector(manifest, cluster);
      default:
        return undefined;
    }
  }
  const found = dialectOf(apiVersion);
  if (found === undefined || (kind !== "KafkaConnect" && kind !== "KafkaConnector")) return undefined;
  return found.dialect === HEADRACE ? { manifest, notes: [] } : fromStrimzi(manifest, { ...found, runtime });
}

const STRIMZI_FAMILY: Readonly<Record<string, Dialect>> = { strimzi: STRIMZI, "event-streams": EVENT_STREAMS };

function write(own: Converted, to: Target): ConvertedDocument {
  const { manifest, notes } = own;
  switch (to) {
    case "headrace":
      return { kind: "resource", ...own };
    case "strimzi":
    case "event-streams": {
      const theirs = toStrimzi(manifest, STRIMZI_FAMILY[to] ?? STRIMZI);
      return { kind: "resource", manifest: theirs.manifest, notes: [...notes, ...theirs.notes] };
    }
    case "confluent": {
      const theirs = manifest.kind === "KafkaConnect" ? toConfluentConnect(manifest) : toConfluentConnector(manifest);
      return { kind: "resource", manifest: theirs.manifest, notes: [...notes, ...theirs.notes] };
    }
    case "rest": {
      if (manifest.kind === "KafkaConnect") return untouched(manifest, undefined);
      const { connector, notes: more } = toRest(manifest);
      return { kind: "connector", connector, notes: [...notes, ...more] };
    }
    default:
      throw new Error(`unreachable: ${to satisfies never}`);
  }
}
