import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import type { Kubectl } from "../kubectl.ts";
import { freePorts, type LocalProcess, startProcess, waitUntilReady } from "../process.ts";

/** The operator as a process of this machine, with the rights of its ServiceAccount and no others. */
export interface LocalOperator {
  readonly process: LocalProcess;
  /** Base of its health, readiness and metrics. */
  readonly url: string;
  readonly namespace: string;
}

const MANIFEST = join(repoRoot, "dev/manifests/operator-rbac.yaml");
const TOKEN_DURATION = "720h";
const READY_TIMEOUT_MS = 180_000;

const serviceAccountSchema = z.object({
  kind: z.literal("ServiceAccount"),
  metadata: z.object({ name: z.string(), namespace: z.string() }),
});

const clusterSchema = z.object({ clusters: z.array(z.unknown()).min(1) });

/** Applies the operator's ServiceAccount and RBAC, gives it a token and starts it; resolves when it is ready. */
export async function startOperator(options: {
  /** For its kubeconfig and log. */
  readonly dir: string;
  readonly adminKubeconfig: string;
  readonly kubectl: Kubectl;
  readonly workerImage: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly detached?: boolean;
}): Promise<LocalOperator> {
  const { dir, adminKubeconfig, kubectl, workerImage, env, detached } = options;
  const { name, namespace } = operatorServiceAccount();
  await kubectl(["apply", "--server-side", "-f", MANIFEST]);
  const kubeconfig = await kubeconfigOfServiceAccount({
    dir,
    adminKubeconfig,
    kubectl,
    serviceAccount: { name, namespace },
  });

  const host = "127.0.0.1";
  const [port] = await freePorts(1, host);
  const process_ = await startProcess({
    name: "operator",
    command: process.execPath,
    args: ["--conditions=source", join(repoRoot, "src/main.ts")],
    env: {
      KUBECONFIG: undefined,
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_WATCH_NAMESPACES: "*",
      HEADRACE_WORKER_IMAGE: workerImage,
      HEADRACE_HEALTH_HOST: host,
      HEADRACE_HEALTH_PORT: String(port),
      ...env,
    },
    cwd: repoRoot,
    logFile: join(dir, "operator.log"),
    ...(detached !== undefined && { detached }),
  });
  const url = `http://${host}:${port}`;
  await waitUntilReady(process_, () => isOk(`${url}/readyz`), { timeoutMs: READY_TIMEOUT_MS });
  return { process: process_, url, namespace };
}

/** Writes a kubeconfig into `dir` for the same cluster with a token of the ServiceAccount; answers its path. */
export async function kubeconfigOfServiceAccount(options: {
  readonly dir: string;
  readonly adminKubeconfig: string;
  readonly kubectl: Kubectl;
  readonly serviceAccount: { readonly name: string; readonly namespace: string };
}): Promise<string> {
  const { dir, adminKubeconfig, kubectl, serviceAccount } = options;
  const { name, namespace } = serviceAccount;
  const token = (await kubectl(["create", "token", name, "-n", namespace, `--duration=${TOKEN_DURATION}`])).trim();
  const kubeconfig = join(dir, "operator.kubeconfig");
  writeFileSync(kubeconfig, withToken(readFileSync(adminKubeconfig, "utf8"), name, token), { mode: 0o600 });
  return kubeconfig;
}

/** The ServiceAccount that the manifest defines. */
function operatorServiceAccount(): { readonly name: string; readonly namespace: string } {
  if (!existsSync(MANIFEST)) throw new Error(`${MANIFEST} does not exist`);
  for (const document of parseAllDocuments(readFileSync(MANIFEST, "utf8"))) {
    const parsed = serviceAccountSchema.safeParse(document.toJS());
    if (parsed.success) return parsed.data.metadata;
  }
  throw new Error(`${MANIFEST} has no ServiceAccount with a namespace`);
}

/** The same cluster for another user. */
function withToken(kubeconfig: string, user: string, token: string): string {
  const { clusters } = clusterSchema.parse(parse(kubeconfig));
  const cluster = z.object({ name: z.string() }).parse(clusters[0]).name;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": user,
    contexts: [{ name: user, context: { cluster, user } }],
    clusters: [clusters[0]],
    users: [{ name: user, user: { token } }],
  });
}

async function isOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  return response?.ok === true;
}
