import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { repoRoot } from "../cache.ts";

/** Claim, and volume, of the directory that all workers of the demo see. */
const SHARED_DATA = "demo-data";

/** The volume that an administrator gives the demo: the directory `dataDir` of this machine. Answers YAML for `kubectl apply -f -`. */
export function sharedVolume(namespace: string, dataDir: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: SHARED_DATA },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteMany"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "",
      claimRef: { namespace, name: SHARED_DATA },
      hostPath: { path: dataDir },
    },
  });
}

/**
 * The examples as they are, but for this machine: Kafka's address, and one directory that all workers see in place of a volume each, by a
 * claim on {@link sharedVolume}. Answers YAML for `kubectl apply -f -`.
 */
export function localExamples(files: readonly string[], local: { readonly bootstrap: string }): string {
  const claim = stringify({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: SHARED_DATA },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "",
      volumeName: SHARED_DATA,
      resources: { requests: { storage: "1Gi" } },
    },
  });
  const examples = files
    .flatMap((file) => parseAllDocuments(readFileSync(join(repoRoot, "examples", file), "utf8")))
    .map((document) => {
      if (document.get("kind") === "KafkaConnect") {
        document.setIn(["spec", "bootstrapServers"], local.bootstrap);
        document.setIn(
          ["spec", "template", "pod", "volumes"],
          [{ name: "data", persistentVolumeClaim: { claimName: SHARED_DATA } }],
        );
      }
      return stringify(document.toJS());
    });
  return [claim, ...examples].join("---\n");
}
