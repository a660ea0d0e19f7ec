import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { madeOnce } from "./made-once.ts";

const run = promisify(execFile);

const VERSION = "1.17.1";

/** The directory with the jars of Apache's Parquet reader for Java; fetched once by Maven. */
export async function parquetLibraries(): Promise<string> {
  return await madeOnce(`parquet-java-${VERSION}`, "fetch Apache's Parquet reader from Maven", async (partial) => {
    const pom = join(repoRoot, "dev/parquet/pom.xml");
    const version = `-Dparquet.version=${VERSION}`;
    const args = ["-q", "-B", "-f", pom, version, "dependency:copy-dependencies", `-DoutputDirectory=${partial}`];
    await run("mvn", args, { maxBuffer: 1 << 26 });
  });
}
