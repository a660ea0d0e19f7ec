import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { buildHelm } from "./setup/helm.ts";

/** Runs Helm and answers its standard output. Throws with its standard error if it fails. */
export type Helm = (args: readonly string[], options?: { readonly input?: string }) => Promise<string>;

/** Helm with its caches and settings in `dir`, never the user's own; without a kubeconfig it reaches no cluster. */
export async function openHelm(options: { readonly dir: string; readonly kubeconfig?: string }): Promise<Helm> {
  const { dir, kubeconfig = join(dir, "no-kubeconfig") } = options;
  const binary = await buildHelm();
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    HELM_CACHE_HOME: join(dir, "cache"),
    HELM_CONFIG_HOME: join(dir, "config"),
    HELM_DATA_HOME: join(dir, "data"),
  };
  return async (args, { input } = {}) => {
    const child = spawn(binary, [...args], { env, stdio: "pipe" });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    child.stdin.on("error", () => {}); // Helm may end before it has read everything; its exit code tells.
    child.stdin.end(input ?? "");
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr.trim() || `exit code ${code}`}\n${stdout}`);
    return stdout;
  };
}
