import { execFile } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { madeOnce } from "./made-once.ts";

const run = promisify(execFile);

/** The last release of Strimzi whose model has both versions of its API. */
const RELEASE = "0.51.0";
const VERSIONS = ["v1", "v1beta2"] as const;

const MODELS = {
  "kafkaconnects.yaml": "io.strimzi.api.kafka.model.connect.KafkaConnect",
  "kafkaconnectors.yaml": "io.strimzi.api.kafka.model.connector.KafkaConnector",
} as const;

/**
 * Strimzi's own CustomResourceDefinitions of KafkaConnect and KafkaConnector, as YAML: made by its generator from its model, both fetched
 * once by Maven.
 */
export async function strimziCrds(version: (typeof VERSIONS)[number]): Promise<string> {
  const dir = await madeOnce(
    `strimzi-crds-${RELEASE}`,
    "make Strimzi's resources with its generator",
    async (partial) => {
      const pom = join(repoRoot, "dev/strimzi/pom.xml");
      const jars = join(partial, "jars");
      const args = ["-q", "-B", "-f", pom, `-Dstrimzi.version=${RELEASE}`, "dependency:copy-dependencies"];
      await run("mvn", [...args, `-DoutputDirectory=${jars}`], { maxBuffer: 1 << 26 });
      for (const each of VERSIONS) {
        const target = join(partial, each);
        await mkdir(target);
        const generator = ["-cp", join(jars, "*"), "io.strimzi.crdgenerator.CrdGenerator", "--crd-api-version", "v1"];
        const versions = ["--api-versions", each, "--storage-version", each, "--yaml"];
        const files = Object.entries(MODELS).map(([file, model]) => `${model}=${join(target, file)}`);
        await run("java", [...generator, ...versions, ...files], { maxBuffer: 1 << 26 });
      }
      await rm(jars, { recursive: true });
    },
  );
  const texts = await Promise.all(Object.keys(MODELS).map((file) => readFile(join(dir, version, file), "utf8")));
  return texts.join("---\n");
}
