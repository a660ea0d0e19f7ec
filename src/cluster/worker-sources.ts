import { createHash } from "node:crypto";
import { posix } from "node:path";
import { type Placeholder, placeholdersIn, toWorkerSettings } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type { ConfigMap } from "../kube/resources.ts";
import { configProviders, objectAt } from "./config-providers.ts";
import { kafkaAccess } from "./kafka-access.ts";
import { filesAt, type ValuePlace, variableAt } from "./mounted-files.ts";

/** A value of a Secret or ConfigMap that workers read once, at their start. */
export interface WorkerSource extends ValuePlace {
  /** Property of the worker that it is for; the first of them. */
  readonly property: string;
  /** A worker that does not find it goes on with the placeholder's text, and nothing else can be meant. */
  readonly literal: boolean;
}

/** What the objects of the sources hold, base64, by `sourceId`; null: there is no such object. Nothing is said of one that is not in it. */
export type SourceContents = ReadonlyMap<string, Readonly<Record<string, string>> | null>;

/** What is in the sources now. */
export interface WorkerValues {
  /** Changes with any of the values; "" if there are none. Workers have to start anew then. */
  readonly hash: string;
  /** What is missing and must not be, each as a sentence. Never a value. */
  readonly problems: readonly string[];
  /** What is missing and need not be there, likewise. */
  readonly warnings: readonly string[];
}

/** Settings that are the path of a file which the clients read when they are made, and not again. */
const FILES = /(^|\.)ssl\.(keystore|truststore)\.location$/;

/**
 * What the workers' own configuration (`spec.config`, `spec.authentication.config`) reads of Secrets and ConfigMaps of its namespace: by
 * placeholders, directly or through mounted volumes and variables, and as keystores in mounted volumes. Each once, sorted. Of a properties file
 * the whole file counts, of everything else the very key. Objects of other namespaces are not among them: the operator gives no rights to them.
 */
export function workerSources({ metadata, spec }: KafkaConnect): readonly WorkerSource[] {
  const { namespace = "" } = metadata;
  const providers = configProviders(spec);
  const found = new Map<string, WorkerSource>();

  function placesOf({ provider, path, key }: Placeholder): readonly Place[] {
    const kind = providers.get(provider);
    switch (kind) {
      case undefined:
        return [];
      case "Secret":
      case "ConfigMap": {
        const object = objectAt(path, namespace);
        return object?.namespace === namespace ? [{ kind, name: object.name, key, ...NEEDED }] : [];
      }
      case "directory":
        return path === "" || key.includes("/") ? [] : asLiteral(filesAt(spec, posix.join(path, key)));
      case "file":
        return path === "" ? [] : filesAt(spec, path).map(withoutLiteral);
      case "env": {
        const place = path === "" ? variableAt(spec, key) : null;
        return place === null ? [] : asLiteral([place]);
      }
      default:
        throw new Error(`unreachable: ${kind satisfies never}`);
    }
  }

  for (const [property, value] of Object.entries({ ...toWorkerSettings(spec).user, ...kafkaAccess(spec).properties })) {
    const file = FILES.test(property) && value.startsWith("/") ? filesAt(spec, value).map(withoutLiteral) : [];
    for (const place of [...placeholdersIn(value).flatMap(placesOf), ...file]) {
      const id = `${sourceId(place)} ${place.key}`;
      const { property: first, ...known } = found.get(id) ?? { ...place, property };
      found.set(id, {
        ...place,
        property: first,
        optional: known.optional && place.optional,
        keyOptional: known.keyOptional && place.keyOptional,
        literal: known.literal && place.literal,
      });
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
}

type Place = Omit<WorkerSource, "property">;

/** Of what workers read by the Kubernetes API: they do not start without it. */
const NEEDED = { optional: false, keyOptional: false, literal: false } as const;

/** Of several places the value is in one: what is not in the others says nothing. */
function asLiteral(places: readonly ValuePlace[]): readonly Place[] {
  return places.map((place) => ({ ...place, literal: places.length === 1 }));
}

function withoutLiteral(place: ValuePlace): Place {
  return { ...place, literal: false };
}

/** How the object of a source is known in `SourceContents`. */
export function sourceId({ kind, name }: Pick<ValuePlace, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** What a ConfigMap holds under these keys, as base64, as Secrets have theirs. */
export function toContents(
  { data = {}, binaryData = {} }: ConfigMap,
  keys: readonly string[],
): Readonly<Record<string, string>> {
  const found = keys.flatMap((key) => {
    const text = ownOf(data, key);
    const value = text === null ? ownOf(binaryData, key) : Buffer.from(text).toString("base64");
    return value === null ? [] : [[key, value] as const];
  });
  return Object.fromEntries(found);
}

/** Users name the keys: `constructor` is one like any other. */
function ownOf(data: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(data, key) ? (data[key] ?? null) : null;
}

/** Reads them. */
export function readWorkerSources(sources: readonly WorkerSource[], contents: SourceContents): WorkerValues {
  const [problems, warnings] = [new Set<string>(), new Set<string>()];
  const values = sources.map((source) => {
    const { kind, name, key, property } = source;
    const data = contents.get(sourceId(source));
    const value = data === undefined || data === null ? null : ownOf(data, key);
    if (data !== undefined && value === null) {
      const what = data === null ? "does not exist" : `has no key ${key}`;
      const sentence = `${kind} ${name}, from which ${property} is read, ${what}`;
      if (isNeeded(source, data !== null)) problems.add(sentence);
      else if (source.literal) warnings.add(`${sentence}: its placeholder stays as it is.`);
    }
    return [kind, name, key, value];
  });
  const hash = createHash("sha256").update(JSON.stringify(values)).digest("hex").slice(0, 10);
  return { hash: sources.length === 0 ? "" : hash, problems: [...problems], warnings: [...warnings] };
}

/** Whether a worker cannot start without a value that is missing, and would not with the text of its placeholder. */
function isNeeded({ optional, keyOptional, literal }: WorkerSource, isObjectThere: boolean): boolean {
  return isObjectThere && literal ? !keyOptional : !optional;
}
