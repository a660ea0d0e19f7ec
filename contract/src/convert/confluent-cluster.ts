import { KafkaConnectSpec } from "../crd/kafka-connect.ts";
import { apiVersionOf, HEADRACE } from "./dialect.ts";
import { createFieldTaker, type FieldTaker, splitBySchema } from "./fields.ts";
import { isEmpty, isObject, type JsonObject, type Manifest } from "./manifest.ts";
import { changed, dropped, type Note } from "./notes.ts";
import type { Converted } from "./strimzi.ts";

export const CONFLUENT_GROUP = "platform.confluent.io";
export const CONFLUENT_VERSION = `${CONFLUENT_GROUP}/v1beta1`;

/** Group and topics in worker properties, and what Confluent for Kubernetes adds to `<namespace>.<name>` where none is given. */
const GROUP_AND_TOPICS = [
  ["groupId", "group.id", ""],
  ["configStorageTopic", "config.storage.topic", "-configs"],
  ["offsetStorageTopic", "offset.storage.topic", "-offsets"],
  ["statusStorageTopic", "status.storage.topic", "-status"],
] as const;

/** Fields of `podTemplate` and where they are in ours. */
const POD_FIELDS = [
  ["resources", ["resources"]],
  ["affinity", ["template", "pod", "affinity"]],
  ["tolerations", ["template", "pod", "tolerations"]],
  ["topologySpreadConstraints", ["template", "pod", "topologySpreadConstraints"]],
  ["priorityClassName", ["template", "pod", "priorityClassName"]],
  ["terminationGracePeriodSeconds", ["template", "pod", "terminationGracePeriodSeconds"]],
  ["podSecurityContext", ["template", "pod", "securityContext"]],
  ["annotations", ["template", "pod", "metadata", "annotations"]],
  ["labels", ["template", "pod", "metadata", "labels"]],
  ["envVars", ["template", "connectContainer", "env"]],
  ["containerSecurityContext", ["template", "connectContainer", "securityContext"]],
] as const satisfies readonly (readonly [string, readonly string[]])[];

const PROBES = [
  ["liveness", "livenessProbe"],
  ["readiness", "readinessProbe"],
] as const;

/** A `Connect` of Confluent for Kubernetes as our KafkaConnect. */
export function fromConfluentConnect({ metadata, spec }: Manifest): Converted {
  const source = createFieldTaker(spec);
  const notes: Note[] = [];
  const own: Record<string, unknown> = { replicas: source.take("replicas") ?? 1 };
  const servers = source.take("dependencies", "kafka", "bootstrapEndpoint");
  if (servers === undefined) notes.push(changed("spec.bootstrapServers", "spec.bootstrapServers has to be filled in."));
  own["bootstrapServers"] = servers ?? "kafka:9071";
  Object.assign(own, takeProperties(source, metadata, notes));
  Object.assign(own, takeSecurity(source, notes));
  for (const [theirs, path] of POD_FIELDS) put(own, path, source.take("podTemplate", theirs));
  for (const [theirs, ours] of PROBES) put(own, [ours], source.take("podTemplate", "probe", theirs));
  takeMounts(source, own);
  takeBuild(source, own, notes);
  for (const left of source.leftovers("spec")) notes.push(dropped(left, reasonFor(left.path)));
  const { kept, leftovers } = splitBySchema(KafkaConnectSpec, own, "spec");
  notes.push(...leftovers.map((left) => dropped(left, "has no counterpart")));
  return {
    manifest: { apiVersion: apiVersionOf(HEADRACE), kind: "KafkaConnect", metadata, spec: kept },
    notes,
  };
}

function reasonFor(path: string): string {
  if (path.startsWith("spec.image")) return "names an image of Confluent's";
  if (path.startsWith("spec.license")) return "is a licence, of which none is needed";
  if (path.startsWith("spec.configOverrides.")) return "is for the JVM only";
  return "has no counterpart";
}

function takeProperties(source: FieldTaker, { name, namespace }: Manifest["metadata"], notes: Note[]): JsonObject {
  const config: Record<string, unknown> = {};
  const lines = source.take("configOverrides", "server");
  for (const line of Array.isArray(lines) ? lines : []) {
    const [, key, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/s.exec(String(line)) ?? [];
    if (key === undefined) notes.push(dropped({ path: "spec.configOverrides.server", value: line }, "is no property"));
    else config[key] = value ?? "";
  }
  const own: Record<string, unknown> = {};
  for (const [field, key, ending] of GROUP_AND_TOPICS) {
    const given = config[key];
    delete config[key];
    own[field] = given ?? `${namespace ?? "default"}.${name}${ending}`;
    if (given !== undefined) continue;
    const doubt = namespace === undefined ? "; the resource names no namespace, so check it" : "";
    notes.push(changed(`spec.${field}`, `spec.${field} is ${String(own[field])}, the default of ${key}${doubt}.`));
  }
  const factor = source.take("internalTopicReplicatorFactor");
  if (factor !== undefined) {
    for (const topic of ["config", "offset", "status"]) config[`${topic}.storage.replication.factor`] ??= factor;
  }
  for (const side of ["key", "value"] as const) {
    const converter = source.take(`${side}ConverterType`);
    if (converter !== undefined) config[`${side}.converter`] ??= converter;
  }
  const registry = source.take("dependencies", "schemaRegistry", "url");
  if (registry !== undefined) {
    for (const side of ["key", "value"]) config[`${side}.converter.schema.registry.url`] ??= registry;
  }
  return { ...own, ...(isEmpty(config) ? {} : { config }) };
}

/** TLS and authentication towards Kafka. Passwords stand in files of Confluent's own form: they need a Secret of another one. */
function takeSecurity(source: FieldTaker, notes: Note[]): JsonObject {
  const own: Record<string, unknown> = {};
  const enabled = source.take("dependencies", "kafka", "tls", "enabled") === true;
  const secret = source.take("dependencies", "kafka", "tls", "secretRef") ?? source.take("tls", "secretRef");
  if (enabled) {
    own["tls"] = secret === undefined ? {} : { trustedCertificates: [{ secretName: secret, pattern: "ca*" }] };
    if (secret !== undefined)
      notes.push(changed("spec.tls", `spec.tls takes ca* of Secret ${String(secret)}: cacerts.pem or ca.crt.`));
  }
  const type = source.take("dependencies", "kafka", "authentication", "type");
  if (type === "mtls" && secret !== undefined) {
    own["authentication"] = {
      type: "tls",
      certificateAndKey: { secretName: secret, certificate: "fullchain.pem", key: "privkey.pem" },
    };
    const message = `spec.authentication takes fullchain.pem and privkey.pem of Secret ${String(secret)}; if it has tls.crt and tls.key, name those.`;
    notes.push(changed("spec.authentication", message));
  } else if (type !== undefined) {
    const why = "has to be set in spec.authentication, with the password alone in a key of a Secret";
    notes.push(dropped({ path: "spec.dependencies.kafka.authentication.type", value: type }, why));
  }
  return own;
}

function takeMounts(source: FieldTaker, own: Record<string, unknown>): void {
  const secrets = listOf(source.take("mountedSecrets"));
  const given = source.take("mountedVolumes");
  const { volumes, volumeMounts } = isObject(given) ? given : {};
  const names = secrets.map(({ secretRef }) => String(secretRef));
  const allVolumes = [...names.map((name) => ({ name, secret: { secretName: name } })), ...listOf(volumes)];
  const mounts = [...names.map((name) => ({ name, mountPath: `/mnt/secrets/${name}` })), ...listOf(volumeMounts)];
  if (allVolumes.length > 0) put(own, ["template", "pod", "volumes"], allVolumes);
  if (mounts.length > 0) put(own, ["template", "connectContainer", "volumeMounts"], mounts);
}

/** Java plugins: they run with `runtime: Jvm`. Confluent Hub has no address from which they could be fetched. */
function takeBuild(source: FieldTaker, own: Record<string, unknown>, notes: Note[]): void {
  source.take("build", "type");
  source.take("build", "onDemand", "plugins", "locationType");
  const archives = listOf(source.take("build", "onDemand", "plugins", "url"));
  if (archives.length === 0) return;
  const plugins = archives.map(({ name, archivePath, checksum }) => ({
    name: String(name).toLowerCase(),
    artifacts: [{ type: "zip", url: archivePath, ...(checksum === undefined ? {} : { sha512sum: checksum }) }],
  }));
  own["build"] = { plugins };
  own["runtime"] = "Jvm";
  notes.push(
    changed(
      "spec.build",
      "spec.build fetches Java plugins, so spec.runtime is Jvm: set spec.image to an image of Apache Kafka.",
    ),
  );
}

/** Our KafkaConnect as a `Connect` of Confluent for Kubernetes. */
export function toConfluentConnect({ metadata, spec }: Manifest): Converted {
  const source = createFieldTaker(spec);
  const notes: Note[] = [];
  const theirs: Record<string, unknown> = { replicas: source.take("replicas") ?? 1 };
  notes.push(changed("spec.image", "spec.image.application and spec.image.init have to be filled in."));
  put(theirs, ["dependencies", "kafka", "bootstrapEndpoint"], source.take("bootstrapServers"));
  const config = source.take("config");
  const server = [
    ...GROUP_AND_TOPICS.map(([field, key]) => [key, source.take(field)] as const),
    ...Object.entries(isObject(config) ? config : {}),
  ];
  put(
    theirs,
    ["configOverrides", "server"],
    server.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${String(value)}`])),
  );
  putSecurity(source, theirs);
  for (const [name, path] of POD_FIELDS) put(theirs, ["podTemplate", name], source.take(...path));
  for (const [name, ours] of PROBES) put(theirs, ["podTemplate", "probe", name], source.take(ours));
  put(theirs, ["mountedVolumes", "volumes"], source.take("template", "pod", "volumes"));
  put(theirs, ["mountedVolumes", "volumeMounts"], source.take("template", "connectContainer", "volumeMounts"));
  for (const left of source.leftovers("spec"))
    notes.push(dropped(left, "has no counterpart in Confluent for Kubernetes"));
  return { manifest: { apiVersion: CONFLUENT_VERSION, kind: "Connect", metadata, spec: theirs }, notes };
}

function putSecurity(source: FieldTaker, theirs: Record<string, unknown>): void {
  const tls = source.take("tls");
  if (tls !== undefined) put(theirs, ["dependencies", "kafka", "tls", "enabled"], true);
  const [trusted] = listOf(isObject(tls) ? tls["trustedCertificates"] : undefined);
  if (trusted !== undefined) put(theirs, ["dependencies", "kafka", "tls", "secretRef"], trusted["secretName"]);
}

/** Sets the value at a path; undefined sets nothing. */
function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...below] = path;
  if (name === undefined || value === undefined) return;
  if (below.length === 0) {
    target[name] = value;
    return;
  }
  const child: Record<string, unknown> = isObject(target[name]) ? { ...target[name] } : {};
  put(child, below, value);
  target[name] = child;
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
