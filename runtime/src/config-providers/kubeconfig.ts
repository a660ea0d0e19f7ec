import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError } from "@headrace/sdk";
import { parse } from "yaml";
import { z } from "zod";
import type { KubernetesAccess } from "./kubernetes-reader.ts";

/** What is read of a kubeconfig; `exec` and other plugins for credentials are not run here. */
const KUBECONFIG = z.object({
  "current-context": z.string(),
  contexts: z.array(
    z.object({
      name: z.string(),
      context: z.object({ cluster: z.string(), user: z.string(), namespace: z.string().optional() }),
    }),
  ),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url(),
        "certificate-authority": z.string().optional(),
        "certificate-authority-data": z.string().optional(),
        "insecure-skip-tls-verify": z.boolean().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        token: z.string().optional(),
        tokenFile: z.string().optional(),
        "client-certificate": z.string().optional(),
        "client-certificate-data": z.string().optional(),
        "client-key": z.string().optional(),
        "client-key-data": z.string().optional(),
      }),
    }),
  ),
});

/** The access that the current context of a kubeconfig gives. Throws ConfigError with the file's name. */
export function readKubeconfig(file: string, text: string): KubernetesAccess {
  const fail = (problem: string) => new ConfigError(`${file} is not a kubeconfig that can be used: ${problem}`);
  const parsed = KUBECONFIG.safeParse(parseYaml(text, fail));
  if (!parsed.success) {
    throw fail(parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; "));
  }
  const { contexts, clusters, users, "current-context": current } = parsed.data;
  const context = contexts.find((each) => each.name === current)?.context;
  const cluster = clusters.find((each) => each.name === context?.cluster)?.cluster;
  const user = users.find((each) => each.name === context?.user)?.user;
  if (context === undefined || cluster === undefined || user === undefined) {
    throw fail(`context '${current}' is incomplete`);
  }
  const material = (data: string | undefined, path: string | undefined): string | null => {
    if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
    if (path === undefined) return null;
    try {
      return readFileSync(resolve(dirname(file), path), "utf8");
    } catch {
      throw fail(`${path} could not be read`);
    }
  };
  const cert = material(user["client-certificate-data"], user["client-certificate"]);
  const key = material(user["client-key-data"], user["client-key"]);
  return {
    server: new URL(cluster.server),
    namespace: context.namespace ?? "default",
    ca: material(cluster["certificate-authority-data"], cluster["certificate-authority"]),
    token: user.token ?? material(undefined, user.tokenFile)?.trim() ?? null,
    certificate: cert === null || key === null ? null : { cert, key },
    verify: cluster["insecure-skip-tls-verify"] !== true,
  };
}

function parseYaml(text: string, fail: (problem: string) => ConfigError): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
}
