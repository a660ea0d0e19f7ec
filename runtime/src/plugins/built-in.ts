import { blackholeSink } from "../connectors/blackhole-sink.ts";
import { datagenSource } from "../connectors/datagen-source.ts";
import { fileSink } from "../connectors/file-sink.ts";
import { fileSource } from "../connectors/file-source.ts";
import { loggerSink } from "../connectors/logger-sink.ts";
import { byteArrayConverter } from "../converters/byte-array.ts";
import { jsonConverter } from "../converters/json.ts";
import { simpleHeaderConverter } from "../converters/simple-header.ts";
import { stringConverter } from "../converters/string.ts";
import { hasHeaderKey } from "../predicates/has-header-key.ts";
import { recordIsTombstone } from "../predicates/record-is-tombstone.ts";
import { topicNameMatches } from "../predicates/topic-name-matches.ts";
import { filter } from "../transforms/filter.ts";
import { hoistFieldKey, hoistFieldValue } from "../transforms/hoist-field.ts";
import { insertFieldKey, insertFieldValue } from "../transforms/insert-field.ts";
import { regexRouter } from "../transforms/regex-router.ts";
import { replaceFieldKey, replaceFieldValue } from "../transforms/replace-field.ts";
import type { PluginDefinition } from "./registry.ts";

/** The plugins that come with the worker. */
export const BUILT_IN_PLUGINS: readonly PluginDefinition[] = [
  fileSource,
  fileSink,
  datagenSource,
  blackholeSink,
  loggerSink,
  insertFieldKey,
  insertFieldValue,
  replaceFieldKey,
  replaceFieldValue,
  hoistFieldKey,
  hoistFieldValue,
  regexRouter,
  filter,
  topicNameMatches,
  recordIsTombstone,
  hasHeaderKey,
  stringConverter,
  jsonConverter,
  byteArrayConverter,
  simpleHeaderConverter,
];
