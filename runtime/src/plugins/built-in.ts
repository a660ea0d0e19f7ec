import { blackholeSink } from "../connectors/blackhole-sink.ts";
import { datagenSource } from "../connectors/datagen-source.ts";
import { fileSink } from "../connectors/file-sink.ts";
import { fileSource } from "../connectors/file-source.ts";
import { loggerSink } from "../connectors/logger-sink.ts";
import { booleanConverter } from "../converters/boolean.ts";
import { byteArrayConverter } from "../converters/byte-array.ts";
import { jsonConverter } from "../converters/json.ts";
import { numberConverters } from "../converters/number.ts";
import { simpleHeaderConverter } from "../converters/simple-header.ts";
import { stringConverter } from "../converters/string.ts";
import { hasHeaderKey } from "../predicates/has-header-key.ts";
import { recordIsTombstone } from "../predicates/record-is-tombstone.ts";
import { topicNameMatches } from "../predicates/topic-name-matches.ts";
import { castKey, castValueTransform } from "../transforms/cast.ts";
import { dropHeaders } from "../transforms/drop-headers.ts";
import { extractFieldKey, extractFieldValue } from "../transforms/extract-field.ts";
import { filter } from "../transforms/filter.ts";
import { flattenKey, flattenValue } from "../transforms/flatten.ts";
import { headerFromKey, headerFromValue } from "../transforms/header-from.ts";
import { hoistFieldKey, hoistFieldValue } from "../transforms/hoist-field.ts";
import { insertFieldKey, insertFieldValue } from "../transforms/insert-field.ts";
import { insertHeader } from "../transforms/insert-header.ts";
import { maskFieldKey, maskFieldValue } from "../transforms/mask-field.ts";
import { regexRouter } from "../transforms/regex-router.ts";
import { replaceFieldKey, replaceFieldValue } from "../transforms/replace-field.ts";
import { setSchemaMetadataKey, setSchemaMetadataValue } from "../transforms/set-schema-metadata.ts";
import { timestampConverterKey, timestampConverterValue } from "../transforms/timestamp-converter.ts";
import { timestampRouter } from "../transforms/timestamp-router.ts";
import { valueToKey } from "../transforms/value-to-key.ts";
import type { PluginDefinition } from "./registry.ts";

/** The plugins that come with the worker. */
export const BUILT_IN_PLUGINS: readonly PluginDefinition[] = [
  fileSource,
  fileSink,
  datagenSource,
  blackholeSink,
  loggerSink,
  castKey,
  castValueTransform,
  dropHeaders,
  extractFieldKey,
  extractFieldValue,
  filter,
  flattenKey,
  flattenValue,
  headerFromKey,
  headerFromValue,
  hoistFieldKey,
  hoistFieldValue,
  insertFieldKey,
  insertFieldValue,
  insertHeader,
  maskFieldKey,
  maskFieldValue,
  regexRouter,
  replaceFieldKey,
  replaceFieldValue,
  setSchemaMetadataKey,
  setSchemaMetadataValue,
  timestampConverterKey,
  timestampConverterValue,
  timestampRouter,
  valueToKey,
  topicNameMatches,
  recordIsTombstone,
  hasHeaderKey,
  stringConverter,
  jsonConverter,
  byteArrayConverter,
  booleanConverter,
  ...numberConverters,
  simpleHeaderConverter,
];
