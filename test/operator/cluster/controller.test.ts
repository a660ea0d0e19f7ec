import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { KafkaConnectStatus } from "@headrace/contract";
import { createClusterController } from "#operator/cluster/controller.ts";
import { createNeighbours } from "#operator/cluster/neighbours.ts";
import { type KafkaConnect, KafkaConnects } from "#operator/kinds.ts";
import {
  ConfigMaps,
  type Pod,
  PodDisruptionBudgets,
  Pods,
  Secrets,
  ServiceAccounts,
  Services,
  StatefulSets,
} from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { createReachability, type Reachability } from "#operator/reachability.ts";
import { createConnectClient } from "#operator/worker/connect-client.ts";
import { createWorkerTrust } from "#operator/worker/trust.ts";
import { kafkaConnect } from "#support/connect-objects.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeConnect, type FakeConnect } from "#support/fake-connect.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";
import { type FakeStatefulSets, runFakeStatefulSets } from "#support/fake-stateful-sets.ts";

const KEY = { namespace: "ns", name: "my-connect" };
const WORKLOAD = { namespace: "ns", name: "my-connect-connect" };
/** Long before the first of all clusters is looked at again without a reason, 60 s after the start. */
const AT_ONCE_MS = 20_000;

describe("cluster controller", () => {
  let kube: FakeKube;
  let connect: FakeConnect;
  let sets: FakeStatefulSets;
  let stop: AbortController;
  let running: Promise<void>;
  let reachability: Reachability;
  /** How much the operator's clock is ahead of the kubelet's. */
  let aheadMs: number;

  beforeEach(() => {
    aheadMs = 0;
    kube = createFakeKube();
    connect = createFakeConnect();
    sets = runFakeStatefulSets(kube, connect);
    stop = new AbortController();
    reachability = createReachability();
    const neighbours = createNeighbours({ statefulSets: kube.store(StatefulSets), pods: kube.store(Pods) });
    neighbours.follow(kube.store(KafkaConnects));
    const controller = createClusterController({
      kube: kube.client,
      connect: createConnectClient({ endpoint: connect.endpoint, readTimeoutMs: 1_000 }),
      trust: createWorkerTrust(kube.client, Date.now),
      stores: {
        connects: kube.store(KafkaConnects),
        statefulSets: kube.store(StatefulSets),
        pods: kube.store(Pods),
      },
      events: kube.recorder,
      log: createLog("silent"),
      defaultImage: "headrace/worker:default",
      reachability,
      neighbours,
      // What is in other namespaces may not be seen.
      sources: {
        secrets: { ...kube.store(Secrets), synced: (namespace) => namespace === "ns" },
        configMaps: { ...kube.store(ConfigMaps), synced: (namespace) => namespace === "ns" },
      },
      now: () => Date.now() + aheadMs,
    });
    running = controller.run(stop.signal);
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await sets.stop();
    await connect.close();
  });

  function status(): KafkaConnectStatus {
    return kube.find(KafkaConnects, KEY)?.status ?? {};
  }

  function condition(type: string) {
    return status().conditions?.find((one) => one.type === type);
  }

  async function ready(reason: string): Promise<{ status: string; message: string }> {
    const found = await eventually(
      `Ready has the reason ${reason}`,
      () => {
        const one = condition("Ready");
        return one?.reason === reason &&
          status().observedGeneration === kube.find(KafkaConnects, KEY)?.metadata.generation
          ? one
          : undefined;
      },
      8_000,
    );
    return { status: found.status, message: found.message ?? "" };
  }

  function changeSpec(spec: Partial<KafkaConnect["spec"]>): void {
    const current = kube.find(KafkaConnects, KEY);
    assert.ok(current !== null);
    kube.put(KafkaConnects, { ...current, spec: { ...current.spec, ...spec } });
  }

  function pods(): readonly Pod[] {
    const workers = kube.all(Pods).filter(({ metadata }) => !metadata.name.includes("-preflight-"));
    return workers.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /** Those with workers' properties. */
  function configs() {
    return kube.all(ConfigMaps).filter(({ metadata }) => !metadata.name.endsWith("-last-good"));
  }

  function events(reason: string): readonly string[] {
    return kube.events.filter((event) => event.reason === reason).map(({ message }) => message);
  }

  function replicas(): number | undefined {
    return kube.find(StatefulSets, WORKLOAD)?.spec?.replicas;
  }

  /** Drained workers give their work away at once. */
  function obeyDrains(): void {
    const members = connect.group.members.map((member) => {
      const drained = connect.calls.some(
        ({ ip, path }) => path === "/headrace/drain" && member.memberId === `member-${ip}`,
      );
      return { ...member, draining: drained };
    });
    connect.group = { ...connect.group, members };
  }

  async function untilRolled(revisionBefore: string | undefined): Promise<void> {
    await eventually("all pods are new", () => {
      obeyDrains();
      const revisions = new Set(pods().map(({ metadata }) => metadata.annotations?.["headrace.dev/revision"]));
      return revisions.size === 1 && !revisions.has(revisionBefore ?? "") && condition("Ready")?.reason === "Ready";
    });
  }

  function revisionOf(pod: Pod | undefined): string | undefined {
    return pod?.metadata.annotations?.["headrace.dev/revision"];
  }

  it("makes everything that a cluster needs, and reports it", async () => {
    const spec = kube.put(KafkaConnects, kafkaConnect()).spec;
    assert.deepEqual(await ready("Ready"), { status: "True", message: "All 3 workers are ready." });
    await eventually("the plugins are known", () => (status().connectorPlugins?.length ?? 0) > 0);
    assert.equal(pods().length, 3);
    assert.equal(kube.all(Services).length, 2);
    assert.equal(kube.all(ServiceAccounts).length, 1);
    assert.equal(configs().length, 1);
    assert.equal(kube.all(PodDisruptionBudgets).length, 1);
    const { url, replicas: observed, labelSelector, connectorPlugins, observedGeneration } = status();
    assert.equal(url, "https://my-connect-connect-api.ns.svc:8083");
    assert.deepEqual([observed, observedGeneration], [3, 1]);
    assert.match(labelSelector ?? "", /headrace\.dev\/cluster=my-connect/);
    assert.deepEqual(
      connectorPlugins?.map((plugin) => plugin.class),
      ["datagen", "blackhole"],
    );
    assert.equal(condition("NotReady"), undefined);
    assert.deepEqual(kube.find(KafkaConnects, KEY)?.spec, spec);
  });

  it("counts workers that are ready, not workers that are wanted", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    sets.setReady(1, false);
    const { status: value, message } = await ready("WorkersNotReady");
    const why = "my-connect-connect-1 is not in the workers' group; if this lasts, its log tells why";
    assert.deepEqual([value, message, status().replicas], ["False", `2 of 3 workers are ready; ${why}.`, 2]);
    assert.equal(condition("Reconciling")?.status, "True");
    sets.setReady(1, true);
    await ready("Ready");
    assert.equal(status().replicas, 3);
  });

  it("is not ready while its ready workers tell nothing, and again when they do", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    reachability.note(KEY, "the workers are in no group, as while Kafka cannot be reached");
    const { status: value, message } = await ready("WorkersUnreachable");
    assert.equal(value, "False");
    assert.match(message, /^The workers are in no group, as while Kafka cannot be reached\. /);
    assert.equal(condition("Reconciling")?.status, "True");
    assert.equal(status().replicas, 3);
    reachability.note(KEY, null);
    await ready("Ready");
  });

  it("tells why workers do not start, as something that lasts", async () => {
    sets.healthy = () => false;
    kube.put(KafkaConnects, kafkaConnect({ replicas: 1 }));
    await eventually("the pod is there", () => pods().length === 1);
    const pod = pods()[0];
    assert.ok(pod !== undefined);
    const waiting = { reason: "ImagePullBackOff", message: "no such image" };
    const container = {
      name: "my-connect-connect",
      image: "",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { waiting },
    };
    kube.put(Pods, { ...pod, status: { ...pod.status, containerStatuses: [container] } });
    const { message } = await ready("WorkersFailing");
    assert.equal(message, "0 of 1 workers are ready; my-connect-connect-0: no such image.");
    assert.equal(condition("Stalled")?.status, "True");
  });

  it("takes up what it names as soon as that is another one", async () => {
    const metadata = (name: string) => ({ namespace: "ns", name });
    const setPassword = (text: string) => {
      const data = { password: Buffer.from(text).toString("base64") };
      kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata: metadata("user"), data });
    };
    const setLevel = (level: string) => {
      const data = { levels: `rootLogger.level=${level}\n` };
      kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: metadata("levels"), data });
    };
    setPassword("first");
    setLevel("INFO");
    kube.put(
      KafkaConnects,
      kafkaConnect({
        replicas: 1,
        authentication: {
          type: "scram-sha-512",
          username: "user",
          passwordSecret: { secretName: "user", password: "password" },
        },
        logging: { type: "external", valueFrom: { configMapKeyRef: { name: "levels", key: "levels" } } },
      }),
    );
    await ready("Ready");
    const [pod] = pods();
    const root = () => connect.logLevels(pod?.status?.podIP ?? "")["root"];
    await eventually("the worker has its level", () => root() === "INFO");
    await eventually("the plugins are known", () => (status().connectorPlugins?.length ?? 0) > 0);
    setLevel("WARN");
    await eventually("the level is another one", () => root() === "WARN", AT_ONCE_MS);
    setPassword("second");
    const another = () => {
      obeyDrains();
      return sets.deleted.length === 1;
    };
    await eventually("the worker is another one", another, AT_ONCE_MS);
    await untilRolled(revisionOf(pod));
  });

  it("rolls its workers for a value that they read at their start, and not for another key of that Secret", async () => {
    const set = (more: Readonly<Record<string, string>>) =>
      kube.put(Secrets, {
        ...{ apiVersion: "v1", kind: "Secret", metadata: { namespace: "ns", name: "creds" } },
        data: { pw: "MQ==", ...more },
      });
    const config = { "sasl.mechanism": "PLAIN", "sasl.jaas.config": `x required password="$\{secrets:creds:pw}";` };
    kube.put(KafkaConnects, kafkaConnect({ replicas: 1, authentication: { type: "custom", sasl: true, config } }));
    const { message } = await ready("MissingReference");
    assert.equal(message, "Secret creds, from which sasl.jaas.config is read, does not exist.");
    set({});
    await ready("Ready");
    const [pod] = pods();
    set({ other: "Mg==" });
    changeSpec({ replicas: 2 });
    assert.equal((await ready("Ready")).message, "All 2 workers are ready.");
    assert.deepEqual(sets.deleted, []);
    assert.deepEqual(
      pods().map(({ metadata }) => metadata.annotations?.["headrace.dev/sources-hash"]),
      pods().map(() => pod?.metadata.annotations?.["headrace.dev/sources-hash"]),
    );
    set({ pw: "Mw==" });
    const replaced = () => {
      obeyDrains();
      return sets.deleted.length === 2;
    };
    await eventually("the workers are others", replaced, AT_ONCE_MS);
    await untilRolled(revisionOf(pod));
    assert.deepEqual(events("RollStarted"), [
      "Rolling out: values of Secrets or ConfigMaps that the configuration reads.",
    ]);
  });

  it("cares for workers that are there while something is missing that new ones would need", async () => {
    const metadata = { namespace: "ns", name: "creds" };
    const set = (pw: string) => kube.put(Secrets, { apiVersion: "v1", kind: "Secret", metadata, data: { pw } });
    set("MQ==");
    kube.put(KafkaConnects, kafkaConnect({ replicas: 3, config: { "client.id": `$\{secrets:creds:pw}` } }));
    await ready("Ready");
    set("Mg==");
    const isDraining = ({ metadata: { annotations = {} } }: Pod) => "headrace.dev/draining-since" in annotations;
    await eventually("a worker is drained", () => pods().some(isDraining), AT_ONCE_MS);
    kube.remove(Secrets, metadata);
    const { message } = await ready("MissingReference");
    assert.equal(message, "Secret creds, from which client.id is read, does not exist.");
    const replaced = () => {
      obeyDrains();
      return sets.deleted.length === 1 && pods().length === 3 && !pods().some(isDraining);
    };
    await eventually("the drained worker is another one", replaced, AT_ONCE_MS);
    changeSpec({ replicas: 2 });
    const less = () => {
      obeyDrains();
      return replicas() === 2 && pods().length === 2;
    };
    await eventually("there are less", less, AT_ONCE_MS);
    changeSpec({ replicas: 4 });
    await ready("MissingReference");
    assert.equal(replicas(), 2);
    set("Mg==");
    const more = () => {
      obeyDrains();
      return pods().length === 4;
    };
    await eventually("there are more", more, AT_ONCE_MS);
  });

  it("rolls its workers for a value that comes after their start", async () => {
    const valueFrom = { configMapKeyRef: { name: "tags", key: "tag", optional: true } };
    const template = { connectContainer: { env: [{ name: "TAG", valueFrom }] } };
    kube.put(KafkaConnects, kafkaConnect({ replicas: 1, template, config: { "client.id": `a-$\{env:TAG}` } }));
    await ready("Ready");
    await eventually("the plugins are known", () => (status().connectorPlugins?.length ?? 0) > 0);
    const [pod] = pods();
    const metadata = { namespace: "ns", name: "tags" };
    kube.put(ConfigMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { tag: "b" } });
    const replaced = () => {
      obeyDrains();
      return sets.deleted.length === 1;
    };
    await eventually("the worker is another one", replaced, AT_ONCE_MS);
    await untilRolled(revisionOf(pod));
  });

  const OTHER = { namespace: "ns", name: "other" };

  /** A cluster with the same group and topics, unless told otherwise. */
  function putOther(changes: Partial<KafkaConnect["spec"]>): void {
    const { spec, ...other } = kafkaConnect({ replicas: 1, ...changes });
    const { status: before } = kube.find(KafkaConnects, OTHER) ?? {};
    kube.put(KafkaConnects, { ...other, metadata: OTHER, spec, ...(before && { status: before }) });
  }

  const reasonOf = (key: { namespace: string; name: string }) =>
    kube.find(KafkaConnects, key)?.status?.conditions?.find(({ type }) => type === "Ready")?.reason;

  it("makes nothing for a younger cluster of the same group, and goes on when the last worker is gone", async () => {
    kube.put(KafkaConnects, kafkaConnect({ replicas: 1 }));
    await ready("Ready");
    putOther({});
    await eventually("it is told", () => reasonOf(OTHER) === "GroupTaken");
    assert.ok(kube.all(Services).every(({ metadata: { name } }) => name.startsWith("my-connect-")));
    kube.remove(KafkaConnects, KEY);
    kube.remove(StatefulSets, WORKLOAD);
    for (const { metadata } of pods()) kube.remove(Pods, { ...KEY, name: metadata.name });
    await eventually("it has workers", () => reasonOf(OTHER) === "Ready", AT_ONCE_MS);
  });

  const ownTopics = { configStorageTopic: "a", offsetStorageTopic: "b", statusStorageTopic: "c" };

  /** Made before the cluster of the other tests, with a group and topics of its own. */
  async function putOlder(): Promise<void> {
    putOther({ replicas: 0, groupId: "g", ...ownTopics });
    await eventually("it is there", () => reasonOf(OTHER) === "ScaledToZero");
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
  }

  it("leaves a group to who has it, whoever is older", async () => {
    await putOlder();
    const first = pods()[0]?.metadata.uid;
    putOther({});
    await eventually("it is told", () => reasonOf(OTHER) === "GroupTaken");
    changeSpec({ replicas: 4 });
    await ready("Ready");
    assert.deepEqual([pods().length, pods()[0]?.metadata.uid], [4, first]);
  });

  /** Two clusters have one group, as from before that was looked at. */
  async function takeAsBefore(): Promise<void> {
    await putOlder();
    putOther({ replicas: 0 });
    await eventually("it is told", () => reasonOf(OTHER) === "GroupTaken");
    const holds = kube.find(StatefulSets, WORKLOAD)?.metadata.annotations?.["headrace.dev/holds"] ?? assert.fail();
    const mark = { metadata: { annotations: { "headrace.dev/holds": holds } } };
    await kube.client.patch(StatefulSets, { namespace: "ns", name: "other-connect" }, mark, stop.signal);
    changeSpec({ config: { "offset.flush.interval.ms": 1234 } });
    await ready("GroupTaken");
    const unmarked = { metadata: { annotations: { "headrace.dev/holds": null } } };
    await kube.client.patch(StatefulSets, WORKLOAD, unmarked, stop.signal);
    const written = () => kube.find(StatefulSets, WORKLOAD)?.metadata.annotations?.["headrace.dev/holds"] === holds;
    await eventually("it is written down what they have", written);
  }

  it("cares for the workers of a taken cluster, and lets them become fewer, not more", async () => {
    await takeAsBefore();
    const revision = pods()[0]?.metadata.annotations?.["headrace.dev/revision"];
    changeSpec({ replicas: 5, config: { "offset.flush.interval.ms": 4321 } });
    assert.match((await ready("GroupTaken")).message, /Those of this one \(3\) run on as they are/);
    assert.equal(replicas(), 3);
    assert.equal(revisionOf(pods()[0]), revision);
    changeSpec({ replicas: 0 });
    await eventually("they are gone", () => pods().length === 0, AT_ONCE_MS);
    assert.match((await ready("GroupTaken")).message, /Nothing is made for this one/);
    changeSpec({ replicas: 1, groupId: "of-its-own", ...ownTopics });
    await ready("Ready");
    assert.notEqual(revisionOf(pods()[0]), revision);
  });

  for (const taken of [true, false]) {
    it(`starts no worker of another group before the last one of the former is gone${taken ? ", also of a taken cluster" : ""}`, async () => {
      if (taken) await takeAsBefore();
      else {
        kube.put(KafkaConnects, kafkaConnect());
        await ready("Ready");
      }
      const revision = revisionOf(pods()[0]);
      const mixed: string[] = [];
      const end = kube.store(Pods).onChange(() => {
        const revisions = new Set(pods().map((pod) => revisionOf(pod)));
        if (revisions.size > 1) mixed.push([...revisions].join());
      });
      changeSpec({ replicas: 0 });
      changeSpec({ replicas: 3, groupId: "of-its-own", ...ownTopics });
      await ready("Ready");
      end();
      assert.deepEqual(mixed, []);
      assert.equal(pods().length, 3);
      assert.notEqual(revisionOf(pods()[0]), revision);
    });
  }

  it("repairs what somebody deleted", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    kube.remove(StatefulSets, WORKLOAD);
    await eventually("it is back", () => kube.find(StatefulSets, WORKLOAD) !== null);
  });

  it("warns about keys that are its own", async () => {
    kube.put(KafkaConnects, kafkaConnect({ config: { "group.id": "x" } }));
    await ready("Ready");
    assert.match(condition("Warning")?.message ?? "", /group\.id/);
  });

  it("changes nothing for a configuration that cannot be used, and recovers", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    changeSpec({ config: { a: null }, replicas: 4 });
    assert.match((await ready("InvalidConfig")).message, /spec\.config cannot be used: a has no value/);
    assert.equal(replicas(), 3);
    changeSpec({ config: {}, replicas: 3 });
    await ready("Ready");
  });

  it("cares for workers that are there while the configuration cannot be used", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    changeSpec({ config: { "client.id": "a" } });
    const isDraining = ({ metadata: { annotations = {} } }: Pod) => "headrace.dev/draining-since" in annotations;
    await eventually("a worker is drained", () => pods().some(isDraining), AT_ONCE_MS);
    changeSpec({ config: { a: null } });
    await ready("InvalidConfig");
    const replaced = () => {
      obeyDrains();
      return sets.deleted.length === 1 && pods().length === 3 && !pods().some(isDraining);
    };
    await eventually("the drained worker is another one", replaced, AT_ONCE_MS);
    changeSpec({ replicas: 0 });
    await eventually("there is none", () => pods().length === 0, AT_ONCE_MS);
  });

  it("cares for Java's workers while the Secret of JMX cannot be used", async () => {
    const jmxOptions = { authentication: { type: "password" } } as const;
    kube.put(KafkaConnects, kafkaConnect({ runtime: "Jvm", image: "kafka:1", jmxOptions }));
    await ready("Ready");
    const before = pods().map(revisionOf);
    const secret = kube.find(Secrets, { namespace: "ns", name: "my-connect-kafka-connect-jmx" }) ?? assert.fail();
    kube.put(Secrets, { ...secret, data: { ...secret.data, "jmx-username": btoa("a b") } });
    changeSpec({ replicas: 2 });
    assert.match((await ready("Refused")).message, /jmx-username that JMX cannot use/);
    await eventually("there are less", () => pods().length === 2, AT_ONCE_MS);
    assert.deepEqual(pods().map(revisionOf), before.slice(0, 2));
  });

  it("says what the API server refuses", async () => {
    kube.failNext("apply", "invalid", "apply StatefulSet: volumes[0] is wrong");
    kube.put(KafkaConnects, kafkaConnect());
    assert.match((await ready("Refused")).message, /volumes\[0\] is wrong/);
  });

  it("rolls a change through all pods, drained one at a time, and drops the old ConfigMap", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const before = revisionOf(pods()[0]);
    changeSpec({ config: { a: 1 } });
    await untilRolled(before);
    assert.deepEqual(
      sets.deleted.toSorted(),
      pods().map(({ metadata }) => metadata.name),
    );
    const drains = connect.calls.filter(({ path }) => path === "/headrace/drain");
    assert.equal(new Set(drains.map(({ ip }) => ip)).size, 3);
    await eventually("one ConfigMap is left", () => configs().length === 1);
  });

  it("stops a bad roll at its first pod, and turns back on demand", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const before = revisionOf(pods()[0]);
    sets.healthy = (pod) => revisionOf(pod) === before;
    changeSpec({ config: { bad: 1 } });
    await eventually("the first pod is new and not ready", () => {
      obeyDrains();
      return pods().some((pod) => revisionOf(pod) !== before);
    });
    assert.equal((await ready("Rolling")).status, "False");
    await eventually("one is not ready", () => status().replicas === 2);
    assert.equal(sets.deleted.length, 1);
    changeSpec({ config: {} });
    await ready("Ready");
    assert.ok(pods().every((pod) => revisionOf(pod) === before));
    assert.equal(sets.deleted.length, 2);
    await eventually("one ConfigMap is left", () => configs().length === 1);
  });

  it("ends a roll in progress at a new change, and brings every worker to that", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const first = revisionOf(pods()[0]);
    changeSpec({ config: { a: 1 } });
    const second = await eventually("one worker is new, the others are not", () => {
      obeyDrains();
      return pods()
        .map(revisionOf)
        .find((revision) => revision !== first);
    });
    changeSpec({ config: { a: 2 } });
    await eventually("every worker has the last change", () => {
      obeyDrains();
      const revisions = new Set(pods().map(revisionOf));
      const [revision] = revisions;
      return (
        revisions.size === 1 && revision !== first && revision !== second && condition("Ready")?.reason === "Ready"
      );
    });
    // The worker that was new when the change came, perhaps one more that was on its way, and each of the three once more.
    assert.ok(sets.deleted.length <= 5, sets.deleted.join());
    await eventually("one ConfigMap is left", () => configs().length === 1);
  });

  it("touches no worker for a configuration that its check refuses, and picks a fix up at once", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const before = pods().map(({ metadata }) => metadata.uid);
    sets.check = () => "ok      configuration\nfailed  Kafka at nowhere:9092: no broker answers\n";
    changeSpec({ bootstrapServers: "nowhere:9092" });
    assert.equal(
      (await ready("PreflightFailed")).message,
      "The new configuration (config bootstrap.servers) was not applied: Kafka at nowhere:9092: no broker answers. 3 workers go on with the former configuration.",
    );
    assert.equal(condition("Stalled")?.status, "True");
    assert.match(events("PreflightFailed")[0] ?? "", /no broker answers/);
    changeSpec({ replicas: 4 });
    await eventually("a new worker gets the former configuration", () => pods().length === 4);
    assert.equal(new Set(pods().map(revisionOf)).size, 1);
    assert.deepEqual(
      pods()
        .slice(0, 3)
        .map(({ metadata }) => metadata.uid),
      before,
    );
    sets.check = () => null;
    changeSpec({ bootstrapServers: "other:9092" });
    await untilRolled(revisionOf(pods()[0]));
    assert.deepEqual(events("RollStarted"), ["Rolling out: config bootstrap.servers."]);
    await eventually("its end is told", () => events("RollFinished").length === 1);
    assert.equal(kube.all(Pods).length, 4);
  });

  it("rolls Java's workers out without a look at Kafka where Headrace's image cannot, and warns", async () => {
    kube.put(KafkaConnects, kafkaConnect({ runtime: "Jvm", image: "kafka:1", replicas: 1 }));
    await ready("Ready");
    const before = revisionOf(pods()[0]);
    sets.healthy = (pod) => revisionOf(pod) === before;
    sets.check = () => "Usage: headrace-worker distributed FILE\n";
    changeSpec({ bootstrapServers: "other:9092" });
    const words = /^Kafka was not tried before .*: the image headrace\/worker:default is older than the operator/;
    await eventually("it is rolled out", () => pods().some((pod) => revisionOf(pod) !== before));
    await eventually("the status warns", () => words.test(condition("Warning")?.message ?? ""));
    assert.match(events("KafkaNotTried").join(), words);
  });

  it("makes a failed check again, and skips it on demand", async () => {
    kube.put(KafkaConnects, kafkaConnect({ replicas: 2 }));
    await ready("Ready");
    const before = revisionOf(pods()[0]);
    sets.check = () => "failed  Kafka: away";
    changeSpec({ config: { a: 1 } });
    await ready("PreflightFailed");
    sets.check = () => undefined;
    aheadMs += 60_000;
    const current = kube.find(KafkaConnects, KEY);
    assert.ok(current !== null);
    kube.put(KafkaConnects, { ...current, metadata: { ...current.metadata, annotations: { touched: "yes" } } });
    await eventually("it runs again", () =>
      kube
        .all(Pods)
        .some(({ metadata, status: pod }) => metadata.name.includes("-preflight-") && pod?.phase === undefined),
    );
    assert.equal(condition("Ready")?.reason, "PreflightFailed");
    const annotations = { "headrace.dev/skip-preflight": "true" };
    kube.put(KafkaConnects, { ...current, metadata: { ...current.metadata, annotations } });
    await untilRolled(before);
  });

  it("restores the last good revision when a worker does not get ready with the new one", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const before = revisionOf(pods()[0]);
    await eventually("it is remembered", () => kube.all(ConfigMaps).length === 2);
    sets.healthy = (pod) => revisionOf(pod) === before;
    changeSpec({ image: "bad:1" });
    await eventually("the first pod is new", () => {
      obeyDrains();
      return pods().some((pod) => revisionOf(pod) !== before);
    });
    aheadMs += 300_000;
    assert.match(
      (await ready("RolledBack")).message,
      /^The new configuration \(image headrace\/worker:default → bad:1\) was taken back, since a worker did not get ready with it: my-connect-connect-\d: not ready within 300 s, its log tells why\./,
    );
    await eventually(
      "all are as before",
      () => pods().length === 3 && pods().every((pod) => revisionOf(pod) === before),
    );
    await eventually("all are ready", () => status().replicas === 3);
    assert.equal(condition("Ready")?.reason, "RolledBack");
    assert.equal(events("RolledBack").length, 1);
    sets.healthy = () => true;
    changeSpec({ image: "good:2" });
    await untilRolled(before);
  });

  it("looks with a check at workers that never get ready", async () => {
    sets.healthy = () => false;
    sets.check = () => "failed  Kafka at my-kafka:9092: getaddrinfo ENOTFOUND my-kafka";
    kube.put(KafkaConnects, kafkaConnect({ replicas: 1 }));
    await ready("WorkersNotReady");
    aheadMs += 20_000;
    await eventually("the status tells why", () => /ENOTFOUND my-kafka/.test(condition("Ready")?.message ?? ""));
    sets.setReady(0, true);
    await ready("Ready");
    await eventually("the check is gone", () => kube.all(Pods).length === 1);
  });

  it("scales up at once, and down after the highest have handed over", async () => {
    kube.put(KafkaConnects, kafkaConnect({ replicas: 2 }));
    await ready("Ready");
    changeSpec({ replicas: 4 });
    await ready("Ready");
    assert.equal(pods().length, 4);
    const busy = connect.group.members.map((member) => ({
      ...member,
      assignment: { connectors: ["a"], tasks: [] },
    }));
    connect.group = { ...connect.group, members: busy };
    changeSpec({ replicas: 2 });
    await eventually("two are asked to drain", () => {
      const asked = connect.calls.filter(({ path }) => path === "/headrace/drain").map(({ ip }) => ip);
      return asked.includes("10.0.0.4") && asked.includes("10.0.0.3");
    });
    assert.equal((await ready("Scaling")).status, "False");
    assert.equal(replicas(), 4);
    const idle = connect.group.members.map((member) => ({
      ...member,
      draining: true,
      assignment: { connectors: [], tasks: [] },
    }));
    connect.group = { ...connect.group, members: idle };
    await ready("Ready");
    assert.equal(pods().length, 2);
    assert.deepEqual(sets.deleted, ["my-connect-connect-2", "my-connect-connect-3"]);
  });

  it("scales to zero and back", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    changeSpec({ replicas: 0 });
    assert.equal((await ready("ScaledToZero")).status, "True");
    assert.deepEqual([status().replicas, status().url], [0, undefined]);
    changeSpec({ replicas: 1 });
    assert.equal((await ready("Ready")).message, "The worker is ready.");
  });

  it("reports a terminated container to the group, once, and a live process never", async () => {
    kube.put(KafkaConnects, kafkaConnect());
    await ready("Ready");
    const [first, second] = pods();
    assert.ok(first !== undefined && second !== undefined);
    const ended = (pod: Pod, id: string): Pod => {
      const state = { terminated: { exitCode: 137, containerID: id } };
      const container = { name: "my-connect-connect", image: "", imageID: "", ready: false, restartCount: 0, state };
      return {
        ...pod,
        status: { ...pod.status, conditions: [{ type: "Ready", status: "False" }], containerStatuses: [container] },
      };
    };
    await connect.killWorker(second.status?.podIP ?? "");
    kube.put(Pods, ended(second, "c://dead"));
    kube.put(Pods, ended(first, "c://alive"));
    const reports = () => connect.calls.filter(({ path }) => path.endsWith("/gone"));
    await eventually("the group is told", () => reports().length > 0);
    sets.setReady(2, false);
    sets.setReady(2, true);
    await eventually("it was looked at again", () => condition("Ready")?.message?.startsWith("1 of 3"));
    const { ip, path } = reports()[0] ?? {};
    assert.equal(path, `/headrace/workers/member-${second.status?.podIP}/gone`);
    assert.notEqual(ip, second.status?.podIP);
    assert.equal(reports().length, 1);
  });
});
