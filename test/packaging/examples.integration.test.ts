import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const EXAMPLES = join(repoRoot, "examples");
/** Objects of other people's APIs, which are not on the test's API server: `gitops-layout.test.ts` looks at them. */
const FOREIGN = /^(argoproj\.io|(kustomize|source|helm)\.toolkit\.fluxcd\.io|kustomize\.config\.k8s\.io)\//;

const Resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string().optional(), labels: z.record(z.string(), z.string()).optional() }),
});
type Resource = z.infer<typeof Resource>;

function resourcesOf(file: string): readonly Resource[] {
  return parseAllDocuments(readFileSync(join(EXAMPLES, file), "utf8"))
    .map((document) => document.toJS())
    .filter((object) => object !== null)
    .map((object) => Resource.parse({ metadata: {}, ...object }));
}

const files = globSync("**/*.yaml", {
  cwd: EXAMPLES,
  exclude: ["connector-template/**", "gitops/argocd/resource_customizations/**"],
}).toSorted();

describe("examples on a real API server with Pod Security restricted", () => {
  let kubernetes: TestKubernetes;
  let namespace: string;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    namespace = await kubernetes.createNamespace();
    const level = ["enforce", "warn"].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`);
    await kubernetes.kubectl(["label", "namespace", namespace, ...level]);
  });

  after(() => kubernetes.stop());

  it("are all in the list", () => {
    const list = readFileSync(join(EXAMPLES, "README.md"), "utf8");
    for (const file of files.filter((name) => !name.startsWith("gitops/")))
      assert.ok(list.includes(`](${file})`), file);
  });

  for (const file of files) {
    const resources = resourcesOf(file);
    const ours = resources.filter(({ apiVersion }) => !FOREIGN.test(apiVersion));
    if (ours.length === 0) continue;
    it(`${file} is accepted without a warning`, async () => {
      const text = ours
        .map(({ metadata, ...rest }) => {
          const place = rest.kind === "Namespace" ? {} : { namespace };
          return JSON.stringify({ ...rest, metadata: { ...metadata, ...place } });
        })
        .join("\n---\n");
      const dryRun = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--warnings-as-errors",
        "--validate=strict",
        "-f",
        "-",
      ];
      const applied = await kubernetes.kubectl(dryRun, { input: text });
      assert.equal(applied.trim().split("\n").length, ours.length);
    });

    const connectors = ours.filter(({ kind }) => kind === "KafkaConnector");
    if (connectors.length === 0) continue;
    it(`${file} has connectors for a cluster that an example makes`, () => {
      const clusters = files
        .flatMap(resourcesOf)
        .filter(({ kind }) => kind === "KafkaConnect")
        .map(({ metadata }) => metadata.name);
      for (const { metadata } of connectors) assert.ok(clusters.includes(metadata.labels?.["headrace.dev/cluster"]));
    });
  }

  for (const folder of ["clusters/staging", "clusters/production", "teams/orders"]) {
    it(`gitops/${folder} is what kustomize can build and the API server accepts`, async () => {
      const built = await kubernetes.kubectl(["kustomize", join(EXAMPLES, "gitops", folder)]);
      const namespaced = built.replaceAll(/^ {2}namespace: .*$/gm, `  namespace: ${namespace}`);
      const dryRun = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--warnings-as-errors",
        "--validate=strict",
        "-f",
        "-",
      ];
      assert.match(await kubernetes.kubectl(dryRun, { input: namespaced }), /serverside-applied/);
    });
  }

  it("finds what is wrong", async () => {
    const spec = { replicas: "three" };
    const input = JSON.stringify({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "a", namespace },
      spec,
    });
    await assert.rejects(
      kubernetes.kubectl(["apply", "--server-side", "--dry-run=server", "-f", "-"], { input }),
      /spec\.replicas/,
    );
  });
});
