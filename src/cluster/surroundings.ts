import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeClient, Store } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { ConfigMaps, Secrets } from "../kube/resources.ts";
import { type Credentials, namedSecrets, readCredentials, type SecretData } from "./credentials.ts";
import type { Surroundings } from "./desired.ts";
import { jmxExporter } from "./jmx-exporter.ts";
import { namedObjects } from "./named-objects.ts";
import type { OperatorPods } from "./network-policy.ts";
import type { RackRights } from "./rack-rights.ts";

export interface SurroundingsDeps {
  readonly kube: KubeClient;
  readonly stores?: { readonly connectors?: Store<KafkaConnector> };
  readonly operator?: OperatorPods;
  readonly mavenImage?: string;
  readonly rackRights?: RackRights;
}

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

  async function loggingTextOf({ metadata, spec }: KafkaConnect, signal: AbortSignal): Promise<string | null> {
    const source = spec.logging?.valueFrom?.configMapKeyRef;
    if (source === undefined) return null;
    const { namespace = "" } = metadata;
    const found = await kube.get(ConfigMaps, { namespace, name: source.name }, signal);
    return found?.data?.[source.key] ?? null;
  }

  async function hasMetricsRules({ metadata, spec }: KafkaConnect, signal: AbortSignal): Promise<boolean> {
    const rules = jmxExporter(spec)?.rules;
    if (rules === undefined) return false;
    const { namespace = "" } = metadata;
    const found = await kube.get(ConfigMaps, { namespace, name: rules.name }, signal);
    return found?.data?.[rules.key] !== undefined;
  }

  return {
    /** A Secret that the operator may not read is told as one that is missing. */
    async of(connect: KafkaConnect, signal: AbortSignal): Promise<Surroundings> {
      const named = namedObjects(connect, stores?.connectors?.list() ?? []);
      const [loggingText, hasRules] = [await loggingTextOf(connect, signal), await hasMetricsRules(connect, signal)];
      const known = { ...given, named, loggingText, hasMetricsRules: hasRules };
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
