import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { ApiError } from "#dev/kubernetes-api.ts";
import { parseConfig } from "#operator/config.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources, installForeignResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";
import { ownGroup } from "#support/own-group.ts";
import { askApi, createViewer, peopleApi } from "#support/people.ts";
import { type PlayedNodes, playNodes } from "#support/played-nodes.ts";

interface Resource {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly generation: number;
    readonly finalizers?: readonly string[];
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly { readonly manager: string }[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string; readonly message?: string }[];
    readonly [name: string]: unknown;
  };
}

const MERGE_PATCH = "application/merge-patch+json";

for (const { group, prefix } of [
  { group: "kafka.strimzi.io", prefix: "strimzi.io" },
  { group: "eventstreams.ibm.com", prefix: "eventstreams.ibm.com" },
]) {
  describe(`resources of ${group} in place`, () => {
    const signal = AbortSignal.timeout(580_000);
    let kubernetes: TestKubernetes;
    let namespace: string;
    let nodes: PlayedNodes;
    let stopOperator: () => Promise<void>;
    let apiPort: Promise<number>;

    before(async () => {
      kubernetes = await testKubernetes();
      await installCustomResources(kubernetes);
      await installForeignResources(kubernetes, group);
    });
    after(() => kubernetes.stop());

    beforeEach(async () => {
      namespace = await kubernetes.createNamespace();
      nodes = playNodes(kubernetes.api, namespace);
      startOperator();
    });
    afterEach(async () => {
      await stopOperator();
      await nodes.stop();
    });

    function startOperator(): void {
      const config = parseConfig({
        HEADRACE_KUBECONFIG: kubernetes.kubeconfig,
        HEADRACE_NAMESPACE: namespace,
        HEADRACE_FOREIGN_APIS: group,
        HEADRACE_HEALTH_HOST: "127.0.0.1",
        HEADRACE_HEALTH_PORT: "0",
        HEADRACE_API_HOST: "127.0.0.1",
        HEADRACE_API_PORT: "0",
      });
      const connection = loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} });
      const log = createLog(process.env["HEADRACE_TEST_LOG"] ?? "silent");
      const stop = new AbortController();
      const { promise, resolve: onApiListening, reject } = Promise.withResolvers<number>();
      apiPort = promise;
      apiPort.catch(() => undefined);
      const inputs = { config, connection, log, version: "test", host: "test", onApiListening };
      const running = runOperator(inputs, stop.signal);
      running.catch(reject);
      stopOperator = async () => {
        stop.abort();
        await running;
      };
    }

    function pathOf(plural: string, name = ""): string {
      return `/apis/${group}/v1/namespaces/${namespace}/${plural}/${name}`.replace(/\/$/, "");
    }
    const read = (plural: string, name: string) =>
      kubernetes.api.request<Resource>({ path: pathOf(plural, name) }, signal);
    const patch = (plural: string, name: string, body: object) =>
      kubernetes.api.request({ method: "PATCH", path: pathOf(plural, name), body, contentType: MERGE_PATCH }, signal);

    async function createConnect(name: string, annotations: object, spec: object = {}): Promise<void> {
      const body = {
        apiVersion: `${group}/v1`,
        kind: "KafkaConnect",
        metadata: { name, annotations },
        spec: {
          replicas: 1,
          image: "quay.io/other/connect:1",
          bootstrapServers: "kafka:9092",
          ...ownGroup(name),
          ...spec,
        },
      };
      await kubernetes.api.request({ method: "POST", path: pathOf("kafkaconnects"), body }, signal);
    }

    async function createConnector(name: string, cluster: string, spec: object = {}): Promise<void> {
      const body = {
        apiVersion: `${group}/v1`,
        kind: "KafkaConnector",
        metadata: { name, labels: { [`${prefix}/cluster`]: cluster } },
        spec: { class: "datagen", tasksMax: 2, config: { topic: name }, ...spec },
      };
      await kubernetes.api.request({ method: "POST", path: pathOf("kafkaconnectors"), body }, signal);
    }

    function readyAs(plural: string, name: string, reason: string): Promise<Resource> {
      let last = "nothing";
      return eventually(`${plural}/${name} is ${reason}`, async () => {
        const resource = await read(plural, name);
        const ready = resource.status?.conditions?.find(({ type }) => type === "Ready");
        last = `${ready?.reason}: ${ready?.message}`;
        const current = resource.status?.observedGeneration === resource.metadata.generation;
        return current && ready?.reason === reason ? resource : undefined;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}; it was ${last}`);
      });
    }

    it("lets people in by their rights in the group that the cluster is of", async () => {
      const { kubectl } = kubernetes;
      await createConnect("mine", { "headrace.dev/managed": "true" });
      await readyAs("kafkaconnects", "mine", "Ready");
      const path = `/api/v1/namespaces/${namespace}/kafkaconnects/mine/connectors`;
      const api = await peopleApi(kubectl, namespace, await apiPort);
      const token = await createViewer(kubectl, namespace, group);
      assert.equal(await askApi(api, token, path, signal), 200);
      const other = await kubernetes.createNamespace();
      const stranger = (await kubectl(["-n", other, "create", "token", "default"])).trim();
      assert.equal(await askApi(api, stranger, path, signal), 403);
    });

    // The groups differ in their names only, which the other test shows for both.
    if (group === "kafka.strimzi.io")
      it("runs what is claimed, leaves alone what is not, and comes to rest", async () => {
        await createConnect("other", {});
        await createConnector("theirs", "other");
        await createConnect("mine", { "headrace.dev/managed": "true" }, { jvmOptions: { "-Xmx": "1g" } });
        await createConnector("orders", "mine");
        const connect = await readyAs("kafkaconnects", "mine", "Ready");
        const warning = connect.status?.conditions?.find(({ type }) => type === "Warning")?.message ?? "";
        assert.match(warning, /spec\.image names an image of .*quay\.io\/other\/connect:1/);
        assert.match(warning, /spec\.jvmOptions/);
        await readyAs("kafkaconnectors", "orders", "Running");
        // Written after the status.
        const connector = await eventually("the annotation tells the tasks", async () => {
          const found = await read("kafkaconnectors", "orders");
          const { tasks } = JSON.parse(found.metadata.annotations?.["headrace.dev/status"] ?? "{}");
          return tasks === "2/2" && found;
        });
        assert.equal(connector.status?.["tasks"], undefined, "the other group's schema has no such field");
        assert.deepEqual(connector.metadata.finalizers, ["headrace.dev/connector"]);
        assert.deepEqual(connector.spec, { class: "datagen", tasksMax: 2, config: { topic: "orders" } });

        // Reconciles that find nothing new write nothing, though the status that came back is not the one that was written.
        const before = [connect.metadata.resourceVersion, connector.metadata.resourceVersion];
        for (const plural of ["kafkaconnects", "kafkaconnectors"] as const) {
          const name = plural === "kafkaconnects" ? "mine" : "orders";
          await patch(plural, name, { metadata: { annotations: { "example.com/touched": "1" } } });
        }
        await stopOperator();
        const calls = nodes.cluster("mine").calls.length;
        const touched = [await read("kafkaconnects", "mine"), await read("kafkaconnectors", "orders")];
        startOperator();
        await eventually("another operator has looked", () => nodes.cluster("mine").calls.length > calls);
        await createConnector("marker", "mine");
        await readyAs("kafkaconnectors", "marker", "Running");
        const after = [await read("kafkaconnects", "mine"), await read("kafkaconnectors", "orders")];
        assert.notDeepEqual(
          touched.map(({ metadata }) => metadata.resourceVersion),
          before,
        );
        assert.deepEqual(
          after.map(({ metadata }) => metadata.resourceVersion),
          touched.map(({ metadata }) => metadata.resourceVersion),
        );

        for (const [plural, name] of [
          ["kafkaconnects", "other"],
          ["kafkaconnectors", "theirs"],
        ] as const) {
          const { metadata, status } = await read(plural, name);
          assert.equal(status, undefined);
          assert.equal(metadata.finalizers, undefined);
          assert.equal(
            metadata.managedFields?.some(({ manager }) => manager === "headrace"),
            false,
          );
        }
        const sets = await kubernetes.kubectl(["-n", namespace, "get", "statefulsets", "-o", "name"]);
        assert.equal(sets.trim(), "statefulset.apps/mine-connect");
      });

    it("obeys annotations in the group's own words, and gives back what is not claimed any more", async () => {
      await createConnect("mine", { "headrace.dev/managed": "true" });
      await createConnect("other", {});
      await createConnector("orders", "mine");
      await createConnector("moving", "mine");
      await readyAs("kafkaconnectors", "orders", "Running");
      await readyAs("kafkaconnectors", "moving", "Running");
      const workers = nodes.cluster("mine");
      workers.setState("orders", 1, "FAILED", "no disk");
      await readyAs("kafkaconnectors", "orders", "TasksFailed");
      await patch("kafkaconnectors", "orders", {
        metadata: { annotations: { [`${prefix}/restart`]: "includeTasks" } },
      });
      const restarted = await readyAs("kafkaconnectors", "orders", "Running");
      await eventually(
        "the annotation is gone",
        async () => (await read("kafkaconnectors", "orders")).metadata.annotations?.[`${prefix}/restart`] === undefined,
      );
      assert.equal(restarted.metadata.generation, 1);

      await patch("kafkaconnectors", "moving", { metadata: { labels: { [`${prefix}/cluster`]: "other" } } });
      await eventually("the connector is off our cluster and let go", async () => {
        const { metadata } = await read("kafkaconnectors", "moving");
        return !workers.connectors.has("moving") && metadata.finalizers === undefined;
      });

      await patch("kafkaconnects", "mine", { metadata: { annotations: { "headrace.dev/managed": null } } });
      await eventually(
        "the finalizer is gone",
        async () => (await read("kafkaconnectors", "orders")).metadata.finalizers === undefined,
      );
      assert.equal(workers.connectors.has("orders"), true, "the connector goes on");

      await patch("kafkaconnects", "mine", { metadata: { annotations: { "headrace.dev/managed": "true" } } });
      await eventually(
        "it is held again",
        async () => (await read("kafkaconnectors", "orders")).metadata.finalizers?.length === 1,
      );
      await kubernetes.kubectl(["-n", namespace, "delete", `kafkaconnectors.${group}`, "orders", "--timeout=120s"]);
      assert.equal(workers.connectors.has("orders"), false);
    });

    if (group === "kafka.strimzi.io")
      it("waits until the other operator's pods are gone, and says so", async () => {
        const pod = {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "mine-connect-0" },
          spec: { containers: [{ name: "a", image: "b" }] },
        };
        const path = `/api/v1/namespaces/${namespace}/pods`;
        await kubernetes.api.request({ method: "POST", path, body: pod }, signal);
        await createConnect("mine", { "headrace.dev/managed": "true" });
        const { status } = await readyAs("kafkaconnects", "mine", "Refused");
        const message = status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
        assert.match(message, /pod mine-connect-0 belongs to somebody else\. Stop .*'s operator for this resource/);
        const set = kubernetes.api.request(
          { path: `/apis/apps/v1/namespaces/${namespace}/statefulsets/mine-connect` },
          signal,
        );
        await assert.rejects(set, (error) => error instanceof ApiError && error.status === 404);
      });
  });
}
