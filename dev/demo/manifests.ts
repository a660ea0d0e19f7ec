import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { repoRoot } from "../cache.ts";

/**
 * The examples as they are, but for this machine: Kafka's address, and one directory that all workers see in place of a volume each.
 * Answers YAML for `kubectl apply -f -`.
 */
export function localExamples(
  files: readonly string[],
  local: { readonly bootstrap: string; readonly dataDir: string },
): string {
  return files
    .flatMap((file) => parseAllDocuments(readFileSync(join(repoRoot, "examples", file), "utf8")))
    .map((document) => {
      if (document.get("kind") === "KafkaConnect") {
        document.setIn(["spec", "bootstrapServers"], local.bootstrap);
        document.setIn(["spec", "template", "pod", "volumes"], [{ name: "data", hostPath: { path: local.dataDir } }]);
      }
      return stringify(document.toJS());
    })
    .join("---\n");
}
