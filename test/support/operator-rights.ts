import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import type { TestKubernetes } from "./kubernetes.ts";

const MANIFESTS = new URL("../../dev/manifests/", import.meta.url);

const Kubeconfig = z.looseObject({
  clusters: z.array(z.looseObject({ name: z.string() })),
  users: z.array(z.looseObject({ user: z.unknown() })),
});

/**
 * Applies a manifest of the operator for one namespace, so that several tests have an operator each: its namespace is this one, and objects
 * that are in no namespace get its name as a suffix.
 */
export async function applyOperatorManifest(
  { kubectl }: Pick<TestKubernetes, "kubectl">,
  namespace: string,
  { file, change = (text) => text }: { readonly file: string; readonly change?: (text: string) => string },
): Promise<void> {
  const manifest = await readFile(new URL(file, MANIFESTS), "utf8");
  const input = manifest
    .replaceAll("namespace: headrace", `namespace: ${namespace}`)
    .replace("kind: Namespace\nmetadata:\n  name: headrace", `kind: Namespace\nmetadata:\n  name: ${namespace}`)
    .replace(
      /(kind: (?:ClusterRole|ClusterRoleBinding|\w+Configuration)\n(?:metadata:\n {2}| {2})name: headrace-operator[\w-]*)/g,
      `$1-${namespace}`,
    );
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { input: change(input) });
}

/** Writes a kubeconfig of the operator's ServiceAccount; answers its path. `server`: another address of the API server, without TLS. */
export async function operatorKubeconfig(
  { kubectl, kubeconfig }: Pick<TestKubernetes, "kubectl" | "kubeconfig">,
  namespace: string,
  { dir, server }: { readonly dir: string; readonly server?: string },
): Promise<string> {
  const token = await kubectl(["-n", namespace, "create", "token", "headrace-operator"]);
  const admin = Kubeconfig.parse(parse(await readFile(kubeconfig, "utf8")));
  const users = admin.users.map((user) => ({ ...user, user: { token: token.trim() } }));
  const file = join(dir, `${namespace}.kubeconfig`);
  const clusters =
    server === undefined ? admin.clusters : admin.clusters.map(({ name }) => ({ name, cluster: { server } }));
  await writeFile(file, stringify({ ...admin, clusters, users }));
  return file;
}
