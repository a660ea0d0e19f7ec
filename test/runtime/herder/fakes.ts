import type {
  ConfigInfos,
  ConfigKeyInfo,
  ConnectorType,
  InstanceState,
  StringMap,
  TargetState,
  TaskId,
} from "@headrace/contract";
import { pino } from "pino";
import { ConnectError } from "#runtime/errors.ts";
import type {
  ConnectorStart,
  ExecutorCalls,
  SinkOffset,
  SinkProgress,
  TaskKey,
  TaskStart,
} from "#runtime/executor/channel.ts";
import type { ExecutorPool, PluginEntry, StopEnd } from "#runtime/executor/pool.ts";
import type { Assigned, Assignment, GroupMember, GroupView } from "#runtime/group/group.ts";
import type {
  ClusterConfig,
  ConfigChange,
  ConfigStore,
  ConnectorEntry,
  FencingState,
  RestartScope,
  SessionKey,
  StatusChange,
  StatusEntry,
  StatusStore,
  StatusWord,
} from "#runtime/store/stores.ts";

export const silent = pino({ level: "silent" });

/** A config topic in memory. Writes are read back at once. */
export class FakeConfigStore implements ConfigStore {
  #config: ClusterConfig = { offset: 0n, connectors: new Map(), sessionKey: null };
  readonly #listeners = new Set<(change: ConfigChange) => void>();
  readonly privilegedWrites: string[] = [];
  /** Awaited before each write takes effect. */
  beforeWrite: () => Promise<void> = async () => {};
  readToEndCalls = 0;
  /** What others have written and is read then. */
  onReadToEnd: () => Promise<void> = async () => {};
  claims = 0;
  readonly fencings = new Map<string, FencingState>();

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  config(): ClusterConfig {
    return this.#config;
  }
  onChange(listener: (change: ConfigChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async readToEnd(): Promise<void> {
    this.readToEndCalls += 1;
    await this.onReadToEnd();
  }
  async putConnector(connector: string, config: StringMap, targetState: TargetState | null): Promise<void> {
    await this.beforeWrite();
    this.privilegedWrites.push(`putConnector ${connector}`);
    this.apply(connector, (entry) => ({ ...entry, config, targetState: targetState ?? entry.targetState }), {
      kind: "connectorUpdated",
      connector,
    });
  }
  async removeConnector(connector: string): Promise<void> {
    await this.beforeWrite();
    this.privilegedWrites.push(`removeConnector ${connector}`);
    const connectors = new Map(this.#config.connectors);
    connectors.delete(connector);
    this.#config = { ...this.#config, connectors, offset: this.#config.offset + 2n };
    this.#tell({ kind: "connectorRemoved", connector });
  }
  async putTaskConfigs(connector: string, tasks: readonly StringMap[]): Promise<void> {
    await this.beforeWrite();
    this.privilegedWrites.push(`putTaskConfigs ${connector} ${tasks.length}`);
    this.apply(
      connector,
      (entry) => ({ ...entry, tasks, appliedConfig: entry.config, taskGeneration: entry.taskGeneration + 1 }),
      { kind: "tasksCommitted", connector },
    );
  }
  fencing(connector: string): FencingState {
    return this.fencings.get(connector) ?? { pending: false, taskCount: null };
  }
  async claimPrivilege(): Promise<void> {
    this.claims += 1;
  }
  async putTaskCount(connector: string, tasks: number): Promise<void> {
    await this.beforeWrite();
    this.privilegedWrites.push(`putTaskCount ${connector} ${tasks}`);
    this.fencings.set(connector, { pending: false, taskCount: tasks });
  }
  async putSessionKey(sessionKey: SessionKey): Promise<void> {
    this.privilegedWrites.push("putSessionKey");
    this.#config = { ...this.#config, sessionKey, offset: this.#config.offset + 1n };
    this.#tell({ kind: "sessionKeyUpdated" });
  }
  async putRestart(connector: string, scope: RestartScope): Promise<void> {
    await this.beforeWrite();
    this.privilegedWrites.push(`putRestart ${connector}`);
    this.#tell({ kind: "restartRequested", connector, ...scope });
  }
  async putLoggerLevel(namespace: string, level: string): Promise<void> {
    this.#tell({ kind: "loggerLevelChanged", namespace, level });
  }
  async putTargetState(connector: string, targetState: TargetState): Promise<void> {
    await this.beforeWrite();
    this.apply(connector, (entry) => ({ ...entry, targetState }), { kind: "targetStateChanged", connector });
  }

  /** Changes an entry as a record of the topic would. */
  apply(connector: string, change: (entry: ConnectorEntry) => ConnectorEntry, told: ConfigChange): void {
    const fresh: ConnectorEntry = {
      config: {},
      targetState: "STARTED",
      tasks: null,
      appliedConfig: null,
      taskGeneration: 0,
      inconsistent: false,
    };
    const connectors = new Map(this.#config.connectors);
    connectors.set(connector, change(connectors.get(connector) ?? fresh));
    this.#config = { ...this.#config, connectors, offset: this.#config.offset + 1n };
    this.#tell(told);
  }

  #tell(change: ConfigChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** A status topic in memory; `log` has every write in order. */
export class FakeStatusStore implements StatusStore {
  readonly #connectors = new Map<string, StatusEntry>();
  readonly #tasks = new Map<string, Map<number, StatusEntry>>();
  readonly #topics = new Map<string, Set<string>>();
  readonly #listeners = new Set<(change: StatusChange) => void>();
  readonly #hearers = new Set<(word: StatusWord) => void>();
  readonly log: string[] = [];

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async flush(): Promise<void> {}
  async readToEnd(): Promise<void> {}
  connector(connector: string): StatusEntry | null {
    return this.#connectors.get(connector) ?? null;
  }
  task({ connector, task }: TaskId): StatusEntry | null {
    return this.#tasks.get(connector)?.get(task) ?? null;
  }
  tasks(connector: string): ReadonlyMap<number, StatusEntry> {
    return this.#tasks.get(connector) ?? new Map();
  }
  topics(connector: string): readonly string[] {
    return [...(this.#topics.get(connector) ?? [])];
  }
  connectors(): readonly string[] {
    return [...new Set([...this.#connectors.keys(), ...this.#tasks.keys(), ...this.#topics.keys()])];
  }
  onChange(listener: (change: StatusChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  onWord(hear: (word: StatusWord) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }
  putConnector(connector: string, entry: StatusEntry): void {
    this.log.push(`${connector} ${entry.state}`);
    this.#connectors.set(connector, entry);
    this.#tell({ kind: "connector", connector, entry });
    this.#say({ connector, task: null, entry });
  }
  putTask(id: TaskId, entry: StatusEntry): void {
    this.log.push(`${id.connector}-${id.task} ${entry.state}`);
    const tasks = this.#tasks.get(id.connector) ?? new Map<number, StatusEntry>();
    tasks.set(id.task, entry);
    this.#tasks.set(id.connector, tasks);
    this.#tell({ kind: "task", id, entry });
    this.#say({ ...id, entry });
  }
  removeConnector(connector: string): void {
    this.log.push(`${connector} DESTROYED`);
    this.#connectors.delete(connector);
    this.#tasks.delete(connector);
    this.#tell({ kind: "connector", connector, entry: null });
  }
  removeTask(id: TaskId): void {
    this.log.push(`${id.connector}-${id.task} DESTROYED`);
    this.#tasks.get(id.connector)?.delete(id.task);
    this.#tell({ kind: "task", id, entry: null });
  }
  putTopic(connector: string, topic: string): void {
    const topics = this.#topics.get(connector) ?? new Set<string>();
    topics.add(topic);
    this.#topics.set(connector, topics);
    this.#tell({ kind: "topic", connector, topic, active: true });
  }
  resetTopics(connector: string): void {
    for (const topic of this.topics(connector)) this.#tell({ kind: "topic", connector, topic, active: false });
    this.#topics.delete(connector);
  }
  /** State of a connector, or of `connector-task`. */
  stateOf(item: string): InstanceState | null {
    const direct = this.#connectors.get(item);
    if (direct !== undefined) return direct.state;
    const dash = item.lastIndexOf("-");
    return this.task({ connector: item.slice(0, dash), task: Number(item.slice(dash + 1)) })?.state ?? null;
  }

  #tell(change: StatusChange): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
  #say(word: StatusWord): void {
    for (const hear of [...this.#hearers]) hear(word);
  }
}

type Step = PromiseWithResolvers<void>;

/** Executors whose every start and stop waits until the test lets it happen, unless `automatic`. */
export class FakePool implements ExecutorPool {
  automatic = true;
  /** What was asked for, in order: `start c`, `stop c-0`, `target c PAUSED`. */
  readonly calls: string[] = [];
  readonly live = new Set<string>();
  readonly #steps = new Map<string, Step>();
  plan: (connector: string) => readonly StringMap[] = () => [{}];
  leaseUntilMs = Number.NEGATIVE_INFINITY;
  stopEnd: StopEnd = "stopped";
  /** Whether the last start of a task asked for its predecessor's eviction. */
  readonly evictions = new Map<string, boolean>();
  pluginEntries: readonly PluginEntry[] = [];
  /** Offsets that connectors were asked to change, in order. */
  readonly altered: unknown[] = [];
  settles = true;
  refusal: Error | null = null;
  groupOffsets: readonly SinkOffset[] = [];

  startConnector(start: ConnectorStart): Promise<void> {
    return this.#do(`start ${start.connector}`, () => this.live.add(start.connector));
  }
  startTask(start: TaskStart): Promise<void> {
    const name = `${start.key.connector}-${start.key.task}`;
    this.evictions.set(name, start.evictPredecessor === true);
    return this.#do(`start ${name}`, () => this.live.add(name));
  }
  async stopConnector(connector: string): Promise<StopEnd> {
    await this.#do(`stop ${connector}`, () => this.live.delete(connector));
    return "stopped";
  }
  async stopTask(key: TaskKey): Promise<StopEnd> {
    const name = `${key.connector}-${key.task}`;
    await this.#do(`stop ${name}`, () => this.live.delete(name));
    return this.stopEnd;
  }
  setTargetState(connector: string, targetState: TargetState): Promise<void> {
    return this.#do(`target ${connector} ${targetState}`, () => undefined);
  }
  async taskConfigs(connector: string): Promise<readonly StringMap[]> {
    this.calls.push(`plan ${connector}`);
    if (!this.live.has(connector)) throw new ConnectError("not-found", `${connector} does not run`);
    return this.plan(connector);
  }
  async plugins(): Promise<readonly PluginEntry[]> {
    return this.pluginEntries;
  }
  usePackages(): void {}
  async configDef(): Promise<never[]> {
    return [];
  }
  async validate(config: StringMap): Promise<ConfigInfos> {
    const errors = config["bad"] === undefined ? [] : [config["bad"]];
    const definition: ConfigKeyInfo = {
      name: "bad",
      type: "STRING",
      required: false,
      default_value: null,
      importance: "LOW",
      documentation: "",
      group: null,
      width: "NONE",
      display_name: "bad",
      dependents: [],
      order_in_group: 0,
    };
    const value = { name: "bad", value: null, recommended_values: [], errors, visible: true };
    return { name: "plugin", error_count: errors.length, groups: [], configs: [{ definition, value }] };
  }
  async alterSourceOffsets({ offsets }: ExecutorCalls["alterSourceOffsets"]["args"]): Promise<boolean> {
    if (this.refusal !== null) throw this.refusal;
    this.altered.push(offsets);
    return this.settles;
  }
  async ownOffsets(): Promise<never[]> {
    return [];
  }
  async writeOwnOffsets(): Promise<void> {}
  async connectorType(config: StringMap): Promise<ConnectorType> {
    return config["connector.class"] === `\${env:SOURCE}` ? "source" : "unknown";
  }
  async fenceProducers({ connector, tasks }: ExecutorCalls["fenceProducers"]["args"]): Promise<void> {
    await this.#do(`fence ${connector} ${tasks}`, () => undefined);
  }
  async sinkOffsets(): Promise<readonly SinkOffset[]> {
    return this.groupOffsets;
  }
  async sinkProgress(): Promise<SinkProgress> {
    return { group: "connect-c", partitions: this.groupOffsets.map((each) => ({ ...each, end: each.offset + 5n })) };
  }
  async alterSinkOffsets({ offsets }: ExecutorCalls["alterSinkOffsets"]["args"]): Promise<boolean> {
    if (this.refusal !== null) throw this.refusal;
    this.altered.push(offsets);
    return this.settles;
  }
  async warm(): Promise<void> {}

  renewLease(untilMs: number): void {
    this.leaseUntilMs = untilMs;
  }
  holdsLease(): boolean {
    return this.leaseUntilMs > 0;
  }
  executors() {
    return [];
  }
  async close(): Promise<void> {}

  /** Lets the oldest waiting call of this text happen. */
  finish(call: string): void {
    const step = this.#steps.get(call);
    if (step === undefined) throw new Error(`${call} does not wait; waiting: ${[...this.#steps.keys()].join(", ")}`);
    this.#steps.delete(call);
    step.resolve();
  }
  /** Fails a waiting call. */
  fail(call: string, error: Error): void {
    this.#steps.get(call)?.reject(error);
    this.#steps.delete(call);
  }

  async #do(call: string, effect: () => unknown): Promise<void> {
    this.calls.push(call);
    if (!this.automatic) {
      const step = Promise.withResolvers<void>();
      this.#steps.set(call, step);
      await step.promise;
    }
    effect();
  }
}

const NOTHING: Assignment = { connectors: [], tasks: [] };

/** A group in which this worker is `self`; the test says what its view is. */
export class FakeMember implements GroupMember {
  #view: GroupView = {
    memberId: "self",
    generation: 1,
    leaderId: "self",
    leaderUrl: "http://self:8083/",
    isLeader: true,
    protocolVersion: 2,
    rebalancing: false,
    delayMs: 0,
    members: [{ memberId: "self", url: "http://self:8083/", draining: false, assignment: NOTHING }],
    balanced: true,
  };
  readonly #listeners = new Set<(view: GroupView) => void>();
  readonly rejoins: string[] = [];
  readonly evicted: string[] = [];
  pokes = 0;
  confirms = 0;
  /** Awaited by each confirmation. */
  onConfirm: () => Promise<void> = async () => {};

  async run(): Promise<void> {}
  view(): GroupView {
    return this.#view;
  }
  requestRejoin(reason: string): void {
    this.rejoins.push(reason);
  }
  poked(): void {
    this.pokes += 1;
  }
  async confirm(): Promise<void> {
    this.confirms += 1;
    await this.onConfirm();
  }
  async drain(): Promise<void> {}
  async evict(memberId: string): Promise<void> {
    this.evicted.push(memberId);
  }
  onView(listener: (view: GroupView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  change(view: Partial<GroupView>): void {
    this.#view = { ...this.#view, ...view };
    for (const listener of [...this.#listeners]) listener(this.#view);
  }
}

/** A completed round that gives these items: `c` is a connector instance, `c/0` a task. */
export function round(view: GroupView, configOffset: bigint, ...items: string[]): Assigned {
  const tasks = items.filter((item) => item.includes("/"));
  return {
    view,
    configOffset,
    configMismatch: false,
    revoked: NOTHING,
    assignment: {
      connectors: items.filter((item) => !item.includes("/")),
      tasks: tasks.map((item) => {
        const [connector = "", task = ""] = item.split("/");
        return { connector, task: Number(task) };
      }),
    },
  };
}

/** Waits until `condition` holds; each turn of the event loop is looked at. Fails after five seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets everything that is ready happen. */
export async function idle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
