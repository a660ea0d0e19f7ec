import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "../cache.ts";
import { until } from "../demo/until.ts";
import { createKubectl } from "../kubectl.ts";
import { readState } from "../stack/state.ts";

/**
 * Records the manifests that the health scripts for Argo CD are tested with, on a stack that runs (`npm run dev -- up`):
 * `node --conditions=source dev/gitops/record-states.ts [words]`. Each step changes a resource as a user does and keeps the first moment
 * of a watch that is the wanted state. Takes six minutes: one of the states is a roll that times out.
 */
const TARGET = join(repoRoot, "examples/gitops/argocd/resource_customizations/headrace.dev");
const NAMESPACE = "states";
const PATIENCE = { timeoutMs: 420_000 };

const Moment = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    annotations: z.record(z.string(), z.string()).optional(),
    name: z.string(),
    generation: z.number(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.looseObject({}),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string() })).optional(),
    })
    .optional(),
});
type Moment = z.infer<typeof Moment>;

const state = readState(process.env["HEADRACE_STATE"] ?? join(repoRoot, ".headrace"));
if (state === null) throw new Error("no stack runs: npm run dev -- up");
const { kubectlPath, adminKubeconfig } = state.kubernetes;
const kubectl = createKubectl({ binary: kubectlPath, kubeconfig: adminKubeconfig, cacheDir: join(repoRoot, "build") });
const moments: Moment[] = [];

const ready = (reason: string) => (moment: Moment) =>
  isSeen(moment) && moment.status?.conditions?.some((one) => one.type === "Ready" && one.reason === reason) === true;
const isSeen = ({ metadata, status }: Moment) => status?.observedGeneration === metadata.generation;
const isPaused = ({ status }: Moment) =>
  status?.conditions?.some(({ type, status }) => type === "ReconciliationPaused" && status === "True") === true;
const isStalled = ({ status }: Moment) => status?.conditions?.some(({ type }) => type === "Stalled") === true;
const noStatus = ({ status }: Moment) => status?.conditions === undefined;
const notSeen = (moment: Moment) => moment.status?.conditions !== undefined && !isSeen(moment);
const isBeingDeleted = ({ metadata }: Moment) => metadata.deletionTimestamp !== undefined;

const patch = (kind: string, name: string, change: object) => () =>
  kubectl(["-n", NAMESPACE, "patch", kind, name, "--type=merge", `--patch=${JSON.stringify(change)}`]);
const create = (object: object) => () => kubectl(["-n", NAMESPACE, "apply", "-f", "-"], { input: stringify(object) });
const spec = (kind: "kc" | "kctr", name: string, change: object) => patch(kind, name, { spec: change });
const annotate = (kind: "kc" | "kctr", name: string, annotations: object) =>
  patch(kind, name, { metadata: { annotations } });
const remove = (kind: "kc" | "kctr", name: string) => () =>
  kubectl(["-n", NAMESPACE, "delete", kind, name, "--wait=false", "--cascade=foreground"]);

const ONE_BROKER = {
  "config.storage.replication.factor": -1,
  "offset.storage.replication.factor": -1,
  "status.storage.replication.factor": -1,
};
const cluster = (name: string, more: object = {}) => ({
  apiVersion: "headrace.dev/v1",
  kind: "KafkaConnect",
  metadata: { name },
  spec: {
    replicas: 2,
    image: "headrace/worker:dev",
    bootstrapServers: state.kafka.bootstrap,
    groupId: name,
    configStorageTopic: `${name}-configs`,
    offsetStorageTopic: `${name}-offsets`,
    statusStorageTopic: `${name}-status`,
    config: ONE_BROKER,
    ...more,
  },
});
const connector = (name: string, config: object, more: object = {}, of = "streaming") => ({
  apiVersion: "headrace.dev/v1",
  kind: "KafkaConnector",
  metadata: { name, labels: { "headrace.dev/cluster": of } },
  spec: { class: "datagen", tasksMax: 2, config, ...more },
});
const clock = { topic: "clock", "rate.per.second": 1 };
const PAUSE = "headrace.dev/pause-reconciliation";

interface Step {
  readonly kind: "KafkaConnect" | "KafkaConnector";
  readonly name: string;
  /** Null: it is not kept. */
  readonly file: string | null;
  readonly act: () => Promise<unknown>;
  readonly is: (moment: Moment) => boolean;
}
const of = (kind: Step["kind"]) => (name: string, file: string | null, act: Step["act"], is: Step["is"]) =>
  ({ kind, name, file, act, is }) satisfies Step;
const kc = of("KafkaConnect");
const kctr = of("KafkaConnector");
const nothing = async () => {};

const steps: readonly Step[] = [
  // Three copies of its topics, on one broker.
  kc("failing", null, create(cluster("failing", { config: {} })), () => true),
  kctr("early", "progressing_cluster_missing", create(connector("early", clock)), (moment) => isSeen(moment)),
  kc("streaming", "progressing_no_status", create(cluster("streaming")), noStatus),
  kc("streaming", "progressing_creating", nothing, (moment) => isSeen(moment) && !ready("Ready")(moment)),
  kc("streaming", "healthy", nothing, ready("Ready")),
  kctr("clock", "progressing_no_status", create(connector("clock", clock)), noStatus),
  kctr("clock", "healthy", nothing, ready("Running")),
  kctr("clock", "progressing_not_observed", spec("kctr", "clock", { tasksMax: 1 }), notSeen),
  kctr("clock", null, nothing, ready("Running")),
  kctr("clock", "healthy_paused", spec("kctr", "clock", { state: "paused" }), ready("Paused")),
  kctr("clock", "healthy_stopped", spec("kctr", "clock", { state: "stopped" }), ready("Stopped")),
  kctr("clock", null, spec("kctr", "clock", { state: "running" }), ready("Running")),
  kctr("clock", "suspended_reconciliation_paused", annotate("kctr", "clock", { [PAUSE]: "true" }), isPaused),
  kctr("clock", null, annotate("kctr", "clock", { [PAUSE]: null }), (moment) => !isPaused(moment)),
  kctr("clock", "degraded_invalid_config", spec("kctr", "clock", { config: { topic: null } }), ready("InvalidConfig")),
  kctr(
    "broken",
    "degraded_tasks_failed",
    create(connector("broken", { topics: "clock", file: "/nowhere/out" }, { class: "file-sink" })),
    ready("TasksFailed"),
  ),
  kctr("clock", "progressing_deleting", remove("kctr", "clock"), isBeingDeleted),
  kc(
    "streaming",
    "progressing_not_observed",
    spec("kc", "streaming", { config: { "task.shutdown.graceful.timeout.ms": 4000 } }),
    notSeen,
  ),
  kc("streaming", "progressing_rolling", nothing, ready("Rolling")),
  kc("streaming", null, nothing, ready("Ready")),
  kc("streaming", "suspended_reconciliation_paused", annotate("kc", "streaming", { [PAUSE]: "true" }), isPaused),
  kc("streaming", null, annotate("kc", "streaming", { [PAUSE]: null }), (moment) => !isPaused(moment)),
  kc(
    "streaming",
    "degraded_preflight_failed",
    spec("kc", "streaming", { bootstrapServers: "127.0.0.1:1" }),
    ready("PreflightFailed"),
  ),
  kc("streaming", null, spec("kc", "streaming", { bootstrapServers: state.kafka.bootstrap }), ready("Ready")),
  kc("streaming", "healthy_scaled_to_zero", spec("kc", "streaming", { replicas: 0 }), ready("ScaledToZero")),
  kc("streaming", null, spec("kc", "streaming", { replicas: 1 }), ready("Ready")),
  kc("streaming", null, annotate("kc", "streaming", { "headrace.dev/skip-preflight": "true" }), () => true),
  kc(
    "streaming",
    "degraded_rolled_back",
    spec("kc", "streaming", { image: "headrace/worker:nowhere" }),
    ready("RolledBack"),
  ),
  kc("failing", "degraded_workers_failing", nothing, (moment) => ready("WorkersFailing")(moment) && isStalled(moment)),
  kc("streaming", "progressing_deleting", remove("kc", "streaming"), isBeingDeleted),
];

await kubectl(["create", "namespace", NAMESPACE]);
const watches = ["kafkaconnects", "kafkaconnectors"].map((resource) => {
  const args = [`--kubeconfig=${adminKubeconfig}`, "-n", NAMESPACE, "get", resource, "--watch", "-o=json"];
  const child = spawn(kubectlPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  createInterface(child.stdout).on("line", (line) => {
    text += `${line}\n`;
    if (line !== "}") return; // The end of an object, which kubectl indents.
    moments.push(Moment.parse(JSON.parse(text)));
    text = "";
  });
  return child;
});
try {
  for (const { kind, name, file, act, is } of steps) {
    // What is reached without an act may have been passed already.
    const from = act === nothing ? 0 : moments.length;
    const generation = moments.findLast((one) => one.kind === kind && one.metadata.name === name)?.metadata.generation;
    await act();
    const wanted = (one: Moment) =>
      one.kind === kind &&
      one.metadata.name === name &&
      (act !== nothing || generation === undefined || one.metadata.generation >= generation) &&
      is(one);
    const last = () => JSON.stringify(moments.at(-1)?.status);
    const moment = await until(
      () => moments.slice(from).find(wanted),
      () => `${kind} ${name} is ${file}; ${last()}`,
      PATIENCE,
    );
    console.log(`${kind} ${name} ${file ?? "(not kept)"}`);
    if (file !== null) keep(kind, file, moment);
  }
} finally {
  for (const watch of watches) watch.kill();
}

function keep(kind: string, file: string, moment: Moment): void {
  const folder = join(TARGET, kind, "testdata");
  mkdirSync(folder, { recursive: true });
  const { managedFields: _, annotations = {}, ...metadata } = moment.metadata;
  const { "kubectl.kubernetes.io/last-applied-configuration": __, ...kept } = annotations;
  const { apiVersion, spec, status } = moment;
  const object = { apiVersion, kind, metadata: { ...metadata, annotations: kept }, spec, status };
  // Addresses and paths of this machine are nobody's business.
  const text = stringify(object, { lineWidth: 0 })
    .replaceAll(state?.kafka.bootstrap ?? "", "my-kafka:9092")
    .replaceAll(repoRoot, "/opt/headrace/app");
  writeFileSync(join(folder, `${file}.yaml`), text);
}
