import { z } from "zod";
import { KafkaConnectorSpec } from "../crd/kafka-connector.ts";
import { CLUSTER_LABEL } from "../crd/names.ts";
import { CONNECTOR_FIELDS, toConnectorConfig } from "../crd/worker-settings.ts";
import { apiVersionOf, HEADRACE } from "./dialect.ts";
import { createFieldTaker, splitBySchema } from "./fields.ts";
import { isObject, type JsonObject, type Manifest } from "./manifest.ts";
import { changed, dropped, type Note } from "./notes.ts";
import type { Converted } from "./strimzi.ts";

/** A connector as Kafka Connect's REST API takes and gives it. */
export interface RestConnector {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** RUNNING, PAUSED or STOPPED. */
  readonly initial_state?: string | undefined;
}

const Config = z.record(z.string(), z.unknown());
const Created = z.object({ name: z.string(), config: Config, initial_state: z.string().optional() });
const Expanded = z.record(
  z.string(),
  z.looseObject({
    info: z.looseObject({ config: Config }),
    status: z.looseObject({ connector: z.looseObject({ state: z.string() }) }).optional(),
  }),
);
const Flat = z.looseObject({ "connector.class": z.string() });

/**
 * The connectors in a JSON document: the body of `POST /connectors` or an answer like it, a list of those, the answer of
 * `GET /connectors?expand=info&expand=status`, or a bare configuration. Undefined if it is none of them.
 */
export function readRestConnectors(
  value: unknown,
  nameIfNone: string | undefined,
): readonly RestConnector[] | undefined {
  if (Array.isArray(value)) {
    const all = value.map((item) => readRestConnectors(item, undefined));
    return all.length > 0 && all.every((one) => one !== undefined) ? all.flat() : undefined;
  }
  const created = Created.safeParse(value);
  if (created.success) return [created.data];
  const flat = Flat.safeParse(value);
  if (flat.success) {
    const name = flat.data["name"] ?? nameIfNone;
    return typeof name === "string" ? [{ name, config: flat.data }] : undefined;
  }
  const expanded = Expanded.safeParse(value);
  if (!expanded.success || Object.keys(expanded.data).length === 0) return undefined;
  return Object.entries(expanded.data).map(([name, { info, status }]) => ({
    name,
    config: info.config,
    initial_state: status?.connector.state,
  }));
}

const STATES: Readonly<Record<string, string>> = { PAUSED: "paused", STOPPED: "stopped" };

/** Whether Kubernetes can have a resource of this name. */
function isResourceName(name: string): boolean {
  return name.length <= LONGEST && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
}

/** Connectors of the REST API as our KafkaConnectors, in their order. Names that Kubernetes can have go to their connectors. */
export function fromRestConnectors(
  connectors: readonly RestConnector[],
  cluster: string | undefined,
  taken: Set<string>,
): readonly Converted[] {
  const own = new Map<string, string>();
  for (const { name } of connectors.toSorted(
    (a, b) => Number(isResourceName(b.name)) - Number(isResourceName(a.name)),
  )) {
    const resource = resourceName(name, taken);
    taken.add(resource);
    own.set(name, resource);
  }
  return connectors.map((connector) => fromRest(connector, cluster, own.get(connector.name) ?? connector.name));
}

/** A connector of the REST API as our KafkaConnector `resource`. */
function fromRest(
  { name, config, initial_state }: RestConnector,
  cluster: string | undefined,
  resource: string,
): Converted {
  const notes: Note[] = [];
  const tasks = config["tasks.max"];
  const tasksMax = /^[1-9]\d*$/.test(String(tasks)) ? Number(tasks) : undefined;
  if (tasks !== undefined && tasksMax === undefined)
    notes.push(dropped({ path: "config.tasks.max", value: tasks }, "is no number, and spec.tasksMax takes no other"));
  const rest = Object.entries(config).filter(([key]) => CONNECTOR_FIELDS[key] === undefined);
  const state = STATES[initial_state ?? ""];
  const own = {
    ...(resource === name ? {} : { name }),
    class: config["connector.class"],
    ...(tasksMax === undefined ? {} : { tasksMax }),
    ...(config["connector.plugin.version"] === undefined ? {} : { version: config["connector.plugin.version"] }),
    ...(rest.length === 0 ? {} : { config: Object.fromEntries(rest) }),
    ...(state === undefined ? {} : { state }),
  };
  const { kept, leftovers } = splitBySchema(KafkaConnectorSpec, own, "spec");
  notes.push(...leftovers.map((left) => dropped(left, "has no counterpart")));
  if (cluster === undefined)
    notes.push(changed("metadata.labels", `The label ${CLUSTER_LABEL} has to be set to the name of a KafkaConnect.`));
  return {
    manifest: {
      apiVersion: apiVersionOf(HEADRACE),
      kind: "KafkaConnector",
      metadata: { name: resource, ...(cluster === undefined ? {} : { labels: { [CLUSTER_LABEL]: cluster } }) },
      spec: kept,
    },
    notes,
  };
}

/** Kubernetes' longest name of a resource. */
const LONGEST = 253;

/** The connector's name, if Kubernetes can have it, or one that it can have and that no other connector got. */
function resourceName(name: string, taken: ReadonlySet<string>): string {
  if (isResourceName(name) && !taken.has(name)) return name;
  const spelled = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, "-")
    .replaceAll(/(?<=[-.])\.+|\.+(?=-)/g, "")
    .replaceAll(/^[-.]+|[-.]+$/g, "")
    .slice(0, LONGEST - 8)
    .replaceAll(/[-.]+$/g, "");
  const wanted = spelled === "" ? "connector" : spelled;
  if (!taken.has(wanted)) return wanted;
  for (let number = 2; ; number += 1) if (!taken.has(`${wanted}-${number}`)) return `${wanted}-${number}`;
}

/** Our KafkaConnector as the body of `POST /connectors`. */
export function toRest({ metadata, spec }: Manifest): {
  readonly connector: RestConnector;
  readonly notes: readonly Note[];
} {
  const notes: Note[] = [];
  const parsed = KafkaConnectorSpec.safeParse(spec);
  const source = createFieldTaker(spec);
  const given = source.take("name");
  const name = typeof given === "string" ? given : metadata.name;
  const state = source.take("state");
  for (const field of ["class", "tasksMax", "version", "config", "deletionPolicy"]) source.take(field);
  for (const left of source.leftovers("spec")) notes.push(dropped(left, "has no counterpart in the REST API"));
  const { config, problems } = parsed.success
    ? toConnectorConfig(name, parsed.data)
    : { config: flat(name, spec), problems: [] };
  for (const { key, message } of problems)
    notes.push({ kind: "dropped", path: `spec.config.${key}`, message: `spec.config.${key} ${message}.` });
  const initial = state === "paused" ? "PAUSED" : state === "stopped" ? "STOPPED" : undefined;
  return { connector: { name, config, ...(initial === undefined ? {} : { initial_state: initial }) }, notes };
}

/** The configuration of a resource that does not follow our schema, as far as it goes. */
function flat(name: string, spec: JsonObject): Readonly<Record<string, unknown>> {
  const { config, tasksMax, version } = spec;
  return {
    ...(isObject(config) ? config : {}),
    name,
    "connector.class": spec["class"],
    ...(tasksMax === undefined ? {} : { "tasks.max": String(tasksMax) }),
    ...(version === undefined ? {} : { "connector.plugin.version": String(version) }),
  };
}
