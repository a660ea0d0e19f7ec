import { z } from "zod";

/** A JSON object, as YAML and JSON give it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A Kubernetes resource as it stands in a file. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ManifestMetadata;
  readonly spec: JsonObject;
}

export interface ManifestMetadata {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

const Strings = z.record(z.string(), z.coerce.string());

const Metadata = z.object({
  name: z.string().min(1),
  namespace: z.string().optional(),
  labels: Strings.nullish(),
  annotations: Strings.nullish(),
});

const Resource = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: Metadata,
  spec: z.record(z.string(), z.unknown()).nullish(),
});

/** What `kubectl get -o yaml` adds for the API server and for kubectl itself. It means nothing in a file. */
const BOOKKEEPING: ReadonlySet<string> = new Set(["kubectl.kubernetes.io/last-applied-configuration"]);

/** True for what is a JSON object, not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads a resource; its status and what the API server keeps in its metadata are left out. Undefined if it is none. */
export function toManifest(value: unknown): Manifest | undefined {
  const parsed = Resource.safeParse(value);
  if (!parsed.success) return undefined;
  const { apiVersion, kind, metadata, spec } = parsed.data;
  const { name, namespace, labels, annotations } = metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !BOOKKEEPING.has(key));
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(isEmpty(labels ?? {}) ? {} : { labels: labels ?? {} }),
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    },
    spec: spec ?? {},
  };
}

/** What keeps a value that calls itself a resource from being one, as a part of a sentence. */
export function problemOf(value: unknown): string | undefined {
  if (!isObject(value) || value["apiVersion"] === undefined || value["kind"] === undefined) return undefined;
  const [issue] = Resource.safeParse(value).error?.issues ?? [];
  return issue === undefined ? undefined : `${issue.path.join(".")}: ${issue.message}`;
}

/** Metadata with other labels and annotations; empty ones are left out. */
export function withMetadata(
  { name, namespace }: ManifestMetadata,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): ManifestMetadata {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(isEmpty(labels) ? {} : { labels }),
    ...(isEmpty(annotations) ? {} : { annotations }),
  };
}

/** True for an object without keys. */
export function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}
