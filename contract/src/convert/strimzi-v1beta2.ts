import { isEmpty, isObject, type JsonObject, type Manifest } from "./manifest.ts";
import { changed, dropped, type Note } from "./notes.ts";

/** What stood in `spec.config` before v1, with the operator's default where a user gave none. */
const GROUP_AND_TOPICS = {
  groupId: ["group.id", "connect-cluster"],
  configStorageTopic: ["config.storage.topic", "connect-cluster-configs"],
  offsetStorageTopic: ["offset.storage.topic", "connect-cluster-offsets"],
  statusStorageTopic: ["status.storage.topic", "connect-cluster-status"],
} as const;

const DEFAULT_REPLICAS = 3;
const OLD_MOUNTS = "/opt/kafka/external-configuration/";
const NEW_MOUNTS = "/mnt/external-configuration/";

interface Upgraded {
  readonly spec: JsonObject;
  readonly notes: readonly Note[];
}

/** Brings a v1beta2 resource to v1's fields. A v1 resource stays as it is. */
export function upgrade({ kind, spec }: Manifest): Upgraded {
  return kind === "KafkaConnector" ? upgradeConnector(spec) : upgradeCluster(spec);
}

function upgradeConnector(spec: JsonObject): Upgraded {
  const { pause, ...rest } = spec;
  const moved = moveMounts(rest["config"]);
  const notes = [...moved.notes];
  const state = rest["state"] ?? (pause === true ? "paused" : undefined);
  return {
    spec: {
      ...rest,
      ...(moved.config === undefined ? {} : { config: moved.config }),
      ...(state === undefined ? {} : { state }),
    },
    notes,
  };
}

function upgradeCluster(spec: JsonObject): Upgraded {
  const { externalConfiguration, authentication, ...rest } = spec;
  const notes: Note[] = [];
  const moved = moveMounts(rest["config"]);
  notes.push(...moved.notes);
  const config: Record<string, unknown> = { ...moved.config };
  const dedicated: Record<string, unknown> = {};
  for (const [field, [key, standard]] of Object.entries(GROUP_AND_TOPICS)) {
    const given = rest[field] ?? config[key];
    delete config[key];
    dedicated[field] = given ?? standard;
    if (given === undefined)
      notes.push(changed(`spec.${field}`, `spec.${field} is ${standard}, which was the default of ${key}.`));
  }
  const replicas = rest["replicas"] ?? DEFAULT_REPLICAS;
  const access = upgradeAuthentication(authentication);
  const template = upgradeExternal(withVolumes(externalConfiguration, access.volumes), rest["template"]);
  notes.push(...access.notes, ...template.notes);
  const settings = access.volumes.length === 0 ? config : withDirectories(config);
  const { config: _, template: __, ...others } = rest;
  return {
    spec: {
      ...others,
      ...dedicated,
      replicas,
      ...(isEmpty(settings) ? {} : { config: settings }),
      ...(access.authentication === undefined ? {} : { authentication: access.authentication }),
      ...(template.template === undefined ? {} : { template: template.template }),
    },
    notes,
  };
}

/** Files of `externalConfiguration` move, and with them the placeholders that name them. */
function moveMounts(config: unknown): { readonly config: JsonObject | undefined; readonly notes: readonly Note[] } {
  if (!isObject(config)) return { config: undefined, notes: [] };
  const notes: Note[] = [];
  const entries = Object.entries(config).map(([key, value]) => {
    if (typeof value !== "string" || !value.includes(OLD_MOUNTS)) return [key, value];
    notes.push(changed(`spec.config.${key}`, `spec.config.${key} names the new path ${NEW_MOUNTS} of the volume.`));
    return [key, value.replaceAll(OLD_MOUNTS, NEW_MOUNTS)];
  });
  return { config: Object.fromEntries(entries), notes };
}

function withVolumes(external: unknown, volumes: readonly JsonObject[]): unknown {
  if (volumes.length === 0) return external;
  const given = isObject(external) ? external : {};
  return { ...given, volumes: [...listOf(given["volumes"]), ...volumes] };
}

/** `externalConfiguration` became environment variables and volumes of the template. */
function upgradeExternal(
  external: unknown,
  template: unknown,
): { readonly template: unknown; readonly notes: readonly Note[] } {
  if (!isObject(external)) return { template, notes: [] };
  const notes: Note[] = [];
  const env = listOf(external["env"]);
  const volumes = listOf(external["volumes"]);
  const base = isObject(template) ? template : {};
  const pod = isObject(base["pod"]) ? base["pod"] : {};
  const container = isObject(base["connectContainer"]) ? base["connectContainer"] : {};
  const mounts = volumes.map(({ name }) => ({ name, mountPath: `${NEW_MOUNTS}${String(name)}` }));
  for (const { name } of volumes)
    notes.push(
      changed(
        "spec.externalConfiguration.volumes",
        `Volume ${String(name)} is mounted at ${NEW_MOUNTS}${String(name)} instead of ${OLD_MOUNTS}${String(name)}.`,
      ),
    );
  return {
    template: {
      ...base,
      ...(volumes.length === 0 ? {} : { pod: { ...pod, volumes: [...listOf(pod["volumes"]), ...volumes] } }),
      connectContainer: {
        ...container,
        ...(env.length === 0 ? {} : { env: [...listOf(container["env"]), ...env] }),
        ...(mounts.length === 0 ? {} : { volumeMounts: [...listOf(container["volumeMounts"]), ...mounts] }),
      },
    },
    notes,
  };
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

const OAUTH_LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

interface UpgradedAuthentication {
  readonly authentication: unknown;
  /** Volumes that it needs, mounted as those of `externalConfiguration`. */
  readonly volumes: readonly JsonObject[];
  readonly notes: readonly Note[];
}

/** `type: oauth` became `type: custom` with Kafka's own settings; its secret comes as a file. */
function upgradeAuthentication(value: unknown): UpgradedAuthentication {
  if (!isObject(value) || value["type"] !== "oauth") return { authentication: value, volumes: [], notes: [] };
  const { type: _, clientId, clientSecret, tokenEndpointUri, scope, ...rest } = value;
  const path = "spec.authentication";
  const notes = Object.entries(rest).map(([name, left]) =>
    dropped({ path: `${path}.${name}`, value: left }, "has no counterpart"),
  );
  notes.push(changed(path, `${path} is of type custom now, with Kafka's own settings for OAUTHBEARER.`));
  const { secretName, key } = isObject(clientSecret) ? clientSecret : {};
  const options = [`clientId="${String(clientId ?? "")}"`];
  if (secretName !== undefined)
    options.push(`clientSecret="\${directory:${NEW_MOUNTS}${String(secretName)}:${String(key)}}"`);
  if (typeof scope === "string") options.push(`scope="${scope}"`);
  return {
    authentication: {
      type: "custom",
      sasl: true,
      config: {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.jaas.config": `${OAUTH_LOGIN} required ${options.join(" ")};`,
        ...(typeof tokenEndpointUri === "string" ? { "sasl.oauthbearer.token.endpoint.url": tokenEndpointUri } : {}),
      },
    },
    volumes: secretName === undefined ? [] : [{ name: secretName, secret: { secretName } }],
    notes,
  };
}

/** The worker settings with the provider that reads files. */
function withDirectories(config: JsonObject): JsonObject {
  const providers = String(config["config.providers"] ?? "")
    .split(",")
    .filter((name) => name.trim() !== "");
  if (providers.includes("directory")) return config;
  return {
    ...config,
    "config.providers": [...providers, "directory"].join(","),
    "config.providers.directory.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
  };
}
