import assert from "node:assert/strict";
import type { Condition, KafkaConnectorStatus } from "@headrace/contract";
import { type ConnectorControllerDeps, createConnectorController } from "#operator/connector/controller.ts";
import { type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import type { ObjectKey } from "#operator/kube/client.ts";
import { Pods } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient, type Worker } from "#operator/worker/connect-client.ts";
import { kafkaConnect, workerPod } from "./connect-objects.ts";
import { eventually } from "./eventually.ts";
import { createFakeConnect, type FakeConnect } from "./fake-connect.ts";
import { createFakeKube, type FakeKube } from "./fake-kube.ts";
import { contradictions, type Kstatus, kstatusOf } from "./kstatus.ts";

/** What a status write left behind. */
export interface Moment {
  readonly name: string;
  readonly generation: number;
  readonly kstatus: Kstatus;
  readonly reason: string;
  readonly status: KafkaConnectorStatus | undefined;
}

/** The connector controller on a Kubernetes in memory and Connect clusters over real HTTP. */
export interface ConnectorBench {
  readonly kube: FakeKube;
  /** The workers of `my-connect`. */
  readonly connect: FakeConnect;
  /** Every state that a KafkaConnector was in, in order. */
  readonly moments: readonly Moment[];
  start(more?: Partial<ConnectorControllerDeps>): void;
  /** Puts KafkaConnect `my-connect` and two of its pods, and starts. */
  startWithCluster(more?: Partial<ConnectorControllerDeps>): void;
  /** A second Connect cluster with one worker. */
  addCluster(name: string): Promise<FakeConnect>;
  status(name?: string): KafkaConnectorStatus;
  condition(type: string, name?: string): Condition | undefined;
  /** Waits until Ready has this reason, and answers its status and message. */
  ready(reason: string, name?: string): Promise<{ readonly status: string; readonly message: string }>;
  change(change: (connector: KafkaConnector) => KafkaConnector, name?: string): void;
  changeSpec(spec: Partial<KafkaConnector["spec"]>, name?: string): void;
  annotate(annotations: Record<string, string>, name?: string): void;
  annotations(name?: string): Readonly<Record<string, string>>;
  /** Calls that change something, in order. */
  writes(): readonly string[];
  /** Moves the operator's clock. */
  advance(ms: number): void;
  /** Stops everything; fails if a status contradicted itself at any moment. */
  close(): Promise<void>;
}

const NAMESPACE = "ns";

export async function openConnectorBench(): Promise<ConnectorBench> {
  const kube = createFakeKube();
  const connect = createFakeConnect();
  const clusters = new Map<string, FakeConnect>([["my-connect", connect]]);
  const stop = new AbortController();
  const moments: Moment[] = [];
  const wrong: string[] = [];
  let running: Promise<void> = Promise.resolve();
  let aheadMs = 0;
  await connect.addWorker("10.0.0.1");
  await connect.addWorker("10.0.0.2");

  kube.store(KafkaConnectors).onChange(({ current }) => {
    if (current === undefined) return;
    const { name, generation = 0 } = current.metadata;
    const ready = current.status?.conditions?.find(({ type }) => type === "Ready");
    wrong.push(...contradictions(current).map((text) => `${name}: ${text} (${ready?.reason}: ${ready?.message})`));
    const reason = ready?.reason ?? "";
    moments.push({ name, generation, kstatus: kstatusOf(current), reason, status: current.status });
  });

  const endpoint = (worker: Worker) => (clusters.get(worker.cluster.name) ?? connect).endpoint(worker);
  const keyOf = (name: string): ObjectKey => ({ namespace: NAMESPACE, name });

  const bench: ConnectorBench = {
    kube,
    connect,
    moments,
    start(more = {}) {
      const controller = createConnectorController({
        kube: kube.client,
        connect: createConnectClient({ endpoint, silenceMs: 300, readTimeoutMs: 1_000 }),
        stores: {
          isOthers: ({ name }) => name === "of-another",
          connects: kube.store(KafkaConnects),
          connectors: kube.store(KafkaConnectors),
          pods: kube.store(Pods),
        },
        events: kube.recorder,
        log: createLog("silent"),
        now: () => Date.now() + aheadMs,
        streamRetryMs: 20,
        ...more,
      });
      running = controller.run(stop.signal);
    },
    startWithCluster(more) {
      kube.put(KafkaConnects, kafkaConnect());
      kube.put(Pods, workerPod(0));
      kube.put(Pods, workerPod(1));
      bench.start(more);
    },
    async addCluster(name) {
      const cluster = createFakeConnect();
      const ip = `10.0.${clusters.size}.1`;
      clusters.set(name, cluster);
      await cluster.addWorker(ip);
      kube.put(KafkaConnects, kafkaConnect({}, { metadata: { ...kafkaConnect().metadata, name } }));
      kube.put(Pods, workerPod(0, { cluster: name, ip }));
      return cluster;
    },
    status: (name = "orders") => kube.find(KafkaConnectors, keyOf(name))?.status ?? {},
    condition: (type, name) => bench.status(name).conditions?.find((one) => one.type === type),
    async ready(reason, name) {
      const found = await eventually(
        `Ready has the reason ${reason}`,
        () => {
          const one = bench.condition("Ready", name);
          return one?.reason === reason ? one : undefined;
        },
        60_000,
      ).catch((error: unknown) => {
        const one = bench.condition("Ready", name);
        throw new Error(`${String(error)}; it is ${one?.status} ${one?.reason}: ${one?.message}`);
      });
      return { status: found.status, message: found.message ?? "" };
    },
    change(change, name = "orders") {
      const current = kube.find(KafkaConnectors, keyOf(name));
      assert.ok(current !== null);
      kube.put(KafkaConnectors, change(current));
    },
    changeSpec: (spec, name) =>
      bench.change((connector) => ({ ...connector, spec: { ...connector.spec, ...spec } }), name),
    annotate: (annotations, name) =>
      bench.change(
        (connector) => ({
          ...connector,
          metadata: { ...connector.metadata, annotations: { ...connector.metadata.annotations, ...annotations } },
        }),
        name,
      ),
    annotations: (name = "orders") => kube.find(KafkaConnectors, keyOf(name))?.metadata.annotations ?? {},
    writes: () => connect.calls.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`),
    advance(ms) {
      aheadMs += ms;
    },
    async close() {
      stop.abort();
      await running;
      for (const cluster of clusters.values()) await cluster.close();
      assert.deepEqual(wrong, []);
    },
  };
  return bench;
}
