import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import kafkajs from "kafkajs";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic } from "#support/kafka.ts";
import {
  connectorOf,
  connectSpec,
  NAMESPACE,
  type OperatedStack,
  startOperatedStack,
} from "#support/operated-stack.ts";

/** How many connectors are applied at once. */
const CONNECTORS = Number(process.env["HEADRACE_SCALE_AT_ONCE"] ?? 200);
/** How many tasks fail, one after the other. */
const FAILURES = Number(process.env["HEADRACE_SCALE_FAILURES"] ?? 10);
const CLUSTER = "many";
/** Enough for a loaded machine; what is measured is printed. */
const PATIENCE_MS = 300_000;
/** As often as a test looks for something of which the time is measured. */
const LOOK_MS = 5;

/** How soon a resource tells what its user waits for, with an operator, one worker in a pod, and Kafka, all of them real. */
describe("resources of real workers", () => {
  let on: OperatedStack;

  before(async () => {
    on = await startOperatedStack({ name: "real-workers" });
    const spec = connectSpec(CLUSTER, on.stack.bootstrap, {
      "value.converter": "org.apache.kafka.connect.json.JsonConverter",
      "value.converter.schemas.enable": false,
    });
    await on.create(KafkaConnects, { metadata: { name: CLUSTER }, spec });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
  });

  after(() => on?.stop());

  const inTime = () => AbortSignal.timeout(PATIENCE_MS);

  function figure(context: TestContext, what: string, value: string): void {
    context.diagnostic(`table | ${what} | ${value}`);
  }

  /** Waits until the last version of each of these connectors has this reason; answers when the last one came to it, `performance.now()`. */
  async function allCome(reason: string, names: readonly string[]): Promise<number> {
    const come = () => {
      const last = new Map(on.statuses.versions.map((version) => [version.name, version]));
      const found = names.map((name) => last.get(name));
      const times = found.flatMap((one) => (one?.reason === reason ? one.atMs : []));
      return times.length === names.length && Math.max(...times);
    };
    return await eventually(
      `${names.length} connectors are ${reason}`,
      come,
      PATIENCE_MS,
      names.length > 1 ? 100 : LOOK_MS,
    );
  }

  it("many connectors applied at once come to run", { timeout: 600_000 }, async (context) => {
    const file = join(on.dir, "idle.txt");
    appendFileSync(file, "");
    const names = Array.from({ length: CONNECTORS }, (_, number) => `at-once-${number}`);
    const spec = (topic: string) => ({ class: "file-source", tasksMax: 1, config: { file, topic } });
    const items = names.map((name) => connectorOf(CLUSTER, name, spec(name)));
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const startedAt = performance.now();
    const applying = on.kubectl(["apply", "-n", NAMESPACE, "-f", "-"], { input, signal: inTime() });
    const [endedAt, appliedAt] = await Promise.all([allCome("Running", names), applying.then(() => performance.now())]);
    figure(context, `${CONNECTORS} connectors applied at once by kubectl, by`, seconds(appliedAt - startedAt));
    figure(
      context,
      `${CONNECTORS} connectors applied at once, one real worker → all Running`,
      seconds(endedAt - startedAt),
    );
    await on.kubectl(["delete", "kafkaconnectors.headrace.dev", "-n", NAMESPACE, "--all"], { signal: inTime() });
  });

  it("a task that fails shows in its resource", { timeout: 600_000 }, async (context) => {
    const names = Array.from({ length: FAILURES }, (_, number) => `fails-${number}`);
    for (const name of names) {
      await createTopic(on.stack.bootstrap, name);
      const config = { topics: name, file: join(on.dir, `${name}.out`) };
      await on.create(KafkaConnectors, connectorOf(CLUSTER, name, { class: "file-sink", tasksMax: 1, config }));
    }
    await allCome("Running", names);
    const producer = new kafkajs.Kafka({
      brokers: [on.stack.bootstrap],
      logLevel: kafkajs.logLevel.NOTHING,
    }).producer();
    await producer.connect();
    const times: number[] = [];
    try {
      for (const name of names) {
        // One that it can read, so that its consumer is at work.
        await producer.send({ topic: name, messages: [{ value: '"a record"' }] });
        await eventually(`${name} has a record`, async () =>
          (await on.rest(CLUSTER, "GET", `/connectors/${name}/offsets`)).text.includes('"kafka_offset":1'),
        );
        const sentAt = performance.now();
        await producer.send({ topic: name, messages: [{ value: "no JSON" }] });
        times.push((await allCome("TasksFailed", [name])) - sentAt);
      }
    } finally {
      await producer.disconnect();
    }
    const sorted = times.toSorted((a, b) => a - b);
    const shown = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((ms) => `${ms?.toFixed(0)} ms`);
    figure(context, "record that a task fails of sent → TasksFailed in its resource, p50, longest", shown.join(", "));
    assert.equal(times.length, FAILURES);
  });

  it("were told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > CONNECTORS);
    assert.deepEqual(on.statuses.faults(), []);
  });
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
