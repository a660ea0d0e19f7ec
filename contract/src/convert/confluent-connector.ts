import { KafkaConnectorSpec } from "../crd/kafka-connector.ts";
import { CLUSTER_LABEL, clusterNameOf, STRIMZI_CLUSTER_LABEL } from "../crd/names.ts";
import { CONFLUENT_VERSION } from "./confluent-cluster.ts";
import { apiVersionOf, HEADRACE } from "./dialect.ts";
import { createFieldTaker, splitBySchema } from "./fields.ts";
import { isObject, type Manifest, withMetadata } from "./manifest.ts";
import { changed, dropped, type Note } from "./notes.ts";
import type { Converted } from "./strimzi.ts";

const PLUGIN_VERSION = "connector.plugin.version";

/** A `Connector` of Confluent for Kubernetes as our KafkaConnector. */
export function fromConfluentConnector({ metadata, spec }: Manifest, cluster: string | undefined): Converted {
  const source = createFieldTaker(spec);
  const notes: Note[] = [];
  const named = source.take("connectClusterRef", "name") ?? cluster;
  const place = source.take("connectClusterRef", "namespace");
  if (place !== undefined && place !== metadata.namespace)
    notes.push(
      changed(
        "metadata.namespace",
        `The KafkaConnect is in namespace ${String(place)}: put the KafkaConnector there, or see spec.allowedNamespaces of the KafkaConnect.`,
      ),
    );
  if (named === undefined)
    notes.push(changed("metadata.labels", `The label ${CLUSTER_LABEL} has to be set to the name of a KafkaConnect.`));
  const configs = source.take("configs");
  const { [PLUGIN_VERSION]: version, ...config } = isObject(configs) ? configs : {};
  const policy = source.take("restartPolicy", "type");
  const maxRestarts = source.take("restartPolicy", "maxRetry");
  const own = {
    ...optional("name", otherThan(metadata.name, source.take("name"))),
    ...optional("class", source.take("class")),
    ...optional("tasksMax", source.take("taskMax")),
    ...optional("version", version),
    ...(configs === undefined ? {} : { config }),
    ...(policy === undefined
      ? {}
      : { autoRestart: { enabled: policy !== "Never", ...optional("maxRestarts", maxRestarts) } }),
  };
  for (const left of source.leftovers("spec")) notes.push(dropped(left, "has no counterpart"));
  const { kept, leftovers } = splitBySchema(KafkaConnectorSpec, own, "spec");
  notes.push(...leftovers.map((left) => dropped(left, "has no counterpart")));
  const labels = { ...metadata.labels, ...(named === undefined ? {} : { [CLUSTER_LABEL]: String(named) }) };
  return {
    manifest: {
      apiVersion: apiVersionOf(HEADRACE),
      kind: "KafkaConnector",
      metadata: withMetadata(metadata, labels, metadata.annotations ?? {}),
      spec: kept,
    },
    notes,
  };
}

/** Our KafkaConnector as a `Connector` of Confluent for Kubernetes. */
export function toConfluentConnector({ metadata, spec }: Manifest): Converted {
  const source = createFieldTaker(spec);
  const notes: Note[] = [];
  const { [CLUSTER_LABEL]: _, [STRIMZI_CLUSTER_LABEL]: __, ...labels } = metadata.labels ?? {};
  const cluster = clusterNameOf(metadata.labels);
  const config = source.take("config");
  const version = source.take("version");
  const enabled = source.take("autoRestart", "enabled");
  const maxRetry = source.take("autoRestart", "maxRestarts");
  const restarts = enabled !== undefined || maxRetry !== undefined;
  const state = source.take("state");
  if (state !== undefined && state !== "running")
    notes.push(dropped({ path: "spec.state", value: state }, "has no counterpart in Confluent for Kubernetes"));
  const policy = source.take("deletionPolicy");
  if (policy !== undefined && policy !== "Delete")
    notes.push(
      dropped({ path: "spec.deletionPolicy", value: policy }, "has no counterpart in Confluent for Kubernetes"),
    );
  source.take("autoRestart");
  const theirs = {
    ...optional("name", source.take("name")),
    class: source.take("class"),
    taskMax: source.take("tasksMax") ?? 1,
    configs: {
      ...strings(isObject(config) ? config : {}),
      ...(version === undefined ? {} : { [PLUGIN_VERSION]: String(version) }),
    },
    ...(restarts
      ? { restartPolicy: { type: enabled === false ? "Never" : "OnFailure", ...optional("maxRetry", maxRetry) } }
      : {}),
    ...(cluster === undefined ? {} : { connectClusterRef: { name: cluster } }),
  };
  for (const left of source.leftovers("spec"))
    notes.push(dropped(left, "has no counterpart in Confluent for Kubernetes"));
  return {
    manifest: {
      apiVersion: CONFLUENT_VERSION,
      kind: "Connector",
      metadata: withMetadata(metadata, labels, metadata.annotations ?? {}),
      spec: theirs,
    },
    notes,
  };
}

function otherThan(known: string, value: unknown): unknown {
  return value === known ? undefined : value;
}

function strings(config: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, String(value)]));
}

function optional(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value };
}
