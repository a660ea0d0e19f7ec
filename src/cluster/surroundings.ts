import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect, KafkaConnector } from "../kinds.ts";
import type { KubeClient, Store } from "../kube/client.ts";
import type { KubeError } from "../kube/errors.ts";
import type { StatefulSet } from "../kube/resources.ts";
import { namedSecrets, readCredentials } from "./credentials.ts";
import type { Surroundings } from "./desired.ts";
import { jmxExporter, RULES_FILE } from "./jmx-exporter.ts";
import { toMetricsRules } from "./metrics-rules.ts";
import { namedObjects } from "./named-objects.ts";
import type { OperatorPods } from "./network-policy.ts";
import { createObjectReads, isPassing, mapRead, type ObjectReads, type Read, type Unread } from "./object-reads.ts";
import type { RackRights } from "./rack-rights.ts";
import { AUTH_HASH_ANNOTATION, revisionOf, SOURCES_HASH_ANNOTATION } from "./stateful-set.ts";
import { CONFIG_VOLUME } from "./volumes.ts";
import { readWorkerSources, sourceId, toContents, type WorkerSource, workerSources } from "./worker-sources.ts";

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

/** Surroundings as they could be read. */
export interface ReadSurroundings extends Surroundings {
  /** Some of it could not be read just now, which is worth another attempt soon. */
  readonly readAgain: boolean;
  /** Why the workers stay as they are: what new ones would be made of cannot be told; null if it can. */
  readonly held: KubeError | null;
}

type Values = NonNullable<Surroundings["values"]>;
type Data = Readonly<Record<string, string>>;

/** What one KafkaConnect is looked at with. */
interface Look {
  readonly connect: KafkaConnect;
  readonly reads: ObjectReads;
  /** Undefined: there are no workers yet. */
  readonly set: StatefulSet | undefined;
  /** All that could not be read. */
  readonly unread: Unread[];
  /** Of what the workers have, so that nothing can be made that has it, too. */
  readonly unreadOwn: Unread[];
}

/** Reads what the objects of a cluster depend on beside its KafkaConnect. */
export function createSurroundings({ kube, operator, stores, mavenImage, rackRights }: SurroundingsDeps) {
  const mayReadNodes = rackRights !== undefined;
  const given = { operator: operator ?? null, mayReadNodes, ...(mavenImage === undefined ? {} : { mavenImage }) };

  return {
    /**
     * What the API server does not give, workers that are there go on with as they have it: a role that is made anew, or keys of an
     * encrypted etcd that are away, must not roll them; `held` where that cannot be found out. Throws what new workers cannot do without
     * and the API server has failed at; and whatever is neither a refusal nor a failure of it, as where it cannot be reached.
     */
    async of(connect: KafkaConnect, signal: AbortSignal): Promise<ReadSurroundings> {
      const { namespace = "", name } = connect.metadata;
      const reads = createObjectReads(kube, namespace, signal);
      const set = stores?.statefulSets?.get({ namespace, name: workloadName(name) });
      const look: Look = { connect, reads, set, unread: [], unreadOwn: [] };
      const [credentials, logging, metrics, values] = await Promise.all([
        credentialsOf(look),
        loggingOf(look),
        metricsOf(look),
        valuesOf(look),
      ]);
      const named = namedObjects(connect, stores?.connectors?.list() ?? []);
      const readAgain = look.unread.some(isPassing);
      const held = look.unreadOwn[0]?.error ?? null;
      return { ...given, named, values, ...credentials, ...logging, ...metrics, readAgain, held };
    },
  };
}

async function credentialsOf(look: Look): Promise<Pick<Surroundings, "credentials" | "unreadCredentials">> {
  const { connect, reads, set } = look;
  const secrets = new Map<string, Data | null>();
  const unread: Unread[] = [];
  await Promise.all(
    namedSecrets(connect.spec).map(async (name) => {
      const read = mapRead(await reads.secret(name), ({ data = {} }) => data);
      if (read.kind === "unread") unread.push(read);
      else secrets.set(name, read.object);
    }),
  );
  const credentials = readCredentials(connect.spec, secrets);
  const why = without(unread, look);
  if (why === null) return { credentials };
  const { problems } = credentials;
  const hash = annotationOf(set, AUTH_HASH_ANNOTATION);
  const revision = revisionOf(set?.spec?.template ?? {});
  return { credentials: { trusted: null, hash, problems }, unreadCredentials: { why, revision } };
}

async function valuesOf(look: Look): Promise<Values> {
  const { connect, reads, set } = look;
  const sources = workerSources(connect);
  const contents = new Map<string, Data | null>();
  const unread: Unread[] = [];
  await Promise.all(
    [...Map.groupBy(sources, sourceId)].map(async ([id, ofOne]) => {
      const read = await contentsOf(ofOne, reads);
      if (read.kind === "unread") unread.push(read);
      else contents.set(id, read.object);
    }),
  );
  const values = readWorkerSources(sources, contents);
  const why = without(unread, look);
  if (why === null) return values;
  const warning = `It is not noticed when the workers have to start with other values: ${why}.`;
  return { ...values, hash: annotationOf(set, SOURCES_HASH_ANNOTATION), warnings: [...values.warnings, warning] };
}

/** What the sources, all of one object, find in it. */
async function contentsOf(sources: readonly WorkerSource[], reads: ObjectReads): Promise<Read<Data>> {
  const [source] = sources;
  if (source === undefined) return { kind: "read", object: null };
  if (source.kind === "Secret") return mapRead(await reads.secret(source.name), ({ data = {} }) => data);
  const keys = sources.map(({ key }) => key);
  return mapRead(await reads.configMap(source.name), (configMap) => toContents(configMap, keys));
}

async function loggingOf({
  connect,
  reads,
  unread,
}: Look): Promise<Pick<Surroundings, "loggingText" | "loggingUnread">> {
  const source = connect.spec.logging?.valueFrom?.configMapKeyRef;
  if (source === undefined) return { loggingText: null };
  const read = await reads.configMap(source.name);
  if (read.kind === "read") return { loggingText: read.object?.data?.[source.key] ?? null };
  unread.push(read);
  return { loggingText: null, loggingUnread: describe([read]) };
}

async function metricsOf({
  connect,
  reads,
  set,
  unread,
  unreadOwn,
}: Look): Promise<Pick<Surroundings, "metricsRules">> {
  const exporter = jmxExporter(connect.spec);
  if (exporter === null) return {};
  const { rules } = exporter;
  const read = await reads.configMap(rules.name);
  if (read.kind === "unread") unread.push(read);
  const found = {
    given: read.kind === "unread" ? null : (read.object?.data?.[rules.key] ?? null),
    ...(read.kind === "unread" ? { unread: describe([read]) } : {}),
    hasWorkers: set !== undefined,
  };
  const usable = toMetricsRules(exporter, { ...found, running: null });
  if (usable.text !== null) return { metricsRules: usable };
  const volumes = set?.spec?.template.spec?.volumes ?? [];
  const config = volumes.find((volume) => volume.name === CONFIG_VOLUME)?.configMap?.name;
  const current = config === undefined ? null : await reads.configMap(config);
  // Taken for missing, they would be taken from the workers.
  if (current?.kind === "unread") {
    unreadOwn.push(current);
    return { metricsRules: usable };
  }
  return { metricsRules: toMetricsRules(exporter, { ...found, running: current?.object?.data?.[RULES_FILE] ?? null }) };
}

/** Why workers that are there have to do without, without a full stop; null: they have not. Throws if there are none and it may pass. */
function without(unread: readonly Unread[], look: Look): string | null {
  const [failed] = unread.filter(isPassing);
  if (failed !== undefined && look.set === undefined) throw failed.error;
  look.unread.push(...unread);
  return unread.length === 0 ? null : describe(unread);
}

/** As in `Secret a, ConfigMap b cannot be read: …`, with what was said of one of them. */
function describe(unread: readonly Unread[]): string {
  const sorted = unread.toSorted((a, b) => (a.what < b.what ? -1 : 1));
  return `${sorted.map(({ what }) => what).join(", ")} cannot be read: ${sorted[0]?.error.message ?? ""}`;
}

function annotationOf(set: StatefulSet | undefined, annotation: string): string {
  return set?.spec?.template.metadata?.annotations?.[annotation] ?? "";
}
