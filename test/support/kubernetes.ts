import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { ApiError, type KubernetesApi, openKubernetesApi } from "#dev/kubernetes-api.ts";
import { buildKubernetes } from "#dev/setup/kubernetes.ts";
import { eventually } from "./eventually.ts";

/** A Kubernetes API for one test file. */
export interface TestKubernetes {
  /** Kubeconfig file of an administrator. */
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly api: KubernetesApi;
  /** A fresh namespace with its default ServiceAccount; answers its name. Removed at `stop`. */
  createNamespace(): Promise<string>;
  stop(): Promise<void>;
}

/** The API server of `HEADRACE_KUBECONFIG`, which the test runner shares among all files, or one of our own. */
export async function testKubernetes(): Promise<TestKubernetes> {
  const shared = process.env["HEADRACE_KUBECONFIG"];
  const dir = await mkdtemp(join(tmpdir(), "headrace-kubernetes-"));
  const own = shared === undefined || shared === "" ? await ownControlPlane(dir) : undefined;
  const kubeconfig = own?.adminKubeconfig ?? shared ?? "";
  const { kubectl: binary } = await buildKubernetes();
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: join(dir, "kubectl-cache") });
  const api = openKubernetesApi(kubeconfig);
  const namespaces: string[] = [];
  return {
    kubeconfig,
    kubectl,
    api,
    createNamespace: async () => {
      const name = await createNamespace(api);
      namespaces.push(name);
      return name;
    },
    stop: async () => {
      if (own === undefined && namespaces.length > 0)
        await kubectl(["delete", "namespace", "--wait=false", ...namespaces]);
      api.close();
      await own?.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function ownControlPlane(dir: string): Promise<ControlPlane> {
  return startControlPlane({ dir: join(dir, "control-plane") });
}

/** Creates a namespace with a random name and waits for its default ServiceAccount, without which no pod can be created. */
export async function createNamespace(api: KubernetesApi): Promise<string> {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const signal = AbortSignal.timeout(120_000);
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await api.request({ method: "POST", path: "/api/v1/namespaces", body }, signal);
  await eventually("the default ServiceAccount exists", async () => {
    try {
      await api.request({ path: `/api/v1/namespaces/${name}/serviceaccounts/default` }, signal);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  });
  return name;
}
