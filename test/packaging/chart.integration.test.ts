import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { toPlainManifest } from "#dev/chart/plain-manifest.ts";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import { waitUntilEstablished } from "#dev/established.ts";
import { type Helm, openHelm } from "#dev/helm.ts";
import { type LocalProcess, logTail } from "#dev/process.ts";
import { eventually } from "#support/eventually.ts";
import { startReleasedOperator } from "./released-operator.ts";
import { BAD, GOOD } from "./value-sets.ts";

const run = promisify(execFile);
const CHART = join(repoRoot, "charts/headrace");
const CRD_CHART = join(repoRoot, "charts/headrace-crds");
const NAMESPACE = "headrace";

const KubeObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
});
type KubeObject = z.infer<typeof KubeObject>;
const Deployment = z.looseObject({
  kind: z.literal("Deployment"),
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        containers: z.array(z.looseObject({ image: z.string() })),
      }),
    }),
  }),
});

function objectsOf(rendered: string): readonly KubeObject[] {
  return parseAllDocuments(rendered)
    .map((document) => document.toJS())
    .filter((object) => object !== null)
    .map((object) => KubeObject.parse(object));
}

function deploymentOf(objects: readonly KubeObject[]): z.infer<typeof Deployment> {
  return Deployment.parse(objects.find(({ kind }) => kind === "Deployment"));
}

/** All values of a key, wherever it is. */
function valuesAt(key: string, value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...valuesAt(key, inner)]);
}

describe("the chart, on a real API server with Pod Security restricted", () => {
  let kubernetes: ControlPlane;
  let dir: string;
  let helm: Helm;
  const operators: LocalProcess[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-chart-"));
    kubernetes = await startControlPlane({ dir: join(dir, "control-plane") });
    helm = await openHelm({ dir, kubeconfig: kubernetes.adminKubeconfig });
    await createNamespace(NAMESPACE);
    const monitoring = join(repoRoot, "test/fixtures/monitoring-crds.yaml");
    await kubernetes.kubectl(["create", "-f", monitoring]);
    await eventually("the API server serves monitors", async () =>
      (await kubernetes.kubectl(["api-resources", "--api-group=monitoring.coreos.com"])).includes("PodMonitor"),
    );
  });

  after(async () => {
    for (const operator of operators) await operator.kill();
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function createNamespace(name: string): Promise<void> {
    const labels = {
      "pod-security.kubernetes.io/enforce": "restricted",
      "pod-security.kubernetes.io/warn": "restricted",
    };
    const namespace = stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    await kubernetes.kubectl(["create", "-f", "-"], { input: namespace });
  }

  /** A file with values. */
  async function valuesFile(values: object): Promise<string> {
    const file = join(dir, "values.yaml");
    await writeFile(file, stringify(values));
    return file;
  }

  async function render(values: object): Promise<string> {
    return helm(["template", "it", CHART, `--namespace=${NAMESPACE}`, `--values=${await valuesFile(values)}`]);
  }

  /** What the API server would make of the objects; throws with its errors and its warnings. */
  function dryRun(text: string): Promise<string> {
    return kubernetes.kubectl(
      ["apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--validate=strict", "-f", "-"],
      { input: text },
    );
  }

  /** The pod that the Deployment would make, as the API server admits it. */
  async function admitPod(objects: readonly KubeObject[], overrides: object = {}): Promise<void> {
    const { metadata, spec } = deploymentOf(objects).spec.template;
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "admitted", namespace: NAMESPACE, labels: metadata.labels },
      spec: { ...spec, serviceAccountName: "default", ...overrides },
    };
    await dryRun(stringify(pod));
  }

  for (const chart of [CHART, CRD_CHART]) {
    it(`${chart.slice(repoRoot.length + 1)} has nothing that helm lint tells`, async () => {
      const lines = (await helm(["lint", "--strict", chart])).split("\n").filter((line) => /^\[\w+\]/.test(line));
      assert.deepEqual(lines, []);
    });
  }

  for (const [what, given] of GOOD) {
    it(`is accepted with ${what}`, async () => {
      // The CRDs, which are large, once.
      const values = what === "defaults" ? given : { crds: { install: false }, ...given };
      const file = await valuesFile(values);
      await helm(["lint", "--strict", CHART, `--namespace=${NAMESPACE}`, `--values=${file}`]);
      const rendered = await render(values);
      const objects = objectsOf(rendered);
      const applied = await dryRun(rendered);
      assert.equal(applied.trim().split("\n").length, objects.length, applied);
      await admitPod(objects);
      const { labels } = deploymentOf(objects).spec.template.metadata;
      assert.equal(labels["headrace.dev/kind"], "operator", "workers' NetworkPolicies let the operator in");
      // OpenShift's restricted-v2 gives these from the namespace's ranges and refuses others.
      for (const key of ["runAsUser", "runAsGroup", "fsGroup"]) assert.deepEqual(valuesAt(key, objects), []);
    });
  }

  for (const [what, values, message] of BAD) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(render(values), message);
    });
  }

  it("cannot run where its security contexts are taken away", async () => {
    await assert.rejects(
      admitPod(objectsOf(await render({})), { securityContext: {} }),
      /violates PodSecurity "restricted/,
    );
  });

  it("gives rights in a namespace only, unless all are watched", async () => {
    const bound = (objects: readonly KubeObject[]) =>
      objects.filter(({ kind }) => kind === "ClusterRoleBinding").map(({ metadata }) => metadata.name);
    assert.deepEqual(bound(objectsOf(await render({}))), ["it-headrace-headrace"]);
    for (const watch of [{ mode: "own" }, { mode: "listed", namespaces: ["default"] }]) {
      assert.deepEqual(bound(objectsOf(await render({ watch }))), []);
    }
  });

  it("gives rights in other operators' groups without their versions", async () => {
    const rendered = await render({ foreignApis: ["kafka.strimzi.io/v1beta2", "kafka.strimzi.io/v1"] });
    const groups = valuesAt("apiGroups", objectsOf(rendered)).map((list) => JSON.stringify(list));
    assert.ok(groups.includes('["kafka.strimzi.io"]'));
    assert.doesNotMatch(groups.join(), /v1|eventstreams/);
  });

  /** The values of a variable of the operator's container. */
  async function variable(wanted: string, values: object): Promise<readonly unknown[]> {
    const Variables = z.array(z.looseObject({ name: z.string(), value: z.unknown().optional() }));
    const { containers } = deploymentOf(objectsOf(await render(values))).spec.template.spec;
    return Variables.parse(containers[0]?.["env"])
      .filter(({ name }) => name === wanted)
      .map(({ value }) => value);
  }

  it("tells the operator whose resources it works on, if not on all", async () => {
    const selector = "team in (shop,bank)";
    assert.deepEqual(await variable("HEADRACE_RESOURCE_SELECTOR", {}), []);
    assert.deepEqual(await variable("HEADRACE_RESOURCE_SELECTOR", { watch: { selector } }), [selector]);
  });

  it("has one lease, whatever the selector: an upgrade that changes it makes no second leader", async () => {
    const leases = async (values: object) => await variable("HEADRACE_LEASE_NAME", values);
    assert.deepEqual(await leases({}), ["it-headrace"]);
    assert.deepEqual(await leases({ watch: { selector: "team=shop" } }), ["it-headrace"]);
    assert.deepEqual(await leases({ fullnameOverride: "shop", watch: { selector: "team=shop" } }), ["shop"]);
  });

  it("names images by digest, if there is one", async () => {
    const digest = `sha256:${"c".repeat(64)}`;
    const { spec } = deploymentOf(objectsOf(await render({ image: { tag: "9", digest } }))).spec.template;
    assert.equal(spec.containers[0]?.image, `ghcr.io/headrace/operator@${digest}`);
  });

  it("is what manifests/headrace.yaml has, without Helm", async () => {
    const rendered = await helm(["template", "headrace", CHART, "--namespace=headrace", "--skip-tests"]);
    const committed = await readFile(join(repoRoot, "manifests/headrace.yaml"), "utf8");
    const body = committed.slice(committed.indexOf("apiVersion:"));
    assert.equal(body, toPlainManifest(rendered), "run `npm run generate` and commit the result");
    const built = await kubernetes.kubectl(["kustomize", join(repoRoot, "manifests")]);
    const named = (text: string) =>
      Object.fromEntries(objectsOf(text).map((object) => [`${object.kind}/${object.metadata.name}`, object]));
    assert.deepEqual(named(built), named(committed));
    await dryRun(committed);
  });

  it("is installed, upgraded, rolled back and uninstalled; the CRDs stay", async () => {
    const install = ["--namespace=headrace", `--values=${await valuesFile({ watch: { mode: "own" } })}`];
    const notes = await helm(["install", "headrace", CHART, ...install]);
    // What it says comes next is what can be done.
    assert.match(notes, /^ {2}kubectl rollout status deployment\/headrace --namespace headrace$/m);
    const [, first = ""] = /^ {2}kubectl apply -f - <<END\n(.*?)^ {2}END$/ms.exec(notes) ?? [];
    const kubectl = (...args: string[]) => kubernetes.kubectl(["--namespace=headrace", ...args]);
    await eventually("the pod is admitted", async () => (await kubectl("get", "pods", "-o=name")).startsWith("pod/"));
    await helm(["upgrade", "headrace", CHART, ...install, "--set=replicas=2"]);
    assert.equal(await kubectl("get", "deployment", "headrace", "-o=jsonpath={.spec.replicas}"), "2");
    await helm(["rollback", "headrace", "1", "--namespace=headrace"]);
    assert.equal(await kubectl("get", "deployment", "headrace", "-o=jsonpath={.spec.replicas}"), "1");

    await dryRun(first.replaceAll(/^ {2}/gm, ""));
    await kubectl("create", "-f", join(repoRoot, "examples/kafka-connect.yaml"));
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
    assert.equal(await kubectl("get", "deployments,roles,rolebindings,networkpolicies", "-o=name"), "");
    assert.match(await kubectl("get", "kafkaconnects", "-o=name"), /my-connect/);
    assert.match(
      await kubectl("get", "crds", "-o=name"),
      /kafkaconnectors\.headrace\.dev\n.*kafkaconnects\.headrace\.dev/,
    );

    await helm(["upgrade", "--install", "headrace", CHART, ...install]);
    assert.match(await kubectl("get", "deployments", "-o=name"), /headrace/, "CRDs that stayed are taken up again");
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
    await kubectl("delete", "kafkaconnect", "my-connect");
  });

  it("is there a second time only without the CRDs, which are the first one's, and goes without it", async () => {
    await createNamespace("second");
    const own = `--values=${await valuesFile({ watch: { mode: "own" } })}`;
    const install = (namespace: string, ...more: string[]) =>
      helm(["install", "headrace", CHART, `--namespace=${namespace}`, own, ...more]);
    await install(NAMESPACE);
    await assert.rejects(
      install("second"),
      /CustomResourceDefinition "kafkaconnect\w*\.headrace\.dev" .* cannot be imported .*must equal "second"/s,
    );
    await install("second", "--set=crds.install=false");
    const deployments = () =>
      kubernetes.kubectl(["get", "deployments", "-A", "-o=jsonpath={.items[*].metadata.namespace}"]);
    assert.equal(await deployments(), "headrace second");
    await helm(["uninstall", "headrace", "--namespace=second"]);
    assert.equal(await deployments(), "headrace");
    for (const object of ["serviceaccount/headrace", "rolebinding/headrace-headrace", "networkpolicy/headrace"]) {
      assert.match(await kubernetes.kubectl(["-n", NAMESPACE, "get", object, "-o=name"]), /headrace/);
    }
    const views = await kubernetes.kubectl(["get", "clusterroles", "-o=name", "-l=app.kubernetes.io/part-of=headrace"]);
    assert.match(views, /headrace-headrace-view/);
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
  });

  /** The archive of a chart as it was in version 0.0.1, whose CRD of connectors, a file of it, has no `startFrom`. */
  async function packOlder(chart: string, crdFile: string): Promise<string> {
    const older = join(dir, `older-${basename(chart)}`);
    await cp(chart, older, { recursive: true });
    const crd = join(older, crdFile);
    const text = await readFile(crd, "utf8");
    const without = text.replace(/^ {16}startFrom:\n(?: {17,}.*\n)+/m, "");
    assert.notEqual(without, text);
    await writeFile(crd, without);
    await helm(["package", older, "--version=0.0.1", "--app-version=0.0.1", `--destination=${dir}`]);
    return join(dir, `${basename(chart)}-0.0.1.tgz`);
  }

  /** The type of `spec.startFrom` in the API server's CRD of connectors: nothing in one of an older chart. */
  const startFrom = () =>
    kubernetes.kubectl([
      "get",
      "crd",
      "kafkaconnectors.headrace.dev",
      "-o=jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.startFrom.type}",
    ]);

  it("comes after the chart of its CRDs, which is upgraded and uninstalled apart from it and leaves them", async () => {
    const names = ["kafkaconnectors.headrace.dev", "kafkaconnects.headrace.dev"];
    const { kubectl } = kubernetes;
    const crds = () => kubectl(["get", "crds", ...names, "-o=jsonpath={.items[*].metadata.uid}"]);
    const connect = () =>
      kubectl(["-n", NAMESPACE, "get", "kafkaconnect", "my-connect", "-o=jsonpath={.metadata.uid}"]);
    const own = ["--namespace=headrace", `--values=${await valuesFile({ watch: { mode: "own" } })}`];
    const apart = [...own, "--set=crds.install=false"];
    const archive = await packOlder(CRD_CHART, "templates/kafkaconnectors.headrace.dev.yaml");
    await kubectl(["delete", "crds", ...names, "--ignore-not-found"]);

    await helm(["install", "headrace-crds", archive]);
    await waitUntilEstablished(kubectl, ["crd", ...names]);
    assert.equal(await startFrom(), "");
    const definitions = await crds();
    await helm(["install", "headrace", CHART, ...apart]);
    assert.doesNotMatch(
      await helm(["get", "manifest", "headrace", "--namespace=headrace"]),
      /CustomResourceDefinition/,
    );
    await eventually("the operator's pod is admitted", async () =>
      (await kubectl(["-n", NAMESPACE, "get", "pods", "-o=name"])).startsWith("pod/"),
    );
    await kubectl(["-n", NAMESPACE, "create", "-f", join(repoRoot, "examples/kafka-connect.yaml")]);
    const resource = await connect();

    await helm(["upgrade", "headrace-crds", CRD_CHART]);
    assert.equal(await startFrom(), "object");
    await helm(["upgrade", "headrace", CHART, ...apart]);
    // The other chart's, which it does not take by mistake.
    await assert.rejects(
      helm(["upgrade", "headrace", CHART, ...own]),
      /CustomResourceDefinition "kafkaconnect\w*\.headrace\.dev" .* cannot be imported .*must equal "headrace"/s,
    );

    const kept = await helm(["uninstall", "headrace-crds"]);
    for (const name of names) assert.ok(kept.includes(`[CustomResourceDefinition] ${name}`), kept);
    assert.deepEqual([await crds(), await connect()], [definitions, resource]);
    assert.match(await kubectl(["-n", NAMESPACE, "get", "deployments", "-o=name"]), /headrace/);
    await helm(["upgrade", "--install", "headrace-crds", CRD_CHART]);
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
    await helm(["uninstall", "headrace-crds"]);
    assert.deepEqual([await crds(), await connect()], [definitions, resource]);
    await kubectl(["-n", NAMESPACE, "delete", "kafkaconnect", "my-connect"]);
    await kubectl(["delete", "crds", ...names]);
  });

  it("takes the place of an older chart, its CRDs first, and gives it back", async () => {
    const archive = await packOlder(CHART, "templates/crds/kafkaconnectors.headrace.dev.yaml");
    const values = ["--namespace=headrace", `--values=${await valuesFile({ watch: { mode: "own" } })}`];
    await helm(["upgrade", "--install", "headrace", archive, ...values]);
    const image = () =>
      kubernetes.kubectl(["-n", NAMESPACE, "get", "deployment", "headrace", "-o=jsonpath={..containers[0].image}"]);
    assert.deepEqual([await image(), await startFrom()], ["ghcr.io/headrace/operator:0.0.1", ""]);
    await helm(["upgrade", "headrace", CHART, ...values]);
    assert.equal(await startFrom(), "object");
    assert.doesNotMatch(await image(), /0\.0\.1/);
    await helm(["rollback", "headrace", "1", "--namespace=headrace"]);
    assert.equal(await image(), "ghcr.io/headrace/operator:0.0.1");
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
    await kubernetes.kubectl(["apply", "--server-side", "--force-conflicts", "-f", join(repoRoot, "crds")]);
    await helm(["upgrade", "--install", "headrace", CHART, ...values, "--take-ownership"]);
    await helm(["uninstall", "headrace", "--namespace=headrace"]);
  });

  for (const [what, watch, watched, webhook] of [
    ["all namespaces", { mode: "all" }, "team-all", false],
    ["its own namespace", { mode: "own" }, NAMESPACE, false],
    [
      "listed namespaces, with the webhook and the API for people",
      { mode: "listed", namespaces: ["team-listed"] },
      "team-listed",
      true,
    ],
  ] as const) {
    it(`gives the operator the rights that it needs for ${what}`, async () => {
      if (watched !== NAMESPACE) await createNamespace(watched);
      const values = [
        "--namespace=headrace",
        `--values=${await valuesFile({ watch, webhook: { enabled: webhook }, api: { enabled: webhook } })}`,
      ];
      await helm(["upgrade", "--install", "headrace", CHART, ...values]);
      const operator = await startReleasedOperator({
        dir,
        kubectl: kubernetes.kubectl,
        adminKubeconfig: kubernetes.adminKubeconfig,
        namespace: NAMESPACE,
      });
      operators.push(operator);
      const resources = ["--namespace", watched, "-f", join(repoRoot, "examples/minimal.yaml")];
      // As GitOps tools apply; what the operator adds is no difference to what is in Git.
      const how = webhook ? ["--server-side", "--field-manager=gitops"] : [];
      await kubernetes.kubectl(["apply", ...how, ...resources]);
      await eventually("the operator makes what belongs to the cluster", async () =>
        (await kubernetes.kubectl(["--namespace", watched, "get", "statefulsets", "-o=name"])).includes("minimal"),
      );
      await eventually("the operator has written both statuses", async () => {
        const status = ["get", "kafkaconnects,kafkaconnectors", "-o=jsonpath={.items[*].status.observedGeneration}"];
        return (await kubernetes.kubectl(["--namespace", watched, ...status])) === "1 1";
      });
      assert.equal(await kubernetes.kubectl(["diff", ...how, ...resources]), "");
      const bundle = [
        "get",
        "validatingwebhookconfigurations",
        "-o=jsonpath={.items[*].webhooks[0].clientConfig.caBundle}",
      ];
      if (webhook) {
        await eventually("the API server trusts it", async () => (await kubernetes.kubectl(bundle)) !== "").catch(
          (error: unknown) => {
            throw new Error(logTail(operator.logFile, 3), { cause: error });
          },
        );
        const told = ["--namespace=headrace", "get", "configmap", "headrace-operator-ca-cert", "-o=jsonpath={.data}"];
        await eventually("the API for people has its certificate", async () =>
          (await kubernetes.kubectl(told).catch(String)).includes("BEGIN CERTIFICATE"),
        );
      } else assert.equal(await kubernetes.kubectl(bundle), "");
      if (webhook) {
        // What is in Git for those who render the chart there. The operator fills in what the chart does not have.
        const template = ["template", "headrace", CHART, ...values, "--set=crds.install=false", "--skip-tests"];
        const input = await helm(template);
        const filledIn = await kubernetes.kubectl(bundle);
        for (const way of [[], ["--server-side", "--field-manager=gitops", "--force-conflicts"]]) {
          const inGit = (verb: "apply" | "diff") => kubernetes.kubectl([verb, ...way, "-f", "-"], { input });
          assert.equal(await inGit("diff"), "");
          await inGit("apply");
          assert.equal(await inGit("diff"), "");
          assert.equal(await kubernetes.kubectl(bundle), filledIn);
        }
      }
      const testPod = objectsOf(await render({ fullnameOverride: "headrace" })).find(({ kind }) => kind === "Pod");
      const [command = []] = valuesAt("command", testPod).map((value) => z.array(z.string()).parse(value));
      const address = "http://headrace.headrace.svc:8080";
      const here = command.map((part) => part.replace(address, operator.healthUrl));
      assert.notDeepEqual(here, command);
      // What `helm test` runs, on this machine.
      const { stdout } = await run(process.execPath, here.slice(1));
      assert.match(stdout, /^the operator is ready: /);
      assert.equal(operator.running(), true);
      const log = await readFile(operator.logFile, "utf8");
      assert.doesNotMatch(log, /forbidden/i);
      await operator.kill();
      // The finalizer of a connector waits for an operator, and there is none any more.
      const free = ["patch", "kafkaconnector", "clock", "--type=merge", '--patch={"metadata":{"finalizers":null}}'];
      await kubernetes.kubectl(["--namespace", watched, ...free]);
      await kubernetes.kubectl(["--namespace", watched, "delete", "kafkaconnects,kafkaconnectors", "--all"]);
      await helm(["uninstall", "headrace", "--namespace=headrace"]);
    });
  }
});
