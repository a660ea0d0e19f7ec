import { readFileSync } from "node:fs";
import { type RequestOptions, request } from "node:https";
import { ConfigError } from "@headrace/sdk";

/** Where a Kubernetes API is and how this process proves itself there. */
export interface KubernetesAccess {
  readonly server: URL;
  readonly namespace: string;
  readonly ca: string | null;
  readonly token: string | null;
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  readonly verify: boolean;
}

/** Reads single objects. */
export interface KubernetesReader {
  /** The namespace of what is named without one. */
  readonly namespace: string;
  /** The object as JSON. Throws ConfigError that names `what` and what to do. */
  get(path: string, what: string, signal: AbortSignal): Promise<unknown>;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The API of the cluster that this pod runs in, with the token of its ServiceAccount (read anew each time: it is rotated); outside of a
 * cluster, that of `kubeconfig` or the environment's KUBECONFIG. Rejects with ConfigError if there is neither.
 */
export async function connectKubernetes(
  env: Readonly<Record<string, string | undefined>>,
  kubeconfig?: string,
): Promise<KubernetesReader> {
  const access = await findAccess(env, kubeconfig);
  return {
    namespace: access.namespace,
    async get(path, what, signal) {
      const { status, body } = await fetchText(access, path, what, signal);
      if (status === 200) return JSON.parse(body);
      if (status === 404) throw new ConfigError(`${what} does not exist`);
      if (status === 401 || status === 403) {
        throw new ConfigError(
          `${what} may not be read (${status}): the worker's ServiceAccount needs a Role that allows get on it`,
        );
      }
      throw new ConfigError(`${what} could not be read: the Kubernetes API answered ${status}`);
    },
  };
}

async function findAccess(
  env: Readonly<Record<string, string | undefined>>,
  given: string | undefined,
): Promise<KubernetesAccess> {
  const host = env["KUBERNETES_SERVICE_HOST"];
  if (given === undefined && host !== undefined && host !== "") {
    const directory = env["HEADRACE_SERVICE_ACCOUNT_DIR"] ?? SERVICE_ACCOUNT;
    const read = (file: string) =>
      readOrThrow(`${directory}/${file}`, "the pod's ServiceAccount token must be mounted");
    const authority = host.includes(":") ? `[${host}]` : host;
    return {
      server: new URL(`https://${authority}:${env["KUBERNETES_SERVICE_PORT"] ?? "443"}`),
      namespace: read("namespace").trim(),
      ca: read("ca.crt"),
      token: read("token").trim(),
      certificate: null,
      verify: true,
    };
  }
  const file = given ?? env["KUBECONFIG"];
  if (file === undefined || file === "") {
    throw new ConfigError(
      "The worker runs outside of Kubernetes: name a kubeconfig file by config.providers.<name>.param.kubeconfig or the environment's KUBECONFIG",
    );
  }
  // With it comes the YAML parser, which hardly any worker needs.
  const { readKubeconfig } = await import("./kubeconfig.ts");
  return readKubeconfig(file, readOrThrow(file, "the kubeconfig must be readable"));
}

function readOrThrow(file: string, wanted: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`${file} could not be read: ${wanted}`, { cause });
  }
}

function fetchText(
  access: KubernetesAccess,
  path: string,
  what: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const options: RequestOptions = {
    headers: {
      accept: "application/json",
      ...(access.token === null ? {} : { authorization: `Bearer ${access.token}` }),
    },
    ...(access.ca === null ? {} : { ca: access.ca }),
    ...(access.certificate ?? {}),
    rejectUnauthorized: access.verify,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const reason = cause.name === "AbortError" || cause.name === "TimeoutError" ? "no answer in time" : cause.message;
      reject(new ConfigError(`${what} could not be read from ${access.server.origin}: ${reason}`, { cause }));
    };
    const call = request(new URL(path, access.server), options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) response.destroy(new Error("the answer is too large"));
        chunks.push(chunk);
      });
      response.on("error", fail);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    call.on("error", fail);
    call.end();
  });
}
