import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";

const GITOPS = join(repoRoot, "examples/gitops");
/** Where the example's repositories are in this one. */
const REPOSITORIES: Readonly<Record<string, string>> = {
  "https://git.example.com/platform/headrace.git": repoRoot,
  "https://git.example.com/platform/streaming.git": GITOPS,
  "https://git.example.com/orders/connectors.git": GITOPS,
};

const Labels = z.record(z.string(), z.string());
const Duration = z.string().regex(/^\d+(m|h)$/);
const Values = z.record(z.string(), z.unknown());
const metadata = (namespace: string) =>
  z.strictObject({ name: z.string(), namespace: z.literal(namespace), annotations: Labels.optional() });
const flux = metadata("flux-system");

/** The fields of other people's kinds that the example uses, and no others: a field that they do not know would be ignored or refused. */
const Application = z.strictObject({
  apiVersion: z.literal("argoproj.io/v1alpha1"),
  kind: z.literal("Application"),
  metadata: metadata("argocd"),
  spec: z.strictObject({
    project: z.literal("default"),
    source: z.strictObject({
      repoURL: z.enum(Object.keys(REPOSITORIES)),
      targetRevision: z.string(),
      path: z.string(),
      helm: z.strictObject({ valuesObject: Values }).optional(),
    }),
    destination: z.strictObject({ server: z.literal("https://kubernetes.default.svc"), namespace: z.string() }),
    syncPolicy: z.strictObject({
      automated: z.strictObject({ prune: z.boolean(), selfHeal: z.boolean() }),
      syncOptions: z.array(z.enum(["CreateNamespace=true", "ServerSideApply=true"])).optional(),
      managedNamespaceMetadata: z.strictObject({ labels: Labels }).optional(),
    }),
  }),
});
const SourceRef = z.strictObject({ kind: z.literal("GitRepository"), name: z.string() });
const GitRepository = z.strictObject({
  apiVersion: z.literal("source.toolkit.fluxcd.io/v1"),
  kind: z.literal("GitRepository"),
  metadata: flux,
  spec: z.strictObject({
    interval: Duration,
    url: z.enum(Object.keys(REPOSITORIES)),
    ref: z.union([z.strictObject({ tag: z.string() }), z.strictObject({ branch: z.string() })]),
  }),
});
const HelmRelease = z.strictObject({
  apiVersion: z.literal("helm.toolkit.fluxcd.io/v2"),
  kind: z.literal("HelmRelease"),
  metadata: flux,
  spec: z.strictObject({
    interval: Duration,
    targetNamespace: z.string(),
    install: z.strictObject({ createNamespace: z.boolean() }),
    chart: z.strictObject({ spec: z.strictObject({ chart: z.string(), sourceRef: SourceRef }) }),
    values: Values,
    test: z.strictObject({ enable: z.boolean() }),
  }),
});
const Kustomization = z.strictObject({
  apiVersion: z.literal("kustomize.toolkit.fluxcd.io/v1"),
  kind: z.literal("Kustomization"),
  metadata: flux,
  spec: z.strictObject({
    dependsOn: z.array(z.strictObject({ name: z.string() })).optional(),
    interval: Duration,
    retryInterval: Duration.optional(),
    path: z.string().startsWith("./"),
    prune: z.boolean(),
    wait: z.boolean(),
    timeout: Duration,
    sourceRef: SourceRef,
    healthCheckExprs: z.array(
      z.strictObject({
        apiVersion: z.literal("headrace.dev/v1"),
        kind: z.string(),
        inProgress: z.string(),
        failed: z.string(),
        current: z.string(),
      }),
    ),
  }),
});
const Namespace = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Namespace"),
  metadata: z.strictObject({ name: z.string(), labels: Labels.optional() }),
});
const FluxObject = z.discriminatedUnion("kind", [GitRepository, HelmRelease, Kustomization, Namespace]);

const documentsOf = (pattern: string): readonly unknown[] =>
  globSync(pattern, { cwd: GITOPS })
    .toSorted()
    .flatMap((file) => parseAllDocuments(readFileSync(join(GITOPS, file), "utf8")).map((document) => document.toJS()));
const read = (file: string) => parse(readFileSync(join(GITOPS, file), "utf8"));

/** What the example's cluster asks of namespaces with connectors. */
const { matchLabels } = z
  .object({ spec: z.object({ allowedNamespaces: z.object({ selector: z.object({ matchLabels: Labels }) }) }) })
  .parse(read("clusters/base/kafka-connect.yaml")).spec.allowedNamespaces.selector;
const namespaceOf = (folder: string): string => read(`${folder}/kustomization.yaml`).namespace;

/** Asserts that a chart is there and knows the values' names. */
function assertChart(dir: string, values: Readonly<Record<string, unknown>>): void {
  assert.ok(existsSync(join(dir, "Chart.yaml")), dir);
  if (Object.keys(values).length === 0) return;
  const { properties } = JSON.parse(readFileSync(join(dir, "values.schema.json"), "utf8"));
  for (const name of Object.keys(values)) assert.ok(name in properties, name);
}

describe("examples/gitops for Argo CD", () => {
  const applications = documentsOf("argocd/{root,apps/*}.yaml").map((object) => Application.parse(object));
  const named = (name: string) => {
    const found = applications.find((one) => one.metadata.name === name);
    assert.ok(found !== undefined, name);
    return found.spec;
  };

  it("takes everything from where it is", () => {
    assert.equal(applications.length, 5);
    for (const { spec } of applications) {
      const { repoURL, path, helm } = spec.source;
      const dir = join(REPOSITORIES[repoURL] ?? "", path);
      if (path.startsWith("charts/")) assertChart(dir, helm?.valuesObject ?? {});
      else assert.ok(globSync("*.yaml", { cwd: dir }).length > 0, path);
    }
  });

  it("goes in waves: CRDs, operator, cluster, connectors", () => {
    const waves = applications
      .flatMap(({ metadata }) => {
        const wave = metadata.annotations?.["argocd.argoproj.io/sync-wave"];
        return wave === undefined ? [] : [[Number(wave), metadata.name] as const];
      })
      .toSorted(([left], [right]) => left - right);
    assert.deepEqual(waves, [
      [-2, "headrace-crds"],
      [-1, "headrace-operator"],
      [0, "streaming-cluster"],
      [1, "orders-connectors"],
    ]);
  });

  it("makes the team's namespace such that the cluster takes connectors from it", () => {
    const { source, destination, syncPolicy } = named("orders-connectors");
    assert.equal(namespaceOf(source.path), destination.namespace);
    assert.ok(syncPolicy.syncOptions?.includes("CreateNamespace=true"));
    assert.deepEqual(syncPolicy.managedNamespaceMetadata?.labels, matchLabels);
    const cluster = named("streaming-cluster");
    assert.equal(namespaceOf(cluster.source.path), cluster.destination.namespace);
    const { labels } = read("teams/orders/orders.yaml").metadata;
    assert.equal(labels["headrace.dev/cluster-namespace"], cluster.destination.namespace);
  });
});

describe("examples/gitops for Flux", () => {
  const objects = documentsOf("flux/*.yaml").map((object) => FluxObject.parse(object));
  const ofKind = <Kind extends (typeof objects)[number]["kind"]>(kind: Kind) =>
    objects.filter((object): object is Extract<(typeof objects)[number], { kind: Kind }> => object.kind === kind);
  const dirOf = (source: string) => {
    const repository = ofKind("GitRepository").find(({ metadata }) => metadata.name === source);
    assert.ok(repository !== undefined, source);
    return REPOSITORIES[repository.spec.url] ?? "";
  };

  it("takes everything from where it is", () => {
    for (const { spec } of ofKind("HelmRelease"))
      assertChart(join(dirOf(spec.chart.spec.sourceRef.name), spec.chart.spec.chart), spec.values);
    const paths = ofKind("Kustomization").map(({ spec }) => {
      assert.ok(existsSync(join(dirOf(spec.sourceRef.name), spec.path, "kustomization.yaml")), spec.path);
      return spec.path;
    });
    assert.deepEqual(paths, ["./clusters/production", "./teams/orders"]);
  });

  it("applies connectors once the cluster runs, into namespaces that are there and that the cluster takes them from", () => {
    const [cluster, connectors] = ofKind("Kustomization");
    assert.deepEqual(connectors?.spec.dependsOn, [{ name: cluster?.metadata.name }]);
    const labels = new Map(ofKind("Namespace").map(({ metadata }) => [metadata.name, metadata.labels]));
    assert.deepEqual(labels.get(namespaceOf("teams/orders")), matchLabels);
    assert.ok(labels.has(namespaceOf("clusters/production")));
  });
});
