import { join } from "node:path";
import type { Stack } from "../stack.ts";

/** What a person needs to use a running stack, line by line. */
export function howToUse(stack: Stack): string {
  return [
    `Kafka        ${stack.bootstrap}`,
    `Kubernetes   export KUBECONFIG=${stack.userKubeconfig} PATH=${join(stack.kubectlPath, "..")}:$PATH`,
    `             (administrator: ${stack.adminKubeconfig})`,
    ...(stack.operatorUrl === null
      ? []
      : [`operator     ${stack.operatorUrl}/metrics  log: ${stack.dir}/operator.log`]),
    `pods' logs   ${stack.podLogDir}`,
  ].join("\n");
}
