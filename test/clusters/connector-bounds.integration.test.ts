import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CONTAINER_MARK } from "#dev/agent/container-process.ts";
import { markOf, sendSignal } from "#dev/process-table.ts";
import { KafkaConnectors, KafkaConnects } from "#operator/kinds.ts";
import { Secrets } from "#operator/kube/resources.ts";
import { usesTopic } from "#support/connector-requests.ts";
import { eventually } from "#support/eventually.ts";
import { connectorOf, connectSpec, type OperatedStack, startOperatedStack } from "#support/operated-stack.ts";
import { knownRight } from "#support/people.ts";
import { openToldStates, type ToldStates } from "#support/told-states.ts";

const CLUSTER = "bounds";
/** Who the workers are to the API server. */
const WORKERS = `default:${CLUSTER}-connect`;
const STEADY = ["steady-1", "steady-2"] as const;
const PATIENCE_MS = 180_000;

/** One process of the worker that runs connectors. */
interface Executor {
  readonly pid: number;
  readonly connectors: number;
  readonly tasks: number;
}

/** What a connector may read of the cluster, and what of its worker it may use. Operator, API server, worker and Kafka are real. */
describe("the bounds of a connector", () => {
  let on: OperatedStack;
  let told: ToldStates;

  before(async () => {
    on = await startOperatedStack({ name: "connector-bounds" });
    const spec = connectSpec(CLUSTER, on.stack.bootstrap, { "headrace.executors.max": 1 });
    const allowedNamespaces = { from: "All" };
    await on.create(KafkaConnects, { metadata: { name: CLUSTER }, spec: { ...spec, allowedNamespaces } });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    told = openToldStates(on.stack.bootstrap, `${CLUSTER}-status`);
    for (const namespace of ["vault", "tenant"]) await on.kubectl(["create", "namespace", namespace]);
  });

  after(async () => {
    await told?.close();
    await on?.stop();
  });

  const datagen = (topic: string) => ({ class: "datagen", tasksMax: 1, config: { topic, "rate.per.second": 5 } });
  const create = (name: string, spec: object) => on.create(KafkaConnectors, connectorOf(CLUSTER, name, spec));
  const running = (name: string) => on.until(KafkaConnectors, name, /^True Running/);

  function createSecret(namespace: string, name: string, topic: string): Promise<void> {
    return on.create(Secrets, { metadata: { namespace, name }, stringData: { topic } });
  }

  /** Does what docs/running-connectors.md asks for. */
  async function allowToRead(namespace: string, secret: string): Promise<void> {
    const make = (...args: readonly string[]) => on.kubectl(["-n", namespace, "create", ...args]);
    await make("role", secret, "--verb=get", "--resource=secrets", `--resource-name=${secret}`);
    await make("rolebinding", secret, `--role=${secret}`, `--serviceaccount=${WORKERS}`);
    await knownRight(on.kubectl, `system:serviceaccount:${WORKERS}`, ["get", `secret/${secret}`, "-n", namespace]);
  }

  const refusedFor = (secret: string) =>
    new RegExp(
      `^False \\w+: .*Secret ${secret} may not be read \\(403\\): the worker's ServiceAccount needs a Role that allows get on it`,
    );

  it("are Secrets of another namespace, until a Role there lets the workers read them; others stay closed", async () => {
    await createSecret("vault", "open", "bounds-of-vault");
    await createSecret("vault", "closed", "bounds-closed");
    await create("reads", datagen(`\${secrets:vault/open:topic}`));
    await create("reads-more", datagen(`\${secrets:vault/closed:topic}`));
    await on.until(KafkaConnectors, "reads", refusedFor("vault/open"));
    await allowToRead("vault", "open");
    await running("reads");
    await usesTopic(on, "reads", "bounds-of-vault");
    await on.until(KafkaConnectors, "reads-more", refusedFor("vault/closed"));
    for (const name of ["reads", "reads-more"]) await on.remove(KafkaConnectors, name);
  });

  it("are, for one of another namespace, Secrets of its own, which a Role there has to open, and none of the workers'", async () => {
    await createSecret("default", "of-workers", "bounds-of-workers");
    await createSecret("tenant", "own", "bounds-of-tenant");
    const labels = { "headrace.dev/cluster": CLUSTER, "headrace.dev/cluster-namespace": "default" };
    const metadata = { namespace: "tenant", labels };
    const until = (wanted: RegExp) => on.until(KafkaConnectors, "tenants", wanted, { namespace: "tenant" });
    const config = (topic: string) => on.patch(KafkaConnectors, "tenants", { spec: { config: { topic } } }, "tenant");
    const spec = datagen(`\${secrets:default/of-workers:topic}`);
    await on.create(KafkaConnectors, connectorOf(CLUSTER, "tenants", spec, metadata));
    await until(/^False InvalidConfig: .*topic.*must name a Secret of namespace tenant, as tenant\/name/);
    await config(`\${secrets:tenant/own:topic}`);
    await until(refusedFor("tenant/own"));
    await allowToRead("tenant", "own");
    await until(/^True Running/);
    await on.remove(KafkaConnectors, "tenants", "tenant");
  });

  /** The processes that run something, as the worker's metrics tell. */
  async function executors(): Promise<readonly Executor[]> {
    const [pod] = await on.pods(CLUSTER);
    const { podIP } = pod?.status ?? {};
    const answer = await fetch(`http://${podIP}:9404/metrics`, { signal: AbortSignal.timeout(60_000) });
    const found = new Map<number, Executor>();
    const lines = (await answer.text()).matchAll(/^headrace_executor_(connectors|tasks)\{.*pid="(\d+)".*\} (\d+)/gm);
    for (const [, what = "", id, count] of lines) {
      const pid = Number(id);
      found.set(pid, { ...(found.get(pid) ?? { pid, connectors: 0, tasks: 0 }), [what]: Number(count) });
    }
    for (const pid of found.keys()) {
      assert.ok(markOf(pid, CONTAINER_MARK)?.includes(pod?.metadata.uid ?? "?"), `${pid} is a process of the pod`);
    }
    return [...found.values()]
      .filter(({ connectors, tasks }) => connectors + tasks > 0)
      .toSorted((a, b) => a.pid - b.pid);
  }

  /** Waits until so many connectors with as many tasks are in each process; answers the processes, those with more first. */
  async function spreadAs(...counts: readonly number[]): Promise<readonly number[]> {
    let last: readonly Executor[] = [];
    const found = await eventually(
      `processes have ${counts.join(" and ")} connectors`,
      async () => {
        last = (await executors()).toSorted((a, b) => b.connectors - a.connectors);
        return last.map(({ connectors, tasks }) => `${connectors}/${tasks}`).join() ===
          counts.map((count) => `${count}/${count}`).join()
          ? last
          : undefined;
      },
      PATIENCE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; they are ${JSON.stringify(last)}`);
    });
    return found.map(({ pid }) => pid);
  }

  const starts = (names: readonly string[]) => names.map((name) => [told.starts(name), told.starts(name, 0)]);

  it("are a process of its own for one with spec.resources, whose end is no other one's", async () => {
    for (const name of STEADY) await create(name, datagen(name));
    for (const name of STEADY) await running(name);
    const [shared] = await spreadAs(2);
    await create("own", { ...datagen("own"), resources: { limits: { memory: "512Mi" } } });
    await running("own");
    const [still, own = 0] = await spreadAs(2, 1);
    assert.equal(still, shared);
    await eventually("all have told", () =>
      starts([...STEADY, "own"])
        .flat()
        .every((count) => count > 0),
    );
    const [others, before] = [starts(STEADY), told.starts("own", 0)];
    assert.ok(sendSignal(own, "SIGKILL"));
    await eventually("it runs again", () => told.starts("own", 0) > before);
    await running("own");
    const [unharmed, another] = await spreadAs(2, 1);
    assert.equal(unharmed, shared);
    assert.notEqual(another, own);
    assert.deepEqual(starts(STEADY), others);
  });

  it("are the memory of that process: it fails, says so, and comes back with a limit that is enough", async () => {
    const others = starts(STEADY);
    const limit = (memory: string) => on.patch(KafkaConnectors, "own", { spec: { resources: { limits: { memory } } } });
    // A process with a connector in it needs more.
    await limit("64Mi");
    const failed =
      /^False (ConnectorFailed|TasksFailed): .*used \d+ MiB of memory; headrace\.executor\.memory\.max\.mb allows 64/;
    await on.until(KafkaConnectors, "own", failed);
    assert.deepEqual(starts(STEADY), others);
    await limit("512Mi");
    await running("own");
    await spreadAs(2, 1);
    assert.deepEqual(starts(STEADY), others);
  });

  it("are, with spec.isolation of the cluster, a process for each connector", async () => {
    await on.patch(KafkaConnects, CLUSTER, { spec: { isolation: "Connector" } });
    await on.until(KafkaConnects, CLUSTER, /^True Ready/);
    for (const name of [...STEADY, "own"]) await running(name);
    const pids = await spreadAs(1, 1, 1);
    assert.equal(new Set(pids).size, 3);
  });

  it("were told truly at every moment: nothing counted as done before it was", () => {
    assert.ok(on.statuses.versions.length > 20);
    assert.deepEqual(on.statuses.faults(), []);
  });
});
