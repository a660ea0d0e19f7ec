import { fileURLToPath } from "node:url";
import { waitUntilEstablished } from "#dev/established.ts";
import type { TestKubernetes } from "./kubernetes.ts";

/** Installs the CRDs of `crds/`, or brings them up to date, and waits until they are served. */
export async function installCustomResources({ kubectl }: Pick<TestKubernetes, "kubectl">): Promise<void> {
  const folder = fileURLToPath(new URL("../../crds/", import.meta.url));
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", folder]);
  await waitUntilEstablished(kubectl, ["-f", folder]);
}
