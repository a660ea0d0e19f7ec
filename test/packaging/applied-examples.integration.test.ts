import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import { openHelm } from "#dev/helm.ts";
import type { LocalProcess } from "#dev/process.ts";
import { eventually } from "#support/eventually.ts";
import { secretsOf } from "./example-secrets.ts";
import { startReleasedOperator } from "./released-operator.ts";

const EXAMPLES = join(repoRoot, "examples");
const NAMESPACE = "headrace";
/** Objects of other people's APIs. */
const FOREIGN = /^(argoproj\.io|(kustomize|source|helm)\.toolkit\.fluxcd\.io|kustomize\.config\.k8s\.io)\//;
const ours = /^headrace\.dev\//;
/**
 * What the operator says of resources whose cluster has neither nodes nor a Kafka: pods have no place, and nobody answers about connectors. Everything
 * else would be the example's own fault.
 */
const EXPLAINED: Readonly<Record<string, RegExp>> = {
  KafkaConnect: /^False WorkersNotReady 0 of \d+ workers are ready; [a-z-]+-connect-0: (no nodes available|0\/0 nodes)/,
  KafkaConnector: /^Unknown ClusterUnreachable No worker of KafkaConnect \S+ (tells|has told) about this connector/,
};
/** As the flags of `kubectl create namespace` cannot: connectors of teams are taken from namespaces with a label. */
const LABELS = { connect: "streaming" };

const Resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
});
type Resource = z.infer<typeof Resource>;
const Seen = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string(), generation: z.number() }),
  status: z.object({
    observedGeneration: z.number(),
    conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() })),
  }),
});
const Events = z.object({
  items: z.array(z.object({ type: z.string(), message: z.string(), reportingComponent: z.string() })),
});

function resourcesIn(text: string): readonly Resource[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter((object) => object !== null)
    .map((object) => Resource.parse({ ...object, metadata: { name: "", ...object.metadata } }));
}

const resourcesOf = (file: string) => resourcesIn(readFileSync(join(EXAMPLES, file), "utf8"));

/** Files that have resources of ours; those of GitOps repositories are applied as kustomize builds them. */
const files = globSync("**/*.yaml", { cwd: EXAMPLES, exclude: ["connector-template/**", "gitops/**"] })
  .filter((file) => resourcesOf(file).some(({ apiVersion }) => ours.test(apiVersion)))
  .toSorted();

/** The files that have to be applied for one: the cluster of its connectors may be another example's. */
function withCluster(file: string): readonly string[] {
  const isMade = (one: string, name: string) =>
    resourcesOf(one).some(({ kind, metadata }) => kind === "KafkaConnect" && metadata.name === name);
  const wanted = resourcesOf(file).flatMap(({ kind, metadata }) =>
    kind === "KafkaConnector" ? [metadata.labels["headrace.dev/cluster"] ?? ""] : [],
  );
  const others = wanted
    .filter((name) => !isMade(file, name))
    .map((name) => files.find((one) => isMade(one, name)) ?? "");
  return [...new Set([...others, file])];
}

describe("examples, applied where an operator runs", () => {
  let dir: string;
  let kubernetes: ControlPlane;
  let operator: LocalProcess | undefined;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-examples-"));
    kubernetes = await startControlPlane({ dir: join(dir, "control-plane") });
    await createNamespace(NAMESPACE);
    const helm = await openHelm({ dir, kubeconfig: kubernetes.adminKubeconfig });
    await helm(["install", "headrace", join(repoRoot, "charts/headrace"), "--namespace", NAMESPACE]);
    operator = await startReleasedOperator({
      dir,
      kubectl: kubernetes.kubectl,
      adminKubeconfig: kubernetes.adminKubeconfig,
      namespace: NAMESPACE,
    });
  });

  after(async () => {
    await operator?.kill();
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function createNamespace(name: string): Promise<void> {
    const restricted = ["enforce", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"] as const);
    const labels = { ...LABELS, ...Object.fromEntries(restricted) };
    await apply(stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } }));
  }

  const apply = (input: string) =>
    kubernetes.kubectl(["apply", "--server-side", "--warnings-as-errors", "--validate=strict", "-f", "-"], { input });

  const applyAll = (resources: readonly object[]) => apply(resources.map((one) => stringify(one)).join("---\n"));

  /** Waits until the operator has said of everything in the namespace all that it can, and answers what it said that is not explained. */
  async function unexplained(namespace: string, number: number): Promise<readonly string[]> {
    const inNamespace = ["--namespace", namespace, "get"];
    let last: readonly z.infer<typeof Seen>[] = [];
    const told = ({ kind, status }: z.infer<typeof Seen>) => {
      const ready = status.conditions.find(({ type }) => type === "Ready");
      return EXPLAINED[kind]?.test(`${ready?.status} ${ready?.reason} ${ready?.message}`) === true;
    };
    await eventually("the operator has looked at everything and says what is missing", async () => {
      const text = await kubernetes.kubectl([...inNamespace, "kafkaconnects,kafkaconnectors", "-o=json"]);
      last = z.object({ items: z.array(Seen) }).parse(JSON.parse(text)).items;
      return (
        last.length === number &&
        last.every((one) => one.status.observedGeneration === one.metadata.generation && told(one))
      );
    }).catch((error: unknown) => {
      throw new Error(JSON.stringify(last.map(({ metadata, status }) => [metadata.name, status.conditions])), {
        cause: error,
      });
    });
    const conditions = last.flatMap(({ metadata, status }) =>
      status.conditions
        .filter(({ type }) => !["Ready", "Reconciling"].includes(type))
        .map(({ type, reason, message }) => `${metadata.name}: ${type} ${reason}: ${message}`),
    );
    const { items } = Events.parse(JSON.parse(await kubernetes.kubectl([...inNamespace, "events", "-o=json"])));
    const warnings = items.filter(
      ({ type, reportingComponent }) => type === "Warning" && reportingComponent.startsWith("headrace"),
    );
    return [...conditions, ...warnings.map(({ message }) => message)];
  }

  for (const file of files) {
    it(`${file}: nothing is wrong but that there are no nodes`, async () => {
      const namespace = file.replace(/\.yaml$/, "").replaceAll("/", "-");
      await createNamespace(namespace);
      const resources = withCluster(file)
        .flatMap(resourcesOf)
        .filter(({ apiVersion, kind }) => !FOREIGN.test(apiVersion) && kind !== "Namespace")
        .map((one) => ({ ...one, metadata: { ...one.metadata, namespace } }));
      const given = new Set(resources.filter(({ kind }) => kind === "Secret").map(({ metadata }) => metadata.name));
      const Named = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });
      for (const secret of secretsOf(resources).map((one) => Named.parse(one)))
        if (!given.has(secret.metadata.name))
          await applyAll([{ ...secret, metadata: { ...secret.metadata, namespace } }]);
      await applyAll(resources);
      const number = resources.filter(({ apiVersion }) => ours.test(apiVersion)).length;
      assert.deepEqual(await unexplained(namespace, number), []);
    });
  }

  it("gitops/: a team's connector finds the platform's cluster, and nothing is wrong but that there are no nodes", async () => {
    const build = (folder: string) => kubernetes.kubectl(["kustomize", join(EXAMPLES, "gitops", folder)]);
    for (const namespace of ["streaming", "orders"]) await createNamespace(namespace);
    const cluster = await build("clusters/production");
    for (const secret of secretsOf(resourcesIn(cluster)))
      await kubernetes.kubectl(["--namespace", "streaming", "apply", "-f", "-"], { input: stringify(secret) });
    await apply(cluster);
    await apply(await build("teams/orders"));
    for (const namespace of ["streaming", "orders"]) assert.deepEqual(await unexplained(namespace, 1), []);
  });
});
