import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo, GroupInfo } from "@headrace/contract";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";

const PATIENCE_MS = 90_000;
const DELAY_MS = 6_000;
type GroupMemberInfo = GroupInfo["members"][number];

/** Contract §14, RebalanceSourceConnectorsIntegrationTest and ConnectWorkerIntegrationTest, on real workers. */
describe("rebalancing of source connectors (protocol compatible, with a delay)", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rebalance-"));
  const group = uniqueName("rebalance");
  const workers: TestWorker[] = [];
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;

  async function start(): Promise<TestWorker> {
    const properties = {
      ...groupProperties(kafka.bootstrap, group),
      "connect.protocol": "compatible",
      "scheduled.rebalance.max.delay.ms": `${DELAY_MS}`,
    };
    const worker = await startWorker({ dir, properties });
    workers.push(worker);
    return worker;
  }

  function urlOf(index: number): string {
    const worker = workers.at(index);
    assert.ok(worker !== undefined);
    return worker.url;
  }

  const configOf = (tasks: number) => ({
    "connector.class": "datagen",
    topic: `${group}-data`,
    "tasks.max": `${tasks}`,
    "rate.per.second": "5",
  });

  async function put(name: string, tasks: number): Promise<void> {
    const { status, body } = await rest(urlOf(0), "PUT", `/connectors/${name}/config`, configOf(tasks));
    assert.ok(status === 200 || status === 201, JSON.stringify(body));
  }

  /** Every connector and task is assigned exactly once, evenly, and runs where it is assigned. Resolves with the members. */
  async function balanced(wanted: Readonly<Record<string, number>>): Promise<readonly GroupMemberInfo[]> {
    const keys = Object.entries(wanted).flatMap(([name, tasks]) => [
      `${name} -1`,
      ...Array.from({ length: tasks }, (_, task) => `${name} ${task}`),
    ]);
    return await eventually(
      `${JSON.stringify(wanted)} on ${workers.length} workers`,
      async () => {
        const infos = await Promise.all(
          workers.map(async ({ url }) => GroupInfo.parse((await rest(url, "GET", "/headrace/group")).body)),
        );
        const members = infos[0]?.members ?? [];
        if (infos.some((info) => info.rebalancing || !info.balanced || info.delayMs > 0)) return false;
        if (members.length !== workers.length) return false;
        const loads = members.map(({ assignment }) => [assignment.connectors.length, assignment.tasks.length]);
        for (const kind of [0, 1]) {
          const counts = loads.map((load) => load[kind] ?? 0);
          if (Math.max(...counts) - Math.min(...counts) > 1) return false;
        }
        const assigned = members.flatMap(({ assignment }) => [
          ...assignment.connectors.map((name) => `${name} -1`),
          ...assignment.tasks.map(({ connector, task }) => `${connector} ${task}`),
        ]);
        if (String(assigned.sort()) !== String(keys.toSorted())) return false;
        return (await allRun(wanted, members)) && members;
      },
      PATIENCE_MS,
      100,
    );
  }

  async function allRun(wanted: Readonly<Record<string, number>>, members: readonly GroupMemberInfo[]) {
    const live = new Set(members.map(({ url }) => new URL(url).host));
    for (const [name, count] of Object.entries(wanted)) {
      const { body } = await rest(urlOf(0), "GET", `/connectors/${name}/status`);
      const { connector, tasks } = ConnectorStateInfo.parse(body);
      if (tasks.length !== count) return false;
      if ([connector, ...tasks].some(({ state, worker_id }) => state !== "RUNNING" || !live.has(worker_id)))
        return false;
    }
    return true;
  }

  before(async () => {
    kafka = await sharedKafka();
    await start();
    await start();
  });

  after(async () => {
    for (const { process } of workers) await process.stop(60_000);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("RebalanceSourceConnectors: two connectors start, are reconfigured (TaskStatuses 1, 5, 3), one is deleted", async () => {
    await put("one", 1);
    await put("two", 4);
    await balanced({ one: 1, two: 4 });
    await put("one", 5);
    await balanced({ one: 5, two: 4 });
    await put("one", 3);
    await balanced({ one: 3, two: 4 });
    assert.equal((await rest(urlOf(1), "DELETE", "/connectors/two")).status, 204);
    await balanced({ one: 3 });
  });

  it("AddAndRemoveWorker: a worker is added, and one leaves", async () => {
    await put("two", 4);
    await balanced({ one: 3, two: 4 });
    await start();
    await balanced({ one: 3, two: 4 });
    const [leaving] = workers.splice(1, 1);
    await leaving?.process.stop(60_000);
    await balanced({ one: 3, two: 4 });
  });

  it("several workers leave without a word and come back: their work waits for them", async () => {
    await start();
    await balanced({ one: 3, two: 4 });
    const killed = workers.splice(1, 2);
    await Promise.all(killed.map(({ process }) => process.kill()));
    await eventually(
      "the delay has begun",
      async () => GroupInfo.parse((await rest(urlOf(0), "GET", "/headrace/group")).body).delayMs > 0,
      PATIENCE_MS,
    );
    await Promise.all([start(), start()]);
    await balanced({ one: 3, two: 4 });
  });
});
