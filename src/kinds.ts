import {
  API_GROUP,
  API_VERSION,
  type KafkaConnectorSpec,
  type KafkaConnectorStatus,
  type KafkaConnectSpec,
  type KafkaConnectStatus,
} from "@headrace/contract";
import type { KubeObject, ResourceType } from "./kube/client.ts";

/** A KafkaConnect as the API server serves it: validated, with its defaults. */
export interface KafkaConnect extends KubeObject {
  readonly spec: KafkaConnectSpec;
  readonly status?: KafkaConnectStatus;
}

/** A KafkaConnector as the API server serves it: validated, with its defaults. */
export interface KafkaConnector extends KubeObject {
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
