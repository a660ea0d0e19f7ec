import type { PackagedPlugin, PackageManifest } from "../plugins/plugin-package.ts";
import { isExecutorGone, type Supervisor } from "./supervisor.ts";

/**
 * Loads a package of plugins in a process that nothing else runs in. Rejects, and the process is dead, when the package throws, when it
 * does not come to an end within `timeoutMs`, and when it takes the process with it.
 */
export async function probePackage(
  start: () => Supervisor,
  manifest: PackageManifest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<readonly PackagedPlugin[]> {
  const supervisor = start();
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    await supervisor.ready;
    return await supervisor.rpc.call("probePackage", { manifest }, AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (deadline.aborted) {
      supervisor.kill("package does not end loading");
      throw new Error(`loading it did not end within ${timeoutMs} ms`, { cause: error });
    }
    if (isExecutorGone(error)) {
      throw new Error(`loading it ended the process: ${await supervisor.gone}`, { cause: error });
    }
    throw error;
  } finally {
    await supervisor.close();
  }
}
