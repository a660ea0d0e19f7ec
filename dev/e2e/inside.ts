import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { exitOnSignals, logTail } from "../process.ts";
import { startCluster } from "./cluster.ts";
import { type E2eContext, OWN_REGISTRY } from "./context.ts";
import { writePluginImage } from "./plugin-image.ts";
import { nextTag, runTests } from "./run-tests.ts";

/**
 * The part of `make e2e` that runs within namespaces of its own: the cluster and the tests, or with `KEEP` a shell with the cluster's kubeconfig.
 * Arguments: directory, cgroup, tag of the images, and words for the tests.
 */
const [dir = "", cgroup = "", version = "", ...words] = process.argv.slice(2);
const nextVersion = nextTag(version);
const images = ["operator", "worker"] as const;

async function main(): Promise<number> {
  const plugin = writePluginImage(join(dir, "plugin"));
  const archives = [...images.map((name) => join(repoRoot, `build/images/${name}.tar`)), plugin.archive];
  const cluster = await startCluster(dir, { cgroup, archives });
  const { controlPlane, bootstrap, auditLog, nodes } = cluster;
  for (const node of nodes) {
    for (const name of images)
      await node.tagImage(`${OWN_REGISTRY}/${name}:${version}`, `${OWN_REGISTRY}/${name}:${nextVersion}`);
    await node.tagImage(plugin.reference, plugin.pinned);
  }
  const dataDir = join(dir, "data");
  mkdirSync(dataDir);
  chmodSync(dataDir, 0o777); // Workers are nobody in particular.
  const context: E2eContext = {
    kubeconfig: controlPlane.adminKubeconfig,
    kubectl: controlPlane.kubectlPath,
    bootstrap,
    registry: OWN_REGISTRY,
    version,
    nextVersion,
    pluginImage: plugin.pinned,
    dataDir,
    auditLog,
    dir,
  };
  const code = await runTests(context, words);
  for (const { name, logFiles } of nodes)
    for (const logFile of code === 0 ? [] : logFiles)
      console.error(`\n${name}, end of ${logFile}:\n${logTail(logFile, 15)}`);
  return code;
}

exitOnSignals();
process.exit(await main());
