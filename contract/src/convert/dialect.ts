import { API_GROUP } from "../crd/names.ts";

/** An operator whose KafkaConnect and KafkaConnector resources have Strimzi's shape. */
export interface Dialect {
  readonly name: "headrace" | "strimzi" | "event-streams";
  /** Whose operator it is, for people. */
  readonly title: string;
  readonly group: string;
  /** Versions that are read; the first one is written. */
  readonly versions: readonly string[];
  /** What its labels and annotations begin with, without the slash. */
  readonly prefix: string;
}

export const HEADRACE: Dialect = {
  name: "headrace",
  title: "Headrace",
  group: API_GROUP,
  versions: ["v1"],
  prefix: API_GROUP,
};

export const STRIMZI: Dialect = {
  name: "strimzi",
  title: "Strimzi",
  group: "kafka.strimzi.io",
  versions: ["v1", "v1beta2"],
  prefix: "strimzi.io",
};

export const EVENT_STREAMS: Dialect = {
  name: "event-streams",
  title: "IBM Event Streams",
  group: "eventstreams.ibm.com",
  versions: ["v1", "v1beta2"],
  prefix: "eventstreams.ibm.com",
};

/** All of them. */
export const DIALECTS: readonly Dialect[] = [HEADRACE, STRIMZI, EVENT_STREAMS];

/** The dialect of a resource's apiVersion; undefined if it is none of them. */
export function dialectOf(apiVersion: string): { readonly dialect: Dialect; readonly version: string } | undefined {
  const [group = "", version = ""] = apiVersion.split("/");
  const dialect = DIALECTS.find((one) => one.group === group);
  return dialect === undefined || !dialect.versions.includes(version) ? undefined : { dialect, version };
}

/** The apiVersion that a dialect's resources are written with. */
export function apiVersionOf({ group, versions }: Dialect): string {
  return `${group}/${versions[0]}`;
}

/** Labels or annotations in the words of another dialect: the prefix changes, the verbs are the same. */
export function translateKeys(
  entries: Readonly<Record<string, string>> | undefined,
  from: Dialect,
  to: Dialect,
): Readonly<Record<string, string>> {
  const start = `${from.prefix}/`;
  return Object.fromEntries(
    Object.entries(entries ?? {}).map(([key, value]) => [
      key.startsWith(start) ? `${to.prefix}/${key.slice(start.length)}` : key,
      value,
    ]),
  );
}
