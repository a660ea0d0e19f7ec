export { KAFKA_REFUSED_CODE } from "./check-kafka.ts";
export type { RestConnector } from "./convert/connect-rest.ts";
export {
  ConvertError,
  type ConvertedDocument,
  type ConvertOptions,
  convert,
  TARGETS,
  type Target,
} from "./convert/convert.ts";
export { type Dialect, EVENT_STREAMS, HEADRACE, STRIMZI } from "./convert/dialect.ts";
export { splitBySchema } from "./convert/fields.ts";
export { isObject, type JsonObject, type Manifest, toManifest } from "./convert/manifest.ts";
export type { Note } from "./convert/notes.ts";
export { fromStrimzi } from "./convert/strimzi.ts";
export type { AllowedNamespaces } from "./crd/allowed-namespaces.ts";
export type { Authentication } from "./crd/authentication.ts";
export type { AutoRestart } from "./crd/auto-restart.ts";
export type { Build } from "./crd/build.ts";
export { Condition, Conditions } from "./crd/condition.ts";
export { type ConfigValueProblem, ConfigValues, type StringMapResult, toStringMap } from "./crd/config-values.ts";
export type { ContainerTemplate } from "./crd/container-template.ts";
export type { JmxOptions, JvmOptions } from "./crd/jvm-options.ts";
export { KafkaConnect, KafkaConnectSpec, KafkaConnectStatus } from "./crd/kafka-connect.ts";
export { KafkaConnector, KafkaConnectorSpec, KafkaConnectorStatus } from "./crd/kafka-connector.ts";
export type { Logging } from "./crd/logging.ts";
export type { MetricsConfig } from "./crd/metrics-config.ts";
export type { MountedPlugins } from "./crd/mounted-plugins.ts";
export {
  API_GROUP,
  API_VERSION,
  CLUSTER_LABEL,
  CLUSTER_NAMESPACE_LABEL,
  CONNECTOR_FINALIZER,
  clusterKeyOf,
  clusterNameOf,
  connectorNameOf,
  STRIMZI_CLUSTER_LABEL,
} from "./crd/names.ts";
export type { StartFrom } from "./crd/offset-settings.ts";
export type { PodTemplate } from "./crd/pod-template.ts";
export { quantityOf } from "./crd/quantity.ts";
export type { Rack } from "./crd/rack.ts";
export type { LabelSelector } from "./crd/references.ts";
export type { Probe, Resources } from "./crd/resources.ts";
export type { RestAccess } from "./crd/rest-access.ts";
export type { Template } from "./crd/template.ts";
export type { Tls } from "./crd/tls.ts";
export {
  CONNECTOR_FIELDS,
  KUBERNETES_PROVIDERS,
  toConnectorConfig,
  toWorkerSettings,
  type WorkerSettings,
} from "./crd/worker-settings.ts";
export { EXECUTOR_MEMORY_KEY, LEAST_EXECUTOR_MEMORY_MB } from "./executor-memory.ts";
export { fillPlaceholders, hasPlaceholder, type Placeholder, placeholdersIn } from "./placeholders.ts";
export {
  ActiveTopics,
  AnyConfigInfos,
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
export { AssignmentInfo, ConnectorSnapshot, GroupInfo, SelfInfo, SinkLag, StreamEvent } from "./rest/headrace.ts";
export { openApiDocument } from "./rest/openapi.ts";
export { OPERATIONS, type Operation } from "./rest/operations.ts";
export { type ConfigProblem, type ParsedWorkerConfig, parseWorkerConfig, WorkerConfig } from "./worker-config.ts";
