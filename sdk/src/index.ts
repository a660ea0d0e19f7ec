export type { CivilDate } from "./calendar.ts";
export { toCivilDate, toEpochDay } from "./calendar.ts";
export type { KeyMeta, Password, Range } from "./config.ts";
export * as config from "./config.ts";
export type { JsonReader } from "./connect-json/reader.ts";
export { compileJsonReader, toSchemaless } from "./connect-json/reader.ts";
export { readJsonSchema, writeJsonSchema } from "./connect-json/schema.ts";
export type { JsonNode, NumberMode } from "./connect-json/text.ts";
export { jsonTextOf, parseConnectJson } from "./connect-json/text.ts";
export type { JsonWriter, JsonWriterOptions } from "./connect-json/writer.ts";
export { compileJsonWriter, writeSchemalessJson } from "./connect-json/writer.ts";
export type { Converter, ConverterDefinition, HeaderConverter } from "./converter.ts";
export { defineConverter } from "./converter.ts";
export { dateOf, writeDate } from "./dates.ts";
export type { BigDecimal } from "./decimal.ts";
export {
  decimalSchema,
  decimalText,
  fromDecimalText,
  fromUnscaled,
  parseBigDecimal,
  scaleOf,
  toUnscaled,
  truncate,
} from "./decimal.ts";
export { ConfigError, DataError, NotReady, RetriableError } from "./errors.ts";
export type { Json, ToNumber } from "./exact-json.ts";
export { exactInteger, JsonDecimal, parseExactJson } from "./exact-json.ts";
export { javaClassOf, typeOfValue } from "./java-class.ts";
export { toJsonText } from "./json-text.ts";
export type { Lag } from "./lag.ts";
export { reportLag } from "./lag.ts";
export type { PluginCounter, PluginMetrics } from "./metrics.ts";
export { toPlain } from "./plain.ts";
export { parseReplacement } from "./replacement.ts";
export type { Field, Header, Schema, SchemaAndValue, SchemaType, Value } from "./schema.ts";
export {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_NAME,
  DATE_SCHEMA,
  DECIMAL_NAME,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  NULL_VALUE,
  OPTIONAL_BYTES_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  optional,
  STRING_SCHEMA,
  structSchema,
  TIME_NAME,
  TIME_SCHEMA,
  TIMESTAMP_NAME,
  TIMESTAMP_SCHEMA,
  withAttributes,
} from "./schema.ts";
export { schemasEqual, valuesEqual } from "./schema-equality.ts";
export { memoizeSchema } from "./schema-memory.ts";
export type { DateFormat } from "./simple-date-format.ts";
export { compileDateFormat } from "./simple-date-format.ts";
export type {
  ErrantRecordReporter,
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
  ExactlyOnceSupport,
  Logger,
  OffsetMap,
  OffsetScalar,
  RawConfig,
  SourceDefinition,
  SourceRecord,
  SourceTask,
  SourceTaskContext,
  TaskContext,
  TransactionContext,
} from "./source.ts";
export { defineSource } from "./source.ts";
export { checkValue, createStruct, isStructLike } from "./struct.ts";
export { javaFloat, shortestSingle, toText } from "./text.ts";
export type { UtcOffset } from "./time-zone.ts";
export { utcOffsetOf } from "./time-zone.ts";
export type { ConnectRecord, PredicateDefinition, TransformDefinition, TransformFunction } from "./transform.ts";
export { definePredicate, defineTransform } from "./transform.ts";
export { Utf8Text } from "./utf8-text.ts";
export { parseValueText } from "./value-text-parser.ts";
export { writeValueText } from "./value-text-writer.ts";
export { toDouble, WholeDouble } from "./whole-double.ts";
