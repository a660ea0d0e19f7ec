import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import type { Scenario } from "../scenario.ts";
import { scaled } from "./records.ts";

const run = promisify(execFile);

/** Scenarios, and what bench/converters.ts calls their converters. */
const CONVERTERS = {
  "convert-json-schemaless": "JSON",
  "convert-json-schemas": "JSON with schemas",
  "convert-avro": "Avro",
  "convert-protobuf": "Protobuf",
} as const;

const Costs = z.object({ bytes: z.number(), encodeMicros: z.number(), decodeMicros: z.number() });

/** A record of ten fields in each converter, without Kafka: `npm run bench-converters` in a process of its own. */
export const converters = (count: number): readonly Scenario[] =>
  Object.entries(CONVERTERS).map(([name, converter]) => ({
    name,
    quick: false,
    sides: ["headrace"],
    prepare: async (bench) => async () => {
      const options = ["--json", "--only", converter, "--count", String(scaled(bench, count))];
      const script = join(repoRoot, "bench/converters.ts");
      const { stdout } = await run(process.execPath, ["--conditions=source", script, ...options], { cwd: repoRoot });
      const { bytes, ...micros } = Costs.parse(JSON.parse(stdout));
      return { encodedBytes: bytes, ...micros };
    },
  }));
