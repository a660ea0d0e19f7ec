import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { isAbsolute, join, resolve } from "node:path";
import { newClusters, newContexts, newUsers } from "@kubernetes/client-node/dist/config_types.js";
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { FileAuth } from "@kubernetes/client-node/dist/file_auth.js";
import { parse } from "yaml";
import { z } from "zod";

// These three modules of the client library cost 6 MB of memory; its KubeConfig, with all that it imports, costs 80.

/** Where the API is, and who we are there. */
export interface Connection {
  readonly server: URL;
  /** The namespace of the context or of our own pod; null if none is given. */
  readonly namespace: string | null;
  /** What the next request is made with. Token and certificate files are read again after a minute, as client-go does. */
  credentials(): Promise<Credentials>;
  /** Forgets what was read, after the API did not accept it. */
  refresh(): void;
}

/** TLS material and headers of a request. */
export interface Credentials {
  readonly tls: {
    readonly ca?: Buffer;
    readonly cert?: Buffer | string;
    readonly key?: Buffer | string;
    readonly servername?: string;
    readonly rejectUnauthorized: boolean;
  };
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the connection is read from. */
export interface ConnectionSource {
  /** Path of a kubeconfig file; without it the service account of the pod that we run in. */
  readonly kubeconfig?: string | undefined;
  /** The environment, for `KUBERNETES_SERVICE_HOST` and `_PORT`. The ambient `KUBECONFIG` is never looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where Kubernetes mounts the service account. */
  readonly serviceAccountDir?: string;
}

type Cluster = ReturnType<typeof newClusters>[number];
type User = ReturnType<typeof newUsers>[number];

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
const REREAD_AFTER_MS = 60_000;
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

const KubeConfigFile = z.object({
  "current-context": z.string().min(1),
  clusters: z.array(z.looseObject({ name: z.string() })),
  contexts: z.array(z.looseObject({ name: z.string() })),
  users: z.array(z.looseObject({ name: z.string(), user: z.record(z.string(), z.unknown()).nullish() })).default([]),
});

/** Reads a kubeconfig file, or the pod's own service account. Throws with one sentence if there is neither. */
export function loadConnection(source: ConnectionSource): Connection {
  return source.kubeconfig === undefined ? inCluster(source) : fromFile(source.kubeconfig);
}

function inCluster({ env, serviceAccountDir = SERVICE_ACCOUNT_DIR }: ConnectionSource): Connection {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined) {
    throw new Error("Not running in a Kubernetes pod: set HEADRACE_KUBECONFIG to the path of a kubeconfig file");
  }
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const cluster: Cluster = {
    name: "in-cluster",
    server,
    caFile: join(serviceAccountDir, "ca.crt"),
    skipTLSVerify: false,
  };
  const user: User = { name: "in-cluster", authProvider: tokenFileProvider(join(serviceAccountDir, "token")) };
  return connect(cluster, user, readOptional(join(serviceAccountDir, "namespace")));
}

function fromFile(path: string): Connection {
  const file = KubeConfigFile.safeParse(parse(readFileSync(path, "utf8")));
  if (!file.success) throw new Error(`${path} is not a kubeconfig file: ${z.prettifyError(file.error)}`);
  const { clusters, contexts, users, "current-context": current } = file.data;
  const context = newContexts(contexts).find(({ name }) => name === current);
  if (context === undefined) throw new Error(`${path}: there is no context ${current}`);
  const cluster = newClusters(clusters).find(({ name }) => name === context.cluster);
  if (cluster === undefined) throw new Error(`${path}: there is no cluster ${context.cluster}`);
  const user = newUsers(users.map(withTokenFile)).find(({ name }) => name === context.user);
  if (user?.authProvider && !new FileAuth().isAuthProvider(user) && !new ExecAuth().isAuthProvider(user)) {
    throw new Error(
      `${path}: the auth-provider of user ${user.name} is not supported; use exec, token or certificates`,
    );
  }
  const root = resolve(path, "..");
  return connect(absoluteCluster(root, cluster), absoluteUser(root, user), context.namespace ?? null);
}

function connect(cluster: Cluster, user: User | undefined, namespace: string | null): Connection {
  const server = new URL(cluster.server);
  if (cluster.proxyUrl !== undefined) throw new Error(`Cluster ${cluster.name}: proxy-url is not supported`);
  if (server.protocol !== "https:" && !LOOPBACK.test(server.hostname)) {
    throw new Error(`${cluster.server} is not https, and plain http is for loopback addresses only`);
  }
  let exec = new ExecAuth();
  let known: Promise<Credentials> | null = null;
  let readAt = 0;

  async function read(): Promise<Credentials> {
    const options: RequestOptions & { headers: Record<string, string> } = { headers: {} };
    const providers = user === undefined ? [] : [new FileAuth(), exec];
    const provider = providers.find((candidate) => user !== undefined && candidate.isAuthProvider(user));
    if (provider !== undefined && user !== undefined) await provider.applyAuthentication(user, options);
    const cert = material(user?.certFile, user?.certData) ?? text(options.cert);
    const key = material(user?.keyFile, user?.keyData) ?? text(options.key);
    const ca = material(cluster.caFile, cluster.caData);
    const authorization = authorizationOf(user) ?? options.headers["Authorization"]?.trim();
    return {
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(cluster.tlsServerName === undefined ? {} : { servername: cluster.tlsServerName }),
        rejectUnauthorized: !cluster.skipTLSVerify,
      },
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(user?.impersonateUser ? { "impersonate-user": user.impersonateUser } : {}),
      },
    };
  }

  return {
    server,
    namespace,
    credentials() {
      if (known !== null && performance.now() - readAt < REREAD_AFTER_MS) return known;
      readAt = performance.now();
      const reading = read();
      known = reading;
      reading.catch(() => {
        if (known === reading) known = null;
      });
      return reading;
    },
    refresh() {
      known = null;
      exec = new ExecAuth();
    },
  };
}

function authorizationOf(user: User | undefined): string | undefined {
  if (user?.token) return `Bearer ${user.token.trim()}`;
  if (user?.username === undefined || user.username === null) return undefined;
  return `Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}`;
}

function tokenFileProvider(tokenFile: string) {
  return { name: "tokenFile", config: { tokenFile } };
}

/** kubeconfig's `tokenFile`, which the library does not know, as the provider that reads the file again. */
function withTokenFile({ name, user }: { name: string; user?: Record<string, unknown> | null | undefined }) {
  const { tokenFile, ...rest } = user ?? {};
  if (typeof tokenFile !== "string") return { name, user: rest };
  return { name, user: { ...rest, "auth-provider": tokenFileProvider(tokenFile) } };
}

function absolute<K extends string>(root: string, name: K, path: string | undefined): { [P in K]?: string } {
  if (!path) return {};
  return { [name]: isAbsolute(path) ? path : join(root, path) } as { [P in K]?: string };
}

function absoluteCluster(root: string, cluster: Cluster): Cluster {
  return { ...cluster, ...absolute(root, "caFile", cluster.caFile) };
}

function absoluteUser(root: string, user: User | undefined): User | undefined {
  if (user === undefined) return undefined;
  const tokenFile = user.authProvider?.config?.tokenFile;
  const path = absolute(root, "tokenFile", tokenFile).tokenFile;
  return {
    ...user,
    ...absolute(root, "certFile", user.certFile),
    ...absolute(root, "keyFile", user.keyFile),
    ...(path === undefined ? {} : { authProvider: tokenFileProvider(path) }),
  };
}

function material(file: string | undefined, data: string | undefined): Buffer | undefined {
  if (file) return readFileSync(file);
  return data ? Buffer.from(data, "base64") : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}
