import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { CONTEXT_VARIABLE, type E2eContext } from "./context.ts";
import { printDiagnosis } from "./diagnosis.ts";

/** Where the states that were seen are kept if `STATES` is set: Argo CD's tests read them. */
const STATES_DIR = join(repoRoot, "test/packaging/argocd/states");

/** Tag under which the images are there once more, to upgrade to. */
export const nextTag = (version: string): string => `${version}-next`;

/**
 * Runs the tests of the group `e2e` on the cluster, or with `KEEP` a shell with its kubeconfig. Answers the exit code; if tests have failed, what
 * the cluster is like is on standard error. Throws if `signal` aborts meanwhile.
 */
export async function runTests(context: E2eContext, words: readonly string[], signal?: AbortSignal): Promise<number> {
  const file = join(context.dir, "context.json");
  writeFileSync(file, JSON.stringify(context));
  const env = {
    ...process.env,
    [CONTEXT_VARIABLE]: file,
    KUBECONFIG: context.kubeconfig,
    ...(process.env["STATES"] !== undefined && { HEADRACE_E2E_STATES: STATES_DIR }),
  };
  const tests = ["--conditions=source", join(repoRoot, "dev/test.ts"), "--group", "e2e", ...words];
  const common = { stdio: "inherit", env, cwd: repoRoot, ...(signal !== undefined && { signal }) } as const;
  const wantsShell = process.env["KEEP"] !== undefined;
  const child = wantsShell ? spawn("bash", ["--norc", "-i"], common) : spawn(process.execPath, tests, common);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
  if (code !== 0 && !wantsShell) await printDiagnosis(context, (text) => process.stderr.write(text));
  return code;
}
