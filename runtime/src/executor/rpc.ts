import { ConnectError, type ErrorCode } from "../errors.ts";
import { formatTrace } from "../trace.ts";
import type { ChannelError } from "./channel.ts";

/**
 * Calls, replies and notices over a message port; the same code on both sides of the executor channel.
 *
 * Guarantees: messages of one direction are handled in the order they were sent; a call settles exactly once: by its reply, by its
 * signal, or by the port's end. Assumptions: the port delivers whole messages in order, or closes.
 */

/** One end of a two-way message channel. */
export interface MessagePort {
  /** Never throws for a port that is already closed: its end is told by `onClose`. */
  send(message: object): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, also if the port is closed already. */
  onClose(listener: () => void): void;
}

/** What one side may ask of the other: argument and result types by name. */
export type CallMap<C> = { [N in keyof C]: { args: unknown; result: unknown } };

/** How one side answers. `signal` aborts when the caller gave up or the port has closed. */
export type Handlers<C extends CallMap<C>> = {
  readonly [N in keyof C]: (args: C[N]["args"], signal: AbortSignal) => C[N]["result"] | Promise<C[N]["result"]>;
};

/** The calling half of a connection. */
export interface Rpc<C extends CallMap<C>, Notice> {
  /**
   * Rejects with the remote error as {@link ConnectError} (its code, or `internal`), with `signal.reason` when `signal` aborts (the other
   * side is told and may stop), and with code `executor-gone` when the port closes.
   */
  call<N extends keyof C & string>(name: N, args: C[N]["args"], signal: AbortSignal): Promise<C[N]["result"]>;
  /** Sends and forgets. */
  notify(notice: Notice): void;
  /** Aborts when the port has closed. */
  readonly closed: AbortSignal;
}

export interface RpcOptions<In extends CallMap<In>, InNotice> {
  readonly port: MessagePort;
  readonly handlers: Handlers<In>;
  readonly onNotice: (notice: InNotice) => void;
}

/** Connects one side. `Out` and `OutNotice` are what this side sends, `In` and `InNotice` what it answers. */
export function connectRpc<Out extends CallMap<Out>, OutNotice, In extends CallMap<In>, InNotice>(
  options: RpcOptions<In, InNotice>,
): Rpc<Out, OutNotice> {
  const { port, handlers, onNotice } = options;
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const serving = new Map<number, AbortController>();
  const closing = new AbortController();
  let lastId = 0;

  async function serve(id: number, name: string, args: unknown): Promise<void> {
    const controller = new AbortController();
    serving.set(id, controller);
    try {
      const handler = findHandler(handlers, name);
      port.send({ kind: "reply", id, result: await handler(args, controller.signal) });
    } catch (error) {
      port.send({ kind: "reply", id, error: toChannelError(error) });
    } finally {
      serving.delete(id);
    }
  }

  function settle(id: number, result: unknown, error: ChannelError | undefined): void {
    const waiting = pending.get(id);
    if (waiting === undefined) return;
    pending.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(fromChannelError(error));
  }

  port.onMessage((raw) => {
    const message = decodeMessage<InNotice>(raw);
    switch (message.kind) {
      case "call":
        void serve(message.id, message.name, message.args);
        return;
      case "reply":
        settle(message.id, message.result, message.error);
        return;
      case "cancel":
        serving.get(message.id)?.abort(new ConnectError("timeout", "the caller gave up"));
        return;
      case "notice":
        onNotice(message.notice);
        return;
      default:
        throw new Error(`unreachable: ${message satisfies never}`);
    }
  });

  port.onClose(() => {
    const gone = new ConnectError("executor-gone", "the channel between worker and executor has closed");
    closing.abort(gone);
    for (const waiting of pending.values()) waiting.reject(gone);
    pending.clear();
    for (const controller of serving.values()) controller.abort(gone);
  });

  return {
    closed: closing.signal,
    notify: (notice) => port.send({ kind: "notice", notice }),
    call(name, args, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (closing.signal.aborted) return Promise.reject(closing.signal.reason);
      lastId += 1;
      const id = lastId;
      const waiting = Promise.withResolvers<unknown>();
      pending.set(id, waiting);
      const giveUp = () => {
        pending.delete(id);
        port.send({ kind: "cancel", id });
        waiting.reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      port.send({ kind: "call", id, name, args });
      return decodeResult(waiting.promise.finally(() => signal.removeEventListener("abort", giveUp)));
    },
  };
}

/** What `process` (with an IPC channel) and a `ChildProcess` have in common. */
export interface IpcEnd {
  readonly connected?: boolean | undefined;
  send?(message: object, callback: (error: Error | null) => void): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "disconnect", listener: () => void): unknown;
}

/** The port over Node's IPC; the processes must be forked with `serialization: "advanced"`. */
export function ipcPort(end: IpcEnd): MessagePort {
  return {
    send(message) {
      if (end.connected !== true) return;
      end.send?.(message, ignoreClosedPort);
    },
    onMessage: (listener) => {
      end.on("message", listener);
    },
    onClose: (listener) => {
      if (end.connected === true) end.once("disconnect", listener);
      else queueMicrotask(listener);
    },
  };
}

/** A failed send is always followed by `disconnect`, which settles whatever waits. */
function ignoreClosedPort(): void {}

const ERROR_CODES = {
  "bad-request": true,
  "not-found": true,
  "already-exists": true,
  conflict: true,
  rebalance: true,
  forbidden: true,
  "invalid-signature": true,
  unavailable: true,
  timeout: true,
  "config-invalid": true,
  kafka: true,
  "kafka-access": true,
  fenced: true,
  "executor-gone": true,
  internal: true,
} as const satisfies Record<ErrorCode, true>;

function isErrorCode(code: string | null): code is ErrorCode {
  return code !== null && Object.hasOwn(ERROR_CODES, code);
}

/** An error in the form that crosses the channel; an sdk ConfigError gets the code `config-invalid`. */
export function toChannelError(error: unknown): ChannelError {
  if (!(error instanceof Error)) return { name: "Error", code: null, message: String(error), stack: String(error) };
  return { name: error.name, code: codeOf(error), message: error.message, stack: formatTrace(error) };
}

function codeOf(error: Error): string | null {
  if (error.name === "ConfigError") return "config-invalid";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "timeout";
  return "code" in error && typeof error.code === "string" ? error.code : null;
}

/** The received error as a local one; its stack is the remote one. */
export function fromChannelError(error: ChannelError): ConnectError {
  const local = new ConnectError(isErrorCode(error.code) ? error.code : "internal", error.message);
  local.stack = error.stack;
  return local;
}

type Message<Notice> =
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly args: unknown }
  | { readonly kind: "reply"; readonly id: number; readonly result?: unknown; readonly error?: ChannelError }
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "notice"; readonly notice: Notice };

/** Decoder: both ends are this file, of one version, in one process tree. */
function decodeMessage<Notice>(raw: unknown): Message<Notice> {
  return raw as Message<Notice>;
}

/** Decoder: the other end's handler is typed by the same call map. */
function decodeResult<T>(result: Promise<unknown>): Promise<T> {
  return result as Promise<T>;
}

function findHandler<C extends CallMap<C>>(
  handlers: Handlers<C>,
  name: string,
): (args: unknown, signal: AbortSignal) => unknown {
  if (!Object.hasOwn(handlers, name)) throw new ConnectError("internal", `unknown call ${name}`);
  return handlers[name as keyof C] as (args: unknown, signal: AbortSignal) => unknown;
}
