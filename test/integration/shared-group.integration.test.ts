import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources, installForeignResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { type PlayedNodes, playNodes } from "#support/played-nodes.ts";

interface Resource {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

const STRIMZI = "kafka.strimzi.io";
const OURS = "headrace.dev";

/** The operator on a real API server, with played nodes. */
describe("two clusters that ask for one group", () => {
  const signal = AbortSignal.timeout(580_000);
  let kubernetes: TestKubernetes;
  let namespace: string;
  let nodes: PlayedNodes;
  let stopOperator: () => Promise<void>;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    await installForeignResources(kubernetes, STRIMZI);
  });

  after(() => kubernetes.stop());

  beforeEach(async () => {
    namespace = await kubernetes.createNamespace();
    nodes = playNodes(kubernetes.api, namespace);
    const { kubeconfig } = kubernetes;
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_FOREIGN_APIS: STRIMZI,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
    });
    const connection = loadConnection({ kubeconfig, env: {} });
    const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
    const stop = new AbortController();
    const running = runOperator({ config, connection, log, version: "test", host: "test" }, stop.signal);
    running.catch(() => undefined);
    stopOperator = async () => {
      stop.abort();
      await running;
    };
  });

  afterEach(async () => {
    await stopOperator();
    await nodes.stop();
  });

  const pathOf = (group: string, name = "") =>
    `/apis/${group}/v1/namespaces/${namespace}/kafkaconnects/${name}`.replace(/\/$/, "");

  async function create(group: string, name: string, groupId = "shared"): Promise<void> {
    const annotations = group === OURS ? {} : { "headrace.dev/managed": "true" };
    const spec = {
      replicas: 1,
      bootstrapServers: "kafka:9092",
      groupId,
      configStorageTopic: `${name}-configs`,
      offsetStorageTopic: `${name}-offsets`,
      statusStorageTopic: `${name}-status`,
    };
    const body = { apiVersion: `${group}/v1`, kind: "KafkaConnect", metadata: { name, annotations }, spec };
    await kubernetes.api.request({ method: "POST", path: pathOf(group), body }, signal);
  }

  async function change(name: string, spec: object): Promise<void> {
    const patch = ["--type=merge", "-p", JSON.stringify({ spec })];
    await kubernetes.kubectl(["-n", namespace, "patch", `kafkaconnects.${OURS}`, name, ...patch]);
  }

  const remove = (group: string, name: string) =>
    kubernetes.api.request({ method: "DELETE", path: pathOf(group, name) }, signal);

  function readyAs(group: string, name: string, reason: string): Promise<Resource> {
    let last = "nothing";
    return eventually(`${name} is ${reason}`, async () => {
      const resource = await kubernetes.api.request<Resource>({ path: pathOf(group, name) }, signal);
      const { conditions, observedGeneration } = resource.status ?? {};
      const ready = conditions?.find(({ type }) => type === "Ready");
      last = `${ready?.reason}: ${ready?.message}`;
      return observedGeneration === resource.metadata.generation && ready?.reason === reason ? resource : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  const table: readonly [string, string, string][] = [
    ["of ours, both", OURS, OURS],
    ["of ours, and a claimed one of another operator's", OURS, STRIMZI],
    ["of another operator's, claimed, and one of ours", STRIMZI, OURS],
  ];
  for (const [what, older, younger] of table) {
    it(`gives it to the older one, until that is gone: ${what}`, async () => {
      await create(older, "a");
      await readyAs(older, "a", "Ready");
      await create(younger, "b");
      const { status } = await readyAs(younger, "b", "GroupTaken");
      const conditions = status?.conditions ?? [];
      const of = (type: string) => conditions.find((condition) => condition.type === type);
      assert.equal(of("Stalled")?.status, "True");
      assert.match(
        of("Ready")?.message ?? "",
        new RegExp(
          `^The group shared of Kafka at kafka\\.${namespace}\\.svc:9092 belongs to KafkaConnect ${namespace}/a of ${older}`,
        ),
      );
      const kinds = "statefulsets,pods,services,configmaps,secrets,serviceaccounts,roles,poddisruptionbudgets";
      const made = await kubernetes.kubectl(["-n", namespace, "get", kinds, "-o", "name"]);
      assert.match(made, /a-connect/);
      assert.doesNotMatch(made, /b-connect/);
      await readyAs(older, "a", "Ready");

      await remove(older, "a");
      await readyAs(younger, "b", "Ready");
    });
  }

  it("leaves it to the one with workers, whoever is older", async () => {
    await create(OURS, "a", "of-its-own");
    await readyAs(OURS, "a", "Ready");
    await create(OURS, "b");
    await readyAs(OURS, "b", "Ready");
    await change("a", { replicas: 0 });
    await readyAs(OURS, "a", "ScaledToZero");
    await change("a", { replicas: 1, groupId: "shared" });
    await readyAs(OURS, "a", "GroupTaken");
    await change("b", { replicas: 2 });
    await readyAs(OURS, "b", "Ready");
    await change("b", { replicas: 0 });
    await readyAs(OURS, "b", "ScaledToZero");
    await change("b", { replicas: 1, groupId: "another" });
    await readyAs(OURS, "b", "Ready");
    await readyAs(OURS, "a", "Ready");
  });
});
