import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { rootCertificates } from "node:tls";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { openHelm } from "#dev/helm.ts";
import type { LocalProcess } from "#dev/process.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { startReleasedOperator } from "./released-operator.ts";

/** What teams have in Git: both kinds with many fields, and the objects beside them that are theirs (Secrets, ConfigMaps, autoscalers). */
const EXAMPLES = ["production.yaml", "autoscaling.yaml", "exactly-once.yaml", "event-streams/openshift-scram.yaml"];
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
const Reference = z.looseObject({
  secretName: z.string(),
  certificate: z.string().optional(),
  password: z.string().optional(),
});

/** The Secrets that a cluster reads and that are not in Git; without them it is not made. */
function secretsOf(value: unknown): readonly object[] {
  if (typeof value !== "object" || value === null) return [];
  const { success, data } = Reference.safeParse(value);
  if (!success) return Object.values(value).flatMap(secretsOf);
  const key = data.password ?? data.certificate ?? "ca.crt";
  const content = data.password === undefined ? rootCertificates[0] : "not so secret";
  return [{ apiVersion: "v1", kind: "Secret", metadata: { name: data.secretName }, stringData: { [key]: content } }];
}

/** How GitOps tools apply, and what they compare with. */
const WAYS = [
  ["client-side", []],
  ["server-side", ["--server-side", "--field-manager=gitops"]],
] as const;

describe("what the operator writes is no difference to what is in Git", () => {
  let kubernetes: TestKubernetes;
  let dir: string;
  let operator: LocalProcess | undefined;
  const namespaces = new Map<string, string>();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-drift-"));
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    const own = await kubernetes.createNamespace();
    for (const [way] of WAYS) {
      for (const example of EXAMPLES) namespaces.set(`${way} ${example}`, await kubernetes.createNamespace());
    }
    const helm = await openHelm({ dir, kubeconfig: kubernetes.kubeconfig });
    const watched = `watch.namespaces={${[...namespaces.values()].join()}}`;
    const values = ["crds.install=false", "rbac.aggregateRoles=false", "watch.mode=listed", watched];
    const sets = values.map((value) => `--set=${value}`);
    await helm(["install", "headrace", join(repoRoot, "charts/headrace"), "--namespace", own, ...sets]);
    operator = await startReleasedOperator({
      dir,
      kubectl: kubernetes.kubectl,
      adminKubeconfig: kubernetes.kubeconfig,
      namespace: own,
    });
  });

  after(async () => {
    await operator?.kill();
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
          .map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }));
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
});
