import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import type { TestKubernetes } from "./kubernetes.ts";

/** Installs the CRDs of `crds/`, or brings them up to date, and waits until they are served. */
export async function installCustomResources({ kubectl }: Pick<TestKubernetes, "kubectl">): Promise<void> {
  const folder = fileURLToPath(new URL("../../crds/", import.meta.url));
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", folder]);
  // kubectl's wait fails, instead of waiting, on a definition that has no conditions at all yet.
  await eventually("the API server has looked at the definitions", async () => {
    const conditions = await kubectl([
      "get",
      "-f",
      folder,
      "-o",
      "jsonpath={range .items[*]}{.status.conditions[0].type};{end}",
    ]);
    return !conditions.startsWith(";") && !conditions.includes(";;");
  });
  await kubectl(["wait", "--for=condition=Established", "--timeout=120s", "-f", folder]);
}
