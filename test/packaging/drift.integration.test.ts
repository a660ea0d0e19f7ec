import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { type Helm, openHelm } from "#dev/helm.ts";
import type { LocalProcess } from "#dev/process.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { secretsOf } from "./example-secrets.ts";
import { startReleasedOperator } from "./released-operator.ts";

/**
 * What teams have in Git: both kinds with many fields, and the objects beside them that are theirs (Secrets, ConfigMaps, autoscalers). The last one asks for
 * a label of its nodes besides.
 */
const EXAMPLES = [
  "production.yaml",
  "autoscaling.yaml",
  "exactly-once.yaml",
  "event-streams/openshift-scram.yaml",
  "minimal.yaml",
];
const RACKED = "minimal.yaml";
const RACK = { type: "topology-label", topologyKey: "example.com/room" };
const Listed = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), generation: z.number() }),
      status: z
        .object({ observedGeneration: z.number().optional(), conditions: z.array(z.unknown()).optional() })
        .optional(),
    }),
  ),
});
const CHART = join(repoRoot, "charts/headrace");
/** How GitOps tools apply, and what they compare with. */
const WAYS = [
  ["client-side", []],
  ["server-side", ["--server-side", "--field-manager=gitops"]],
] as const;

describe("what the operator writes is no difference to what is in Git", () => {
  let kubernetes: TestKubernetes;
  let dir: string;
  let operator: LocalProcess | undefined;
  let helm: Helm;
  /** Of the release. */
  let own: string;
  let values: readonly string[];
  const namespaces = new Map<string, string>();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-drift-"));
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    own = await kubernetes.createNamespace();
    for (const [way] of WAYS) {
      for (const example of EXAMPLES) namespaces.set(`${way} ${example}`, await kubernetes.createNamespace());
    }
    helm = await openHelm({ dir, kubeconfig: kubernetes.kubeconfig });
    const watched = `watch.namespaces={${[...namespaces.values()].join()}}`;
    const wanted = [
      "crds.install=false",
      "rbac.aggregateRoles=false",
      "rack.nodeLabels=true",
      "watch.mode=listed",
      watched,
    ];
    values = wanted.map((value) => `--set=${value}`);
    await helm(["install", "headrace", CHART, "--namespace", own, ...values]);
    operator = await startReleasedOperator({
      dir,
      kubectl: kubernetes.kubectl,
      adminKubeconfig: kubernetes.kubeconfig,
      namespace: own,
    });
  });

  after(async () => {
    await operator?.kill();
    // What is in no namespace.
    if (helm !== undefined) await helm(["uninstall", "headrace", "--namespace", own, "--ignore-not-found"]);
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  for (const [way, how] of WAYS) {
    for (const example of EXAMPLES) {
      it(`${example}, applied ${way}`, async () => {
        const namespace = namespaces.get(`${way} ${example}`) ?? "";
        const kubectl = (...args: string[]) => kubernetes.kubectl(["--namespace", namespace, ...args]);
        const objects = parseAllDocuments(readFileSync(join(repoRoot, "examples", example), "utf8"))
          .map((document) => document.toJS())
          .filter((object) => object !== null)
          // Examples that name a namespace are applied to this one, as a kustomization would.
          .map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }))
          .map((object) => {
            if (object.kind !== "KafkaConnect") return object;
            // Of its own Kafka: two clusters may not share a group, and each example is applied in two ways.
            const bootstrapServers = `${namespace}.${object.spec.bootstrapServers}`;
            return { ...object, spec: { ...object.spec, bootstrapServers, ...(example === RACKED && { rack: RACK }) } };
          });
        const input = objects.map((object) => JSON.stringify(object)).join("\n---\n");
        const git = (verb: "apply" | "diff") =>
          kubernetes.kubectl(["--namespace", namespace, verb, ...how, "-f", "-"], { input });
        const ours = async () =>
          Listed.parse(JSON.parse(await kubectl("get", "kafkaconnects,kafkaconnectors", "-o=json"))).items;
        for (const secret of secretsOf(objects))
          await kubernetes.kubectl(["-n", namespace, "apply", "-f", "-"], { input: JSON.stringify(secret) });
        const told = (await git("apply")).trim().split("\n").length;
        assert.equal(told, objects.length);
        await eventually("the operator has looked at everything", async () => {
          const all = await ours();
          return (
            all.length > 0 && all.every(({ metadata, status }) => status?.observedGeneration === metadata.generation)
          );
        });
        await eventually("it has made what belongs to a cluster", async () =>
          (await kubectl("get", "statefulsets,services,configmaps", "-o=name")).includes("-connect"),
        );
        assert.equal(await git("diff"), "");
        const generations = async () => (await ours()).map(({ metadata }) => metadata);
        const before = (await generations()).map(({ name, generation }) => `${name} ${generation}`);
        await git("apply");
        assert.deepEqual(
          (await generations()).map(({ name, generation }) => `${name} ${generation}`),
          before,
          "to apply it again changes nothing",
        );
        assert.equal(await git("diff"), "");
      });
    }
  }

  for (const [way, how] of WAYS) {
    it(`the chart itself, applied ${way}, with the subjects that the operator fills in`, async () => {
      const binding = ["get", "clusterrolebinding", `headrace-${own}-rack`, "-o=jsonpath={.subjects[*].namespace}"];
      const readers = [...WAYS]
        .map(([one]) => namespaces.get(`${one} ${RACKED}`))
        .toSorted()
        .join(" ");
      const subjects = () => kubernetes.kubectl(binding);
      await eventually("workers of both clusters may read their nodes", async () => (await subjects()) === readers);
      const input = await helm(["template", "headrace", CHART, "--namespace", own, ...values, "--skip-tests"]);
      const forced = how.length === 0 ? [] : ["--force-conflicts"];
      const inGit = (verb: "apply" | "diff") => kubernetes.kubectl([verb, ...how, ...forced, "-f", "-"], { input });
      assert.equal(await inGit("diff"), "");
      await inGit("apply");
      assert.equal(await inGit("diff"), "");
      assert.equal(await subjects(), readers);
    });
  }
});
