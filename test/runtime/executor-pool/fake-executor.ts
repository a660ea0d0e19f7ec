import type { ExecutorCalls, ExecutorNotice, WorkerCalls, WorkerNotice } from "#runtime/executor/channel.ts";
import { connectRpc, ipcPort, type Rpc } from "#runtime/executor/rpc.ts";

/**
 * An executor for tests. A connector's or task's configuration says what it does under `do`: `crash` or `block` when it starts,
 * `slow-stop` never answers a stop, `block-stop` blocks the event loop when it is stopped,
 * `hungry` uses 1 GiB; a validation with `wait` never ends in a process that has validated before.
 * Set up with `leased` it ends without its lease, as the real one does.
 */
const behaviours = new Map<string, string>();
const never = new Promise<null>(() => {});
let leaseMs = -1;
let leased = false;
let validations = 0;

function behave(name: string, behaviour: string | undefined): null {
  behaviours.set(name, behaviour ?? "");
  if (behaviour === "crash") process.exit(7);
  if (behaviour === "block") for (;;);
  return null;
}

function stop(name: string): null | Promise<null> {
  const behaviour = behaviours.get(name);
  behaviours.delete(name);
  if (behaviour === "slow-stop") return never;
  if (behaviour === "block-stop") for (;;);
  return null;
}

const rpc: Rpc<WorkerCalls, ExecutorNotice> = connectRpc<WorkerCalls, ExecutorNotice, ExecutorCalls, WorkerNotice>({
  port: ipcPort(process),
  onNotice: (notice) => {
    if (notice.kind !== "lease") return;
    leaseMs = notice.ttlMs;
    if (leased && leaseMs === 0) process.exit(4);
  },
  handlers: {
    setup: (setup) => {
      if (setup.worker["setup"] === "crash") process.exit(3);
      leased = setup.worker["setup"] === "leased";
      return { features: [], memoryBytes: 0 };
    },
    ping: () => ({ memoryBytes: [...behaviours.values()].includes("hungry") ? 2 ** 30 : 2 ** 20 }),
    plugins: () => [],
    probePackage: () => [],
    configDef: () => [],
    validate: async ({ config }) => {
      behave("validated", config["do"] ?? undefined);
      validations += 1;
      if (config["do"] === "wait" && validations > 1) await never;
      return { name: String(process.pid), error_count: 0, groups: [], configs: [] };
    },
    startConnector: ({ connector, config }) => behave(connector, config["do"]),
    stopConnector: ({ connector }) => stop(connector),
    setTargetState: ({ connector, targetState }) => {
      const status = { connector, task: null, trace: String(process.pid), version: null } as const;
      rpc.notify({ kind: "status", ...status, state: targetState === "PAUSED" ? "PAUSED" : "RUNNING" });
      return null;
    },
    alterSourceOffsets: () => true,
    ownOffsets: () => [],
    writeOwnOffsets: () => null,
    connectorType: () => "unknown",
    fenceProducers: () => null,
    sinkOffsets: () => [],
    sinkProgress: () => ({ group: "", partitions: [] }),
    alterSinkOffsets: () => true,
    taskConfigs: async ({ connector }) => {
      const offsets = await rpc.call("readOffsets", { connector, partitions: [{ p: 1 }] }, AbortSignal.timeout(5_000));
      return [{ pid: String(process.pid), offset: String(offsets[0]?.["o"]), lease: String(leaseMs > 0) }];
    },
    startTask: ({ key, taskConfig }) => behave(`${key.connector}-${key.task}`, taskConfig["do"]),
    stopTask: ({ key }) => stop(`${key.connector}-${key.task}`),
  },
});
process.once("disconnect", () => process.exit(0));
