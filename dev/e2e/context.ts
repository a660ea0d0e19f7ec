import { readFileSync } from "node:fs";
import { z } from "zod";

/** Where the images are that the chart names by default. */
export const OWN_REGISTRY = "ghcr.io/headrace";

/** The namespaces that the tests make: of the release, and of what it works on. */
export const NAMESPACES = ["headrace", "streams"] as const;

/** Variable that names the file with the {@link E2eContext}. */
export const CONTEXT_VARIABLE = "HEADRACE_E2E";

const Context = z.object({
  /** Administrator's. */
  kubeconfig: z.string(),
  kubectl: z.string(),
  /** Kafka, for pods and tests: an IPv4 address and a port. */
  bootstrap: z.string(),
  /** What the names of the images `operator` and `worker` begin with. */
  registry: z.string(),
  /** Tag of the images that the chart names by default. */
  version: z.string(),
  /** Tag under which all nodes have the same images once more, to upgrade to. */
  nextVersion: z.string(),
  /** Reference of an image that all nodes have, with the plugin of `dev/e2e/plugin`. */
  pluginImage: z.string(),
  /** Directory that a volume of type hostPath shows on all nodes. */
  dataDir: z.string(),
  /** The API server's audit log, JSON lines. */
  auditLog: z.string(),
  /** For files of the tests. */
  dir: z.string(),
});

/** The cluster that `make e2e` has made, or was given. */
export type E2eContext = z.output<typeof Context>;

/** Reads what `make e2e` has written for its tests. */
export function readContext(): E2eContext {
  const file = process.env[CONTEXT_VARIABLE];
  if (file === undefined) throw new Error(`these tests need a cluster with real nodes: run \`make e2e\``);
  return Context.parse(JSON.parse(readFileSync(file, "utf8")));
}
