import {
  ActiveTopics,
  AnyConfigInfos,
  type ConfigInfos,
  ConnectorInfo,
  ErrorMessage,
  ExpandedConnectors,
  GroupInfo,
  OffsetsMessage,
  PluginInfo,
  SelfInfo,
  SinkLag,
  StreamEvent,
  type StringMap,
} from "@headrace/contract";
import { z } from "zod";
import { withDeadline } from "../deadline.ts";
import type { ObjectKey } from "../kube/client.ts";
import { createLimiter, type Limiter } from "../kube/limiter.ts";
import { orAborted } from "../or-aborted.ts";
import { createWorkerFetch, type WorkerFetch } from "./fetch.ts";
import { serverSentEvents } from "./server-sent-events.ts";
import type { WorkerTls } from "./trust.ts";

/** One worker of one Connect cluster, by its pod's address. */
export interface Worker {
  readonly cluster: ObjectKey;
  readonly ip: string;
}

/** How to reach a worker: where, and with which headers. */
export interface Endpoint {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For https. */
  readonly tls?: WorkerTls;
}

/** What went wrong, as callers tell it apart. */
export type ConnectRestErrorCode =
  /** Nobody answers at the address, or the connection broke. */
  | "unreachable"
  /** No answer within the deadline. */
  | "timeout"
  | "not-found"
  /** The worker asks to come back: a rebalance, or the name is taken. */
  | "conflict"
  /** The worker refuses the request as it is. */
  | "rejected"
  /** The worker failed. */
  | "failed"
  /** The answer is not what a worker would say. */
  | "malformed";

/** A call to a worker that failed. `message` is the worker's own where it gave one. */
export class ConnectRestError extends Error {
  override readonly name = "ConnectRestError";
  readonly code: ConnectRestErrorCode;

  constructor(code: ConnectRestErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const LoggerLevel = z.object({ level: z.string().nullable(), last_modified: z.number().nullable().default(null) });

/** Levels of a worker's loggers. `last_modified` (epoch ms) is null for those that are as at the start. */
export type WorkerLoggers = Readonly<Record<string, z.infer<typeof LoggerLevel>>>;

/** A change of what a connector should do. */
export type StateChange = "pause" | "resume" | "stop";

export interface NewConnector {
  readonly name: string;
  readonly config: StringMap;
  readonly initialState: "RUNNING" | "PAUSED" | "STOPPED";
}

export interface RestartScope {
  readonly includeTasks: boolean;
  readonly onlyFailed: boolean;
}

/**
 * The workers' REST API, as far as the operator uses it. Every call has a deadline besides `signal`; calls in flight are
 * bounded per Connect cluster, so a cluster that hangs delays no other. Failures are ConnectRestError.
 */
export interface ConnectClient {
  plugins(worker: Worker, signal: AbortSignal): Promise<PluginInfo[]>;
  /** Whether the worker knows a connector plugin of this name, alias or class. */
  hasPlugin(worker: Worker, plugin: string, signal: AbortSignal): Promise<boolean>;
  validate(worker: Worker, plugin: string, config: StringMap, signal: AbortSignal): Promise<ConfigInfos>;
  create(worker: Worker, connector: NewConnector, signal: AbortSignal): Promise<ConnectorInfo>;
  putConfig(worker: Worker, name: string, config: StringMap, signal: AbortSignal): Promise<ConnectorInfo>;
  changeState(worker: Worker, name: string, change: StateChange, signal: AbortSignal): Promise<void>;
  /** Resolves also if it is gone already. */
  remove(worker: Worker, name: string, signal: AbortSignal): Promise<void>;
  restart(worker: Worker, name: string, scope: RestartScope, signal: AbortSignal): Promise<void>;
  restartTask(worker: Worker, name: string, task: number, signal: AbortSignal): Promise<void>;
  /** All connectors with their configurations and states, as any worker of Kafka Connect tells them. */
  expanded(worker: Worker, signal: AbortSignal): Promise<ExpandedConnectors>;
  /** The topics that a connector has used, sorted. */
  topics(worker: Worker, name: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Levels of the worker's loggers by name. */
  loggers(worker: Worker, signal: AbortSignal): Promise<WorkerLoggers>;
  /** Sets the level of a logger, and of those below it, on this worker until its process ends. */
  setLogLevel(worker: Worker, logger: string, level: string, signal: AbortSignal): Promise<void>;
  /** The connector's offsets as JSON text, with every digit of 64-bit integers. */
  offsets(worker: Worker, name: string, signal: AbortSignal): Promise<string>;
  /** How far a sink is behind. `not-found` also if the worker is not one of ours. */
  lag(worker: Worker, name: string, signal: AbortSignal): Promise<SinkLag>;
  /** Alters offsets of a stopped connector; `offsets` is JSON text as `offsets` gives it. Resolves with what the worker says. */
  alterOffsets(worker: Worker, name: string, offsets: string, signal: AbortSignal): Promise<string>;
  /** Forgets all offsets of a stopped connector. Resolves with what the worker says. */
  resetOffsets(worker: Worker, name: string, signal: AbortSignal): Promise<string>;
  self(worker: Worker, signal: AbortSignal): Promise<SelfInfo>;
  group(worker: Worker, signal: AbortSignal): Promise<GroupInfo>;
  /** Asks a worker to give all its work away. */
  drain(worker: Worker, signal: AbortSignal): Promise<void>;
  /** Tells a worker that the process behind another member of the group has ended. */
  reportGone(worker: Worker, memberId: string, signal: AbortSignal): Promise<void>;
  /** Follows the cluster's events until the connection ends, is silent for 10 s (then it throws), or `signal` aborts. */
  events(worker: Worker, signal: AbortSignal): AsyncIterable<StreamEvent>;
}

export interface ConnectClientOptions {
  /** Scheme and credentials. The default is plain HTTP on the workers' REST port. */
  readonly endpoint?: (worker: Worker, signal: AbortSignal) => Endpoint | Promise<Endpoint>;
  readonly fetch?: WorkerFetch;
  readonly readTimeoutMs?: number;
  readonly writeTimeoutMs?: number;
  /** The longest time without an event; workers ping every 5 s. */
  readonly silenceMs?: number;
  /** Told of the time in which a call waits for its turn or for a worker. */
  readonly waiting?: <R>(wait: () => Promise<R>) => Promise<R>;
}

const CALLS_PER_CLUSTER = 8;

/** A worker whose REST is plain HTTP. */
export function plainEndpoint({ ip }: Worker): Endpoint {
  return { url: `http://${hostIn(ip)}:8083`, headers: {} };
}

/** A worker whose REST is https. */
export function secureEndpoint({ ip }: Worker, tls: WorkerTls): Endpoint {
  return { url: `https://${hostIn(ip)}:8083`, headers: {}, tls };
}

function hostIn(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}

export function createConnectClient(options: ConnectClientOptions = {}): ConnectClient {
  const { endpoint = plainEndpoint, readTimeoutMs = 5_000, writeTimeoutMs = 30_000, silenceMs = 10_000 } = options;
  const { fetch: doFetch = createWorkerFetch(), waiting = (wait) => wait() } = options;
  const limiters = new Map<string, Limiter>();

  function limiterOf({ namespace, name }: ObjectKey): Limiter {
    const key = `${namespace}/${name}`;
    const limiter = limiters.get(key) ?? createLimiter(CALLS_PER_CLUSTER);
    limiters.set(key, limiter);
    return limiter;
  }

  async function call<T>(worker: Worker, request: Request<T>, signal: AbortSignal): Promise<T> {
    const text = await exchange(worker, { ...request, body: toText(request.body) }, signal);
    return parseAnswer(`${request.method} ${request.path}`, text, request.answer);
  }

  /** The text of a successful answer. */
  async function exchange(worker: Worker, request: TextRequest, signal: AbortSignal): Promise<string> {
    const { method, path, body } = request;
    const doing = `${method} ${path}`;
    const attempt = (bounded: AbortSignal) =>
      withDeadline(
        method === "GET" ? readTimeoutMs : writeTimeoutMs,
        async (deadline) => {
          const { url, headers, ...security } = await endpoint(worker, deadline);
          const request = {
            ...security,
            method,
            headers: { ...headers, accept: "application/json", "content-type": "application/json" },
            ...(body === undefined ? {} : { body }),
          };
          const response = await doFetch(url + path, request, deadline);
          return { status: response.status, text: await response.text() };
        },
        bounded,
      );
    const limiter = limiterOf(worker.cluster);
    const { status, text } = await waiting(() => limiter.run(() => attempt(signal), signal)).catch((error: unknown) => {
      signal.throwIfAborted();
      throw toRestError(doing, worker, error);
    });
    if (status < 200 || status > 299) throw refusal(doing, status, text);
    return text;
  }

  return {
    plugins: (worker, signal) =>
      call(worker, { method: "GET", path: "/connector-plugins", answer: z.array(PluginInfo) }, signal),
    async hasPlugin(worker, plugin, signal) {
      const path = `/connector-plugins/${encodeURIComponent(plugin)}/config`;
      try {
        await call(worker, { method: "GET", path, answer: z.unknown() }, signal);
        return true;
      } catch (error) {
        if (isConnectError(error, "not-found")) return false;
        throw error;
      }
    },
    validate(worker, plugin, config, signal) {
      const path = `/connector-plugins/${encodeURIComponent(plugin)}/config/validate`;
      return call(worker, { method: "PUT", path, body: config, answer: AnyConfigInfos }, signal);
    },
    create(worker, { name, config, initialState }, signal) {
      const body = { name, config, initial_state: initialState };
      return call(worker, { method: "POST", path: "/connectors", body, answer: ConnectorInfo }, signal);
    },
    putConfig: (worker, name, config, signal) =>
      call(
        worker,
        { method: "PUT", path: `${connectorPath(name)}/config`, body: config, answer: ConnectorInfo },
        signal,
      ),
    changeState: (worker, name, change, signal) =>
      call(worker, { method: "PUT", path: `${connectorPath(name)}/${change}`, answer: nothing }, signal),
    async remove(worker, name, signal) {
      try {
        await call(worker, { method: "DELETE", path: connectorPath(name), answer: nothing }, signal);
      } catch (error) {
        if (!isConnectError(error, "not-found")) throw error;
      }
    },
    restart(worker, name, { includeTasks, onlyFailed }, signal) {
      const path = `${connectorPath(name)}/restart?includeTasks=${includeTasks}&onlyFailed=${onlyFailed}`;
      return call(worker, { method: "POST", path, answer: nothing }, signal);
    },
    restartTask: (worker, name, task, signal) =>
      call(worker, { method: "POST", path: `${connectorPath(name)}/tasks/${task}/restart`, answer: nothing }, signal),
    expanded: (worker, signal) =>
      call(
        worker,
        { method: "GET", path: "/connectors?expand=info&expand=status", answer: ExpandedConnectors },
        signal,
      ),
    async topics(worker, name, signal) {
      const path = `${connectorPath(name)}/topics`;
      const answer = await call(worker, { method: "GET", path, answer: ActiveTopics }, signal);
      return (answer[name]?.topics ?? []).toSorted();
    },
    loggers: (worker, signal) =>
      call(worker, { method: "GET", path: "/admin/loggers", answer: z.record(z.string(), LoggerLevel) }, signal),
    setLogLevel(worker, logger, level, signal) {
      const path = `/admin/loggers/${encodeURIComponent(logger)}`;
      return call(worker, { method: "PUT", path, body: { level }, answer: nothing }, signal);
    },
    offsets: (worker, name, signal) => exchange(worker, { method: "GET", path: offsetsPath(name) }, signal),
    lag: (worker, name, signal) =>
      call(worker, { method: "GET", path: `/headrace${connectorPath(name)}/lag`, answer: SinkLag }, signal),
    async alterOffsets(worker, name, offsets, signal) {
      const request = { method: "PATCH", path: offsetsPath(name), body: offsets } as const;
      const text = await exchange(worker, request, signal);
      return parseAnswer(`PATCH ${request.path}`, text, OffsetsMessage).message;
    },
    async resetOffsets(worker, name, signal) {
      const request = { method: "DELETE", path: offsetsPath(name), answer: OffsetsMessage } as const;
      return (await call(worker, request, signal)).message;
    },
    self: (worker, signal) => call(worker, { method: "GET", path: "/headrace/self", answer: SelfInfo }, signal),
    group: (worker, signal) => call(worker, { method: "GET", path: "/headrace/group", answer: GroupInfo }, signal),
    drain: (worker, signal) => call(worker, { method: "POST", path: "/headrace/drain", answer: nothing }, signal),
    reportGone(worker, memberId, signal) {
      const path = `/headrace/workers/${encodeURIComponent(memberId)}/gone`;
      return call(worker, { method: "POST", path, answer: nothing }, signal);
    },
    async *events(worker, signal) {
      const doing = "GET /headrace/events";
      const connection = new AbortController();
      const whole = AbortSignal.any([signal, connection.signal]);
      try {
        const response = await withDeadline(
          readTimeoutMs,
          async (deadline) => {
            const { url, headers, ...security } = await endpoint(worker, deadline);
            const request = { ...security, method: "GET", headers: { ...headers, accept: "text/event-stream" } };
            return await doFetch(`${url}/headrace/events`, request, AbortSignal.any([whole, deadline]));
          },
          signal,
        );
        if (!response.ok || response.body === null) throw refusal(doing, response.status, await response.text());
        const messages = serverSentEvents(response.body);
        for (;;) {
          const next = await withDeadline(silenceMs, (deadline) => orAborted(messages.next(), deadline), signal);
          if (next.done === true) return;
          yield parseAnswer(doing, next.value, StreamEvent);
        }
      } catch (error) {
        if (signal.aborted) return;
        throw toRestError(doing, worker, error);
      } finally {
        connection.abort();
      }
    },
  };
}

/** True for a ConnectRestError with one of these codes. */
export function isConnectError(error: unknown, ...codes: readonly ConnectRestErrorCode[]): error is ConnectRestError {
  return error instanceof ConnectRestError && (codes.length === 0 || codes.includes(error.code));
}

/** The first worker's answer; a worker that cannot be reached is passed over for the next one. */
export async function firstAnswer<T>(
  workers: readonly Worker[],
  ask: (worker: Worker) => Promise<T>,
): Promise<{ readonly worker: Worker; readonly answer: T }> {
  let last: unknown = new ConnectRestError("unreachable", "no worker is ready");
  for (const worker of workers) {
    try {
      return { worker, answer: await ask(worker) };
    } catch (error) {
      if (!isConnectError(error, "unreachable", "timeout")) throw error;
      last = error;
    }
  }
  throw last;
}

interface TextRequest {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: string | undefined;
}

interface Request<T> extends Omit<TextRequest, "body"> {
  readonly body?: object;
  readonly answer: z.ZodType<T>;
}

function toText(body: object | undefined): string | undefined {
  return body === undefined ? undefined : JSON.stringify(body);
}

/** For answers whose body does not matter. */
const nothing: z.ZodType<void> = z.unknown().transform(() => undefined);

function connectorPath(name: string): string {
  return `/connectors/${encodeURIComponent(name)}`;
}

function offsetsPath(name: string): string {
  return `${connectorPath(name)}/offsets`;
}

function refusal(doing: string, status: number, text: string): ConnectRestError {
  const message = messageIn(text) ?? `${doing} answered ${status}`;
  if (status === 404) return new ConnectRestError("not-found", message);
  if (status === 409) return new ConnectRestError("conflict", message);
  return new ConnectRestError(status < 500 ? "rejected" : "failed", message);
}

function messageIn(text: string): string | undefined {
  try {
    return ErrorMessage.safeParse(JSON.parse(text)).data?.message ?? undefined;
  } catch {
    return undefined;
  }
}

function parseAnswer<T>(doing: string, text: string, answer: z.ZodType<T>): T {
  let body: unknown;
  try {
    body = text === "" ? undefined : JSON.parse(text);
  } catch (error) {
    throw new ConnectRestError("malformed", `${doing}: the answer is not JSON`, { cause: error });
  }
  const parsed = answer.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new ConnectRestError("malformed", `${doing}: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
}

function toRestError(doing: string, { ip }: Worker, error: unknown): ConnectRestError {
  if (isConnectError(error)) return error;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new ConnectRestError("timeout", `worker ${ip} did not answer in time (${doing})`, { cause: error });
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error && cause.message !== "" ? cause.message : String(cause);
  return new ConnectRestError("unreachable", `worker ${ip} cannot be reached: ${why}`, { cause: error });
}
