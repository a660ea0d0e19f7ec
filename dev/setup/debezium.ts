import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { rename } from "node:fs/promises";
import { promisify } from "node:util";
import { withLock } from "../lock.ts";
import { mavenFile } from "./maven-artifact.ts";

const run = promisify(execFile);

const VERSION = "3.4.0.Final";

/** Debezium's PostgreSQL connector with all its jars, as its project packs it for Kafka Connect (tar.gz); fetched once by Maven. */
export function debeziumArchive(): Promise<string> {
  return mavenFile({
    title: "Debezium",
    artifact: `io.debezium:debezium-connector-postgres:${VERSION}:tar.gz:plugin`,
    name: `debezium-connector-postgres-${VERSION}-plugin.tar.gz`,
    folder: "debezium",
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
