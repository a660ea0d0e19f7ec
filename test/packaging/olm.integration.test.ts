import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { readRules } from "#dev/chart/rules.ts";
import { toBundle } from "#dev/olm/bundle.ts";
import { readBundleSources } from "#dev/olm/sources.ts";
import { buildJudge } from "#dev/setup/judges.ts";
import { parseConfig } from "#operator/config.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const run = promisify(execFile);
const BUNDLE = join(repoRoot, "bundle");
const CSV = "manifests/headrace.clusterserviceversion.yaml";

const Findings = z.array(z.object({ level: z.string(), detail: z.string() }));
const Variable = z.looseObject({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() });
const Rules = z.array(z.object({ serviceAccountName: z.string(), rules: z.array(z.unknown()) }));
const DeploymentSpec = z.looseObject({
  template: z.looseObject({
    metadata: z.looseObject({}),
    spec: z.looseObject({
      containers: z.tuple([z.looseObject({ image: z.string(), env: z.array(Variable) })]),
    }),
  }),
});
const Csv = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()) }),
  spec: z.object({
    version: z.string(),
    installModes: z.array(z.object({ type: z.string(), supported: z.boolean() })),
    customresourcedefinitions: z.object({
      owned: z.array(z.object({ name: z.string(), specDescriptors: z.array(z.object({ path: z.string() })) })),
    }),
    relatedImages: z.array(z.object({ name: z.string(), image: z.string() })),
    install: z.object({
      spec: z.object({
        permissions: Rules,
        clusterPermissions: Rules,
        deployments: z.tuple([z.object({ spec: DeploymentSpec })]),
      }),
    }),
  }),
});

/** A warning of the validators that is wrong: they take any right on PodDisruptionBudgets for one of policy/v1beta1. */
const WRONG = /Migrate the API\(s\) for poddisruptionbudgets: \(\["ClusterServiceVersion\.Spec\.InstallStrategy/;

describe("the bundle for OLM", () => {
  let kubernetes: TestKubernetes;
  let dir: string;
  let validator: string;
  let csv: z.infer<typeof Csv>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-olm-"));
    validator = await buildJudge("olm");
    csv = Csv.parse(parse(await readFile(join(BUNDLE, CSV), "utf8")));
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
  });

  after(async () => {
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function findings(bundle: string): Promise<readonly string[]> {
    const { stdout } = await run(validator, [bundle]);
    return Findings.parse(JSON.parse(stdout)).map(({ level, detail }) => `${level}: ${detail}`);
  }

  it("passes the rules of operator-sdk and OperatorHub.io with no warning but one that is wrong", async () => {
    // Each of the validators tells it.
    const [wrong = "", ...others] = new Set(await findings(BUNDLE));
    assert.match(wrong, WRONG);
    assert.deepEqual(others, []);
  });

  for (const [what, spoil, message] of [
    [
      "a CRD that it owns and does not have",
      (text: string) => text.replace("kafkaconnects.headrace.dev", "kafkaconnects.example.com"),
      /example\.com/,
    ],
    [
      "no example",
      (text: string) => text.replace(/alm-examples: \|[\s\S]*?\n {4}capabilities/, "capabilities"),
      /example/,
    ],
    ["a category that there is not", (text: string) => text.replace("Streaming & Messaging", "Streams"), /Streams/],
  ] as const) {
    it(`would not pass with ${what}`, async () => {
      const spoilt = await mkdtemp(join(dir, "spoilt-"));
      await cp(BUNDLE, spoilt, { recursive: true });
      const text = await readFile(join(spoilt, CSV), "utf8");
      assert.notEqual(spoil(text), text);
      await writeFile(join(spoilt, CSV), spoil(text));
      assert.match((await findings(spoilt)).join("\n"), message);
    });
  }

  it("has the CRDs, the rights and the version of everything else", async () => {
    for (const name of await readdir(join(repoRoot, "crds"))) {
      assert.equal(
        await readFile(join(BUNDLE, "manifests", name), "utf8"),
        await readFile(join(repoRoot, "crds", name), "utf8"),
      );
    }
    const rights = readRules(await readFile(join(repoRoot, "dev/manifests/operator-rbac.yaml"), "utf8"));
    const { permissions, clusterPermissions } = csv.spec.install.spec;
    assert.deepEqual(permissions[0]?.rules, [...rights.own, ...rights.namespaced]);
    assert.deepEqual(clusterPermissions[0]?.rules, rights.clusterWide);
    assert.equal(csv.spec.version, readBundleSources().version);
  });

  it("has the chart's Deployment, but for where the namespaces to watch come from, and nothing for networks and disruptions", async () => {
    const rendered = parseAllDocuments(await readFile(join(repoRoot, "manifests/headrace.yaml"), "utf8")).map(
      (document) => document.toJS(),
    );
    const ofChart = rendered.find(({ kind }) => kind === "Deployment").spec;
    const [{ spec: ofBundle }] = csv.spec.install.spec.deployments;
    const watching = /^HEADRACE_WATCH_/;
    const withoutWatching = (spec: z.infer<typeof DeploymentSpec>) => {
      const [container] = spec.template.spec.containers;
      const env = container.env.filter(({ name }) => !watching.test(name));
      return {
        ...spec,
        template: { ...spec.template, spec: { ...spec.template.spec, containers: [{ ...container, env }] } },
      };
    };
    assert.deepEqual(withoutWatching(ofBundle), withoutWatching(DeploymentSpec.parse(ofChart)));
    // As docs/install.md says.
    const kinds = new Set<string>();
    for (const name of await readdir(join(BUNDLE, "manifests")))
      kinds.add(parse(await readFile(join(BUNDLE, "manifests", name), "utf8")).kind);
    const absent = rendered.map(({ kind }) => kind).filter((kind) => !kinds.has(kind));
    // OLM makes these, and the namespace is the one that it is installed into.
    const made = ["Namespace", "ServiceAccount", "ClusterRoleBinding", "Role", "RoleBinding", "Deployment"];
    assert.deepEqual(absent.filter((kind) => !made.includes(kind)).toSorted(), [
      "NetworkPolicy",
      "PodDisruptionBudget",
    ]);
  });

  it("describes each field of a spec", () => {
    for (const { specDescriptors } of csv.spec.customresourcedefinitions.owned) {
      assert.ok(specDescriptors.length > 10);
      assert.equal(new Set(specDescriptors.map(({ path }) => path)).size, specDescriptors.length);
    }
  });

  it("offers all install modes, and its operator watches what OLM says in each", () => {
    assert.deepEqual(
      csv.spec.installModes.filter(({ supported }) => supported).map(({ type }) => type),
      ["OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"],
    );
    const [{ spec }] = csv.spec.install.spec.deployments;
    const { env } = spec.template.spec.containers[0];
    const targets = env.find(({ name }) => name === "HEADRACE_WATCH_NAMESPACES");
    assert.deepEqual(targets?.valueFrom, { fieldRef: { fieldPath: "metadata.annotations['olm.targetNamespaces']" } });
    const fixed = Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
    for (const [given, watched] of [
      ["", "*"],
      ["headrace", ["headrace"]],
      ["shop,bank", ["shop", "bank"]],
    ] as const) {
      assert.deepEqual(parseConfig({ ...fixed, HEADRACE_WATCH_NAMESPACES: given }).watchNamespaces, watched);
    }
  });

  it("makes a pod that a restricted namespace admits, and offers examples that the API server accepts", async () => {
    const namespace = await kubernetes.createNamespace();
    await kubernetes.kubectl(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    const [{ spec }] = csv.spec.install.spec.deployments;
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...spec.template.metadata, name: "operator", namespace },
      spec: { ...spec.template.spec, serviceAccountName: "default" },
    };
    const dryRun = (input: string) =>
      kubernetes.kubectl(
        [
          "apply",
          "-n",
          namespace,
          "--server-side",
          "--dry-run=server",
          "--warnings-as-errors",
          "--validate=strict",
          "-f",
          "-",
        ],
        { input },
      );
    assert.match(await dryRun(stringify(pod)), /pod\/operator serverside-applied/);
    const examples = z.array(z.looseObject({})).parse(JSON.parse(csv.metadata.annotations["alm-examples"] ?? ""));
    assert.equal(examples.length, 2);
    for (const example of examples) assert.match(await dryRun(JSON.stringify(example)), /serverside-applied/);
  });

  it("names every image by its digest in a release", () => {
    const images = {
      operator: `ghcr.io/headrace/operator@sha256:${"a".repeat(64)}`,
      worker: `ghcr.io/headrace/worker@sha256:${"b".repeat(64)}`,
    };
    const text = toBundle(readBundleSources(images)).get(CSV) ?? "";
    const released = Csv.parse(parse(text));
    assert.deepEqual(
      released.spec.relatedImages.map(({ image }) => image),
      [images.operator, images.worker],
    );
    assert.equal(released.spec.install.spec.deployments[0].spec.template.spec.containers[0].image, images.operator);
    assert.doesNotMatch(text, /ghcr\.io\/headrace\/\w+:/);
  });
});
