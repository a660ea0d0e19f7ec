import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeClient, Store } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { ConfigMaps, Secrets, type StatefulSet } from "../kube/resources.ts";
import { type Credentials, namedSecrets, readCredentials, type SecretData } from "./credentials.ts";
import type { Surroundings } from "./desired.ts";
import { jmxExporter, RULES_FILE } from "./jmx-exporter.ts";
import { type MetricsRules, toMetricsRules } from "./metrics-rules.ts";
import { namedObjects } from "./named-objects.ts";
import type { OperatorPods } from "./network-policy.ts";
import type { RackRights } from "./rack-rights.ts";
import { SOURCES_HASH_ANNOTATION } from "./stateful-set.ts";
import { CONFIG_VOLUME } from "./volumes.ts";
import {
  readWorkerSources,
  type SourceContents,
  sourceId,
  toContents,
  type WorkerSource,
  workerSources,
} from "./worker-sources.ts";

export interface SurroundingsDeps {
  readonly kube: KubeClient;
  readonly stores?: {
    readonly connectors?: Store<KafkaConnector>;
    readonly statefulSets?: Pick<Store<StatefulSet>, "get">;
  };
  readonly operator?: OperatorPods;
  readonly mavenImage?: string;
  readonly rackRights?: RackRights;
}

type ReadValues = NonNullable<Surroundings["values"]>;

/** Reads what the objects of a cluster depend on beside its KafkaConnect. */
export function createSurroundings({ kube, operator, stores, mavenImage, rackRights }: SurroundingsDeps) {
  const mayReadNodes = rackRights !== undefined;
  const given = { operator: operator ?? null, mayReadNodes, ...(mavenImage === undefined ? {} : { mavenImage }) };

  async function credentialsOf({ metadata, spec }: KafkaConnect, signal: AbortSignal): Promise<Credentials> {
    const { namespace = "" } = metadata;
    const secrets: SecretData = new Map(
      await Promise.all(
        namedSecrets(spec).map(async (name) => {
          const secret = await kube.get(Secrets, { namespace, name }, signal);
          return [name, secret === null ? null : (secret.data ?? {})] as const;
        }),
      ),
    );
    return readCredentials(spec, secrets);
  }

  async function contentsOf({ kind, name }: WorkerSource, namespace: string, signal: AbortSignal) {
    if (kind === "Secret") {
      const secret = await kube.get(Secrets, { namespace, name }, signal);
      return secret === null ? null : (secret.data ?? {});
    }
    const configMap = await kube.get(ConfigMaps, { namespace, name }, signal);
    return configMap === null ? null : toContents(configMap);
  }

  /** While the operator may not read one of them the workers stay as they are: a role that is made anew must not roll them. */
  async function valuesOf(connect: KafkaConnect, signal: AbortSignal): Promise<ReadValues> {
    const sources = workerSources(connect);
    const { namespace = "", name } = connect.metadata;
    const objects = new Map(sources.map((source) => [sourceId(source), source]));
    const unreadable: string[] = [];
    const contents: SourceContents = new Map(
      await Promise.all(
        [...objects].map(async ([id, source]) => {
          try {
            return [id, await contentsOf(source, namespace, signal)] as const;
          } catch (error) {
            if (!isKubeError(error, "forbidden")) throw error;
            unreadable.push(id);
            return [id, null] as const;
          }
        }),
      ),
    );
    if (unreadable.length === 0) return { ...readWorkerSources(sources, contents), warnings: [] };
    const template = stores?.statefulSets?.get({ namespace, name: workloadName(name) })?.spec?.template;
    const hash = template?.metadata?.annotations?.[SOURCES_HASH_ANNOTATION] ?? "";
    const what = unreadable.toSorted().join(", ");
    return {
      hash,
      problems: [],
      warnings: [
        `The operator may not read ${what}: it does not notice when the workers have to start with other values.`,
      ],
    };
  }

  async function loggingTextOf({ metadata, spec }: KafkaConnect, signal: AbortSignal): Promise<string | null> {
    const source = spec.logging?.valueFrom?.configMapKeyRef;
    if (source === undefined) return null;
    const { namespace = "" } = metadata;
    const found = await kube.get(ConfigMaps, { namespace, name: source.name }, signal);
    return found?.data?.[source.key] ?? null;
  }

  /** Undefined: none are asked for. */
  async function metricsRulesOf(
    { metadata, spec }: KafkaConnect,
    signal: AbortSignal,
  ): Promise<MetricsRules | undefined> {
    const exporter = jmxExporter(spec);
    if (exporter === null) return undefined;
    const { namespace = "", name } = metadata;
    const { rules } = exporter;
    const found = await kube.get(ConfigMaps, { namespace, name: rules.name }, signal);
    const given = found?.data?.[rules.key] ?? null;
    const set = stores?.statefulSets?.get({ namespace, name: workloadName(name) });
    const hasWorkers = set !== undefined;
    const usable = toMetricsRules(exporter, { given, running: null, hasWorkers });
    if (usable.text !== null) return usable;
    const volumes = set?.spec?.template.spec?.volumes ?? [];
    const config = volumes.find((volume) => volume.name === CONFIG_VOLUME)?.configMap?.name;
    const current = config === undefined ? null : await kube.get(ConfigMaps, { namespace, name: config }, signal);
    return toMetricsRules(exporter, { given, running: current?.data?.[RULES_FILE] ?? null, hasWorkers });
  }

  return {
    /** A Secret that the operator may not read is told as one that is missing. */
    async of(connect: KafkaConnect, signal: AbortSignal): Promise<Surroundings> {
      const named = namedObjects(connect, stores?.connectors?.list() ?? []);
      const loggingText = await loggingTextOf(connect, signal);
      const metricsRules = await metricsRulesOf(connect, signal);
      const values = await valuesOf(connect, signal);
      const known = { ...given, named, loggingText, values, ...(metricsRules === undefined ? {} : { metricsRules }) };
      try {
        return { ...known, credentials: await credentialsOf(connect, signal) };
      } catch (error) {
        if (!isKubeError(error, "forbidden")) throw error;
        const credentials = { trusted: null, hash: "", problems: [error.message] };
        return { ...known, credentials };
      }
    },
  };
}
