import { dieWithParent, features } from "@headrace/native";
import { createGivenValues } from "../config-providers/given-values.ts";
import { createOffsetsTopics } from "../offsets-topics.ts";
import { BUILT_IN_PLUGINS } from "../plugins/built-in.ts";
import { shareSdk } from "../plugins/loader.ts";
import { createPluginStore } from "../plugins/plugin-store.ts";
import type { ExecutorCalls, ExecutorNotice, WorkerCalls, WorkerNotice } from "./channel.ts";
import { concealingPort } from "./concealing-port.ts";
import { createHost } from "./host.ts";
import { createKafkaClients } from "./kafka-clients.ts";
import { createNoticeLog } from "./notice-log.ts";
import { connectRpc, ipcPort, type Rpc } from "./rpc.ts";

/**
 * The executor process: forked by the worker with an IPC channel, runs connectors and tasks, ends with the channel, with its parent, with
 * its lease, and with any error that nobody caught (whose it is cannot be known).
 */

/** Exit codes; the worker shows them. */
const EXIT_CRASHED = 70;
const EXIT_LEASE_LOST = 75;
const METRICS_INTERVAL_MS = 1_000;

dieWithParent(process.ppid);
process.title = "headrace-executor";
// Signals of a terminal or a container go to the whole process group; the worker decides when this process ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

shareSdk();
const givenValues = createGivenValues();
const port = concealingPort(ipcPort(process), givenValues.hide);
const host = createHost({
  rpc: () => rpc,
  plugins: createPluginStore(BUILT_IN_PLUGINS, () => log),
  createClients: ({ worker, workerId }) =>
    // A standalone worker has no group: it is a cluster by itself.
    createKafkaClients({ cluster: worker["group.id"]?.trim() || workerId, features, log }),
  offsetsTopics: createOffsetsTopics({
    error: (fields, message) => log.error(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    info: (fields, message) => log.info(fields, message),
    debug: (fields, message) => log.debug(fields, message),
  }),
  env: process.env,
  given: givenValues.add,
  hide: givenValues.hide,
  memoryBytes: () => process.memoryUsage.rss(),
  now: () => performance.now(),
  random: Math.random,
  leaseLost: () => process.exit(EXIT_LEASE_LOST),
});
const rpc: Rpc<WorkerCalls, ExecutorNotice> = connectRpc<WorkerCalls, ExecutorNotice, ExecutorCalls, WorkerNotice>({
  port,
  handlers: host.handlers,
  onNotice: (notice) => host.hear(notice),
});
const log = createNoticeLog((notice) => rpc.notify(notice), { executor: process.pid });

rpc.closed.addEventListener("abort", () => process.exit(0), { once: true });

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    log.error({ error, event }, "executor ends because of an error that nobody caught");
    process.exit(EXIT_CRASHED);
  });
}

setInterval(() => {
  const metrics = host.changedMetrics();
  if (metrics.length > 0) rpc.notify({ kind: "metrics", metrics });
}, METRICS_INTERVAL_MS);
