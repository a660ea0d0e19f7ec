import { fieldValue, type PodAddresses, resourceValue } from "./downward.ts";
import { expand } from "./expansion.ts";
import type { Container, EnvVar, Pod } from "./pod.ts";
import type { Sources } from "./sources.ts";

/** All pods of this node share one loopback: what a pod would reach there is at its own address. */
const LOOPBACK = "127.0.0.1";

/**
 * The environment that a pod gives to a container, as the kubelet makes it: `envFrom` in order, then `env` in order; values may use
 * variables before them as `$(NAME)`. Throws a sentence (CreateContainerConfigError) if something that is not optional is missing.
 */
export async function resolveEnvironment(
  pod: Pod,
  container: Container,
  addresses: PodAddresses,
  sources: Sources,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { namespace } = pod.metadata;
  const variables: Record<string, string> = {};
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const data =
      configMapRef === undefined
        ? await secretData(sources, namespace, secretRef?.name ?? "", signal)
        : ((await sources.configMap(namespace, configMapRef.name, signal))?.data ?? null);
    const ref = configMapRef ?? secretRef;
    if (data === null && ref?.optional !== true) {
      throw new Error(`${configMapRef === undefined ? "secret" : "configmap"} "${ref?.name}" not found`);
    }
    for (const [key, value] of Object.entries(data ?? {})) variables[`${prefix}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expand(variable.value ?? "", variables)
        : await resolveReference(pod, container, variable.valueFrom, addresses, sources, signal);
    if (value !== undefined) variables[variable.name] = value === LOOPBACK ? addresses.podIP : value;
  }
  return variables;
}

async function resolveReference(
  pod: Pod,
  container: Container,
  from: NonNullable<EnvVar["valueFrom"]>,
  addresses: PodAddresses,
  sources: Sources,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace } = pod.metadata;
  if (from.fieldRef !== undefined) return fieldValue(pod, addresses, from.fieldRef);
  if (from.resourceFieldRef !== undefined) {
    const { containerName } = from.resourceFieldRef;
    const about = pod.spec.containers.find(({ name }) => name === containerName) ?? container;
    return resourceValue(about, from.resourceFieldRef);
  }
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (ref === undefined) return undefined;
  const isConfigMap = from.configMapKeyRef !== undefined;
  const data = isConfigMap
    ? ((await sources.configMap(namespace, ref.name, signal))?.data ?? null)
    : await secretData(sources, namespace, ref.name, signal);
  const value = data?.[ref.key];
  if (value !== undefined || ref.optional === true) return value;
  if (data === null) throw new Error(`${isConfigMap ? "configmap" : "secret"} "${ref.name}" not found`);
  throw new Error(`couldn't find key ${ref.key} in ${isConfigMap ? "ConfigMap" : "Secret"} ${namespace}/${ref.name}`);
}

async function secretData(
  sources: Sources,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | null> {
  const secret = await sources.secret(namespace, name, signal);
  if (secret === null) return null;
  const decoded = Object.entries(secret.data ?? {}).map(([key, value]) => [
    key,
    Buffer.from(value, "base64").toString(),
  ]);
  return Object.fromEntries(decoded);
}
