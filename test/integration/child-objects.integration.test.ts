import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Desired, desire } from "#operator/cluster/desired.ts";
import { buildStatefulSet } from "#operator/cluster/stateful-set.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const VOLUME = { name: "data", emptyDir: {} };
/** A directory of its own for each pod. */
const MOUNT = { name: "data", mountPath: "/mnt/data", subPathExpr: "$(POD_NAME)" };

const CASES: Readonly<Record<string, Partial<KafkaConnect["spec"]>>> = {
  smallest: {},
  "with all templates": {
    isolation: "Task",
    tls: { trustedCertificates: [{ secretName: "ca", certificate: "ca.crt" }] },
    authentication: {
      type: "tls",
      certificateAndKey: { secretName: "user", certificate: "user.crt", key: "user.key" },
    },
    resources: { limits: { memory: "1Gi" }, requests: { cpu: "100m" } },
    plugins: [
      { name: "jdbc", artifacts: [{ type: "image", reference: "r/jdbc:1", pullPolicy: "Always" }] },
      { name: "http", artifacts: [{ type: "npm", url: "https://r/x.tgz", integrity: `sha512-${"A".repeat(86)}==` }] },
    ],
    rest: { allowFrom: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: "ui" } } }] },
    template: {
      pod: {
        metadata: { labels: { team: "a" }, annotations: { note: "b" } },
        imagePullSecrets: [{ name: "pull" }],
        securityContext: { fsGroup: 1001 },
        terminationGracePeriodSeconds: 60,
        affinity: { nodeAffinity: {} },
        tolerations: [{ key: "a", operator: "Exists" }],
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
        nodeSelector: { disk: "ssd" },
        schedulerName: "mine",
        hostAliases: [{ ip: "10.0.0.1", hostnames: ["a"] }],
        dnsPolicy: "ClusterFirst",
        dnsConfig: { searches: ["example.com"] },
        enableServiceLinks: false,
        hostUsers: false,
        tmpDirSizeLimit: "128Mi",
        volumes: [VOLUME, { name: "more", projected: { sources: [{ secret: { name: "s" } }] } }],
      },
      connectContainer: {
        env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
        securityContext: { runAsUser: 1234 },
        volumeMounts: [MOUNT],
      },
      initContainer: { env: [{ name: "NPM_TOKEN", value: "x" }], volumeMounts: [MOUNT] },
      podSet: { metadata: { labels: { a: "b" } } },
      statefulSet: { metadata: { annotations: { a: "b" } } },
      apiService: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"], metadata: { annotations: { a: "b" } } },
      headlessService: { ipFamilyPolicy: "PreferDualStack" },
      serviceAccount: { metadata: { annotations: { role: "x" } } },
      podDisruptionBudget: { maxUnavailable: 2 },
      networkPolicy: { metadata: { labels: { a: "b" } } },
    },
  },
  "with variables that are the operator's, too": {
    runtime: "Jvm",
    image: "apache/kafka:4.3.1",
    jvmOptions: { javaSystemProperties: [{ name: "a", value: "b" }] },
    build: { plugins: [{ name: "p", artifacts: [{ type: "maven", group: "g", artifact: "a", version: "1" }] }] },
    template: {
      connectContainer: {
        env: ["KAFKA_OPTS", "LOG_DIR", "HEADRACE_SERVICE_ACCOUNT_DIR", "TWICE", "TWICE"].map((name) => ({
          name,
          value: "x",
        })),
      },
      initContainer: { env: [{ name: "HOME", value: "/tmp/home" }] },
    },
  },
};

/** What is made for a cluster, on an API server that enforces the restricted Pod Security Standard. */
describe("the objects of a cluster on a real API server", () => {
  const signal = AbortSignal.timeout(120_000);
  let kubernetes: TestKubernetes;
  let namespace: string;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    namespace = await kubernetes.createNamespace();
    await kubernetes.kubectl(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
  });

  after(() => kubernetes.stop());

  async function build(spec: Partial<KafkaConnect["spec"]>) {
    const { status: _status, ...resource } = kafkaConnect(spec, { metadata: { namespace, name: "my-connect" } });
    await kubernetes.kubectl(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(resource) });
    const uid = await kubernetes.kubectl([
      "-n",
      namespace,
      "get",
      "kc",
      "my-connect",
      "-o",
      "jsonpath={.metadata.uid}",
    ]);
    const connect = { ...resource, metadata: { ...resource.metadata, uid } };
    const desired = desire(connect, "headrace/worker:dev", {
      credentials: { trusted: "PEM\n", hash: "abc", problems: [] },
      operator: { namespace: "headrace" },
      named: { secrets: ["db"], configMaps: ["urls"] },
      loggingText: null,
    });
    return { desired, statefulSet: buildStatefulSet(connect, desired.template, 1) };
  }

  function objects({ template: _template, ...desired }: Desired): readonly object[] {
    const { serviceAccount, role, roleBinding, configMap, trustSecret, services, disruptionBudget } = desired;
    const trusted = trustSecret === null ? [] : [trustSecret];
    const all = [serviceAccount, role, roleBinding, configMap, ...trusted, ...services, disruptionBudget];
    return [...all, desired.networkPolicy];
  }

  for (const [what, spec] of Object.entries(CASES)) {
    it(`are accepted to the letter, pods included: ${what}`, async () => {
      const { desired, statefulSet } = await build(spec);
      const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: [...objects(desired), statefulSet] });
      await kubernetes.kubectl(["apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"], {
        input,
      });
      const { metadata, spec: podSpec } = desired.template;
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { ...metadata, name: "probe" },
        spec: { ...podSpec, initContainers: podSpec?.initContainers ?? [] },
      };
      const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`;
      await kubernetes.api.request({ method: "POST", path, body: pod }, signal);
      const context = JSON.stringify(podSpec);
      assert.doesNotMatch(context.replaceAll('"runAsUser":1234', ""), /runAsUser|runAsGroup/, "any UID will do");
    });
  }

  it("are seen to be restricted: a pod that asks for more is refused", async () => {
    const { desired } = await build({
      template: { connectContainer: { securityContext: { allowPrivilegeEscalation: true } } },
    });
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe" }, spec: desired.template.spec };
    const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
    await assert.rejects(
      kubernetes.api.request({ method: "POST", path, body: pod }, signal),
      /violates PodSecurity "restricted.*allowPrivilegeEscalation/,
    );
  });
});
