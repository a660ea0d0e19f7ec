import type { WorkerConfig } from "@headrace/contract";

/** Where a server listens. */
export interface Listener {
  /** null: all interfaces. */
  readonly host: string | null;
  /** 0: the kernel chooses. */
  readonly port: number;
}

export type ParsedListener =
  | { readonly kind: "valid"; readonly listener: Listener }
  | { readonly kind: "invalid"; readonly expected: string };

const LISTENER = /^(https?):\/\/(?:\[([^\]]*)\]|([^:/]*)):(\d{1,5})\/?$/i;

/** Parses `http://host:port`; an empty host means all interfaces, an IPv6 address stands in brackets. */
export function parseListener(text: string): ParsedListener {
  const match = LISTENER.exec(text);
  if (match === null) return { kind: "invalid", expected: "must be a list of http://host:port" };
  const [, scheme, ipv6, name, port] = match;
  if (scheme?.toLowerCase() === "https") {
    return { kind: "invalid", expected: "must use http: TLS for the REST API is not supported yet" };
  }
  const number = Number(port);
  if (number > 65_535) return { kind: "invalid", expected: "must have a port up to 65535" };
  const host = ipv6 ?? name ?? "";
  return { kind: "valid", listener: { host: host === "" ? null : host, port: number } };
}

/** The listener that {@link parseListener} has accepted before. Throws if it had not. */
export function requireListener(text: string): Listener {
  const parsed = parseListener(text);
  if (parsed.kind === "invalid") throw new Error(`listener ${text} ${parsed.expected}`);
  return parsed.listener;
}

/** Under which host and port other workers reach this one; `bound` is where the first listener really listens. */
export function advertised(
  config: WorkerConfig,
  bound: { readonly host: string | null; readonly port: number },
  hostname: string,
): { readonly workerId: string; readonly url: string } {
  const host = config["rest.advertised.host.name"] || bound.host || hostname;
  const port = config["rest.advertised.port"] ?? bound.port;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { workerId: authority, url: `http://${authority}/` };
}

const METRICS_PORT = 9404;

/** Where metrics and health checks are served; null: nowhere. `explicit`: the user asked for this address. */
export function metricsListener(config: WorkerConfig): (Listener & { readonly explicit: boolean }) | null {
  const given = config["headrace.metrics.listener"];
  if (given === null) {
    const first = requireListener(config.listeners[0] ?? "http://:8083");
    return { host: first.host, port: METRICS_PORT, explicit: false };
  }
  if (given === "") return null;
  const listener = requireListener(given);
  return listener.port === 0 ? null : { ...listener, explicit: true };
}
