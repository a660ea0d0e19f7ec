import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fieldValue, type PodAddresses, resourceValue } from "./downward.ts";
import type { LocalImage } from "./images.ts";
import { createPathMapper, type Mount } from "./mount-paths.ts";
import type { Container, DownwardFile, KeyToPath, Pod, TokenProjection, Volume } from "./pod.ts";
import type { Sources, Token } from "./sources.ts";
import { type VolumeFile, writeVolumeFiles } from "./volume-files.ts";

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3600;
/** A token is replaced after this share of its life, as the kubelet does. */
const TOKEN_LIFE_SHARE = 0.8;

/** The volumes of one pod as directories. */
export interface PodVolumes {
  /** Writes or refreshes all. Throws a sentence (FailedMount) if something that is not optional is missing. Idempotent. */
  sync(signal: AbortSignal): Promise<void>;
  /** The directories that stand for a container's mount paths. */
  mounts(container: Container): readonly Mount[];
}

/** The volumes of the pod, of which `current` answers the latest state, below `dir`. */
export function createPodVolumes(
  current: () => Pod,
  {
    dir,
    addresses,
    sources,
    images,
  }: {
    readonly dir: string;
    readonly addresses: PodAddresses;
    readonly sources: Sources;
    readonly images: ReadonlyMap<string, LocalImage>;
  },
): PodVolumes {
  const volumes = current().spec.volumes ?? [];
  const claimed = new Map<string, string>();
  const tokens = new Map<string, Token & { readonly renewAtMs: number }>();

  const mountsOf = (container: Container): readonly Mount[] =>
    (container.volumeMounts ?? []).map(({ name, mountPath, subPath }) => {
      const volume = volumes.find((candidate) => candidate.name === name);
      const root = volume?.hostPath?.path ?? claimed.get(name) ?? join(dir, name);
      if (subPath === undefined || subPath === "") return { mountPath, hostPath: root };
      const hostPath = join(root, subPath);
      if (volume?.emptyDir !== undefined && !existsSync(hostPath)) mkdirSync(hostPath, { recursive: true });
      return { mountPath, hostPath };
    });
  // There is no file system of a container's own: configuration that names files in volumes must name where they are here.
  const { containers, initContainers = [] } = current().spec;
  const every = [...initContainers, ...containers];
  const imageMounts = every.flatMap(({ image }) => images.get(image)?.mounts ?? []);
  const mapPath = (text: string) => createPathMapper([...imageMounts, ...every.flatMap(mountsOf)])(text);

  const token = async (projection: TokenProjection, signal: AbortSignal): Promise<string> => {
    const key = JSON.stringify(projection);
    const known = tokens.get(key);
    if (known !== undefined && Date.now() < known.renewAtMs) return known.token;
    const { metadata, spec } = current();
    const fresh = await sources.token(
      {
        namespace: metadata.namespace,
        serviceAccount: spec.serviceAccountName ?? "default",
        pod: { name: metadata.name, uid: metadata.uid },
        expirationSeconds: projection.expirationSeconds ?? DEFAULT_TOKEN_SECONDS,
        ...(projection.audience !== undefined && { audience: projection.audience }),
      },
      signal,
    );
    const now = Date.now();
    const renewAtMs = now + (fresh.expiresAt.getTime() - now) * TOKEN_LIFE_SHARE;
    tokens.set(key, { ...fresh, renewAtMs });
    return fresh.token;
  };

  const files = async (volume: Volume, signal: AbortSignal): Promise<ReadonlyMap<string, VolumeFile>> => {
    const pod = current();
    const { namespace } = pod.metadata;
    const mode =
      (volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected)?.defaultMode ?? DEFAULT_MODE;
    const parts = volume.projected?.sources ?? [
      {
        ...(volume.configMap !== undefined && { configMap: volume.configMap }),
        ...(volume.secret !== undefined && { secret: { ...volume.secret, name: volume.secret.secretName } }),
        ...(volume.downwardAPI !== undefined && { downwardAPI: volume.downwardAPI }),
      },
    ];
    const all = new Map<string, VolumeFile>();
    const add = (more: ReadonlyMap<string, VolumeFile>) => {
      for (const [path, file] of more) all.set(path, file);
    };
    for (const part of parts) {
      if (part.configMap !== undefined) {
        const { name, items, optional = false } = part.configMap;
        const found = await sources.configMap(namespace, name, signal);
        const data = found === null ? null : { ...texts(found.data, mapPath), ...bytes(found.binaryData) };
        add(selectKeys({ what: `configmap "${name}"`, data, items, optional, mode }));
      }
      if (part.secret !== undefined) {
        const { name, items, optional = false } = part.secret;
        const found = await sources.secret(namespace, name, signal);
        const data = found === null ? null : bytes(found.data);
        add(selectKeys({ what: `secret "${name}"`, data, items, optional, mode }));
      }
      for (const item of part.downwardAPI?.items ?? []) {
        all.set(item.path, { data: Buffer.from(downwardValue(pod, addresses, item)), mode: item.mode ?? mode });
      }
      if ("serviceAccountToken" in part && part.serviceAccountToken !== undefined) {
        const data = Buffer.from(await token(part.serviceAccountToken, signal));
        all.set(part.serviceAccountToken.path, { data, mode });
      }
    }
    return all;
  };

  return {
    async sync(signal) {
      // Where claims are has to be known before texts are written that name their mount paths.
      const claims = volumes.filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
      for (const volume of new Set([...claims, ...volumes])) {
        const path = join(dir, volume.name);
        if (volume.emptyDir !== undefined) mkdirSync(path, { recursive: true });
        else if (volume.hostPath !== undefined) continue;
        else if (volume.persistentVolumeClaim !== undefined) {
          const { claimName } = volume.persistentVolumeClaim;
          const found = await sources.claimedPath(current().metadata.namespace, claimName, signal);
          if (found === null) throw new Error(`persistentvolumeclaim "${claimName}" is not bound to a directory`);
          claimed.set(volume.name, found);
        } else if (volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected) {
          writeVolumeFiles(path, await files(volume, signal));
        } else throw new Error(`volume "${volume.name}": its kind is not supported by the local agent`);
      }
    },
    mounts: mountsOf,
  };
}

/** All keys of a ConfigMap or Secret as files, or those that `items` names. */
function selectKeys(options: {
  readonly what: string;
  readonly data: Readonly<Record<string, Buffer>> | null;
  readonly items: readonly KeyToPath[] | undefined;
  readonly optional: boolean;
  readonly mode: number;
}): ReadonlyMap<string, VolumeFile> {
  const { what, data, items, optional, mode } = options;
  if (data === null) {
    if (optional) return new Map();
    throw new Error(`${what} not found`);
  }
  if (items === undefined) {
    return new Map(Object.entries(data).map(([key, value]) => [key, { data: value, mode }]));
  }
  const selected = new Map<string, VolumeFile>();
  for (const item of items) {
    const value = data[item.key];
    if (value !== undefined) selected.set(item.path, { data: value, mode: item.mode ?? mode });
    else if (!optional) throw new Error(`${what} references non-existent key: ${item.key}`);
  }
  return selected;
}

function downwardValue(pod: Pod, addresses: PodAddresses, item: DownwardFile): string {
  if (item.fieldRef !== undefined) return fieldValue(pod, addresses, item.fieldRef);
  const container = pod.spec.containers.find(({ name }) => name === item.resourceFieldRef?.containerName);
  if (container === undefined || item.resourceFieldRef === undefined) {
    throw new Error(`downward API file ${item.path}: no field and no container's resource`);
  }
  return resourceValue(container, item.resourceFieldRef);
}

function texts(
  data: Readonly<Record<string, string>> = {},
  mapPath: (text: string) => string,
): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(mapPath(value))]));
}

function bytes(data: Readonly<Record<string, string>> = {}): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64")]));
}
