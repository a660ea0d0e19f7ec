import { ConfigError, defineSource } from "@headrace/sdk";
import { checkBucket } from "../store/check-bucket.ts";
import { openStore } from "../store/connection.ts";
import { positionOf } from "./position.ts";
import { SOURCE_CONFIG } from "./settings.ts";
import { SourceReader } from "./source-reader.ts";

/**
 * Reads the objects of a bucket and gives a record per item of theirs.
 *
 * Guarantees: each item of each object once and in order, also after a kill, as long as objects are not replaced and new ones sort behind
 * those of their directory. With `after.reading` other than `keep` names may be any, and objects that were read right before a kill may be
 * read again.
 */
export const s3Source = defineSource({
  name: "s3-source",
  version: "0.1.0",
  aliases: ["io.confluent.connect.s3.source.S3SourceConnector", "S3SourceConnector", "S3Source"],
  config: SOURCE_CONFIG,
  validate: (settings, signal) => checkBucket(openStore(settings, surroundings()), { mustList: true }, signal),
  planTasks: (_, maxTasks) =>
    Array.from({ length: maxTasks }, (_each, index) => ({ "task.share": `${index}/${maxTasks}` })),
  openTask: async (settings, context) =>
    new SourceReader(settings, context, openStore(settings, surroundings(), context.metrics)),
  exactlyOnceSupport: (settings) => (settings["after.reading"] === "keep" ? "SUPPORTED" : "UNSUPPORTED"),
  alterOffsets(_, offsets) {
    for (const { partition, offset } of offsets) {
      if (typeof partition["bucket"] !== "string" || typeof partition["lane"] !== "string")
        throw new ConfigError('A partition of this connector is {"bucket":"<name>","lane":"<directory>"}');
      positionOf(offset);
    }
    return true;
  },
});

const surroundings = () => ({ env: process.env, now: Date.now, random: Math.random });
