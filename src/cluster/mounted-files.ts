import { posix } from "node:path";
import type { KafkaConnectSpec } from "@headrace/contract";
import { z } from "zod";

/** Where a value is that a container finds in a file, or in a variable. */
export interface ValuePlace {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  readonly key: string;
  /** Whether Kubernetes starts the container without it. */
  readonly optional: boolean;
  /** Whether Kubernetes starts the container if the object is there, and the key is not. */
  readonly keyOptional: boolean;
}

const Items = z.array(z.object({ key: z.string(), path: z.string() })).optional();
const optional = z.boolean().optional();
const SecretVolume = z.object({ secretName: z.string(), items: Items, optional });
const Named = z.object({ name: z.string(), items: Items, optional });
const Projected = z.object({ sources: z.array(z.looseObject({})) });
const Mount = z.looseObject({ subPath: z.string().optional(), subPathExpr: z.string().optional() });
const KeyRef = z.object({ name: z.string(), key: z.string(), optional });

type Template = Pick<KafkaConnectSpec, "template">;

/** What a volume is made of, as far as it matters here. */
interface Sources {
  readonly secret?: unknown;
  readonly configMap?: unknown;
  readonly projected?: unknown;
}

/** A part of a volume that comes from one object. */
interface VolumePart extends Pick<ValuePlace, "kind" | "name" | "optional" | "keyOptional"> {
  readonly items: z.infer<typeof Items>;
}

/**
 * Where the worker's container has its file `path` (absolute) from, by the volumes and mounts of `spec.template`: a key of a Secret or
 * ConfigMap; of several, if only what is in them tells; none, if the file is of another kind, or of no volume. Of two mounts the deeper
 * one counts, as in a container.
 */
export function filesAt({ template }: Template, path: string): readonly ValuePlace[] {
  const file = posix.normalize(path);
  const [mount] = (template?.connectContainer?.volumeMounts ?? [])
    .filter(({ mountPath }) => isWithin(file, mountPath))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length);
  const where = Mount.safeParse(mount ?? {});
  // What of a volume is mounted by an expression is known in the pod only.
  if (mount === undefined || !where.success || where.data.subPathExpr !== undefined) return [];
  const inVolume = posix.join(where.data.subPath ?? "", posix.relative(posix.normalize(mount.mountPath), file));
  const volume = template?.pod?.volumes?.find(({ name }) => name === mount.name);
  const places = partsOf(volume).flatMap(({ items, ...part }) => {
    const key = items === undefined ? inVolume : items.find((item) => posix.normalize(item.path) === inVolume)?.key;
    return key === undefined || key === "." || key.includes("/") ? [] : [{ ...part, key }];
  });
  return places.length > 1 ? places.map((place) => ({ ...place, optional: true })) : places;
}

/** The key that the worker's container has as the variable `name`; null if it comes from elsewhere. Of two with one name the last counts. */
export function variableAt({ template }: Template, name: string): ValuePlace | null {
  const variable = template?.connectContainer?.env?.findLast((each) => each.name === name);
  for (const [field, kind] of [
    ["secretKeyRef", "Secret"],
    ["configMapKeyRef", "ConfigMap"],
  ] as const) {
    const reference = KeyRef.safeParse(variable?.valueFrom?.[field]);
    if (reference.success) {
      const found = withOptional(reference.data);
      return { kind, ...found, keyOptional: found.optional };
    }
  }
  return null;
}

/** What of a volume comes from Secrets and ConfigMaps. */
function partsOf(volume: Sources = {}): readonly VolumePart[] {
  const { secret, configMap, projected } = volume;
  const ofSecret = SecretVolume.safeParse(secret);
  if (ofSecret.success) {
    const { secretName: name, ...rest } = ofSecret.data;
    return [toPart("Secret", { name, ...rest })];
  }
  const ofConfigMap = Named.safeParse(configMap);
  if (ofConfigMap.success) return [toPart("ConfigMap", ofConfigMap.data)];
  const several = Projected.safeParse(projected);
  if (!several.success) return [];
  return several.data.sources.flatMap((source) => {
    const [asSecret, asConfigMap] = [Named.safeParse(source["secret"]), Named.safeParse(source["configMap"])];
    if (asSecret.success) return [toPart("Secret", asSecret.data)];
    return asConfigMap.success ? [toPart("ConfigMap", asConfigMap.data)] : [];
  });
}

function toPart(kind: ValuePlace["kind"], { items, ...named }: z.infer<typeof Named>): VolumePart {
  const { optional: isOptional, ...part } = withOptional(named);
  return { kind, items, ...part, optional: isOptional, keyOptional: isOptional || items === undefined };
}

function withOptional<T extends { readonly optional?: boolean | undefined }>(reference: T) {
  return { ...reference, optional: reference.optional === true };
}

function isWithin(file: string, directory: string): boolean {
  const path = posix.normalize(directory).replace(/\/$/, "");
  return file === path || file.startsWith(`${path}/`);
}
