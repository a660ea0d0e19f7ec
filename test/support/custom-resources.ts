import { fileURLToPath } from "node:url";
import { waitUntilEstablished } from "#dev/established.ts";
import { foreignCrds } from "../fixtures/foreign/crds.ts";
import type { TestKubernetes } from "./kubernetes.ts";

/** Installs the CRDs of `crds/`, or brings them up to date, and waits until they are served. */
export async function installCustomResources({ kubectl }: Pick<TestKubernetes, "kubectl">): Promise<void> {
  const folder = fileURLToPath(new URL("../../crds/", import.meta.url));
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", folder]);
  await waitUntilEstablished(kubectl, ["-f", folder]);
}

/** Likewise the kinds of another API group, as `foreignCrds` has them. */
export async function installForeignResources(
  { kubectl }: Pick<TestKubernetes, "kubectl">,
  group: string,
): Promise<void> {
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input: foreignCrds(group) });
  await waitUntilEstablished(kubectl, ["crd", `kafkaconnects.${group}`, `kafkaconnectors.${group}`]);
}
