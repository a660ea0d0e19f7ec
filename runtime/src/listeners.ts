import type { WorkerConfig } from "@headrace/contract";

/** Where a server listens. */
export interface Listener {
  readonly scheme: "http" | "https";
  /** null: all interfaces. */
  readonly host: string | null;
  /** 0: the kernel chooses. */
  readonly port: number;
}

export type ParsedListener =
  | { readonly kind: "valid"; readonly listener: Listener }
  | { readonly kind: "invalid"; readonly expected: string };

const LISTENER = /^(https?):\/\/(?:\[([^\]]*)\]|([^:/]*)):(\d{1,5})\/?$/i;

/** Parses `http://host:port` or `https://host:port`; an empty host means all interfaces, an IPv6 address stands in brackets. */
export function parseListener(text: string): ParsedListener {
  const match = LISTENER.exec(text);
  if (match === null) return { kind: "invalid", expected: "must be a list of http://host:port or https://host:port" };
  const [, scheme, ipv6, name, port] = match;
  const number = Number(port);
  if (number > 65_535) return { kind: "invalid", expected: "must have a port up to 65535" };
  const host = ipv6 ?? name ?? "";
  return {
    kind: "valid",
    listener: {
      scheme: scheme?.toLowerCase() === "https" ? "https" : "http",
      host: host === "" ? null : host,
      port: number,
    },
  };
}

/** The listener that {@link parseListener} has accepted before. Throws if it had not. */
export function requireListener(text: string): Listener {
  const parsed = parseListener(text);
  if (parsed.kind === "invalid") throw new Error(`listener ${text} ${parsed.expected}`);
  return parsed.listener;
}

/** Where `/admin` is served: with everything else, nowhere, or on listeners of its own (contract §5.0). */
export function adminListeners(config: Pick<WorkerConfig, "admin.listeners">): "same" | readonly string[] {
  const given = config["admin.listeners"];
  if (given === null) return "same";
  return given
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

type Advertising = Pick<
  WorkerConfig,
  "listeners" | "rest.advertised.host.name" | "rest.advertised.port" | "rest.advertised.listener"
>;

/** Which of the listeners other workers use: that of the scheme that is to be advertised, otherwise the first. Index into `listeners`. */
export function advertisedListener(config: Advertising): number {
  const scheme = config["rest.advertised.listener"]?.trim().toLowerCase() ?? "";
  if (scheme === "") return 0;
  const index = config.listeners.findIndex((text) => requireListener(text).scheme === scheme);
  return Math.max(index, 0);
}

/** Under which host and port other workers reach this one; `bound` is where the advertised listener really listens. */
export function advertised(
  config: Advertising,
  bound: { readonly host: string | null; readonly port: number },
  hostname: string,
): { readonly workerId: string; readonly url: string } {
  const { scheme } = requireListener(config.listeners[advertisedListener(config)] ?? "");
  const host = config["rest.advertised.host.name"] || bound.host || hostname;
  const port = config["rest.advertised.port"] ?? bound.port;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { workerId: authority, url: `${scheme}://${authority}/` };
}

const METRICS_PORT = 9404;

/** Where metrics and health checks are served; null: nowhere. `explicit`: the user asked for this address. */
export function metricsListener(config: WorkerConfig): (Listener & { readonly explicit: boolean }) | null {
  const given = config["headrace.metrics.listener"];
  if (given === null) {
    const first = requireListener(config.listeners[0] ?? "http://:8083");
    return { scheme: "http", host: first.host, port: METRICS_PORT, explicit: false };
  }
  if (given === "") return null;
  const listener = requireListener(given);
  return listener.port === 0 ? null : { ...listener, explicit: true };
}
