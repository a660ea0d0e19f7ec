import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** Runs kubectl with fixed credentials and answers its standard output. Throws with its standard error if it fails. */
export type Kubectl = (
  args: readonly string[],
  options?: { readonly input?: string; readonly signal?: AbortSignal },
) => Promise<string>;

/** kubectl with the given kubeconfig, never the ambient one; discovery is cached in `cacheDir`. */
export function createKubectl(options: {
  readonly binary: string;
  readonly kubeconfig: string;
  readonly cacheDir: string;
}): Kubectl {
  const { binary, kubeconfig, cacheDir } = options;
  return async (args, { input, signal } = {}) => {
    const child = spawn(binary, [`--kubeconfig=${kubeconfig}`, `--cache-dir=${cacheDir}`, ...args], {
      env: { ...process.env, KUBECONFIG: undefined },
      stdio: "pipe",
      ...(signal !== undefined && { signal }),
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    child.stdin.on("error", () => {}); // kubectl may end before it has read everything; its exit code tells.
    child.stdin.end(input ?? "");
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim() || `exit code ${code}`}`);
    return stdout;
  };
}
