import type { Scenario } from "../scenario.ts";
import { converters } from "./converters.ts";
import { deadLetters } from "./dead-letters.ts";
import { failover } from "./failover.ts";
import { fileSink } from "./file-sink.ts";
import { fileSource } from "./file-source.ts";
import { growth } from "./growth.ts";
import { http } from "./http.ts";
import { latency } from "./latency.ts";
import { manyConnectors } from "./many-connectors.ts";
import { mysql } from "./mysql.ts";
import { postgresCapture, postgresQuery, postgresSink } from "./postgres.ts";
import { rebalance } from "./rebalance.ts";
import { rollingUpdate } from "./rolling-update.ts";
import { s3 } from "./s3.ts";
import { start } from "./start.ts";
import { statusLatency } from "./status-latency.ts";
import { webhook } from "./webhook.ts";

const JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter";
const json = (schemas: boolean) => ({
  "value.converter": JSON_CONVERTER,
  "value.converter.schemas.enable": String(schemas),
});
/** A line becomes a struct with one field. */
const HOIST = {
  transforms: "wrap",
  "transforms.wrap.type": "org.apache.kafka.connect.transforms.HoistField$Value",
  "transforms.wrap.field": "line",
} as const;
/** And a struct's or map's field becomes the line again. */
const EXTRACT = {
  transforms: "unwrap",
  "transforms.unwrap.type": "org.apache.kafka.connect.transforms.ExtractField$Value",
  "transforms.unwrap.field": "line",
} as const;
/** Line → struct → struct with another field → field renamed. */
const THREE_TRANSFORMS = {
  ...HOIST,
  transforms: "wrap,where,rename",
  "transforms.where.type": "org.apache.kafka.connect.transforms.InsertField$Value",
  "transforms.where.static.field": "source",
  "transforms.where.static.value": "bench",
  "transforms.rename.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
  "transforms.rename.renames": "line:text",
} as const;

/** JSON in one of its two forms, both ways. */
function jsonBothWays(name: string, schemas: boolean): readonly Scenario[] {
  const made = { ...HOIST, ...json(schemas) };
  const read = { ...EXTRACT, ...json(schemas) };
  return [
    fileSource({
      name: `${name}-source`,
      count: 1_000_000,
      bytes: 100,
      quick: false,
      sides: ["headrace", "jvm"],
      config: made,
      verbatim: false,
    }),
    fileSink({ name: `${name}-sink`, count: 1_000_000, bytes: 100, quick: false, fill: made, config: read }),
  ];
}

/** All scenarios, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  start,
  fileSource({ name: "file-source-100b", count: 18_000_000, bytes: 100, quick: true }),
  fileSource({ name: "file-source-1kib", count: 600_000, bytes: 1024, quick: true }),
  fileSource({ name: "file-source-10kib", count: 60_000, bytes: 10_240, quick: false }),
  fileSink({ name: "file-sink-100b", count: 6_000_000, bytes: 100, quick: true }),
  fileSink({ name: "file-sink-1kib", count: 600_000, bytes: 1024, quick: false }),
  fileSink({ name: "file-sink-10kib", count: 60_000, bytes: 10_240, quick: false }),
  fileSource({
    name: "three-transforms",
    count: 1_000_000,
    bytes: 100,
    quick: true,
    sides: ["headrace", "jvm"],
    config: { ...THREE_TRANSFORMS, ...json(false) },
    verbatim: false,
  }),
  failover,
  ...jsonBothWays("json-schemas", true),
  ...jsonBothWays("json-schemaless", false),
  ...["lz4", "zstd"].map((codec) =>
    fileSource({
      name: `file-source-1kib-${codec}`,
      count: 600_000,
      bytes: 1024,
      quick: false,
      config: { "producer.override.compression.type": codec },
    }),
  ),
  ...[4, 16].map((connectors) =>
    fileSource({
      name: `file-source-${connectors}-tasks`,
      count: 3_200_000,
      bytes: 100,
      quick: false,
      sides: ["headrace", "jvm"],
      connectors,
    }),
  ),
  ...(["poll", "interval"] as const).map((boundary) =>
    fileSource({
      name: `exactly-once-${boundary}`,
      count: 500_000,
      bytes: 100,
      quick: false,
      sides: ["headrace", "jvm"],
      properties: { "exactly.once.source.support": "enabled" },
      config: { "transaction.boundary": boundary, "transaction.boundary.interval.ms": "500" },
    }),
  ),
  deadLetters("dead-letters", 200_000),
  ...converters(100_000),
  mysql("sink", 300_000),
  mysql("source", 300_000),
  postgresSink(300_000),
  postgresQuery(300_000),
  postgresCapture(300_000),
  http("sink", 300_000),
  http("source", 300_000),
  webhook(50_000),
  s3("sink", 300_000),
  s3("source", 300_000),
  latency("latency-file-to-file", "file"),
  latency("latency-topic-to-file", "topic"),
  rebalance,
  rollingUpdate,
  statusLatency,
  manyConnectors(50, ["headrace", "jvm"]),
  manyConnectors(200, ["headrace", "jvm"]),
  manyConnectors(500, ["headrace"]),
  manyConnectors(1_000, ["headrace"]),
  growth,
];
