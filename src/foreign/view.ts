import {
  fromStrimzi,
  isObject,
  KafkaConnectorSpec as KafkaConnectorSchema,
  type KafkaConnectorSpec,
  KafkaConnectSpec as KafkaConnectSchema,
  type KafkaConnectSpec,
  type Note,
} from "@headrace/contract";
import type { z } from "zod";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { ForeignApi, ForeignObject } from "./dialect.ts";
import type { SeenStatus } from "./status-memory.ts";

/**
 * A KafkaConnect of another group as ours. It keeps its apiVersion, so that its objects are owned by it. What has no counterpart
 * is in `remarks`; what cannot be used at all, in `flaws`.
 */
export function viewConnect(api: ForeignApi, object: ForeignObject, status: SeenStatus): KafkaConnect {
  const { spec, remarks, labels, annotations } = translate(api, object);
  const { spec: valid, flaws } = parse(KafkaConnectSchema, spec, BROKEN_CONNECT);
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { ...object.metadata, labels, annotations },
    spec: valid,
    ...(status === undefined ? {} : { status }),
    remarks,
    flaws,
  };
}

/** A KafkaConnector of another group as ours. `leaving`: it is no longer ours, so what we made of it goes, as if it were deleted. */
export function viewConnector(
  api: ForeignApi,
  object: ForeignObject,
  { status, leavingSince }: { readonly status: SeenStatus; readonly leavingSince: string | undefined },
): KafkaConnector {
  const { spec, remarks, labels, annotations } = translate(api, object);
  const { spec: valid, flaws } = parse(KafkaConnectorSchema, spec, BROKEN_CONNECTOR);
  const deletionTimestamp = object.metadata.deletionTimestamp ?? leavingSince;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      ...object.metadata,
      labels,
      annotations,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: valid,
    ...(status === undefined ? {} : { status }),
    remarks,
    flaws,
  };
}

interface Translated {
  readonly spec: unknown;
  readonly remarks: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

function translate({ dialect, version }: ForeignApi, object: ForeignObject): Translated {
  const { apiVersion, kind, metadata, spec = {} } = object;
  const { name, labels, annotations } = metadata;
  const manifest = { apiVersion, kind, metadata: { name, labels, annotations }, spec };
  const converted = fromStrimzi(manifest, { dialect, version });
  const own = converted.manifest.metadata;
  const { "headrace.dev/status": _, ...rest } = own.annotations ?? {};
  return {
    spec: converted.manifest.spec,
    remarks: converted.notes.flatMap(toRemark),
    labels: own.labels ?? {},
    annotations: rest,
  };
}

/** What our conditions say by themselves, and what is for readers of files only, is left out. */
function toRemark({ kind, path, message }: Note): readonly string[] {
  if (kind !== "dropped" && path.startsWith("metadata.")) return [];
  return kind === "no-effect" ? [] : [message];
}

interface Parsed<T> {
  readonly spec: T;
  readonly flaws: readonly string[];
}

/** The other group's schema may let through what ours would not: that stops this one resource and says why. */
function parse<T>(schema: z.ZodType<T>, spec: unknown, broken: T): Parsed<T> {
  const parsed = schema.safeParse(spec);
  if (parsed.success) return { spec: parsed.data, flaws: [] };
  const flaws = parsed.error.issues.map(({ path, message }) => `spec.${path.join(".")}: ${message}`);
  const replicas = isObject(spec) && typeof spec["replicas"] === "number" ? { replicas: spec["replicas"] } : {};
  return { spec: { ...broken, ...replicas }, flaws };
}

const BROKEN_CONNECT: KafkaConnectSpec = {
  replicas: 1,
  bootstrapServers: "",
  groupId: "",
  configStorageTopic: "",
  offsetStorageTopic: "",
  statusStorageTopic: "",
};

const BROKEN_CONNECTOR: KafkaConnectorSpec = { class: "", state: "running", deletionPolicy: "Orphan" };
