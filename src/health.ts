import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the probes ask. */
export interface HealthSources {
  /** What the operator still waits for before it is ready; empty when it is. */
  readonly waitingFor: () => readonly string[];
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/** The port of probes and metrics. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** `/healthz`: the process answers. `/readyz`: all caches are synced. `/metrics`: Prometheus text. */
export async function openHealthServer(
  address: { readonly host: string; readonly port: number },
  sources: HealthSources,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(new URL(request.url ?? "/", "http://health").pathname, sources)
      .catch((error: unknown) => text(500, String(error)))
      .then(({ status, contentType, body }) => response.writeHead(status, { "content-type": contentType }).end(body))
      .catch(() => response.destroy());
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  return {
    port: portOf(server.address()),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(path: string, { waitingFor, metrics }: HealthSources): Promise<Answer> {
  switch (path) {
    case "/healthz":
      return text(200, "ok");
    case "/readyz": {
      const missing = waitingFor();
      return missing.length === 0 ? text(200, "ok") : text(503, `waiting for ${missing.join(", ")}`);
    }
    case "/metrics":
      return { status: 200, contentType: metrics.contentType, body: await metrics.text() };
    default:
      return text(404, "not found");
  }
}

function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body: `${body}\n` };
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
