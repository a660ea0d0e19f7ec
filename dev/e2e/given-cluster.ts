import { existsSync, readdirSync } from "node:fs";
import { createKubectl } from "../kubectl.ts";
import { type E2eContext, NAMESPACES, OWN_REGISTRY } from "./context.ts";
import { nodesWithoutDir } from "./shared-dir.ts";

/** What is known of a cluster that somebody else has made, and gave by environment variables. */
export interface GivenCluster {
  readonly kubeconfig: string;
  readonly bootstrap: string;
  readonly registry: string;
  readonly pluginImage: string;
  readonly dataDir: string;
  readonly auditLog: string;
}

/** The variables, all of which are needed beside `HEADRACE_KUBECONFIG`, but for the last. */
const VARIABLES = {
  bootstrap: [
    "HEADRACE_E2E_KAFKA",
    "host:port of a Kafka that pods and this machine reach, without topics of another run; the host is an IPv4 address",
  ],
  pluginImage: [
    "HEADRACE_E2E_PLUGIN_IMAGE",
    "an image that all nodes have or can pull, as dev/e2e/plugin-image.ts makes it",
  ],
  dataDir: [
    "HEADRACE_E2E_DATA_DIR",
    "an empty directory of this machine that all nodes have under the same path, writable for everybody",
  ],
  auditLog: [
    "HEADRACE_E2E_AUDIT_LOG",
    "the API server's audit log, with all requests of ServiceAccounts, readable here",
  ],
  registry: ["HEADRACE_E2E_REGISTRY", "what the names of the images `operator` and `worker` begin with"],
} as const;

/** The cluster that the environment gives: null if it gives none, or sentences that say what is wrong with it. */
export function givenCluster(
  env: Readonly<Record<string, string | undefined>>,
): GivenCluster | null | readonly string[] {
  const kubeconfig = env["HEADRACE_KUBECONFIG"] ?? "";
  if (kubeconfig === "") return null;
  const problems: string[] = [];
  const read = (name: keyof typeof VARIABLES, fallback = "") => {
    const [variable, meaning] = VARIABLES[name];
    const value = env[variable] ?? "";
    if (value === "" && fallback === "") problems.push(`${variable} is not set: ${meaning}`);
    return value === "" ? fallback : value;
  };
  const given = {
    kubeconfig,
    bootstrap: read("bootstrap"),
    pluginImage: read("pluginImage"),
    dataDir: read("dataDir"),
    auditLog: read("auditLog"),
    registry: read("registry", OWN_REGISTRY),
  };
  if (given.bootstrap !== "" && !/^\d+(\.\d+){3}:\d+$/.test(given.bootstrap))
    problems.push(`${VARIABLES.bootstrap[0]} is ${given.bootstrap}: it is an IPv4 address and a port`);
  return problems.length > 0 ? problems : given;
}

type Place = Pick<E2eContext, "kubeconfig" | "kubectl" | "dir" | "dataDir" | "auditLog">;

/**
 * What keeps the tests from running there, one sentence each: they install and uninstall Headrace, definitions included, so that it must not be
 * there before.
 */
export async function givenObstacles({
  kubeconfig,
  kubectl: binary,
  dir,
  dataDir,
  auditLog,
}: Place): Promise<readonly string[]> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: `${dir}/kubectl-cache` });
  const found = (await kubectl(["get", ...OBJECTS, "--ignore-not-found", "--output=name"])).trim();
  return [
    ...(found === "" ? [] : [`it has ${found.split("\n").join(", ")}: the tests would take them for their own`]),
    ...(!existsSync(dataDir) || readdirSync(dataDir).length > 0 ? [`${dataDir} is not an empty directory`] : []),
    ...(existsSync(auditLog) ? [] : [`there is no ${auditLog}`]),
  ];
}

/**
 * What keeps the sink's file from being counted, one sentence for each node: workers write it wherever they are, and it is read on this machine. For a
 * cluster without other obstacles, since pods look.
 */
export async function unsharedObstacles({
  kubeconfig,
  kubectl: binary,
  dir,
  dataDir,
  registry,
  version,
}: Pick<E2eContext, "kubeconfig" | "kubectl" | "dir" | "dataDir" | "registry" | "version">): Promise<
  readonly string[]
> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: `${dir}/kubectl-cache` });
  const nodes = await nodesWithoutDir(kubectl, { dir: dataDir, image: `${registry}/worker:${version}` });
  return nodes.map(
    (node) =>
      `a pod on ${node} does not see what this machine puts into ${dataDir}: all nodes must have that very directory, by a mount or a network file system (or the worker's image does not run there)`,
  );
}

/** Removes what the tests have made, their volume's files excepted. */
export async function cleanGiven({ kubeconfig, kubectl: binary, dir }: Place): Promise<void> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: `${dir}/kubectl-cache` });
  await kubectl(["delete", ...OBJECTS, "--ignore-not-found", "--timeout=5m"]);
}

/** What the tests leave. */
const OBJECTS = [
  ...NAMESPACES.map((name) => `namespace/${name}`),
  ...["kafkaconnects", "kafkaconnectors"].map((name) => `customresourcedefinition/${name}.headrace.dev`),
  "persistentvolume/headrace-e2e",
];
