import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseDocument } from "yaml";
import { z } from "zod";
import type { CheckList } from "../demo/check-list.ts";
import { describe, isReady, tasksOf } from "../demo/connector-state.ts";
import { type ConnectorWatch, watchConnectors } from "../demo/connector-watch.ts";
import { podAt } from "../demo/pods.ts";
import { until } from "../demo/until.ts";
import { workerProcess } from "../demo/worker-process.ts";
import { createKubectl } from "../kubectl.ts";
import { sendSignal } from "../process-table.ts";
import type { Stack } from "../stack.ts";
import { type Account, account, describeAccount, isComplete } from "./account.ts";
import { StockItem } from "./stock-service.ts";
import { LAB_DIR, type Systems } from "./systems.ts";
import { changedTo, createWorkload, deletedAt, type Step, type Workload } from "./workload.ts";

/** The namespace of the lab. */
export const NAMESPACE = "inventory";
const CONNECTORS = 4;

const FIRST_ROWS = 1_000;
/** Transactions before the kill, those that are made at once for it, and after it. */
const ROUNDS = { before: 30, atOnce: 10, after: 50 } as const;
const ROUND_PAUSE_MS = 50;
/** Of everything that is waited for; far more than it takes. */
const PATIENCE_MS = 480_000;

/** What the lab's story ended with. */
export interface Inventory {
  /** Changes that the shop has made. */
  readonly steps: number;
  /** Of the service and of the lake, which were told each change; the warehouse keeps the rows alone. */
  readonly accounts: Readonly<Record<"service" | "lake", Account>>;
  /** The rows as each database has them, one line each. */
  readonly rows: { readonly shop: string; readonly warehouse: string };
}

/**
 * The lab's story on a stack that is up: applies the YAML of its folder, changes the shop's items, kills a worker in the middle, and accounts for every
 * change in all targets. Notes each check; throws if it cannot go on.
 */
export async function runInventory({
  stack,
  systems,
  checks,
  say,
}: {
  readonly stack: Stack;
  readonly systems: Systems;
  readonly checks: CheckList;
  readonly say: (line?: string) => void;
}): Promise<Inventory> {
  const kubectl = (args: readonly string[], input?: string) =>
    stack.kubectl(["-n", NAMESPACE, ...args], input === undefined ? {} : { input });
  const workload = createWorkload();
  await createNamespace(stack);
  await systems.postgres.sql(workload.first(FIRST_ROWS), "shop");

  say(`\n── ${FIRST_ROWS} items in the shop's table; a cluster of two workers and four connectors`);
  say(`\n$ kubectl apply -f systems.yaml\n${(await kubectl(["apply", "-f", "-"], systems.manifest)).trimEnd()}`);
  const manifests = [clusterManifest(stack.bootstrap), readFileSync(join(LAB_DIR, "connectors.yaml"), "utf8")];
  const applied = await kubectl(["apply", "-f", "-"], manifests.join("---\n"));
  say(`\n$ kubectl apply -f examples/labs/inventory/\n${applied.trimEnd()}`);
  const connectors = await watchConnectors(stack.userKubeconfig, NAMESPACE);
  try {
    await allReady(connectors);
    await complete(systems, workload);
    checks.note("the first reading is in all targets", true, `${FIRST_ROWS} rows`);
    say(`\n$ kubectl get kc,kctr\n${(await kubectl(["get", "kc,kctr"])).trimEnd()}`);

    const transactions = ROUNDS.before + ROUNDS.atOnce + ROUNDS.after;
    say(`\n── ${transactions} transactions change the items: some come, some change, some go`);
    await change(systems, workload, ROUNDS.before);
    const killed = await killWorker({ connectors, systems, workload, say, kubectl });
    const underway = `${killed.underway} changes had not come to the service yet`;
    checks.note("the worker was killed while changes were on their way", killed.underway > 0, underway);
    await change(systems, workload, ROUNDS.after);
    await complete(systems, workload);
    await comesBack({ killed, connectors, systems, checks });
    say(`\n$ kubectl get kc,kctr\n${(await kubectl(["get", "kc,kctr"])).trimEnd()}`);
    const shown = await kubectl(["get", "kc,kctr,event,configmap", "-o", "json"]);
    const leaked = systems.secrets.filter((secret) => shown.includes(secret)).length;
    checks.note(
      "no password, key or token is in the resources, ConfigMaps or events",
      leaked === 0,
      `${systems.secrets.length} looked for`,
    );
  } finally {
    await connectors.stop();
  }
  return await settle({ systems, workload, checks });
}

/** What was changed after the kill has come, and the worker that was killed is there again and has its share. */
async function comesBack({
  killed,
  connectors,
  systems,
  checks,
}: {
  readonly killed: Killed;
  readonly connectors: ConnectorWatch;
  readonly systems: Systems;
  readonly checks: CheckList;
}): Promise<void> {
  const first = systems.service.requests().find(({ id }) => id === killed.nextId);
  checks.note(
    "changes made after the kill have come",
    first !== undefined,
    `the first one ${((first?.atMs ?? Number.NaN) - killed.atMs) / 1000} s after it`,
  );
  await allReady(connectors);
  const share = () =>
    connectors
      .all()
      .flatMap(tasksOf)
      .filter(({ worker }) => worker === killed.address).length;
  await until(
    () => share() > 0,
    () => `a task on ${killed.pod} again: ${connectors.all().map(describe).join("; ")}`,
    { timeoutMs: PATIENCE_MS },
  );
  await allReady(connectors);
  checks.note(`${killed.pod} is back and has its share`, share() > 0, `${share()} tasks`);
}

async function createNamespace(stack: Stack): Promise<void> {
  const administrator = createKubectl({
    binary: stack.kubectlPath,
    kubeconfig: stack.adminKubeconfig,
    cacheDir: join(stack.dir, "kubectl-cache"),
  });
  await administrator(["create", "namespace", NAMESPACE]);
}

/** The lab's cluster as it is, but on this Kafka. */
export function clusterManifest(bootstrap: string): string {
  const cluster = parseDocument(readFileSync(join(LAB_DIR, "kafka-connect.yaml"), "utf8"));
  cluster.setIn(["spec", "bootstrapServers"], bootstrap);
  return cluster.toString();
}

async function allReady(connectors: ConnectorWatch): Promise<void> {
  const running = () =>
    connectors.all().length === CONNECTORS &&
    connectors.all().every((each) => isReady(each) && tasksOf(each).every(({ state }) => state === "RUNNING"));
  await until(running, () => connectors.all().map(describe).join("; "), { timeoutMs: PATIENCE_MS });
}

/** A worker that was killed, and what it ran. */
interface Killed {
  readonly pod: string;
  readonly address: string | undefined;
  readonly atMs: number;
  /** Changes that the shop had made and the service was not told yet. */
  readonly underway: number;
  /** The first item that comes afterwards. */
  readonly nextId: number;
}

async function change({ postgres }: Systems, workload: Workload, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await postgres.sql(workload.round(), "shop");
    await sleep(ROUND_PAUSE_MS);
  }
}

/** SIGKILL to the worker that captures the changes, when the first of many have come to the service and others have not. */
async function killWorker(scene: {
  readonly connectors: ConnectorWatch;
  readonly systems: Systems;
  readonly workload: Workload;
  readonly say: (line?: string) => void;
  readonly kubectl: (args: readonly string[]) => Promise<string>;
}): Promise<Killed> {
  const { connectors, systems, workload, say, kubectl } = scene;
  await complete(systems, workload);
  const address = tasksOf(connectors.get("items"))[0]?.worker;
  const pod = await podAt(kubectl, address);
  const tasks = connectors.all().flatMap(tasksOf);
  const names = tasks.filter(({ worker }) => worker === address).map(({ name }) => name);
  const pid = workerProcess(pod.uid);
  say(`\n── kill -9 of ${pod.name}'s worker process (pid ${pid}), which runs ${names.join(", ")}`);
  const before = systems.service.requests().length;
  const changes = Array.from({ length: ROUNDS.atOnce }, () => workload.round());
  const kill = async () => {
    const isComing = () => systems.service.requests().length > before;
    await until(isComing, () => "no change has come to the service", { timeoutMs: PATIENCE_MS, intervalMs: 5 });
    sendSignal(pid, "SIGKILL");
    return account(workload.steps(), toldToService(systems, workload.steps())).missing;
  };
  const [underway] = await Promise.all([kill(), systems.postgres.sql(changes.join("\n"), "shop")]);
  return { pod: pod.name, address, atMs: Date.now(), underway, nextId: Math.max(...workload.steps().keys()) + 1 };
}

/** Waits until every target has what has happened so far. */
async function complete(systems: Systems, workload: Workload): Promise<void> {
  const shop = await rowsOf(systems, "shop");
  let lacking: readonly string[] = [];
  const done = async () => {
    const isEqual = (await rowsOf(systems, "warehouse")) === shop;
    const accounts = Object.entries(accountsOf(systems, workload));
    lacking = [
      ...(isEqual ? [] : ["the warehouse's rows are not the shop's"]),
      ...accounts
        .filter(([, found]) => !isComplete(found))
        .map(([name, found]) => `${name}: ${describeAccount(found)}`),
    ];
    return lacking.length === 0;
  };
  const refusal = () => JSON.stringify(systems.service.refused());
  await until(done, () => `${lacking.join("; ")}; refused by the service: ${refusal()}`, {
    timeoutMs: PATIENCE_MS,
    intervalMs: 500,
  });
}

/** What has become of everything: the checks of the end. */
async function settle({
  systems,
  workload,
  checks,
}: {
  readonly systems: Systems;
  readonly workload: Workload;
  readonly checks: CheckList;
}): Promise<Inventory> {
  const rows = { shop: await rowsOf(systems, "shop"), warehouse: await rowsOf(systems, "warehouse") };
  const accounts = accountsOf(systems, workload);
  const present = workload.present();
  const items = systems.service.items();
  checks.note(
    "the warehouse has the shop's rows, each with all its columns",
    rows.warehouse === rows.shop && rows.shop.split("\n").length === present.size,
    `${present.size} rows`,
  );
  const known = [...items.values()].filter(
    ({ id, version }) => workload.steps().get(id)?.at(-1) === changedTo(version),
  );
  checks.note(
    "the service has the same items, each in its last version",
    items.size === present.size && known.length === present.size,
    `${items.size} items`,
  );
  for (const [name, found] of Object.entries(accounts)) {
    checks.note(`the ${name} was told every change, in order by item`, isComplete(found), describeAccount(found));
  }
  const { count, last } = systems.service.refused();
  checks.note("the service has refused nothing", count === 0, last ?? "no request");
  return { steps: [...workload.steps().values()].flat().length, accounts, rows };
}

/** The rows of a database's table, one line each, in the order of their ids; `quantity` is the warehouse's `in_stock`. */
async function rowsOf({ postgres }: Systems, database: "shop" | "warehouse"): Promise<string> {
  const [table, quantity] = database === "shop" ? ["items", "quantity"] : ["stock", "in_stock"];
  const columns = `id, sku, name, ${quantity}, price, version, to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;
  return await postgres.sql(`SELECT ${columns} FROM ${table} ORDER BY id`, database);
}

function accountsOf(systems: Systems, workload: Workload): Inventory["accounts"] {
  const happened = workload.steps();
  return {
    service: account(happened, toldToService(systems, happened)),
    lake: account(happened, toldToLake(systems)),
  };
}

type Told = ReadonlyMap<number, readonly Step[]>;

/** A DELETE has no version: it is the deletion of the item, which happens once. */
function toldToService({ service }: Systems, happened: Told): Told {
  const told = new Map<number, Step[]>();
  for (const { id, item } of service.requests()) {
    const last = happened.get(id)?.at(-1);
    const isDeletion = (step: Step | undefined) => step !== undefined && step % 2 === 1;
    const step = item !== null ? changedTo(item.version) : isDeletion(last) ? last : deletedAt(0);
    if (step !== undefined) append(told, id, step);
  }
  return told;
}

const LakeLine = StockItem.extend({ __deleted: z.enum(["true", "false"]) });

/** The objects' names sort as their first offsets do, partition by partition; an item is in one of them. */
function toldToLake({ s3 }: Systems): Told {
  const told = new Map<number, Step[]>();
  for (const bytes of s3.objects("inventory").values()) {
    for (const line of String(bytes).split("\n").slice(0, -1)) {
      const { id, version, __deleted } = LakeLine.parse(JSON.parse(line));
      append(told, id, __deleted === "true" ? deletedAt(version) : changedTo(version));
    }
  }
  return told;
}

function append(told: Map<number, Step[]>, id: number, step: Step): void {
  const steps = told.get(id);
  if (steps === undefined) told.set(id, [step]);
  else steps.push(step);
}
