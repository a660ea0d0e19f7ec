import type { Scenario } from "../scenario.ts";
import { fileSink } from "./file-sink.ts";
import { fileSource } from "./file-source.ts";
import { start } from "./start.ts";

const JSON_WITH_SCHEMAS = {
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "true",
} as const;

/** Line → struct → struct with another field → field renamed. */
const THREE_TRANSFORMS = {
  transforms: "wrap,where,rename",
  "transforms.wrap.type": "org.apache.kafka.connect.transforms.HoistField$Value",
  "transforms.wrap.field": "line",
  "transforms.where.type": "org.apache.kafka.connect.transforms.InsertField$Value",
  "transforms.where.static.field": "source",
  "transforms.where.static.value": "bench",
  "transforms.rename.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
  "transforms.rename.renames": "line:text",
} as const;

/** All scenarios, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  start,
  fileSource({ name: "file-source-100b", count: 3_000_000, bytes: 100, quick: true }),
  fileSource({ name: "file-source-1kib", count: 600_000, bytes: 1024, quick: true }),
  fileSource({ name: "file-source-10kib", count: 60_000, bytes: 10_240, quick: false }),
  fileSink({ name: "file-sink-100b", count: 3_000_000, bytes: 100, quick: true }),
  fileSink({ name: "file-sink-1kib", count: 600_000, bytes: 1024, quick: true }),
  fileSink({ name: "file-sink-10kib", count: 60_000, bytes: 10_240, quick: false }),
  fileSource({
    name: "json-with-schemas",
    count: 1_000_000,
    bytes: 100,
    quick: false,
    config: JSON_WITH_SCHEMAS,
    verbatim: false,
  }),
  fileSource({
    name: "three-transforms",
    count: 1_000_000,
    bytes: 100,
    quick: true,
    config: { ...THREE_TRANSFORMS, ...JSON_WITH_SCHEMAS, "value.converter.schemas.enable": "false" },
    verbatim: false,
  }),
  ...["lz4", "zstd"].map((codec) =>
    fileSource({
      name: `file-source-1kib-${codec}`,
      count: 600_000,
      bytes: 1024,
      quick: false,
      config: { "producer.override.compression.type": codec },
    }),
  ),
];
