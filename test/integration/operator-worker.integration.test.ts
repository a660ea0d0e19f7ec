import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { createCertificates } from "#operator/cluster/certificates.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { createConnectorController } from "#operator/connector/controller.ts";
import { type KafkaConnect, type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Pods, Secrets } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createConnectClient, isConnectError, secureEndpoint, type Worker } from "#operator/worker/connect-client.ts";
import { createWorkerEndpoint } from "#operator/worker/endpoint.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect, kafkaConnector, workerPod } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeKube } from "#support/fake-kube.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";

const KEY = { namespace: "ns", name: "orders" };

/** The operator's side of the REST API against a real worker, which runs with the properties that the operator renders. */
describe("operator and a real worker", () => {
  const signal = AbortSignal.timeout(580_000);
  const ip = `127.${randomInt(30, 90)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  const worker: Worker = { cluster: { namespace: "ns", name: "my-connect" }, ip };
  const kube = createFakeKube();
  const trust = createWorkerTrust(kube.client, Date.now);
  const connect = createConnectClient({ endpoint: createWorkerEndpoint(kube.store(Pods), trust) });
  const stop = new AbortController();
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let dir: string;
  let process_: LocalProcess;
  let running: Promise<void>;

  before(async () => {
    kafka = await sharedKafka();
    dir = await mkdtemp(join(tmpdir(), "headrace-operator-worker-"));
    const group = uniqueName("operator-worker");
    const resource = kafkaConnect({
      replicas: 1,
      bootstrapServers: kafka.bootstrap,
      groupId: group,
      configStorageTopic: `${group}-configs`,
      offsetStorageTopic: `${group}-offsets`,
      statusStorageTopic: `${group}-status`,
      // The pod has no such label: its rack is empty.
      rack: { type: "topology-label", topologyKey: "topology.kubernetes.io/zone" },
      config: {
        "config.storage.replication.factor": 1,
        "offset.storage.replication.factor": 1,
        "status.storage.replication.factor": 1,
        "value.converter.schemas.enable": false,
        "offset.flush.interval.ms": 1_000,
      },
    });
    const properties = join(dir, "worker.properties");
    await writeFile(properties, renderWorkerProperties(resource).text.replaceAll("/opt/headrace/rest", dir));
    await mountCertificates(resource);
    process_ = await startProcess({
      name: "worker",
      command: process.execPath,
      args: ["--conditions=source", join(repoRoot, "runtime/src/main.ts"), "distributed", properties],
      logFile: join(dir, "worker.log"),
      env: { POD_IP: ip, POD_UID: "the-pod", POD_NAME: "my-connect-connect-0", DATA_DIR: dir, HEADRACE_RACK: "" },
    });
    await eventually("the worker is ready at its probe's address", async () => {
      if (!process_.running()) throw new Error(`the worker ended:\n${logTail(process_.logFile, 60)}`);
      return fetch(`http://${ip}:9404/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    const plugins = (await connect.plugins(worker, signal)).map(({ class: name, type }) => ({ class: name, type }));
    kube.put(KafkaConnects, { ...resource, status: { connectorPlugins: plugins } });
    const controller = createConnectorController({
      kube: kube.client,
      connect,
      stores: { connects: kube.store(KafkaConnects), connectors: kube.store(KafkaConnectors), pods: kube.store(Pods) },
      events: kube.recorder,
      log: createLog("silent"),
      now: Date.now,
      streamRetryMs: 100,
      offsetsEveryMs: 300,
    });
    running = controller.run(stop.signal);
  });

  /** Does what the operator and the kubelet do for a pod. */
  async function mountCertificates(resource: KafkaConnect): Promise<void> {
    const { client, recorder } = kube;
    const certificates = createCertificates({ kube: client, connect, trust, events: recorder, now: Date.now });
    await certificates.keep(resource, [], signal);
    const secret = kube.find(Secrets, { namespace: "ns", name: "my-connect-connect-tls" });
    await mkdir(join(dir, "certificates"));
    for (const key of ["keystore.pem", "ca.crt"]) {
      await writeFile(join(dir, "certificates", key), Buffer.from(secret?.data?.[key] ?? "", "base64"));
    }
    const pod = workerPod(0, { ip });
    const annotations = { "headrace.dev/rest-scheme": "https" };
    kube.put(Pods, { ...pod, metadata: { ...pod.metadata, annotations } });
  }

  after(async () => {
    stop.abort();
    await running;
    await process_?.stop(60_000);
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function ready(reason: string, key = KEY) {
    let last = "nothing";
    return eventually(`${key.name} is ${reason}`, () => {
      const resource = kube.find(KafkaConnectors, key);
      const condition = resource?.status?.conditions?.find(({ type }) => type === "Ready");
      last = `${condition?.reason}: ${condition?.message}`;
      const current = resource?.status?.observedGeneration === resource?.metadata.generation;
      return current && condition?.reason === reason ? { resource, message: condition.message ?? "" } : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}\n${logTail(process_.logFile, 20)}`);
    });
  }

  function changeSpec(spec: Partial<KafkaConnector["spec"]>): void {
    changeSpecOf(KEY.name, spec);
  }

  function changeSpecOf(name: string, spec: Partial<KafkaConnector["spec"]>): void {
    const current = kube.find(KafkaConnectors, { ...KEY, name });
    assert.ok(current !== null);
    kube.put(KafkaConnectors, { ...current, spec: { ...current.spec, ...spec } });
  }

  it("knows its pod and its group", async () => {
    const self = await connect.self(worker, signal);
    assert.equal(self.podUid, "the-pod");
    assert.equal(self.workerId, `${ip}:8083`);
    const group = await connect.group(worker, signal);
    assert.equal(new URL(group.members[0]?.url ?? "").hostname, ip);
  });

  it("answers nobody who does not prove himself", async () => {
    const { ca, servername } = await trust.of(worker.cluster, signal);
    const tls = { ca, servername, cert: "", key: "" };
    const nobody = createConnectClient({ endpoint: () => secureEndpoint(worker, tls) });
    await assert.rejects(nobody.self(worker, signal), /A client certificate or a bearer token/);
    await assert.rejects(fetch(`http://${ip}:8083/`));
  });

  it("runs a connector through its life", async () => {
    kube.put(
      KafkaConnectors,
      kafkaConnector({ class: "datagen", tasksMax: 2, config: { topic: uniqueName("orders") } }),
    );
    const { resource, message } = await ready("Running");
    assert.equal(message, "The connector and all 2 tasks are running.");
    assert.equal(resource?.status?.tasks, "2/2");
    assert.equal(resource?.status?.connectorStatus?.type, "source");
    await eventually("its topic is known", () => kube.find(KafkaConnectors, KEY)?.status?.topics?.length === 1);
    changeSpec({ state: "paused" });
    await ready("Paused");
    changeSpec({ state: "stopped" });
    await ready("Stopped");
    changeSpec({ state: "running", tasksMax: 1 });
    await ready("Running");
    await eventually("one task is left", () => kube.find(KafkaConnectors, KEY)?.status?.tasks === "1/1");
  });

  it("refuses what the plugin refuses, and goes on with what ran before", async () => {
    changeSpec({ config: {} });
    assert.match((await ready("InvalidConfig")).message, /topic/);
    changeSpec({ class: "no-such-plugin", config: { topic: "a" } });
    assert.match((await ready("UnknownClass")).message, /no connector plugin "no-such-plugin"; it has .*datagen/);
    changeSpec({ class: "datagen", config: { topic: uniqueName("orders") } });
    await ready("Running");
  });

  it("shows why a task failed within a second or so", async () => {
    const key = { ...KEY, name: "broken" };
    const config = { topics: uniqueName("broken"), file: "$" + "{env:DATA_DIR}/no/such/directory/file" };
    kube.put(
      KafkaConnectors,
      kafkaConnector({ class: "file-sink", tasksMax: 1, config }, { metadata: { name: "broken" } }),
    );
    assert.match((await ready("TasksFailed", key)).message, /^1 of 1 tasks failed; task 0: .*ENOENT/);
    await kube.client.delete(KafkaConnectors, key, {}, signal);
    await eventually("it is gone", () => kube.find(KafkaConnectors, key) === null);
  });

  it("tells how far connectors have come, and how far a sink is behind", async () => {
    const topic = uniqueName("progress");
    const name = (which: string) => ({ ...KEY, name: which });
    const source = { class: "datagen", tasksMax: 1, config: { topic, "rate.per.second": 100 } };
    kube.put(KafkaConnectors, kafkaConnector(source, { metadata: { name: "progress-source" } }));
    const sink = {
      class: "blackhole",
      tasksMax: 1,
      config: { topics: topic, "consumer.override.auto.offset.reset": "earliest" },
    };
    kube.put(KafkaConnectors, kafkaConnector(sink, { metadata: { name: "progress-sink" } }));
    await ready("Running", name("progress-sink"));
    const offsetsOf = (which: string) => kube.find(KafkaConnectors, name(which))?.status?.offsets;
    const patient = 90_000;
    const seen = await eventually(
      "the sink has committed",
      () => offsetsOf("progress-sink")?.entries?.[0] !== undefined && offsetsOf("progress-sink"),
      patient,
    );
    assert.equal(seen.group, "connect-progress-sink");
    assert.equal(seen.partitions, 1);
    assert.match(seen.entries?.[0]?.partition ?? "", new RegExp(`^${topic}-0$`));
    assert.ok(
      seen.lag !== undefined && seen.maxLag === seen.lag && seen.entries?.[0]?.lag === seen.lag,
      JSON.stringify(seen),
    );
    await eventually("the source has committed", () => (offsetsOf("progress-source")?.partitions ?? 0) > 0, patient);
    changeSpecOf("progress-sink", { state: "paused" });
    await ready("Paused", name("progress-sink"));
    await eventually("the lag of a paused sink grows", () => (offsetsOf("progress-sink")?.lag ?? 0) > 100, patient);
    for (const which of ["progress-source", "progress-sink"]) {
      await kube.client.delete(KafkaConnectors, name(which), {}, signal);
      await eventually(`${which} is gone`, () => kube.find(KafkaConnectors, name(which)) === null);
    }
  });

  it("alters offsets while the connector is stopped for it, with a snapshot of what it had committed", async () => {
    const key = { ...KEY, name: "lines" };
    const file = join(dir, "lines.txt");
    const text = "one\ntwo\nthree\n";
    await writeFile(file, text);
    const wanted = { offsets: [{ partition: { filename: file }, offset: { position: 4 } }] };
    kube.put(ConfigMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "ns", name: "wanted" },
      data: { "offsets.json": JSON.stringify(wanted) },
    });
    const spec = {
      class: "file-source",
      tasksMax: 1,
      config: { file, topic: uniqueName("lines") },
      alterOffsets: { fromConfigMap: { name: "wanted" } },
      resetOffsetsOnDelete: true,
    };
    const resource = kube.put(KafkaConnectors, kafkaConnector(spec, { metadata: { name: "lines" } }));
    await ready("Running", key);
    const sees = () => kube.find(KafkaConnectors, key);
    await eventually("it has read the file", () => sees()?.status?.topics?.length === 1);
    const annotations = { "headrace.dev/connector-offsets": "alter" };
    kube.put(KafkaConnectors, { ...(sees() ?? resource), metadata: { ...(sees() ?? resource).metadata, annotations } });
    const operation = await eventually("it is told", () => sees()?.status?.operations?.[0]);
    assert.deepEqual([operation.type, operation.result], ["AlterOffsets", "Succeeded"], operation.message);
    const snapshot = kube.find(ConfigMaps, { namespace: "ns", name: operation.snapshot ?? "" });
    const before = JSON.parse(snapshot?.data?.["offsets.json"] ?? "");
    assert.deepEqual(before.offsets, [{ partition: { filename: file }, offset: { position: text.length } }]);
    await ready("Running", key);
    await kube.client.delete(KafkaConnectors, key, {}, signal);
    await eventually("it is gone", () => sees() === null);
    assert.equal(kube.all(ConfigMaps).filter(({ metadata }) => metadata.name.startsWith("lines-offsets-")).length, 2);
  });

  it("is deleted for good", async () => {
    await kube.client.delete(KafkaConnectors, KEY, {}, signal);
    await eventually("it is gone", () => kube.find(KafkaConnectors, KEY) === null);
    await assert.rejects(connect.changeState(worker, "orders", "pause", signal), (error) =>
      isConnectError(error, "not-found"),
    );
  });

  it("drains on demand", async () => {
    await connect.drain(worker, signal);
    await eventually("it has left, or is leaving", async () => {
      try {
        const { draining, memberId } = await connect.self(worker, signal);
        return draining || memberId === "";
      } catch (error) {
        return isConnectError(error, "unreachable");
      }
    });
  });
});
