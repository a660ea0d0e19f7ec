import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import type { Kubectl } from "#dev/kubectl.ts";
import { freePorts, type LocalProcess, startProcess, waitUntilReady } from "#dev/process.ts";
import { kubeconfigOfServiceAccount } from "#dev/stack/operator.ts";

const Deployment = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(
          z.object({ env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]) }),
        ),
      }),
    }),
  }),
});

/** How the operator is started: a command and what stands before the operator's own arguments. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** The operator from its sources. */
const FROM_SOURCES: Program = {
  command: process.execPath,
  args: ["--conditions=source", join(repoRoot, "src/main.ts")],
};

/**
 * The operator as a process, with the ServiceAccount, and so the rights, and the environment of the release `headrace` of the chart in
 * `namespace`. Resolves when it is ready. Its log and kubeconfig are in `dir`.
 */
export async function startReleasedOperator(options: {
  readonly dir: string;
  readonly kubectl: Kubectl;
  readonly adminKubeconfig: string;
  readonly namespace: string;
  readonly program?: Program;
  /** What the program finds set beside the release's own variables. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where the program sees `dir`. Default: where it is. */
  readonly seenDir?: string;
}): Promise<LocalProcess & { readonly healthUrl: string }> {
  const { dir, kubectl, adminKubeconfig, namespace, program = FROM_SOURCES, environment, seenDir = dir } = options;
  const serviceAccount = { name: "headrace", namespace };
  const kubeconfig = await kubeconfigOfServiceAccount({ dir, adminKubeconfig, kubectl, serviceAccount });
  if (seenDir !== dir) await chmod(kubeconfig, 0o644); // It runs as another user.
  const host = "127.0.0.1";
  const [port, webhookPort, apiPort] = await freePorts(3, host);
  const released = await environmentOfRelease(kubectl, namespace);
  const operator = await startProcess({
    name: "operator",
    command: program.command,
    args: program.args,
    env: {
      ...environment,
      ...released,
      ...(released["HEADRACE_API_PORT"] === undefined
        ? {}
        : { HEADRACE_API_HOST: host, HEADRACE_API_PORT: String(apiPort) }),
      KUBECONFIG: undefined,
      HEADRACE_KUBECONFIG: join(seenDir, kubeconfig.slice(dir.length)),
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_WEBHOOK_HOST: host,
      HEADRACE_WEBHOOK_PORT: String(webhookPort),
      HEADRACE_HEALTH_HOST: host,
      HEADRACE_HEALTH_PORT: String(port),
    },
    cwd: repoRoot,
    logFile: join(dir, `operator-${port}.log`),
  });
  const isReady = async () => {
    const response = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => null,
    );
    await response?.body?.cancel();
    return response?.ok === true;
  };
  await waitUntilReady(operator, isReady, { timeoutMs: 180_000 });
  return Object.assign(operator, { healthUrl: `http://${host}:${port}` });
}

/** What the release's Deployment sets for the operator. */
async function environmentOfRelease(kubectl: Kubectl, namespace: string): Promise<Record<string, string>> {
  const text = await kubectl(["--namespace", namespace, "get", "deployment", "headrace", "-o=json"]);
  const [container] = Deployment.parse(JSON.parse(text)).spec.template.spec.containers;
  return Object.fromEntries((container?.env ?? []).map(({ name, value = "" }) => [name, value]));
}
