import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { type E2eContext, NAMESPACES, OWN_REGISTRY, readContext } from "#dev/e2e/context.ts";
import { outsideService } from "#dev/e2e/dns.ts";
import { nodesWithoutDir } from "#dev/e2e/shared-dir.ts";
import { WANTED_STATES, type WantedState } from "#dev/gitops/recorded-state.ts";
import { consumeAll } from "#dev/kafka.ts";
import { numbersIn } from "#support/numbered-lines.ts";
import { count } from "./counted.ts";
import { countRequests, deniedRequests, type Requests } from "./denied-requests.ts";
import { CHART, type Installation, isReady, type Leadership, openInstallation, type Pod } from "./installation.ts";
import { DEADLINE_MS, patiently } from "./patience.ts";
import { reaches } from "./reach.ts";
import {
  CLUSTER,
  type ClusterWishes,
  FOREIGN_USER,
  kafkaConnect,
  kafkaConnector,
  metricsFrom,
  NAMESPACE,
  OPERATOR_NAMESPACE,
  restrictedNamespace,
  STREAMS,
  sharedVolume,
  sink,
  source,
  stranger,
  TOPIC,
  WORKERS,
} from "./resources.ts";
import { callRest } from "./rest-call.ts";
import { type SeenStates, watchStates } from "./seen-states.ts";

const TOKEN = "e2e-token-1f0a";
const OPERATORS = "app.kubernetes.io/name=headrace,app.kubernetes.io/instance=headrace";
const REPLICAS = 3;
/** A namespace that has nothing to do with the release. */
const ELSEWHERE = "default";
/** The file that `sink` writes, as pods see it. */
const FILE = "numbers.txt";
/** Label of nodes that nobody else has. */
const RACK_LABEL = "e2e.headrace.dev/rack";
/** Those whom the chart's binding lets read nodes. */
const RACK_SUBJECTS = ["get", "clusterrolebinding", "headrace-headrace-rack", "-o=jsonpath={.subjects[*].name}"];

const Offsets = z.object({
  offsets: z.array(z.object({ partition: z.object({ stream: z.number() }), offset: z.object({ given: z.number() }) })),
});

const User = z.object({ id: z.number(), group: z.number(), groups: z.array(z.number()) });

/** None where the chart's own images are. */
const imageFlags = (registry: string): readonly string[] =>
  registry === OWN_REGISTRY
    ? []
    : [`--set=image.repository=${registry}/operator`, `--set=workerImage.repository=${registry}/worker`];

/**
 * The release's life on real nodes, in order: each test begins where the one before it ended, while records flow from a source through Kafka
 * to a sink. They are counted at the end.
 */
describe("the release on real nodes", { concurrency: false }, () => {
  let context: E2eContext;
  let cluster: Installation;
  let states: SeenStates;
  let bootstrap: string;
  /** Whom operators and workers run as: OpenShift chooses by itself, and elsewhere it is such a user. */
  let user: Readonly<Record<string, number>>;
  let atFirst: ReadonlySet<string>;
  /** What ServiceAccounts were refused while the release was installed; undefined before its end. */
  let refused: readonly string[] | undefined;
  let requests: Requests;
  /** The first test that failed: nothing is done after it, so that what it saw can be looked at. */
  let failed: string | undefined;

  before(async () => {
    context = readContext();
    requests = { auditLog: context.auditLog, namespaces: NAMESPACES, since: new Date() };
    cluster = await openInstallation(context);
    states = watchStates(context.kubeconfig);
    user = (await cluster.kubectl(["api-versions"])).includes("security.openshift.io") ? {} : FOREIGN_USER;
    await cluster.apply(restrictedNamespace(OPERATOR_NAMESPACE), restrictedNamespace(NAMESPACE));
    const [address = "", port = ""] = context.bootstrap.split(":");
    assert.ok(address !== "" && port !== "");
    // Workers find Kafka by a name of the cluster's DNS.
    const service = {
      name: "kafka",
      namespace: NAMESPACE,
      address,
      ports: [{ name: "kafka", protocol: "TCP", port: Number(port) }],
    };
    await cluster.kubectl(["apply", "-f", "-"], { input: outsideService(service) });
    bootstrap = `kafka.${NAMESPACE}.svc:${port}`;
    await cluster.apply(...sharedVolume(context.dataDir), {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "rest-token", namespace: NAMESPACE },
      stringData: { token: TOKEN },
    });
    await patiently("the namespaces have what every namespace has", async () => {
      const objects = await cluster.objects();
      return [OPERATOR_NAMESPACE, NAMESPACE].every(
        (name) => objects.has(`ServiceAccount ${name}/default`) && objects.has(`ConfigMap ${name}/kube-root-ca.crt`),
      );
    });
    atFirst = await cluster.objects();
  });

  beforeEach(() => {
    if (failed !== undefined) throw new Error(`the release has stayed as "${failed}" left it`);
  });

  afterEach((test) => {
    if ("error" in test && test.error !== null) failed ??= test.name;
  });

  after(async () => {
    await states?.close();
    await cluster?.kubectl(["label", "nodes", "--all", `${RACK_LABEL}-`]);
    cluster?.close();
  });

  /** A Connect cluster with what all of them have here. */
  const connect = (wishes: ClusterWishes = {}, servers = bootstrap) => kafkaConnect(servers, { user, ...wishes });
  const workers = () => cluster.pods(NAMESPACE, WORKERS);
  const written = () => {
    const file = join(context.dataDir, FILE);
    return existsSync(file) ? numbersIn(file) : [];
  };

  /** Waits until all workers are ready and both connectors run, and records that were made only now have arrived. */
  async function untilAllIsWell(replicas = REPLICAS): Promise<void> {
    await patiently(`${replicas} workers are ready`, async () => (await workers()).filter(isReady).length === replicas);
    await cluster.untilReady("kc", NAMESPACE, CLUSTER, /^True Ready/);
    for (const name of ["source", "sink"]) await cluster.untilReady("kctr", NAMESPACE, name, /^True Running/);
    const before_ = written().length;
    await patiently("records arrive", () => written().length > before_ + 200);
  }

  /** The workers' authority, PEM. */
  async function authority(): Promise<string> {
    const path = "-o=jsonpath={.data.ca\\.crt}";
    const secret = ["--namespace", NAMESPACE, "get", "secret", `${CLUSTER}-connect-ca-cert`, path];
    return Buffer.from(await cluster.kubectl(secret), "base64").toString();
  }

  /** A GET of the cluster's REST API. */
  async function getRest(path: string) {
    const pod = `${CLUSTER}-connect-0`;
    const url = `https://${CLUSTER}-connect-api.${NAMESPACE}.svc:8083${path}`;
    const call = { namespace: NAMESPACE, pod, url, authority: await authority(), token: TOKEN };
    return await callRest(cluster.kubectl, call);
  }

  /** How many records of each sequence the source knows to be in Kafka. */
  async function acknowledgedBySource(): Promise<readonly number[]> {
    const { offsets } = await patiently("REST tells the source's offsets", async () => {
      const { status, body } = await getRest("/connectors/source/offsets");
      if (status !== 200) throw new Error(body);
      return Offsets.parse(JSON.parse(body));
    });
    return offsets
      .toSorted((left, right) => left.partition.stream - right.partition.stream)
      .map(({ offset }) => offset.given);
  }

  /** Waits until a resource was seen in the state. */
  const untilSeen = (state: WantedState) => patiently(`${state} is seen`, () => states.names().includes(state));

  const operators = () => cluster.pods(OPERATOR_NAMESPACE, OPERATORS);
  const leadership = () => cluster.leadership(OPERATOR_NAMESPACE);

  /** Whom a pod's processes run as. */
  async function userOf(namespace: string, pod: string): Promise<z.output<typeof User>> {
    const script = "JSON.stringify({ id: process.getuid(), group: process.getgid(), groups: process.getgroups() })";
    const told = await cluster.kubectl(["--namespace", namespace, "exec", pod, "--", "node", "-p", script]);
    return User.parse(JSON.parse(told));
  }

  /** Has the kernel end a pod's first process, by SIGKILL: its container is given more to hold than it may. Resolves when that is known. */
  async function runOutOfMemory(namespace: string, name: string, pods: () => Promise<readonly Pod[]>): Promise<void> {
    // Many small processes, so that the kernel takes the first one rather than one of them.
    const script = `require("fs").writeFileSync("/proc/1/oom_score_adj", "1000");
      const hold = "globalThis.held = Buffer.alloc(24e6, 1); setInterval(() => {}, 1000)";
      setInterval(() => require("child_process").spawn(process.execPath, ["-e", hold]), 100);`;
    const filling = cluster.kubectl(["--namespace", namespace, "exec", name, "--", "node", "-e", script]);
    const filled = filling.then(
      () => undefined,
      (error: unknown) => error,
    );
    const isKilled = ({ metadata, status }: Pod) =>
      metadata.name === name &&
      status.containerStatuses?.some(
        ({ restartCount, lastState }) => restartCount > 0 && lastState.terminated?.reason === "OOMKilled",
      );
    await patiently("the container was killed", async () => (await pods()).some(isKilled));
    assert.ok((await filled) instanceof Error, "the command in the container ended with it");
  }

  it("has nodes that all see the tests' directory", async () => {
    const { kubectl } = cluster;
    const image = `${context.registry}/worker:${context.version}`;
    assert.deepEqual(await nodesWithoutDir(kubectl, { dir: context.dataDir, image }), []);
    const elsewhere = await nodesWithoutDir(kubectl, { dir: context.dir, shown: context.dataDir, image });
    assert.ok(elsewhere.length >= 2, "a directory that is another one on the nodes is found out");
    assert.deepEqual(readdirSync(context.dataDir), []);
  });

  it("installs the chart with two operators, of which one is elected, into a restricted namespace", async () => {
    const { helm, kubectl } = cluster;
    await helm([
      "install",
      "headrace",
      CHART,
      `--namespace=${OPERATOR_NAMESPACE}`,
      "--set=replicas=2",
      "--set=rack.nodeLabels=true",
      ...Object.entries(user).map(([key, value]) => `--set=podSecurityContext.${key}=${value}`),
      ...imageFlags(context.registry),
      `--set-json=networkPolicy.metricsFrom=${JSON.stringify([metricsFrom(NAMESPACE)])}`,
      "--wait",
      "--timeout=5m",
    ]);
    await helm(["test", "headrace", `--namespace=${OPERATOR_NAMESPACE}`, "--timeout=5m"]);
    await patiently("two operators are ready, and one of them leads", async () => {
      const pods = (await operators()).filter(isReady);
      const leading = (await leadership())?.pod;
      return pods.length === 2 && pods.some(({ metadata }) => metadata.name === leading);
    });
    const definitions = await kubectl(["get", "crd", "-o=name"]);
    assert.match(
      definitions,
      /kafkaconnects\.headrace\.dev[\s\S]*kafkaconnectors\.headrace\.dev|kafkaconnectors\.headrace\.dev[\s\S]*kafkaconnects\.headrace\.dev/,
    );
  });

  it("makes a cluster of three workers on both nodes, which finds Kafka by its name", async () => {
    await cluster.apply(connect());
    await cluster.untilReady("kc", NAMESPACE, CLUSTER, /^True Ready/);
    const pods = await patiently("all workers are ready", async () => {
      const ready = (await workers()).filter(isReady);
      return ready.length === REPLICAS && ready;
    });
    assert.ok(new Set(pods.map(({ spec }) => spec.nodeName)).size >= 2, "they are on several nodes");
    const images = new Set(pods.flatMap(({ spec }) => spec.containers.map(({ image }) => image)));
    assert.deepEqual([...images], [`${context.registry}/worker:${context.version}`]);
  });

  it("lets records flow", async () => {
    await cluster.apply(source(), sink());
    await untilAllIsWell();
  });

  it("runs as a user that no image knows, as OpenShift has it", async () => {
    const [operator] = await operators();
    for (const [namespace, pod] of [
      [OPERATOR_NAMESPACE, operator?.metadata.name ?? ""],
      [NAMESPACE, `${CLUSTER}-connect-0`],
    ] as const) {
      const { id, group, groups } = await userOf(namespace, pod);
      assert.ok(id >= 1_000_000_000, `${pod} runs as ${id}`);
      assert.equal(group, 0);
      assert.ok(
        groups.some((one) => one >= 1_000_000_000),
        `${pod} has not the group of volumes: ${groups.join()}`,
      );
    }
  });

  it("answers REST by the Service's name, over TLS, and only to those who have a token", async () => {
    const { kubectl } = cluster;
    const host = `${CLUSTER}-connect-api.${NAMESPACE}.svc`;
    const call = {
      namespace: NAMESPACE,
      pod: `${CLUSTER}-connect-0`,
      url: `https://${host}:8083/connectors`,
      authority: await authority(),
    };
    const answer = await callRest(kubectl, { ...call, token: TOKEN });
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(JSON.parse(answer.body).toSorted(), ["sink", "source"]);
    assert.equal((await callRest(kubectl, { ...call, token: null })).status, 401);
    assert.equal((await callRest(kubectl, { ...call, token: "wrong" })).status, 401);
    assert.equal(
      (await callRest(kubectl, { ...call, url: `http://${host}:8083/connectors`, token: TOKEN })).status,
      null,
    );
  });

  it("lets nobody but the operator and the workers reach REST, and everybody their metrics", async () => {
    const { kubectl } = cluster;
    const image = `${context.registry}/worker:${context.version}`;
    // The second one calls itself an operator, but is not where operators are.
    await cluster.apply(stranger(NAMESPACE, image), stranger(ELSEWHERE, image, { "headrace.dev/kind": "operator" }));
    for (const namespace of [NAMESPACE, ELSEWHERE])
      await kubectl(["--namespace", namespace, "wait", "--for=condition=Ready", "--timeout=5m", "pod", "stranger"]);
    const [to] = (await workers()).flatMap(({ metadata, status }) =>
      metadata.name === `${CLUSTER}-connect-0` ? [status.podIP ?? ""] : [],
    );
    assert.ok(to !== undefined && to !== "");
    const strangers = [NAMESPACE, ELSEWHERE].map((namespace) => ({ namespace, pod: "stranger", to }));
    const [operator] = await operators();
    const friends = [
      { namespace: NAMESPACE, pod: `${CLUSTER}-connect-1`, to },
      { namespace: OPERATOR_NAMESPACE, pod: operator?.metadata.name ?? "", to },
    ];
    for (const way of [...friends, ...strangers])
      await patiently(`${way.namespace}/${way.pod} reaches metrics`, () => reaches(kubectl, { ...way, port: 9404 }));
    for (const way of friends)
      await patiently(`${way.namespace}/${way.pod} reaches REST`, () => reaches(kubectl, { ...way, port: 8083 }));
    for (const way of strangers)
      assert.equal(await reaches(kubectl, { ...way, port: 8083 }), false, `${way.namespace} reaches REST`);
    // The operator's own policy: metrics for one namespace.
    const [address = ""] = (await operators()).map(({ status }) => status.podIP ?? "");
    const toOperator = { pod: "stranger", to: address, port: 8080 };
    await patiently("metrics are open to their namespace", () =>
      reaches(kubectl, { ...toOperator, namespace: NAMESPACE }),
    );
    assert.equal(await reaches(kubectl, { ...toOperator, namespace: ELSEWHERE }), false);
    for (const namespace of [NAMESPACE, ELSEWHERE])
      await kubectl(["--namespace", namespace, "delete", "pod", "stranger"]);
  });

  it("runs a connector whose plugin is the volume of an image", async () => {
    const { kubectl } = cluster;
    const name = "plugged";
    await cluster.apply(connect({ name, replicas: 1, pluginImage: context.pluginImage }));
    await cluster.untilReady("kc", NAMESPACE, name, /^True Ready/);
    await cluster.apply(kafkaConnector("beats", { class: "beats", config: { topic: "beats" } }, name));
    await cluster.untilReady("kctr", NAMESPACE, "beats", /^True Running/);
    await patiently("beats are in Kafka", async () => {
      const beats = (await consumeAll(context.bootstrap, "beats")).map(Number);
      return beats.length > 10 && beats.every((beat, index) => beat === index);
    });
    // Nothing was fetched, and nobody can change what is there.
    const [pod] = await cluster.pods(NAMESPACE, `headrace.dev/name=${name}-connect`);
    assert.deepEqual(pod?.spec.initContainers ?? [], []);
    const [volume] =
      pod?.spec.volumes.flatMap(({ name: own, image }) => (image === undefined ? [] : [{ own, image }])) ?? [];
    assert.equal(volume?.image.reference, context.pluginImage);
    const mount = pod?.spec.containers[0]?.volumeMounts.find((one) => one.name === volume?.own);
    const script = "try { fs.writeFileSync(process.argv[1], ''); } catch ({ code }) { console.log(code); }";
    const write = ["node", "-e", script, `${mount?.mountPath}/plugin.js`];
    assert.equal(
      (await kubectl(["--namespace", NAMESPACE, "exec", `${name}-connect-0`, "--", ...write])).trim(),
      "EROFS",
    );
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnector", "beats"]);
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnect", name]);
  });

  it("tells in the status what is wrong, and what is wanted", async () => {
    const apply = (name: string, spec: object) => cluster.apply(kafkaConnector(name, { ...spec }));
    await apply("logger", { class: "logger", state: "paused", config: { topics: "nothing-here" } });
    await cluster.untilReady("kctr", NAMESPACE, "logger", /^True Paused/);
    await apply("logger", { class: "logger", state: "stopped", config: { topics: "nothing-here" } });
    await cluster.untilReady("kctr", NAMESPACE, "logger", /^True Stopped/);
    await apply("unknown", { class: "no-such-class", config: { topics: "nothing-here" } });
    await cluster.untilReady("kctr", NAMESPACE, "unknown", /^False UnknownClass/);
    await apply("invalid", { class: "datagen", config: { topic: "nothing-here", "rate.per.second": "many" } });
    await cluster.untilReady("kctr", NAMESPACE, "invalid", /^False InvalidConfig/);
    await apply("failing", { class: "file-sink", config: { topics: TOPIC, file: "/nowhere/to-be-found" } });
    await cluster.untilReady("kctr", NAMESPACE, "failing", /^False (Tasks?|Connector)?Failed/);
    await cluster.apply(kafkaConnector("early", { class: "logger", config: { topics: "nothing-here" } }, "not-there"));
    await cluster.untilReady("kctr", NAMESPACE, "early", /^False ClusterNotFound KafkaConnect not-there/);
    const { kubectl } = cluster;
    for (const state of ["degraded_unknown_class", "degraded_invalid_config", "degraded_tasks_failed"] as const)
      await untilSeen(`KafkaConnector/${state}`);
    const connectors = ["logger", "unknown", "invalid", "failing", "early"];
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnector", ...connectors]);

    await cluster.apply(
      connect({ name: "wrong", replicas: 1 }, "kafka.nowhere.svc:9092"),
      connect({ name: "crashing", replicas: 1, statusTopic: TOPIC }),
    );
    await cluster.untilReady("kc", NAMESPACE, "wrong", /^False Workers(NotReady|Failing)/);
    await cluster.kubectl(["--namespace", NAMESPACE, "scale", "kafkaconnect", "wrong", "--replicas=0"]);
    await cluster.untilReady("kc", NAMESPACE, "wrong", /^True ScaledToZero/);
    // Why it ended is told as a sentence, not as the line of its log.
    const crash =
      /^False WorkersFailing 0 of 1 workers are ready; crashing-connect-0: the worker ended with code 1: worker failed: Topic 'numbers' supplied via the 'status\.storage\.topic' property is required to have 'cleanup\.policy=compact'[^{}]*$/;
    await cluster.untilReady("kc", NAMESPACE, "crashing", crash);
    await untilSeen("KafkaConnect/degraded_workers_failing");
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnect", "wrong", "crashing"]);

    // Workers of two clusters in one group would share the connectors of both.
    await cluster.apply(connect({ name: "rival", replicas: 1, groupId: CLUSTER }));
    const taken = `^False GroupTaken The group ${CLUSTER} of Kafka at .* belongs to KafkaConnect ${NAMESPACE}/${CLUSTER} `;
    await cluster.untilReady("kc", NAMESPACE, "rival", new RegExp(taken));
    await untilSeen("KafkaConnect/degraded_group_taken");
    const ofRival = [...(await cluster.objects())].filter((one) => one.includes(`${NAMESPACE}/rival`));
    assert.deepEqual(ofRival, [`KafkaConnect ${NAMESPACE}/rival`], "nothing is made for it");
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnect", "rival"]);
    await untilAllIsWell();
  });

  it("lets workers learn a label of their node, and nobody who does not ask for one", async () => {
    const { kubectl } = cluster;
    const nodes = (await kubectl(["get", "nodes", "-o=jsonpath={.items[*].metadata.name}"])).trim().split(" ");
    for (const [index, node] of nodes.entries()) await kubectl(["label", "node", node, `${RACK_LABEL}=rack-${index}`]);
    assert.equal(await kubectl(RACK_SUBJECTS), "");
    const name = "careful";
    await cluster.apply(connect({ name, replicas: 1, rackLabel: RACK_LABEL }));
    await cluster.untilReady("kc", NAMESPACE, name, /^True Ready/);
    assert.equal(await kubectl(RACK_SUBJECTS), `${name}-connect`);
    const [pod] = await cluster.pods(NAMESPACE, `headrace.dev/name=${name}-connect`);
    const read = ["node", "-p", "require('node:fs').readFileSync('/opt/headrace/rack/rack', 'utf8')"];
    const rack = (await kubectl(["--namespace", NAMESPACE, "exec", `${name}-connect-0`, "--", ...read])).trim();
    assert.equal(rack, `rack-${nodes.indexOf(pod?.spec.nodeName ?? "")}`);
    const asWorker = `--as=system:serviceaccount:${NAMESPACE}:${CLUSTER}-connect`;
    assert.equal((await kubectl(["auth", "can-i", "get", "nodes", asWorker]).catch(() => "no")).trim(), "no");
  });

  it("keeps its workers from a configuration that does not work, and takes back one that nobody has tried", async () => {
    const name = "careful";
    const wished = (wishes: ClusterWishes = {}) => connect({ name, replicas: 1, rackLabel: RACK_LABEL, ...wishes });
    const pods = () => cluster.pods(NAMESPACE, `headrace.dev/name=${name}-connect`);
    await cluster.apply(wished());
    await cluster.untilReady("kc", NAMESPACE, name, /^True Ready/);
    const [first] = await pods();
    // A node has no registry on that port.
    await cluster.apply(wished({ image: "localhost:1/worker:none" }));
    const refusal = /^False PreflightFailed The new configuration \(image .*\) was not applied: .*localhost:1/s;
    await cluster.untilReady("kc", NAMESPACE, name, refusal);
    await untilSeen("KafkaConnect/degraded_preflight_failed");
    assert.deepEqual(
      (await pods()).map((pod) => [pod.metadata.uid, isReady(pod)]),
      [[first?.metadata.uid, true]],
    );
    // Tried by nobody, it costs the worker, which comes back.
    await cluster.apply(wished({ missingSecret: "nowhere", annotations: { "headrace.dev/skip-preflight": "true" } }));
    const takenBack =
      /^False RolledBack The new configuration \(.*\) was taken back, .*careful-connect-0: secret "nowhere" not found.* 1 worker goes on/s;
    await cluster.untilReady("kc", NAMESPACE, name, takenBack);
    await untilSeen("KafkaConnect/degraded_rolled_back");
    await patiently("the worker is ready", async () => (await pods()).some(isReady));
    await cluster.apply(wished());
    await cluster.untilReady("kc", NAMESPACE, name, /^True Ready/);
  });

  it("leaves alone what is paused", async () => {
    const { kubectl } = cluster;
    const ofNamespace = ["--namespace", NAMESPACE];
    const logger = { class: "logger", config: { topics: "nothing-here" } };
    await cluster.apply(kafkaConnector("idle", logger, "careful"));
    await cluster.untilReady("kctr", NAMESPACE, "idle", /^True Running/);
    const both = ["kafkaconnect/careful", "kafkaconnector/idle"];
    for (const one of both) await kubectl([...ofNamespace, "annotate", one, "headrace.dev/pause-reconciliation=true"]);
    await untilSeen("KafkaConnect/suspended_ready");
    await untilSeen("KafkaConnector/suspended_running");
    for (const one of both) await kubectl([...ofNamespace, "annotate", one, "headrace.dev/pause-reconciliation-"]);
    await kubectl([...ofNamespace, "delete", "kafkaconnector", "idle"]);
    // As Argo CD deletes: it goes when what it owns is gone.
    await kubectl([...ofNamespace, "delete", "kafkaconnect", "careful", "--cascade=foreground"]);
    await patiently("nobody may read nodes", async () => (await kubectl(RACK_SUBJECTS)) === "");
  });

  it("replaces a pod that is deleted", async () => {
    const name = `${CLUSTER}-connect-1`;
    const uidOf = async () => (await workers()).find(({ metadata }) => metadata.name === name)?.metadata.uid;
    const old = await patiently("the pod is there", uidOf);
    await cluster.kubectl(["--namespace", NAMESPACE, "delete", "pod", name]);
    await patiently("another pod has its name", async () => ![old, undefined].includes(await uidOf()));
    await untilAllIsWell();
  });

  it("comes back after the kernel has killed a worker that was out of memory", async () => {
    await runOutOfMemory(NAMESPACE, `${CLUSTER}-connect-2`, workers);
    await untilAllIsWell();
  });

  it("moves to the other node when one is drained", async () => {
    const { kubectl } = cluster;
    const node = await patiently(
      "a worker is on a node",
      async () => (await workers()).find(({ metadata }) => metadata.name === `${CLUSTER}-connect-0`)?.spec.nodeName,
    );
    try {
      await kubectl(["drain", node, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=5m"]);
      await untilAllIsWell();
      assert.deepEqual(
        [...(await workers()), ...(await operators())].filter(({ spec }) => spec.nodeName === node),
        [],
      );
    } finally {
      await kubectl(["uncordon", node]);
    }
  });

  it("rolls its workers one after the other when its configuration changes", async () => {
    const old = new Set((await workers()).map(({ metadata }) => metadata.uid));
    await cluster.apply(connect({ flushMs: 1_500 }));
    let least = REPLICAS;
    await patiently("all workers are new", async () => {
      const pods = await workers();
      least = Math.min(least, pods.filter(isReady).length);
      return pods.length === REPLICAS && pods.every(({ metadata }) => !old.has(metadata.uid));
    });
    assert.ok(least >= REPLICAS - 1, `only ${least} workers were ready`);
    await untilAllIsWell();
  });

  it("is scaled down and up", async () => {
    const scale = (replicas: number) =>
      cluster.kubectl(["--namespace", NAMESPACE, "scale", "kafkaconnect", CLUSTER, `--replicas=${replicas}`]);
    await scale(2);
    await patiently("one worker is gone", async () => (await workers()).length === 2);
    await untilAllIsWell(2);
    await scale(REPLICAS);
    await untilAllIsWell();
  });

  it("is led by the operator that stood by when the kernel has killed the other one and its lease is over", async () => {
    const { kubectl } = cluster;
    const pods = await patiently("two operators are ready", async () => {
      const ready = (await operators()).filter(isReady);
      return ready.length === 2 && ready;
    });
    const first = await patiently("one of them leads", async () => {
      const leading = await leadership();
      return leading !== null && pods.some(({ metadata }) => metadata.name === leading.pod) && leading;
    });
    const standby = pods.find(({ metadata }) => metadata.name !== first.pod)?.metadata.name;
    // Nobody takes part in the election but the one that stood by: the killed one's pod is deleted, and its successor has no node.
    const schedulable = ["get", "nodes", "--field-selector=spec.unschedulable=false", "-o=name"];
    const nodes = (await kubectl(schedulable)).trim().split("\n");
    let last = first;
    let next: Leadership;
    try {
      await kubectl(["cordon", ...nodes]);
      await runOutOfMemory(OPERATOR_NAMESPACE, first.pod, operators);
      await kubectl(["--namespace", OPERATOR_NAMESPACE, "delete", "pod", first.pod, "--grace-period=0", "--force"]);
      next = await patiently("another operator leads", async () => {
        const leading = await leadership();
        if (leading?.pod !== first.pod) return leading ?? false;
        last = leading;
        return false;
      });
    } finally {
      await kubectl(["uncordon", ...nodes]);
    }
    assert.equal(next.pod, standby);
    const waitedMs = next.acquiredAt.getTime() - last.renewedAt.getTime();
    // Nodes' clocks may differ a little; a lease that was released is taken within its retry period, a few times as short.
    assert.ok(waitedMs > 0.9 * last.durationMs, `it was taken after ${waitedMs} of ${last.durationMs} ms`);
    await cluster.apply(kafkaConnector("logger", { class: "logger", config: { topics: "nothing-here" } }));
    await cluster.untilReady("kctr", NAMESPACE, "logger", /^True Running/);
    await untilAllIsWell();
  });

  it("is upgraded with its workers, and rolled back", async () => {
    const next = join(context.dir, "next-chart");
    cpSync(CHART, next, { recursive: true });
    const chartFile = join(next, "Chart.yaml");
    const chart = parse(readFileSync(chartFile, "utf8"));
    writeFileSync(
      chartFile,
      stringify({ ...chart, version: `${context.version}-next`, appVersion: context.nextVersion }),
    );
    const imagesOf = (pods: readonly Pod[]) => pods.map(({ spec }) => spec.containers[0]?.image.split(":").at(-1));
    const untilVersion = async (version: string) => {
      await patiently(
        `workers and operators are ${version}`,
        async () => {
          const all = [...(await workers()), ...(await operators()).filter(isReady)];
          return all.length === REPLICAS + 2 && imagesOf(all).every((image) => image === version);
        },
        2 * DEADLINE_MS,
      );
      await untilAllIsWell();
    };
    const flags = [`--namespace=${OPERATOR_NAMESPACE}`, "--wait", "--timeout=5m"];
    await cluster.helm(["upgrade", "headrace", next, "--reuse-values", ...flags]);
    await untilVersion(context.nextVersion);
    await cluster.helm(["rollback", "headrace", "1", ...flags]);
    await untilVersion(context.version);
  });

  it("has lost no record", async (t) => {
    await cluster.apply(source("stopped"));
    await cluster.untilReady("kctr", NAMESPACE, "source", /^True Stopped/);
    // Stopped, it has put down what Kafka has acknowledged.
    const acknowledged = await acknowledgedBySource();
    assert.equal(acknowledged.length, STREAMS);
    const sent = await patiently("all records are read", async () =>
      (await consumeAll(context.bootstrap, TOPIC)).map(Number),
    );
    const inTopic = count(sent, acknowledged);
    assert.ok(inTopic.distinct > 5_000, `only ${inTopic.distinct} records in all that time`);
    assert.deepEqual(inTopic.missing, []);
    const sentOnce = new Set(sent);
    await patiently("the sink has them all", () => new Set(written()).size >= sentOnce.size);
    const arrived = new Set(written());
    assert.deepEqual(
      [...sentOnce].filter((number) => !arrived.has(number)),
      [],
    );
    const inFile = count(written(), acknowledged);
    t.diagnostic(
      `${inTopic.distinct} records: ${inTopic.repeated} twice in Kafka, ${inFile.repeated} twice in the file, none missing`,
    );
  });

  it("leaves the definitions, and the connector that is to stay, when it is uninstalled", async () => {
    const { kubectl, helm } = cluster;
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnector", "--all", "--timeout=5m"]);
    // By the Service any worker may answer, also one that has not read of the deletions yet.
    await patiently("only the sink is left", async () => (await getRest("/connectors")).body === '["sink"]');
    await kubectl(["--namespace", NAMESPACE, "delete", "kafkaconnect", "--all", "--timeout=5m"]);
    // Its pods may end after its rights.
    refused = deniedRequests(requests);
    await helm(["uninstall", "headrace", `--namespace=${OPERATOR_NAMESPACE}`, "--wait", "--timeout=5m"]);
    const definitions = ["kafkaconnects", "kafkaconnectors"].map(
      (name) => `CustomResourceDefinition /${name}.headrace.dev`,
    );
    let left: readonly string[] = [];
    await patiently("nothing else is left", async () => {
      left = [...(await cluster.objects())].filter((one) => !atFirst.has(one)).toSorted();
      return left.length === definitions.length;
    }).catch((error: unknown) => {
      throw new Error(`left: ${left.join(", ")}`, { cause: error });
    });
    assert.deepEqual(left, definitions.toSorted());
  });

  it("was refused nothing by the API server until it was uninstalled", () => {
    assert.ok(countRequests(requests) > 100);
    assert.deepEqual(refused, []);
  });

  it("was seen in the states that others look at", () => {
    const names = states.names();
    const missing = WANTED_STATES.filter((name) => !names.includes(name));
    assert.deepEqual(missing, [], `${missing.join(", ")}: none of ${names.join(", ")}`);
    const dir = process.env["HEADRACE_E2E_STATES"];
    if (dir !== undefined) states.write(dir);
  });
});
