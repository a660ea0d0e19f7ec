import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { GroupInfo } from "@headrace/contract";
import { CONTAINER_MARK } from "#dev/agent/container-process.ts";
import { markedProcesses, sendSignal } from "#dev/process-table.ts";
import { WORKER_IMAGE } from "#dev/stack.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, type Pod, Pods, Secrets, StatefulSets } from "#operator/kube/resources.ts";
import { openCommittedReader } from "#support/committed-reader.ts";
import { usesTopic } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import {
  connectorOf,
  connectSpec,
  NAMESPACE,
  type OperatedStack,
  startOperatedStack,
} from "#support/operated-stack.ts";
import { type Watching, watchVersions } from "#support/watched-versions.ts";

const CLUSTER = "podded";
const LINES = ["one", "two", "three"];
const DIGEST = `registry.example.com/team/worker@sha256:${"0123456789abcdef".repeat(4)}`;
const REVISION = "headrace.dev/revision";
const PATIENCE_MS = 180_000;

/** A worker's pod: what its revision was, and whether somebody has asked for its end. */
interface SeenPod {
  readonly name: string;
  readonly revision: string;
  isEnding: boolean;
}

/** The pods of a cluster: what is in them, and in which order they are replaced. Operator, three workers and Kafka, all of them real. */
describe("the pods of a cluster", () => {
  let on: OperatedStack;
  let watching: Watching;
  /** Of the cluster, by uid, in the order in which they came. */
  const seen = new Map<string, SeenPod>();
  /** Names of the pods whose end was asked for, in that order. */
  const ended: string[] = [];
  const frozen = new Set<number>();

  before(async () => {
    on = await startOperatedStack({ name: "worker-pods" });
    watching = watchVersions<Pod>(on.stack.adminKubeconfig, `/api/v1/namespaces/${NAMESPACE}/pods`, ({ object }) =>
      notice(object),
    );
    await on.create(Secrets, { metadata: { name: "place" }, stringData: { topic: "podded-lines" } });
    await on.create(ConfigMaps, { metadata: { name: "sizes" }, data: { batch: "2" } });
    await on.create(ConfigMaps, { metadata: { name: "lines" }, data: { "lines.txt": `${LINES.join("\n")}\n` } });
    const metadata = { name: "pull" };
    const data = { ".dockerconfigjson": Buffer.from('{"auths":{}}').toString("base64") };
    await on.create(Secrets, { metadata, type: "kubernetes.io/dockerconfigjson", data });
    const spec = {
      ...connectSpec(CLUSTER, on.stack.bootstrap),
      replicas: 3,
      image: WORKER_IMAGE,
      // A worker that stands still is noticed soon, and left for the operator to replace.
      readinessProbe: { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1 },
      livenessProbe: { failureThreshold: 60 },
      template: {
        pod: {
          imagePullSecrets: [{ name: "pull" }],
          volumes: [
            { name: "lines", configMap: { name: "lines" } },
            { name: "place", secret: { secretName: "place" } },
            { name: "scratch", emptyDir: {} },
          ],
        },
        connectContainer: {
          env: [
            { name: "LINES_DIR", value: "/mnt/lines" },
            { name: "TOPIC", valueFrom: { secretKeyRef: { name: "place", key: "topic" } } },
            { name: "BATCH", valueFrom: { configMapKeyRef: { name: "sizes", key: "batch" } } },
          ],
          volumeMounts: [
            { name: "lines", mountPath: "/mnt/lines" },
            { name: "place", mountPath: "/mnt/place" },
            { name: "scratch", mountPath: "/mnt/scratch" },
          ],
        },
      },
    };
    await on.create(KafkaConnects, { metadata: { name: CLUSTER }, spec });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
  });

  after(async () => {
    thaw();
    await watching?.close();
    await on?.stop();
  });

  function notice({ metadata }: Pod): void {
    const { name, uid = "", annotations = {}, deletionTimestamp } = metadata;
    if (!new RegExp(`^${CLUSTER}-connect-\\d+$`).test(name)) return;
    const pod = seen.get(uid) ?? { name, revision: annotations[REVISION] ?? "", isEnding: false };
    seen.set(uid, pod);
    if (deletionTimestamp === undefined || pod.isEnding) return;
    pod.isEnding = true;
    ended.push(name);
  }

  function freeze(uid: string): void {
    const processes = markedProcesses(CONTAINER_MARK, (value) => value.includes(uid));
    assert.ok(processes.length > 0);
    for (const pid of processes) if (sendSignal(pid, "SIGSTOP")) frozen.add(pid);
  }

  function thaw(): void {
    for (const pid of frozen) sendSignal(pid, "SIGCONT");
    frozen.clear();
  }

  const change = (spec: object) => on.patch(KafkaConnects, CLUSTER, { spec });
  const workers = () => on.pods(CLUSTER);
  const uids = async () => (await workers()).map(({ metadata }) => metadata.uid ?? "");
  const revisions = async () => (await workers()).map(({ metadata }) => metadata.annotations?.[REVISION] ?? "");
  const isReady = ({ status }: Pod) => status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";

  it("have the image, the pull Secrets, the volumes and the variables that are asked for", async () => {
    const { spec } = await on.get(StatefulSets, `${CLUSTER}-connect`);
    const pods = [spec?.template.spec, ...(await workers()).map((pod) => pod.spec)];
    assert.equal(pods.length, 4);
    for (const pod of pods) {
      const [container] = pod?.containers ?? [];
      assert.equal(container?.image, WORKER_IMAGE);
      assert.deepEqual(pod?.imagePullSecrets, [{ name: "pull" }]);
      const mounts = container?.volumeMounts?.flatMap(({ mountPath }) => (/^\/mnt\//.test(mountPath) ? mountPath : []));
      assert.deepEqual(mounts?.toSorted(), ["/mnt/lines", "/mnt/place", "/mnt/scratch"]);
      const variables = container?.env?.map(({ name }) => name) ?? [];
      for (const name of ["LINES_DIR", "TOPIC", "BATCH"]) assert.ok(variables.includes(name), variables.join());
    }
    // The file is in a volume; its directory, the topic and the size of a batch are variables of three kinds.
    const config = { file: `\${env:LINES_DIR}/lines.txt`, topic: `\${env:TOPIC}`, "batch.size": `\${env:BATCH}` };
    await on.create(KafkaConnectors, connectorOf(CLUSTER, "lines", { class: "file-source", tasksMax: 1, config }));
    await on.until(KafkaConnectors, "lines", /^True Running/);
    await usesTopic(on, "lines", "podded-lines");
    const reader = openCommittedReader(on.stack.bootstrap, "podded-lines");
    try {
      await eventually("the lines of the volume are there", () => reader.values().length >= LINES.length);
      assert.deepEqual(reader.values(), LINES);
    } finally {
      await reader.close();
    }
  });

  it("stay when an image, named by its digest, is not to be had, which the status says", async () => {
    const before = await uids();
    await change({ image: DIGEST });
    const { status } = await on.until(KafkaConnects, CLUSTER, /^False PreflightFailed/);
    const told = status?.conditions?.find(({ type }) => type === "Ready")?.message ?? "";
    assert.ok(told.includes(DIGEST), told);
    assert.match(told, /3 workers go on with the former configuration/);
    const tried = (await on.kube.list(Pods, NAMESPACE, null, AbortSignal.timeout(60_000))).filter(({ metadata }) =>
      metadata.name.startsWith(`${CLUSTER}-connect-preflight-`),
    );
    assert.deepEqual(
      tried.map(({ spec }) => [spec?.containers[0]?.image, spec?.imagePullSecrets]),
      [[DIGEST, [{ name: "pull" }]]],
    );
    await change({ image: WORKER_IMAGE });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    assert.deepEqual(await uids(), before);
  });

  it("are rolled no further when a new generation comes, and all brought to that", async () => {
    const former = new Set(await revisions());
    assert.equal(former.size, 1);
    // The first pod with it never gets ready, so that the roll stands in its middle.
    await change({ readinessProbe: { initialDelaySeconds: 3_600 } });
    const stuck = await eventually(
      "one pod is new",
      () => [...seen.values()].find(({ revision }) => !former.has(revision)),
      PATIENCE_MS,
    );
    const endedBefore = ended.length;
    const { metadata } = await on.get(KafkaConnects, CLUSTER);
    await change({ readinessProbe: { initialDelaySeconds: 0 }, config: { "offset.flush.interval.ms": 1_500 } });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    const now = await revisions();
    assert.equal(now.length, 3);
    assert.ok(new Set(now).size === 1 && !former.has(now[0] ?? "") && now[0] !== stuck.revision, now.join());
    const cancelled = [...seen.values()].filter(({ revision }) => revision === stuck.revision);
    assert.deepEqual(cancelled, [stuck], "no other pod was brought to the generation that was cancelled");
    assert.equal(ended[endedBefore], stuck.name, "the one that was not ready went first");
    assert.equal(ended.length, endedBefore + 3, ended.join());
    const { generation = 0 } = metadata;
    assert.ok(!on.statuses.story("KafkaConnect", CLUSTER, generation).includes("Current"));
    await eventually("the next one is done", () => {
      return on.statuses.story("KafkaConnect", CLUSTER, generation + 1).at(-1) === "Current";
    });
  });

  it("are replaced in an order that begins with one that is not ready", async () => {
    const { text } = await on.rest(CLUSTER, "GET", "/headrace/group");
    const leader = new URL(GroupInfo.parse(JSON.parse(text)).leaderUrl ?? "").hostname;
    const pods = await workers();
    // Of those that do not lead, which go first, the last one: without its trouble another would be before it.
    const still = pods.findLast(({ status }) => status?.podIP !== leader) ?? assert.fail("all lead");
    const { name, uid = "" } = still.metadata;
    freeze(uid);
    await on.seen(Pods, name, "is not ready", (pod) => !isReady(pod));
    const before = ended.length;
    await change({ config: { "offset.flush.interval.ms": 2_000 } });
    // It gets its SIGTERM only now.
    await eventually("its end is asked for", () => seen.get(uid)?.isEnding, PATIENCE_MS);
    thaw();
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    const order = ended.slice(before);
    assert.equal(order[0], name, order.join());
    assert.deepEqual(
      order.toSorted(),
      pods.map(({ metadata }) => metadata.name),
    );
    const told = await on.events("RollingPod");
    assert.ok(told.includes(`${name} is not ready and goes first.`), told.join("\n"));
    assert.equal(new Set(await revisions()).size, 1);
    await on.until(KafkaConnectors, "lines", /^True Running/);
  });

  it("were told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
