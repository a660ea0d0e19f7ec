export type { Converter, ConverterDefinition, HeaderConverter } from "./converter.ts";
export { defineConverter } from "./converter.ts";
export { ConfigError, DataError, RetriableError } from "./errors.ts";
export type { Field, Header, Schema, SchemaAndValue, SchemaType, Value } from "./schema.ts";
export {
  BYTES_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  NULL_VALUE,
  OPTIONAL_BYTES_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  STRING_SCHEMA,
} from "./schema.ts";
export type {
  SinkDefinition,
  SinkRecord,
  SinkTask,
  SinkTaskContext,
  TopicPartition,
  TopicPartitionOffset,
} from "./sink.ts";
export { defineSink } from "./sink.ts";
export type {
  CommittedRecord,
  ConnectorContext,
  ConnectorInstance,
  Logger,
  OffsetMap,
  OffsetScalar,
  RawConfig,
  SourceDefinition,
  SourceRecord,
  SourceTask,
  SourceTaskContext,
  TaskContext,
} from "./source.ts";
export { defineSource } from "./source.ts";
export type { ConnectRecord, PredicateDefinition, TransformDefinition, TransformFunction } from "./transform.ts";
export { definePredicate, defineTransform } from "./transform.ts";
