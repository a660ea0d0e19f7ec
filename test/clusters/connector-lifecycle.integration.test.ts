import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";
import { type KafkaConnector, KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { ConfigMaps, Secrets } from "#operator/kube/resources.ts";
import { type CommittedReader, openCommittedReader } from "#support/committed-reader.ts";
import { changeOffsetsOfLines, request, TEN_LINES, usesTopic, writeTenLines } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import { follow, type GrowingFile, growFile, numbersIn } from "#support/numbered-lines.ts";
import { connectorOf, connectSpec, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";
import { openToldStates, type ToldStates } from "#support/told-states.ts";

const HERE = "lifecycle-here";
const THERE = "lifecycle-there";
const ORPHANS = ["orphan-1", "orphan-2"] as const;
const PATIENCE_MS = 180_000;

/** What becomes of connectors over time, with an operator, workers in pods of a node, and Kafka, all of them real. */
describe("the life of connectors", () => {
  let on: OperatedStack;
  let bootstrap: string;
  let told: ToldStates;
  const growing: GrowingFile[] = [];
  const readers: CommittedReader[] = [];

  before(async () => {
    on = await startOperatedStack({ name: "connector-lifecycle" });
    bootstrap = on.stack.bootstrap;
    await Promise.all(
      [HERE, THERE].map((name) => on.create(KafkaConnects, { metadata: { name }, spec: connectSpec(name, bootstrap) })),
    );
    await Promise.all([HERE, THERE].map((name) => on.until(KafkaConnects, name, /^True Ready/)));
    told = openToldStates(bootstrap, `${HERE}-status`);
    for (const name of ORPHANS) await makeOverRest(THERE, name);
    await makeOverRest(HERE, "nobodys");
  });

  after(async () => {
    for (const file of growing) file.stop();
    await Promise.all([told, ...readers].map((reader) => reader?.close()));
    await on?.stop();
  });

  const create = (name: string, spec: object, cluster = HERE) =>
    on.create(KafkaConnectors, connectorOf(cluster, name, spec));
  const running = (name: string) => on.until(KafkaConnectors, name, /^True Running/);
  const datagen = (topic: string) => ({ topic, "rate.per.second": 5 });
  /** What a worker answers about a connector; its state, unlike itself, is there for a moment after its end. */
  const answers = async (cluster: string, name: string) =>
    (await on.rest(cluster, "GET", `/connectors/${encodeURIComponent(name)}`)).status;

  async function makeOverRest(cluster: string, name: string): Promise<void> {
    const config = { "connector.class": "datagen", topic: name, "rate.per.second": "5" };
    const { status, text } = await on.rest(cluster, "PUT", `/connectors/${name}/config`, config);
    assert.equal(status, 201, text);
  }

  function grow(name: string): GrowingFile {
    const file = growFile(join(on.dir, name), 40);
    growing.push(file);
    return file;
  }

  /** Reads a topic that the connector uses. */
  async function reading(connector: string, topic: string): Promise<CommittedReader> {
    await usesTopic(on, connector, topic);
    const reader = openCommittedReader(bootstrap, topic);
    readers.push(reader);
    return reader;
  }

  /** When the count of automatic restarts became each number, epoch ms. */
  function followRestarts(name: string) {
    const stop = new AbortController();
    const api = openKubernetesApi(on.stack.adminKubeconfig);
    const times = new Map<number, number>();
    const query = `watch=1&fieldSelector=metadata.name=${name}`;
    const path = `/apis/headrace.dev/v1/namespaces/default/kafkaconnectors?${query}`;
    const following = (async () => {
      for await (const { object } of api.watch<KafkaConnector>(path, stop.signal)) {
        const { count, lastRestartTimestamp: at } = object.status?.autoRestart ?? {};
        if (count !== undefined && at !== undefined) times.set(count, Date.parse(at));
      }
    })().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    return {
      times,
      async close() {
        stop.abort();
        await following;
        api.close();
      },
    };
  }

  it("prunes none while it would be more than the set share", async () => {
    assert.deepEqual(await Promise.all(ORPHANS.map((name) => answers(THERE, name))), [200, 200]);
    await on.patch(KafkaConnects, THERE, { spec: { pruneConnectors: {} } });
    await eventually("it says why it prunes nothing", async () =>
      (await on.events("PruningRefused")).some((message) => message.startsWith("2 of 2 connectors")),
    );
    assert.deepEqual(await Promise.all(ORPHANS.map((name) => answers(THERE, name))), [200, 200]);
  });

  it("restarts a failed task after pauses that grow, until its budget is spent; repaired, it comes back by annotation", async () => {
    const file = join(on.dir, "made-later", "out.txt");
    const restarts = followRestarts("broken");
    try {
      const autoRestart = { maxRestarts: 3, backoff: { initialSeconds: 1 } };
      await create("broken", { class: "file-sink", tasksMax: 1, config: { topics: "nobodys", file }, autoRestart });
      const exhausted = /^True BudgetSpent: After 3 restarts, task 0 is not restarted any more/;
      const place = { condition: "RestartsExhausted" };
      const { status } = await on.until(KafkaConnectors, "broken", exhausted, place);
      assert.equal(status?.autoRestart?.count, 3);
      await on.until(KafkaConnectors, "broken", /^False TasksFailed: .*ENOENT/);
      await on.until(KafkaConnectors, "broken", /^True/, { condition: "Stalled" });
      await eventually("the last restart was seen", () => restarts.times.has(3));
    } finally {
      await restarts.close();
    }
    const [first = 0, second = 0, third = 0] = [1, 2, 3].map((count) => restarts.times.get(count));
    // Each pause is at least the half of its ceiling: 2 s, then 4 s.
    assert.ok(second - first >= 1_000, `${second - first} ms`);
    assert.ok(third - second >= 2_000, `${third - second} ms`);
    await eventually("an event says so", async () => (await on.events("RestartsExhausted")).length > 0);

    mkdirSync(dirname(file));
    await request(on, "broken", { annotation: "restart", value: "includeTasks,onlyFailed", type: "Restart" });
    const { status } = await running("broken");
    assert.equal(
      status?.conditions?.some(({ type }) => type === "RestartsExhausted"),
      false,
    );
    await eventually("it works", () => existsSync(file));
    await on.remove(KafkaConnectors, "broken");
  });

  it("restarts one task by annotation, and no other", async () => {
    await create("two-tasks", { class: "datagen", tasksMax: 2, config: datagen("two-tasks") });
    await running("two-tasks");
    const starts = () => [told.starts("two-tasks"), told.starts("two-tasks", 0), told.starts("two-tasks", 1)] as const;
    await eventually("all have told", () => starts().every((count) => count > 0));
    const [connector, first, second] = starts();
    const { message } = await request(on, "two-tasks", { annotation: "restart-task", value: "1", type: "RestartTask" });
    assert.equal(message, "Task 1 was restarted.");
    await eventually("it runs again", () => told.starts("two-tasks", 1) > second);
    await running("two-tasks");
    assert.deepEqual(starts(), [connector, first, second + 1]);
    await on.remove(KafkaConnectors, "two-tasks");
  });

  it("lists, alters and resets offsets by annotation, and keeps what they were", async () => {
    await changeOffsetsOfLines(on, { cluster: HERE, name: "lines", class: "file-source", bootstrap });
    await running("lines");
  });

  it("begins a new connector where startFrom says, and one that has been there where it was", async () => {
    const file = join(on.dir, "from-the-middle.txt");
    writeTenLines(file);
    const startingAt = (position: number) => ({
      class: "file-source",
      tasksMax: 1,
      config: { file, topic: "lifecycle-middle" },
      startFrom: { offsets: [{ partition: { filename: file }, offset: { position } }] },
    });
    await create("middle", startingAt(10));
    assert.equal((await running("middle")).status?.startFrom, "Done");
    const reader = await reading("middle", "lifecycle-middle");
    await eventually("the rest is there", () => reader.values().length >= 5);
    await on.remove(KafkaConnectors, "middle");
    await create("middle", startingAt(0));
    assert.equal((await running("middle")).status?.startFrom, "Skipped");
    appendFileSync(file, "10\n");
    await eventually("the new line is there", () => reader.values().includes("10"));
    assert.deepEqual(reader.values(), [...TEN_LINES.slice(5), "10"]);
  });

  it("only observes a connector made over REST, until it is to be adopted", async () => {
    await makeOverRest(HERE, "handmade");
    const config = async () => (await on.rest(HERE, "GET", "/connectors/handmade/config")).text;
    const made = await config();
    const spec = { class: "datagen", tasksMax: 2, config: datagen("adopted") };
    await create("handmade", { ...spec, managementPolicy: "Observe" });
    const observed = await running("handmade");
    assert.equal(observed.status?.connectorStatus?.connector.state, "RUNNING");
    assert.equal(observed.status?.connectCluster, undefined);
    assert.equal(await config(), made);
    await on.remove(KafkaConnectors, "handmade");
    assert.equal(await answers(HERE, "handmade"), 200, "it goes on without the resource");

    await create("handmade", spec);
    await running("handmade");
    const { metadata } = await on.get(KafkaConnects, HERE);
    const isAdopted = ({ status }: KafkaConnector) => status?.connectCluster?.uid === metadata.uid;
    await on.seen(KafkaConnectors, "handmade", "is adopted", isAdopted);
    await eventually("it has the resource's configuration", async () => (await config()).includes('"topic":"adopted"'));
    await on.remove(KafkaConnectors, "handmade");
    assert.equal(await answers(HERE, "handmade"), 404);
  });

  it("spells a connector that Kubernetes cannot name, and gives it to one resource only", async () => {
    const name = "Orders → S3 (EU)/100%";
    const spec = { class: "datagen", name, tasksMax: 1, config: datagen("spelt") };
    await create("spelt", spec);
    const { status } = await running("spelt");
    assert.equal(status?.connectorStatus?.name, name);
    assert.equal(await answers(HERE, name), 200);
    await create("too-late", spec);
    await on.until(KafkaConnectors, "too-late", /^False NameTaken: .*\bspelt\b/);
    await on.patch(KafkaConnectors, "spelt", { spec: { state: "paused" } });
    await on.until(KafkaConnectors, "spelt", /^True Paused/);
    await request(on, "spelt", { annotation: "restart", value: "includeTasks", type: "Restart" });
    await on.remove(KafkaConnectors, "too-late");
    assert.equal(await answers(HERE, name), 200);
    await on.remove(KafkaConnectors, "spelt");
    assert.equal(await answers(HERE, name), 404);
  });

  it("restarts the connectors that read a Secret or ConfigMap which changes, and no others", async () => {
    const templates = {
      "reads-map": `\${configmaps:texts:used}`,
      "reads-secret": `\${secrets:hidden:used}`,
      "reads-nothing": "old",
    } as const;
    const names = ["reads-map", "reads-secret", "reads-nothing"] as const;
    await on.create(ConfigMaps, { metadata: { name: "texts" }, data: { used: "old", unused: "old" } });
    await on.create(Secrets, { metadata: { name: "hidden" }, stringData: { used: "old" } });
    for (const name of names) {
      const config = { ...datagen(name), template: templates[name], "template.format": "text" };
      await create(name, { class: "datagen", tasksMax: 1, config });
    }
    const topics = new Map<string, CommittedReader>();
    for (const name of names) {
      await running(name);
      topics.set(name, await reading(name, name));
    }
    const has = (name: string, value: string) =>
      eventually(`${name} gives ${value}`, () => topics.get(name)?.values().includes(value), PATIENCE_MS);
    for (const name of names) await has(name, "old");
    const starts = () => names.map((name) => told.starts(name, 0));
    await eventually("all have told", () => starts().every((count) => count > 0));
    const [map = 0, secret = 0, nothing = 0] = starts();

    // What nobody reads of it matters to nobody.
    await on.patch(ConfigMaps, "texts", { data: { unused: "new" } });
    await on.patch(Secrets, "hidden", { stringData: { used: "new" } });
    await has("reads-secret", "new");
    await eventually("its start was told", () => told.starts("reads-secret", 0) > secret);
    assert.deepEqual(starts(), [map, secret + 1, nothing]);
    await on.patch(ConfigMaps, "texts", { data: { used: "new" } });
    await has("reads-map", "new");
    await eventually("its start was told", () => told.starts("reads-map", 0) > map);
    assert.deepEqual(starts(), [map + 1, secret + 1, nothing]);
    const changes = await eventually("both are told", async () => {
      const events = await on.events("ConfigSourceChanged");
      return events.length >= 2 && events;
    });
    assert.deepEqual(changes.map((message) => message.replace(/ changed:.*/, "")).toSorted(), [
      "ConfigMap default/texts",
      "Secret default/hidden",
    ]);
    for (const name of names) await on.remove(KafkaConnectors, name);
  });

  it("moves connectors to another cluster: never at work on both, and no record is lost", async () => {
    const [stays, moves] = [grow("stays.txt"), grow("moves.txt")];
    const out = join(on.dir, "moved-sink.txt");
    const source = (file: string, topic: string) => ({ class: "file-source", tasksMax: 1, config: { file, topic } });
    await create("stays", source(stays.file, "lifecycle-stays"));
    await create("moved-source", source(moves.file, "lifecycle-moves"));
    await usesTopic(on, "stays", "lifecycle-stays");
    await create("moved-sink", { class: "file-sink", tasksMax: 1, config: { topics: "lifecycle-stays", file: out } });
    const moving = ["moved-source", "moved-sink"] as const;
    for (const name of ["stays", ...moving]) await running(name);
    const topic = await reading("moved-source", "lifecycle-moves");
    const arrived = () => new Set(topic.values()).size;
    await eventually("both have done something", () => arrived() > 20 && numbersIn(out).length > 20);

    const label = { metadata: { labels: { "headrace.dev/cluster": THERE } } };
    for (const name of moving) await on.patch(KafkaConnectors, name, label);
    for (const name of moving) {
      const isThere = ({ status }: KafkaConnector) => status?.connectCluster?.name === THERE;
      await on.seen(KafkaConnectors, name, `is on ${THERE}`, isThere);
      await running(name);
      assert.deepEqual([await answers(HERE, name), await answers(THERE, name)], [404, 200]);
    }
    const [linesOfStays, linesOfMoves] = [stays.stop(), moves.stop()];
    const done = () => arrived() === linesOfMoves && new Set(numbersIn(out)).size === linesOfStays;
    await eventually("all lines are there", done, PATIENCE_MS);

    // A sink goes on where its consumer group was.
    const sunk = follow(numbersIn(out));
    assert.deepEqual({ ...sunk, repeats: [] }, { arrived: linesOfStays, repeats: [], jumps: [], returns: [] });
    assert.ok(sunk.repeats.length <= 1, sunk.repeats.join(", "));
    // The other cluster has a topic of its own for offsets, so a source begins anew, once: with two at work the lines would interlace.
    const read = follow(topic.values().map(Number));
    assert.deepEqual({ ...read, repeats: [] }, { arrived: linesOfMoves, repeats: [], jumps: [], returns: [] });
    assert.match(read.repeats.join(), /^\d+ → 0$/);
    await on.remove(KafkaConnectors, "stays");
  });

  it("lets connectors of another namespace in as allowedNamespaces says, and stops them when it no longer does", async () => {
    const namespace = "tenant";
    await on.kubectl(["create", "namespace", namespace]);
    await on.kubectl(["label", "namespace", namespace, "team=data"]);
    const labels = { "headrace.dev/cluster": THERE, "headrace.dev/cluster-namespace": "default" };
    const spec = { class: "datagen", tasksMax: 1, config: datagen("tenants") };
    await on.create(KafkaConnectors, connectorOf(THERE, "tenants", spec, { namespace, labels }));
    const until = (wanted: RegExp) => on.until(KafkaConnectors, "tenants", wanted, { namespace });
    const allow = (allowedNamespaces: object | null) => on.patch(KafkaConnects, THERE, { spec: { allowedNamespaces } });
    await until(/^False NamespaceNotAllowed/);
    assert.equal(await answers(THERE, "tenants"), 404);
    await allow({ from: "Selector", selector: { matchLabels: { team: "finance" } } });
    await on.until(KafkaConnects, THERE, /^True Ready/);
    await until(/^False NamespaceNotAllowed/);
    assert.equal(await answers(THERE, "tenants"), 404);
    await allow({ from: "Selector", selector: { matchLabels: { team: "data" } } });
    await until(/^True Running/);
    await allow(null);
    await until(/^False NamespaceNotAllowed/);
    await eventually("it is stopped there", async () =>
      (await on.rest(THERE, "GET", "/connectors/tenants/status")).text.includes('"state":"STOPPED"'),
    );
    await on.remove(KafkaConnectors, "tenants", namespace);
  });

  it("prunes connectors that no resource asks for where that is wanted, once they are few enough", async () => {
    const [pruned, removed] = ORPHANS;
    const own = ["own-1", "own-2"];
    for (const name of own) await create(name, { class: "datagen", tasksMax: 1, config: datagen(name) }, THERE);
    for (const name of own) await running(name);
    // Two of six would be too many.
    assert.deepEqual(await Promise.all(ORPHANS.map((name) => answers(THERE, name))), [200, 200]);
    assert.equal((await on.rest(THERE, "DELETE", `/connectors/${removed}`)).status, 204);
    await eventually("the other one is gone", async () => (await answers(THERE, pruned)) === 404, PATIENCE_MS);
    await eventually("it is told", async () => (await on.events("ConnectorPruned")).length > 0);
    assert.deepEqual(await on.events("ConnectorPruned"), [
      `Connector ${pruned} was deleted, since no KafkaConnector asks for it.`,
    ]);
    for (const name of [...own, "moved-source", "moved-sink"]) assert.equal(await answers(THERE, name), 200, name);
    assert.equal(await answers(HERE, "nobodys"), 200, "nobody asked for it on that cluster");
  });

  it("was told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
