import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir, repoRoot } from "../cache.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/**
 * The directory with Kafka's jars: `$KAFKA_HOME/libs` if that is set, otherwise Maven's copy of `dev/kafka/pom.xml` in the cache,
 * which is fetched if it is not there. Also holds Connect's runtime and file connector, the peers of interop tests.
 */
export async function kafkaLibs(): Promise<string> {
  const home = process.env["KAFKA_HOME"];
  if (home !== undefined && home !== "") {
    const libs = join(home, "libs");
    if (!existsSync(libs))
      throw new Error(`KAFKA_HOME is ${home}, but ${libs} does not exist; unset it to use Maven's Kafka`);
    return libs;
  }
  const pom = join(repoRoot, "dev/kafka/pom.xml");
  const key = createHash("sha256").update(readFileSync(pom)).digest("hex").slice(0, 12);
  const libs = join(cacheDir(), `kafka-${key}`);
  if (existsSync(libs)) return libs;
  await step("fetch Kafka from Maven", async () => {
    const partial = `${libs}.${process.pid}.partial`;
    mkdirSync(cacheDir(), { recursive: true });
    rmSync(partial, { recursive: true, force: true });
    await run(
      "mvn",
      ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${partial}`, "-DincludeScope=runtime"],
      {
        maxBuffer: 1 << 26,
      },
    );
    if (existsSync(libs)) rmSync(partial, { recursive: true });
    else renameSync(partial, libs);
  });
  return libs;
}

/** Kafka's classes as the JVM likes to load them (class data sharing): a broker starts with half the CPU time. Made by set-up. */
export function classArchive(libs: string): string {
  return `${inCache(libs)}.jsa`;
}

/** A data directory as `kafka-storage format` leaves it. Made by set-up. */
export function formattedData(libs: string): string {
  return `${inCache(libs)}.data`;
}

function inCache(libs: string): string {
  if (libs.startsWith(cacheDir())) return libs;
  return join(cacheDir(), `kafka-${createHash("sha256").update(libs).digest("hex").slice(0, 12)}`);
}
