import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

const VERSION = "3.4.0.Final";

/** Debezium's PostgreSQL connector with all its jars, as its project packs it for Kafka Connect (tar.gz); fetched once by Maven. */
export async function debeziumArchive(): Promise<string> {
  const name = `debezium-connector-postgres-${VERSION}-plugin.tar.gz`;
  const dir = join(cacheDir(), "debezium");
  const file = join(dir, name);
  if (existsSync(file)) return file;
  mkdirSync(dir, { recursive: true });
  return await withLock(dir, async () => {
    if (existsSync(file)) return file;
    const partial = `${dir}/${process.pid}.partial`;
    await step("fetch Debezium from Maven", async () => {
      const artifact = `io.debezium:debezium-connector-postgres:${VERSION}:tar.gz:plugin`;
      const args = ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${partial}`];
      await run("mvn", args, { cwd: dir, maxBuffer: 1 << 26 });
      await rename(join(partial, name), file);
    });
    await rm(partial, { recursive: true, force: true });
    return file;
  });
}

/** The directory with the jars of that archive. */
export async function debeziumJars(): Promise<string> {
  const archive = await debeziumArchive();
  const target = archive.replace(/\.tar\.gz$/, "");
  if (existsSync(target)) return target;
  return await withLock(`${target}.unpacking`, async () => {
    if (existsSync(target)) return target;
    const partial = `${target}.${process.pid}.partial`;
    mkdirSync(partial, { recursive: true });
    await run("tar", ["-xzf", archive, "-C", partial, "--strip-components", "1"]);
    await rename(partial, target);
    return target;
  });
}
