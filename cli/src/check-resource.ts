import {
  clusterNameOf,
  isObject,
  KafkaConnectorSpec,
  KafkaConnectSpec,
  type Manifest,
  splitBySchema,
  toStringMap,
} from "@headrace/contract";
import type { z } from "zod";
import { checkRules, type Finding } from "./schema-rules.ts";

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  KafkaConnect: KafkaConnectSpec,
  KafkaConnector: KafkaConnectorSpec,
};

/** What the API server would refuse, and what the operator could not use, in a resource of ours. Empty: nothing. */
export function checkResource({ kind, metadata, spec }: Manifest): readonly Finding[] {
  const schema = SCHEMAS[kind];
  if (schema === undefined) return [];
  const { leftovers } = splitBySchema(schema, spec, "spec");
  const unknown = leftovers.map(({ path }) => ({ path, message: "is not known" }));
  const parsed = schema.safeParse(spec);
  const shape = (parsed.error?.issues ?? []).map(({ path, message }) => ({ path: pathOf(path), message }));
  // Rules are for what has the right shape, as in the API server.
  const rules = parsed.success ? checkRules(schema, withDefaults(spec, parsed.data), "spec") : [];
  return [...nameFindings(kind, metadata), ...unknown, ...shape, ...rules, ...valueFindings(spec)];
}

/** The API server fills in defaults before it looks at rules. */
function withDefaults(spec: unknown, parsed: unknown): unknown {
  return isObject(spec) && isObject(parsed) ? { ...parsed, ...spec } : parsed;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => text + (typeof part === "number" ? `[${part}]` : `.${String(part)}`),
    "spec",
  );
}

function valueFindings({ config }: Manifest["spec"]): readonly Finding[] {
  if (!isObject(config)) return [];
  return toStringMap(config).problems.map(({ key, message }) => ({ path: `spec.config.${key}`, message }));
}

/** As Kubernetes and the CRD's own rule have it: child objects get names made from this one. */
const CLUSTER_NAME = /^[a-z]([-a-z0-9]{0,42}[a-z0-9])?$/;
const RESOURCE_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function nameFindings(kind: string, { name, labels }: Manifest["metadata"]): readonly Finding[] {
  const path = "metadata.name";
  if (kind === "KafkaConnect") {
    const message = "must have at most 44 characters: small letters, digits and '-', beginning with a letter";
    return CLUSTER_NAME.test(name) ? [] : [{ path, message }];
  }
  const findings: Finding[] = [];
  if (!RESOURCE_NAME.test(name) || name.length > 253)
    findings.push({ path, message: "must be small letters, digits, '-' and '.', at most 253" });
  if (clusterNameOf(labels) === undefined)
    findings.push({ path: "metadata.labels", message: "must have headrace.dev/cluster, the name of a KafkaConnect" });
  return findings;
}

/** Clusters that would take each other's work or state: one group, or one topic, on the same brokers. */
export function checkTogether(clusters: readonly Manifest[]): readonly (Finding & { readonly manifest: Manifest })[] {
  const seen = new Map<string, string>();
  return clusters.flatMap((manifest) => {
    const { spec, metadata } = manifest;
    const brokers = String(spec["bootstrapServers"]);
    const name = `${metadata.namespace ?? ""}/${metadata.name}`;
    return ["groupId", "configStorageTopic", "offsetStorageTopic", "statusStorageTopic"].flatMap((field) => {
      const value = spec[field];
      if (typeof value !== "string") return [];
      const id = JSON.stringify([brokers, field === "groupId" ? "group" : "topic", value]);
      const other = seen.get(id);
      seen.set(id, other ?? name);
      if (other === undefined || other === name) return [];
      const message = `${value} is KafkaConnect ${other}'s already; two clusters with one ${field} take each other's work`;
      return [{ manifest, path: `spec.${field}`, message }];
    });
  });
}
