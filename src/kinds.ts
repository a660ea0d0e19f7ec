import {
  API_GROUP,
  API_VERSION,
  type KafkaConnectorSpec,
  type KafkaConnectorStatus,
  type KafkaConnectSpec,
  type KafkaConnectStatus,
} from "@headrace/contract";
import type { KubeObject, ResourceType } from "./kube/client.ts";

/** What reading a resource in another group's form has brought to light. Resources of our own have none of it. */
interface Reading {
  /** What has no counterpart in our form, each as a sentence. */
  readonly remarks?: readonly string[];
  /** Why the resource cannot be used at all. With any, nothing may be changed. */
  readonly flaws?: readonly string[];
}

/** A KafkaConnect as the API server serves it: validated, with its defaults. */
export interface KafkaConnect extends KubeObject, Reading {
  readonly spec: KafkaConnectSpec;
  readonly status?: KafkaConnectStatus;
}

/** A KafkaConnector as the API server serves it: validated, with its defaults. */
export interface KafkaConnector extends KubeObject, Reading {
  readonly spec: KafkaConnectorSpec;
  readonly status?: KafkaConnectorStatus;
}

export const KafkaConnects: ResourceType<KafkaConnect> = {
  group: API_GROUP,
  version: API_VERSION,
  plural: "kafkaconnects",
  kind: "KafkaConnect",
};

export const KafkaConnectors: ResourceType<KafkaConnector> = {
  group: API_GROUP,
  version: API_VERSION,
  plural: "kafkaconnectors",
  kind: "KafkaConnector",
};
