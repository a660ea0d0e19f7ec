import { spawn } from "node:child_process";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CONTAINER_MARK } from "./container-process.ts";
import type { Container, Handler, HttpGet } from "./pod.ts";

/** What a probe or lifecycle hook is run against: one run of a container. */
export interface HandlerTarget {
  readonly container: Container;
  readonly podIP: string;
  /** Directory of the run, its mark. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Replaces mount paths in commands. */
  readonly mapPath: (text: string) => string;
}

/** Whether it went well, and a sentence if not. */
export interface HandlerResult {
  readonly ok: boolean;
  readonly message: string;
}

const OUTPUT_LIMIT = 10_000;

/** Runs a probe's or hook's handler once. Never throws; when `signal` is aborted the answer is a failure that says so. */
export async function runHandler(handler: Handler, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  try {
    if (handler.exec !== undefined) return await runCommand(handler.exec.command ?? [], target, signal);
    if (handler.httpGet !== undefined) return await get(handler.httpGet, target, signal);
    if (handler.tcpSocket !== undefined) {
      const { host, port } = handler.tcpSocket;
      return await connect(host ?? target.podIP, portNumber(port, target.container), signal);
    }
    if (handler.sleep !== undefined) {
      await sleep(handler.sleep.seconds * 1000, undefined, { signal });
      return { ok: true, message: "" };
    }
    return { ok: false, message: "this kind of probe is not supported by the local agent" };
  } catch (error) {
    if (signal.aborted) return { ok: false, message: "context deadline exceeded" };
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function portNumber(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  if (named === undefined) throw new Error(`the container has no port named ${port}`);
  return named;
}

/** 200 to 399 is success, as for the kubelet; certificates are not checked. */
function get(action: HttpGet, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const { scheme = "HTTP", host = target.podIP, path = "/", httpHeaders = [] } = action;
  const options = {
    host,
    port: portNumber(action.port, target.container),
    path: path.startsWith("/") ? path : `/${path}`,
    headers: Object.fromEntries([
      ["user-agent", "kube-probe/1.34"],
      ["accept", "*/*"],
      ["connection", "close"],
      ...httpHeaders.map(({ name, value }) => [name, value]),
    ]),
    agent: false,
    rejectUnauthorized: false,
    signal,
  } as const;
  return new Promise((resolve, reject) => {
    const outgoing = scheme === "HTTPS" ? httpsRequest(options) : httpRequest(options);
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      response.on("error", reject);
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        const ok = status >= 200 && status < 400;
        resolve({ ok, message: ok ? "" : `HTTP probe failed with statuscode: ${status}` });
      });
      response.resume();
    });
    outgoing.end();
  });
}

function connect(host: string, port: number, signal: AbortSignal): Promise<HandlerResult> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, signal });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.destroy();
      resolve({ ok: true, message: "" });
    });
  });
}

function runCommand(command: readonly string[], target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const [program = "", ...args] = command.map(target.mapPath);
  const child = spawn(program, args, {
    cwd: target.cwd,
    env: { ...target.env, [CONTAINER_MARK]: target.dir },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  let output = "";
  const collect = (chunk: Buffer) => {
    if (output.length < OUTPUT_LIMIT) output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      resolve({ ok: code === 0, message: code === 0 ? "" : `command failed: ${output.trim()}` }),
    );
  });
}
