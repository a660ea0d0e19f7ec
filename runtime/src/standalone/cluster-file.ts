import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { connectorNameOf, KafkaConnect, KafkaConnector, toConnectorConfig, toWorkerSettings } from "@headrace/contract";
import { parseAllDocuments } from "yaml";
import type { z } from "zod";
import { type ConfigSource, InvalidConfigError } from "../config.ts";
import type { GivenConnector } from "./connector-files.ts";

/** What a YAML file of resources says: one worker and its connectors. */
export interface ClusterFile {
  readonly worker: ConfigSource;
  readonly connectors: readonly GivenConnector[];
  /** What is in the file and has no effect here. */
  readonly warnings: readonly string[];
}

const TARGET = { running: "STARTED", paused: "PAUSED", stopped: "STOPPED" } as const;

/** What fields of the resource say. */
const IDENTITY: ReadonlySet<string> = new Set([
  "bootstrap.servers",
  "group.id",
  "config.storage.topic",
  "offset.storage.topic",
  "status.storage.topic",
]);

interface Problem {
  readonly key: string;
  readonly value: null;
  readonly expected: string;
}

/**
 * Reads a file of one KafkaConnect and any number of KafkaConnectors, the very one that `kubectl apply` takes. The translation to
 * properties is the operator's. Throws InvalidConfigError that names every problem by resource.
 */
export function readClusterFile(file: string): ClusterFile {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidConfigError(file, [problem("the file", `must be readable: ${message}`)]);
  }
  return parseClusterFile(file, text);
}

/** The same of a text. */
export function parseClusterFile(file: string, text: string): ClusterFile {
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const clusters: KafkaConnect[] = [];
  const connectors: GivenConnector[] = [];
  for (const [index, document] of [...parseAllDocuments(text)].entries()) {
    for (const error of document.errors)
      problems.push(problem(`document ${index + 1}`, `must be YAML: ${error.message}`));
    if (document.errors.length > 0) continue;
    const resource: unknown = document.toJS();
    if (resource === null || resource === undefined) continue;
    const kind = typeof resource === "object" && "kind" in resource ? String(resource.kind) : "";
    const where = `document ${index + 1} (${kind === "" ? "no kind" : kind})`;
    if (kind === "KafkaConnect") {
      const cluster = check(KafkaConnect, resource, where, problems);
      if (cluster !== null) clusters.push(cluster);
    } else if (kind === "KafkaConnector") {
      const connector = check(KafkaConnector, resource, where, problems);
      if (connector !== null) connectors.push(toGiven(connector, problems));
    } else {
      warnings.push(`${where} is no KafkaConnect or KafkaConnector and has no effect here`);
    }
  }
  const [cluster] = clusters;
  if (clusters.length !== 1) {
    problems.push(problem("the file", `must have one KafkaConnect, it has ${clusters.length}`));
  }
  if (problems.length > 0 || cluster === undefined) throw new InvalidConfigError(file, problems);
  const { defaults, user, owned, providers, problems: wrong } = toWorkerSettings(cluster.spec);
  if (wrong.length > 0) {
    throw new InvalidConfigError(
      file,
      wrong.map(({ key, message }) => problem(`KafkaConnect ${cluster.metadata.name}: spec.config ${key}`, message)),
    );
  }
  // In a cluster the operator gives the rest; here nobody else does.
  const own = Object.entries(owned).filter(([key]) => !IDENTITY.has(key));
  for (const key of Object.keys(owned)) if (IDENTITY.has(key)) warnings.push(`${key} in spec.config is not applied`);
  const properties = {
    "bootstrap.servers": cluster.spec.bootstrapServers,
    "offset.storage.file.filename": resolve(`${file}.offsets`),
    ...defaults,
    ...user,
    ...Object.fromEntries(own),
    "config.providers": providers,
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
  };
  return { worker: { file, properties }, connectors, warnings };
}

function toGiven(resource: KafkaConnector, problems: Problem[]): GivenConnector {
  const { metadata, spec } = resource;
  const name = connectorNameOf(resource);
  const { config, problems: wrong } = toConnectorConfig(name, spec);
  for (const { key, message } of wrong) {
    problems.push(problem(`KafkaConnector ${metadata.name}: spec.config ${key}`, message));
  }
  return { name, config, initialState: TARGET[spec.state] };
}

function check<T>(schema: z.ZodType<T>, resource: unknown, where: string, problems: Problem[]): T | null {
  const result = schema.safeParse(resource);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    problems.push(problem(`${where}: ${issue.path.map(String).join(".")}`, issue.message));
  }
  return null;
}

function problem(key: string, expected: string): Problem {
  return { key, value: null, expected };
}
