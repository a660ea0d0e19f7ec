import { setTimeout as sleep } from "node:timers/promises";
import type { Kubectl } from "./kubectl.ts";

const TIMEOUT_MS = 120_000;
const PAUSE_MS = 200;

/**
 * Waits until custom resource definitions are served; `what` names them as `kubectl wait` takes it. kubectl fails at once for one that was made
 * so lately that it has no conditions yet: then it is asked again. Rejects after two minutes.
 */
export async function waitUntilEstablished(kubectl: Kubectl, what: readonly string[]): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    try {
      await kubectl(["wait", "--for=condition=Established", `--timeout=${TIMEOUT_MS / 1_000}s`, ...what]);
      return;
    } catch (error) {
      const isTooEarly = error instanceof Error && error.message.includes("conditions accessor error");
      if (!isTooEarly || performance.now() > deadline) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
