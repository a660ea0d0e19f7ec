export { Condition, Conditions } from "./crd/condition.ts";
export { type ConfigValueProblem, ConfigValues, type StringMapResult, toStringMap } from "./crd/config-values.ts";
export { KafkaConnect, KafkaConnectSpec, KafkaConnectStatus, type Probe } from "./crd/kafka-connect.ts";
export { KafkaConnector, KafkaConnectorSpec, KafkaConnectorStatus } from "./crd/kafka-connector.ts";
export {
  API_GROUP,
  API_VERSION,
  CLUSTER_LABEL,
  CONNECTOR_FINALIZER,
  clusterNameOf,
  STRIMZI_CLUSTER_LABEL,
} from "./crd/names.ts";
export type { Template } from "./crd/pod-template.ts";
export { CONNECTOR_FIELDS, toConnectorConfig, toWorkerSettings, type WorkerSettings } from "./crd/worker-settings.ts";
export {
  ActiveTopics,
  ConfigInfos,
  ConfigKeyInfo,
  ConfigKeyType,
  ConfigValueInfo,
  ConnectorInfo,
  ConnectorOffset,
  ConnectorOffsets,
  ConnectorState,
  ConnectorStateInfo,
  ConnectorType,
  CreateConnectorRequest,
  ErrorMessage,
  ExpandedConnectors,
  InstanceState,
  OffsetsMessage,
  PluginInfo,
  PluginType,
  ServerInfo,
  StringMap,
  TargetState,
  TaskId,
  TaskInfo,
  TaskState,
  WorkerHealth,
} from "./rest/connect.ts";
export { AssignmentInfo, ConnectorSnapshot, GroupInfo, SelfInfo, StreamEvent } from "./rest/headrace.ts";
export { openApiDocument } from "./rest/openapi.ts";
export { OPERATIONS, type Operation } from "./rest/operations.ts";
export { type ConfigProblem, type ParsedWorkerConfig, parseWorkerConfig, WorkerConfig } from "./worker-config.ts";
