import { readFile } from "node:fs/promises";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import type { TestKubernetes } from "./kubernetes.ts";
import { operatorKubeconfig } from "./operator-rights.ts";
import { knownRight } from "./people.ts";

/** The operator's ServiceAccount with the rights that Headrace ships, for what it watches. */
export interface InstalledOperator {
  /** Kubeconfig file of the ServiceAccount. */
  readonly kubeconfig: string;
  /** Rights in the namespaces that are watched, as `counting-proxy.ts` names them. */
  readonly inWatched: ReadonlySet<string>;
  /** Rights in its own namespace alone. */
  readonly inOwn: ReadonlySet<string>;
  /** Rights to what is in no namespace. */
  readonly inNone: ReadonlySet<string>;
  /** Those of them that it has to let workers read nodes; empty without `rack`. */
  readonly forRacks: ReadonlySet<string>;
  /** Name of the binding by which workers read nodes, and of its role; undefined without `rack`. */
  readonly rackBinding: string | undefined;
  /** Removes what is in no namespace. */
  remove(): Promise<void>;
}

export interface OperatorInstallation {
  /** The operator's own. */
  readonly namespace: string;
  readonly watched: "*" | readonly string[];
  /** Whether it may let workers read nodes; it may not if this is not given. */
  readonly rack?: boolean;
  /** URL of the API server to be used. */
  readonly server: string;
  /** For the kubeconfig. */
  readonly dir: string;
}

const MANIFESTS = new URL("../../dev/manifests/", import.meta.url);
const NAME = "headrace-operator";
/** What the operator gives to workers, and what it needs to do so. */
const RACK = "headrace-rack";
const RACK_OPERATOR = "headrace-operator-rack";

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  roleRef: z.looseObject({ kind: z.string(), name: z.string() }).optional(),
  subjects: z.array(z.looseObject({ namespace: z.string() })).optional(),
  rules: z
    .array(
      z.strictObject({
        apiGroups: z.string().array(),
        resources: z.string().array(),
        resourceNames: z.string().array().optional(),
        verbs: z.string().array(),
      }),
    )
    .optional(),
});
type Manifest = z.infer<typeof Manifest>;

async function read(file: string): Promise<readonly Manifest[]> {
  const text = await readFile(new URL(file, MANIFESTS), "utf8");
  return parseAllDocuments(text).map((document) => Manifest.parse(document.toJS()));
}

/** What is installed for `watched`; as the comments in the manifests say. */
async function choose({ watched, rack = false }: OperatorInstallation): Promise<readonly Manifest[]> {
  const names = ["operator-rbac.yaml", "operator-api.yaml", ...(rack ? ["operator-rack.yaml"] : [])];
  const files = await Promise.all(names.map(read));
  const all = files.flat().filter(({ kind }) => kind !== "Namespace" && kind !== "Service");
  if (watched === "*") return all;
  const [binding] = await read("operator-rbac-namespace.yaml");
  if (binding === undefined) throw new Error("the manifest for one namespace is empty");
  const isForAll = ({ kind, metadata: { name } }: Manifest) =>
    name === `${NAME}-namespaces` || (kind === "ClusterRoleBinding" && name === NAME);
  const bindings = watched.map((namespace) => ({ ...binding, metadata: { ...binding.metadata, namespace } }));
  return [...all.filter((manifest) => !isForAll(manifest)), ...bindings];
}

/** Installs the manifests of `dev/manifests`, with names of their own for what is in no namespace. */
export async function installOperator(
  { kubectl, kubeconfig: admin }: Pick<TestKubernetes, "kubectl" | "kubeconfig">,
  installation: OperatorInstallation,
): Promise<InstalledOperator> {
  const { namespace, watched, server, dir } = installation;
  const own = (name: string) => `${name}-${namespace}`;
  const chosen = await choose(installation);
  const manifests = chosen.map(({ metadata, roleRef, subjects, rules, ...rest }) => ({
    ...rest,
    ...(rules === undefined
      ? {}
      : {
          rules: rules.map(({ resourceNames, ...rule }) =>
            resourceNames === undefined ? rule : { ...rule, resourceNames: resourceNames.map(own) },
          ),
        }),
    metadata:
      metadata.namespace === undefined
        ? { ...metadata, name: own(metadata.name) }
        : { ...metadata, namespace: metadata.namespace === "headrace" ? namespace : metadata.namespace },
    ...(roleRef === undefined
      ? {}
      : { roleRef: { ...roleRef, name: roleRef.kind === "ClusterRole" ? own(roleRef.name) : roleRef.name } }),
    ...(subjects === undefined ? {} : { subjects: subjects.map((subject) => ({ ...subject, namespace })) }),
  }));
  const apply = (items: readonly object[]) =>
    kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
      input: items.map((item) => stringify(item)).join("---\n"),
    });
  await apply(manifests);
  const account = `system:serviceaccount:${namespace}:${NAME}`;
  const operators = chosen.filter(({ metadata }) => metadata.name !== RACK);
  for (const { kind, metadata, rules } of operators) {
    const [
      {
        apiGroups: [group = ""],
        resources,
        resourceNames: [object] = [],
        verbs: [verb = ""],
      } = { apiGroups: [], resources: [], verbs: [] },
    ] = rules ?? [];
    const resource = resources.find((each) => !each.includes("/"));
    if (resource === undefined) continue;
    const type = group === "" ? resource : `${resource}.${group}`;
    const right = [verb, object === undefined ? type : `${type}/${own(object)}`];
    const scopes = kind === "Role" ? [namespace] : metadata.name === NAME && watched !== "*" ? watched : [];
    if (scopes.length === 0) await knownRight(kubectl, account, [...right, "--all-namespaces"]);
    for (const scope of scopes) await knownRight(kubectl, account, [...right, "-n", scope]);
  }

  const kubeconfig = await operatorKubeconfig({ kubectl, kubeconfig: admin }, namespace, { dir, server });
  const rightsOf = (kind: string, isMeant: (name: string) => boolean) =>
    toRights(operators.filter((manifest) => manifest.kind === kind && isMeant(manifest.metadata.name)));
  const unscoped = manifests.filter(({ metadata }) => !("namespace" in metadata));
  return {
    kubeconfig,
    inWatched: rightsOf("ClusterRole", (name) => name === NAME),
    inOwn: rightsOf("Role", () => true),
    inNone: rightsOf("ClusterRole", (name) => name !== NAME),
    forRacks: rightsOf("ClusterRole", (name) => name === RACK_OPERATOR),
    rackBinding: installation.rack === true ? own(RACK) : undefined,
    async remove() {
      const names = unscoped.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
      await kubectl(["delete", ...names]);
    },
  };
}

function toRights(manifests: readonly Manifest[]): ReadonlySet<string> {
  return new Set(
    manifests
      .flatMap(({ rules = [] }) => rules)
      .flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
        ),
      ),
  );
}
