import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { text } from "node:stream/consumers";
import type {
  ConnectorSnapshot,
  ConnectorStateInfo,
  GroupInfo,
  InstanceState,
  StreamEvent,
  StringMap,
  TargetState,
} from "@headrace/contract";
import type { Endpoint, Worker } from "#operator/worker/connect-client.ts";

/** A connector of the fake cluster. */
interface FakeConnector {
  config: StringMap;
  targetState: TargetState;
  status: ConnectorStateInfo;
  topics: string[];
  /** It runs without tasks. */
  idle: boolean;
}

/** A call that a worker received. */
export interface ReceivedCall {
  readonly ip: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/**
 * Workers of one Connect cluster over real HTTP, with one shared state in memory: connectors start at once, with `tasks.max`
 * tasks, on the first worker. Pod addresses are mapped to the workers' real ports by `endpoint`.
 *
 * Plugins: `datagen`, whose setting `topic` is required, and `blackhole`.
 */
export interface FakeConnect {
  readonly endpoint: (worker: Worker) => Endpoint;
  readonly calls: readonly ReceivedCall[];
  readonly connectors: ReadonlyMap<string, Readonly<FakeConnector>>;
  /** What GET /headrace/group answers. */
  group: GroupInfo;
  /** New connectors stay UNASSIGNED until `settle`. */
  slow: boolean;
  /** A change leaves the tasks as they are until `settle`; what is resumed has none until then. */
  lazyTasks: boolean;
  /** Workers are Apache's: they have nothing under /headrace/. */
  jvm: boolean;
  /** Restarted tasks fail again at once. */
  hopeless: boolean;
  /** Offsets of connectors, as JSON text. */
  readonly offsets: Map<string, string>;
  /** With `tls` the worker is an https one. */
  addWorker(ip: string, tls?: ServerOptions): Promise<void>;
  /** The worker's process is gone: its connections break and nobody listens any more. */
  killWorker(ip: string): Promise<void>;
  /** All workers answer nothing any more, or answer again: then event streams begin anew. */
  freeze(frozen: boolean): void;
  /** Calls whose bodies match are never answered. */
  hang: ((body: unknown) => boolean) | null;
  /** The worker answers nothing any more, on open connections neither. */
  silence(ip: string): void;
  /** The worker is in its group no longer, or is again. */
  setInGroup(ip: string, inGroup: boolean): void;
  /** A connector that somebody made over REST. */
  addConnector(name: string, config: StringMap): void;
  setState(name: string, task: number | null, state: InstanceState, trace?: string): void;
  settle(name: string): void;
  /** The next call with this method and path prefix gets this answer. */
  failNext(method: string, path: string, status: number, message: string): void;
  /** Levels of a worker's loggers; a new worker has `root` at INFO and `org.x` below it. */
  logLevels(ip: string): Readonly<Record<string, string>>;
  /** How often somebody asked for the events of a worker. */
  streamsOpened(): number;
  close(): Promise<void>;
}

const PING_MS = 100;

const EMPTY_GROUP: GroupInfo = {
  generation: 1,
  leaderUrl: null,
  rebalancing: false,
  balanced: true,
  delayMs: 0,
  members: [],
};

const NO_OFFSETS = '{"offsets":[]}';

/** Keeps the digits of 64-bit integers on their way through the fake. */
function exactIntegers(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { source } = context ?? {};
  if (typeof value !== "number" || source === undefined || Number.isSafeInteger(value)) return value;
  return JSON.rawJSON(source);
}

const REQUIRED: Readonly<Record<string, readonly string[]>> = { datagen: ["topic"], blackhole: [] };

interface FakeWorker {
  readonly port: number;
  silent: boolean;
  inGroup: boolean;
  readonly streams: Set<ServerResponse>;
  readonly loggers: Map<string, { level: string; last_modified: number | null }>;
  close(): Promise<void>;
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * `atPodAddress`: workers listen on port 8083 of their pods' addresses, which must be loopback addresses, as real ones do.
 */
export function createFakeConnect({ atPodAddress = false } = {}): FakeConnect {
  const workers = new Map<string, FakeWorker>();
  const connectors = new Map<string, FakeConnector>();
  const calls: ReceivedCall[] = [];
  let streamsOpened = 0;
  const failures: { method: string; path: string; refusal: Refusal }[] = [];

  function snapshotOf({ config, targetState, status, topics, idle }: FakeConnector): ConnectorSnapshot {
    const taskCount = idle || targetState === "STOPPED" ? 0 : Number(config["tasks.max"] ?? 1);
    return structuredClone({ config, targetState, status, topics, taskCount });
  }

  function send(event: StreamEvent): void {
    for (const worker of workers.values()) {
      if (worker.silent) continue;
      for (const stream of worker.streams) write(stream, event);
    }
  }

  function write(stream: ServerResponse, event: StreamEvent): void {
    stream.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  function groupAsSeenBy({ inGroup }: FakeWorker): GroupInfo {
    return { ...fake.group, leaderUrl: inGroup ? "http://leader:8083/" : null };
  }

  function tell(name: string): void {
    const connector = connectors.get(name);
    send({ kind: "config", connector: name, snapshot: connector === undefined ? null : snapshotOf(connector) });
  }

  /** The states that a connector takes by itself. */
  function restate(name: string, connector: FakeConnector, state: InstanceState): void {
    const worker_id = `${[...workers.keys()][0]}:8083`;
    const count = connector.targetState === "STOPPED" ? 0 : Number(connector.config["tasks.max"] ?? 1);
    const tasks = Array.from({ length: count }, (_, id) => ({ id, state, worker_id }));
    connector.status = { name, type: "source", connector: { state, worker_id }, tasks };
  }

  function settledState({ targetState }: FakeConnector): InstanceState {
    return targetState === "STARTED" ? "RUNNING" : targetState;
  }

  function add(name: string, config: StringMap, targetState: TargetState, slow: boolean): void {
    const status = {
      name,
      type: "source" as const,
      connector: { state: "UNASSIGNED" as const, worker_id: "" },
      tasks: [],
    };
    const connector: FakeConnector = { config, targetState, status, topics: [], idle: false };
    connectors.set(name, connector);
    restate(name, connector, slow ? "UNASSIGNED" : settledState(connector));
    tell(name);
  }

  function existing(name: string): FakeConnector {
    const connector = connectors.get(name);
    if (connector === undefined) throw new Refusal(404, `Connector ${name} not found`);
    return connector;
  }

  function validate(plugin: string, config: StringMap) {
    const required = REQUIRED[plugin];
    if (required === undefined) throw new Refusal(500, `Failed to find any class that implements ${plugin}`);
    const configs = required.map((name, order) => ({
      definition: {
        name,
        type: "STRING",
        required: true,
        default_value: null,
        importance: "HIGH",
        documentation: "",
        group: null,
        width: "NONE",
        display_name: name,
        dependents: [],
        order_in_group: order,
      },
      value: {
        name,
        value: config[name] ?? null,
        recommended_values: [],
        errors:
          config[name] === undefined ? [`Missing required configuration "${name}" which has no default value.`] : [],
        visible: true,
      },
    }));
    return {
      name: plugin,
      error_count: configs.filter(({ value }) => value.errors.length > 0).length,
      groups: [],
      configs,
    };
  }

  function loggersOf(ip: string): FakeWorker["loggers"] {
    const worker = workers.get(ip);
    if (worker === undefined) throw new Refusal(404, `no worker ${ip}`);
    return worker.loggers;
  }

  function setLevel(ip: string, logger: string, { level }: { readonly level: string }): readonly string[] {
    const changed = { level, last_modified: 1 };
    const meant = [...loggersOf(ip).keys()].filter((other) => logger === "root" || other.startsWith(`${logger}.`));
    for (const name of [logger, ...meant]) loggersOf(ip).set(name, changed);
    return [logger, ...meant];
  }

  function requireStopped(name: string): void {
    if (existing(name).targetState === "STOPPED") return;
    throw new Refusal(400, "Connectors must be in the STOPPED state before their offsets can be modified.");
  }

  function info(name: string) {
    return { name, config: existing(name).config, tasks: [], type: "source" };
  }

  function expanded(name: string) {
    const { config, status, idle } = existing(name);
    const tasks = idle ? [] : status.tasks.map(({ id }) => ({ connector: name, task: id }));
    return { info: { name, config, tasks, type: "source" }, status };
  }

  function changeState(name: string, targetState: TargetState): void {
    const connector = existing(name);
    connector.targetState = targetState;
    if (fake.lazyTasks) {
      connector.status.connector.state = settledState(connector);
      connector.idle = connector.status.tasks.length === 0;
      tell(name);
      return;
    }
    restate(name, connector, fake.slow ? connector.status.connector.state : settledState(connector));
    tell(name);
  }

  /** Answers [status, body]. */
  function answer(ip: string, method: string, path: string, body: unknown): readonly [number, unknown] {
    const [, first = "", name = "", ...rest] = path.split("?")[0]?.split("/").map(decodeURIComponent) ?? [];
    const route = `${method} /${first}${name === "" ? "" : "/*"}${rest.map((part) => `/${part}`).join("")}`;
    if (fake.jvm && first === "headrace") throw new Refusal(404, "HTTP 404 Not Found");
    switch (route) {
      case "GET /connectors":
        return [200, Object.fromEntries([...connectors.keys()].map((one) => [one, expanded(one)]))];
      case "GET /connectors/*/topics":
        return [200, { [name]: { topics: existing(name).topics } }];
      case "GET /connector-plugins":
        return [200, Object.keys(REQUIRED).map((plugin) => ({ class: plugin, type: "source", version: "1.0.0" }))];
      case "GET /connector-plugins/*/config":
        if (REQUIRED[name] === undefined) throw new Refusal(404, `Unknown plugin ${name}.`);
        return [200, []];
      case "PUT /connector-plugins/*/config/validate":
        return [200, validate(name, body as StringMap)];
      case "POST /connectors": {
        const request = body as { name: string; config: StringMap; initial_state?: string };
        if (connectors.has(request.name)) throw new Refusal(409, `Connector ${request.name} already exists`);
        const state = request.initial_state ?? "RUNNING";
        add(request.name, request.config, state === "RUNNING" ? "STARTED" : (state as TargetState), fake.slow);
        return [201, info(request.name)];
      }
      case "PUT /connectors/*/config": {
        const { targetState } = existing(name);
        if (fake.lazyTasks) {
          existing(name).config = body as StringMap;
          tell(name);
          return [200, info(name)];
        }
        add(name, body as StringMap, targetState, fake.slow);
        return [200, info(name)];
      }
      case "PUT /connectors/*/pause":
        changeState(name, "PAUSED");
        return [202, undefined];
      case "PUT /connectors/*/resume":
        changeState(name, "STARTED");
        return [202, undefined];
      case "PUT /connectors/*/stop":
        changeState(name, "STOPPED");
        return [204, undefined];
      case "DELETE /connectors/*":
        existing(name);
        connectors.delete(name);
        tell(name);
        return [204, undefined];
      case "POST /connectors/*/restart":
        restate(name, existing(name), "RUNNING");
        tell(name);
        if (fake.hopeless) fake.setState(name, 0, "FAILED", "still broken");
        return [204, undefined];
      case "GET /admin/*":
        return [200, Object.fromEntries(loggersOf(ip))];
      case "GET /connectors/*/offsets":
        existing(name);
        return [200, JSON.parse(fake.offsets.get(name) ?? NO_OFFSETS, exactIntegers)];
      case "PATCH /connectors/*/offsets":
        requireStopped(name);
        fake.offsets.set(name, JSON.stringify(body));
        return [200, { message: "The offsets for this connector have been altered successfully" }];
      case "DELETE /connectors/*/offsets":
        requireStopped(name);
        fake.offsets.delete(name);
        return [200, { message: "The offsets for this connector have been reset successfully" }];
      case "GET /headrace/*":
        if (name === "group") return [200, fake.group];
        return [200, { workerId: `${ip}:8083`, memberId: `member-${ip}`, podUid: null, draining: false }];
      case "POST /headrace/*":
        return [202, undefined];
      default:
        if (first === "admin") return [200, setLevel(ip, rest[0] ?? "", body as { level: string })];
        if (method === "POST" && rest.at(-1) === "gone") return [202, undefined];
        if (method === "POST" && rest.at(-1) === "restart") {
          const task = Number(rest.at(-2));
          if (existing(name).status.tasks[task] === undefined) throw new Refusal(404, `Unknown task: ${name}-${task}`);
          fake.setState(name, task, "RUNNING");
          if (fake.hopeless) fake.setState(name, task, "FAILED", "still broken");
          return [204, undefined];
        }
        throw new Refusal(404, `HTTP 404 Not Found: ${route}`);
    }
  }

  async function handle(
    ip: string,
    worker: FakeWorker,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { method = "GET", url: path = "/" } = request;
    if (path === "/headrace/events" && !fake.jvm) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      worker.streams.add(response);
      streamsOpened += 1;
      const pings = setInterval(() => (worker.silent ? undefined : write(response, { kind: "ping" })), PING_MS);
      request.on("close", () => {
        clearInterval(pings);
        worker.streams.delete(response);
      });
      if (worker.silent) return;
      const all = Object.fromEntries([...connectors].map(([name, connector]) => [name, snapshotOf(connector)]));
      write(response, { kind: "snapshot", workerId: `${ip}:8083`, connectors: all });
      write(response, { kind: "group", group: groupAsSeenBy(worker) });
      return;
    }
    const hasBody = Number(request.headers["content-length"] ?? 0) > 0;
    const body = hasBody ? JSON.parse(await text(request), exactIntegers) : undefined;
    calls.push({ ip, method, path, body });
    if (worker.silent || fake.hang?.(body) === true) return;
    try {
      const index = failures.findIndex((failure) => failure.method === method && path.startsWith(failure.path));
      const [failure] = index === -1 ? [] : failures.splice(index, 1);
      if (failure !== undefined) throw failure.refusal;
      const [status, result] = answer(ip, method, path, body);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(result === undefined ? undefined : JSON.stringify(result));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      response.writeHead(error.status, { "content-type": "application/json" });
      response.end(JSON.stringify({ error_code: error.status, message: error.message }));
    }
  }

  const fake: FakeConnect = {
    endpoint: ({ ip }) => ({ url: `http://127.0.0.1:${workers.get(ip)?.port ?? 1}`, headers: {} }),
    calls,
    connectors,
    group: EMPTY_GROUP,
    jvm: false,
    slow: false,
    lazyTasks: false,
    hopeless: false,
    offsets: new Map(),
    async addWorker(ip, tls) {
      const listener = (request: IncomingMessage, response: ServerResponse) =>
        void handle(ip, worker, request, response);
      const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
      const place = atPodAddress ? { host: ip, port: 8083 } : { host: "127.0.0.1", port: 0 };
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(place, resolve));
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const close = () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        });
      const loggers = new Map([
        ["root", { level: "INFO", last_modified: null }],
        ["org.x", { level: "INFO", last_modified: null }],
      ]);
      const worker: FakeWorker = { port, silent: false, inGroup: true, streams: new Set(), loggers, close };
      workers.set(ip, worker);
    },
    async killWorker(ip) {
      const worker = workers.get(ip);
      workers.delete(ip);
      await worker?.close();
    },
    hang: null,
    freeze(frozen) {
      for (const worker of workers.values()) {
        worker.silent = frozen;
        if (!frozen) for (const stream of worker.streams) stream.destroy();
      }
    },
    silence(ip) {
      const worker = workers.get(ip);
      if (worker !== undefined) worker.silent = true;
    },
    logLevels: (ip) => Object.fromEntries([...loggersOf(ip)].map(([name, { level }]) => [name, level])),
    streamsOpened: () => streamsOpened,
    setInGroup(ip, inGroup) {
      const worker = workers.get(ip);
      if (worker === undefined) return;
      worker.inGroup = inGroup;
      for (const stream of worker.streams) write(stream, { kind: "group", group: groupAsSeenBy(worker) });
    },
    addConnector: (name, config) => add(name, config, "STARTED", false),
    setState(name, task, state, trace) {
      const connector = existing(name);
      const instance =
        task === null ? connector.status.connector : connector.status.tasks.find(({ id }) => id === task);
      if (instance === undefined) throw new Error(`${name} has no task ${task}`);
      const { trace: _, ...rest } = instance;
      Object.assign(instance, rest, { state });
      if (trace === undefined) delete instance.trace;
      else instance.trace = trace;
      const optional = trace === undefined ? {} : { trace };
      send({ kind: "status", connector: name, task, state, workerId: instance.worker_id, generation: 1, ...optional });
    },
    settle(name) {
      const connector = existing(name);
      connector.idle = false;
      restate(name, connector, settledState(connector));
      tell(name);
    },
    failNext: (method, path, status, message) =>
      void failures.push({ method, path, refusal: new Refusal(status, message) }),
    async close() {
      await Promise.all([...workers.values()].map((worker) => worker.close()));
    },
  };
  return fake;
}
