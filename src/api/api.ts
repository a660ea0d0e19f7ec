import type { Logger } from "pino";
import type { ApiConfig } from "../config.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Reviews } from "../kube/reviews.ts";
import type { Endpoint, Worker } from "../worker/connect-client.ts";
import { createWorkerFetch } from "../worker/fetch.ts";
import { createFileCertificate, createOwnCertificate } from "./certificate.ts";
import type { ClusterGroup } from "./clusters.ts";
import { createDoorkeeper } from "./doorkeeper.ts";
import { type ApiMetrics, createApiHandler } from "./handler.ts";
import { serveApi } from "./server.ts";
import { createTurnstile } from "./turnstile.ts";

export interface ApiOptions {
  readonly config: ApiConfig;
  /** The operator's. */
  readonly namespace: string;
  readonly kube: KubeClient;
  readonly reviews: Reviews;
  readonly endpoint: (worker: Worker, signal: AbortSignal) => Endpoint | Promise<Endpoint>;
  readonly groups: readonly [ClusterGroup, ...ClusterGroup[]];
  readonly log: Logger;
  readonly metrics: ApiMetrics;
  readonly onListening?: ((port: number) => void) | undefined;
}

const LIMITS = {
  /** A worker answers after 90 s at the latest, be it with an error (`DEFAULT_REST_REQUEST_TIMEOUT_MS` of Connect). */
  answerMs: 100_000,
  silenceMs: 30_000,
  exchangeMs: 600_000,
} as const;
const FILE_RENEWAL_MS = 10_000;
const OWN_RENEWAL_MS = 600_000;

/** The operator's API for people: the REST APIs of all clusters, for those who have the right to see or change their KafkaConnects. */
export function createApi(options: ApiOptions): { run(signal: AbortSignal): Promise<void> } {
  const { config, namespace, kube, reviews, endpoint, groups, log, metrics, onListening } = options;
  const { host, port, certificateDir } = config;
  const certificate =
    certificateDir === undefined
      ? createOwnCertificate({ kube, namespace, now: Date.now })
      : createFileCertificate(certificateDir);
  return {
    run(signal) {
      const now = () => performance.now();
      const doorkeeper = createDoorkeeper({ reviews, log, now, reviewed: metrics.reviewed }, signal);
      const turnstile = createTurnstile({ total: 128, each: 16 });
      const fetch = createWorkerFetch();
      const handler = createApiHandler({ ...LIMITS, doorkeeper, turnstile, groups, endpoint, fetch, log, metrics });
      const renewalMs = certificateDir === undefined ? OWN_RENEWAL_MS : FILE_RENEWAL_MS;
      return serveApi({ host, port, certificate, renewalMs, handler, log, onListening }, signal);
    },
  };
}
