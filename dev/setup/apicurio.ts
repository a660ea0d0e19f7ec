import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { madeOnce } from "./made-once.ts";

const run = promisify(execFile);

const VERSION = "2.6.13.Final";

/** The jar that starts Apicurio Registry, beside its libraries, as its project packs it; fetched once by Maven. */
export async function apicurioRegistry(): Promise<string> {
  const target = await madeOnce(
    `apicurio-registry-${VERSION}`,
    "fetch Apicurio Registry from Maven",
    async (partial) => {
      const artifact = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
      const args = ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${partial}`];
      await run("mvn", args, { cwd: partial, maxBuffer: 1 << 26 });
      const archive = join(partial, `apicurio-registry-app-${VERSION}-all.tar.gz`);
      await run("tar", ["-xzf", archive, "-C", partial]);
      await rm(archive);
    },
  );
  return join(target, `apicurio-registry-app-${VERSION}-runner.jar`);
}

/** The directory with the jars of Apicurio's converters for Kafka Connect, without Kafka's own; fetched once by Maven. */
export async function apicurioConverters(): Promise<string> {
  return await madeOnce(`apicurio-converters-${VERSION}`, "fetch Apicurio's converters from Maven", async (partial) => {
    const pom = join(repoRoot, "dev/apicurio/pom.xml");
    const kafka = "-DexcludeGroupIds=org.apache.kafka,org.slf4j";
    const args = ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${partial}`, kafka];
    await run("mvn", args, { maxBuffer: 1 << 26 });
  });
}
