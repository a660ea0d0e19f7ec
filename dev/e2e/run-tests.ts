import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { CONTEXT_VARIABLE, type E2eContext } from "./context.ts";
import { printDiagnosis } from "./diagnosis.ts";

/** Where the states that were seen are kept if `STATES` is set: the tests of Argo CD's scripts. */
const STATES_DIR = join(repoRoot, "examples/gitops/argocd/resource_customizations/headrace.dev");

/** Tag under which the images are there once more, to upgrade to. */
export const nextTag = (version: string): string => `${version}-next`;

/**
 * Runs the tests of the group `e2e` on the cluster, or with `KEEP` a shell with its kubeconfig. With `STATES` the states that they saw, and what is
 * generated of them, replace the recorded ones at the end. Answers the exit code; if tests have failed, what
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
  if (code === 0 && "HEADRACE_E2E_STATES" in env && !wantsShell) {
    const generate = ["--conditions=source", join(repoRoot, "dev/gitops/generate.ts")];
    await promisify(execFile)(process.execPath, generate, { cwd: repoRoot });
  }
  if (code !== 0 && !wantsShell) await printDiagnosis(context, (text) => process.stderr.write(text));
  return code;
}
