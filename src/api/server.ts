import { createServer } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import type { KeyPair } from "../pki/certificate.ts";
import type { CertificateSource } from "./certificate.ts";
import type { ApiHandler } from "./handler.ts";

export interface ApiServerOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly certificate: CertificateSource;
  /** Pause between two looks at the certificate, ms. */
  readonly renewalMs: number;
  readonly handler: ApiHandler;
  readonly log: Logger;
  /** Told once, when the port is open. */
  readonly onListening?: ((port: number) => void) | undefined;
}

const RETRY_MS = 10_000;
const MAX_CONNECTIONS = 512;
/** Time that exchanges get to come to their end when the operator stops. */
const GRACE_MS = 2_000;

/**
 * Serves the API over https until `signal` aborts. Waits for its first certificate; a later one that cannot be had is logged, and the former stays.
 * Throws if the port cannot be opened.
 */
export async function serveApi(options: ApiServerOptions, signal: AbortSignal): Promise<void> {
  const { host, port, handler, log, onListening } = options;
  let shown = await firstCertificate(options, signal);
  if (shown === null) return;
  const over = new AbortController();
  const tls = { ...toContext(shown), minVersion: "TLSv1.2", handshakeTimeout: 10_000 } as const;
  const server = createServer(tls, (incoming, response) => {
    handler(incoming, response, over.signal).catch(() => response.destroy());
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 30_000;
  server.maxConnections = MAX_CONNECTIONS;
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.on("error", reject);
  server.listen(port, host, resolve);
  await listening;
  const address = server.address();
  const opened = typeof address === "object" && address !== null ? address.port : port;
  log.info({ port: opened }, "api opened");
  onListening?.(opened);
  try {
    for (;;) {
      await sleep(options.renewalMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const next = await lookAgain(options, signal);
      if (next === null || next === shown) continue;
      server.setSecureContext(toContext(next));
      shown = next;
    }
  } finally {
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeIdleConnections();
    const grace = setTimeout(() => {
      over.abort();
      server.closeAllConnections();
    }, GRACE_MS);
    await closed;
    clearTimeout(grace);
  }
}

async function firstCertificate(options: ApiServerOptions, signal: AbortSignal): Promise<KeyPair | null> {
  for (;;) {
    const certificate = await lookAgain(options, signal);
    if (certificate !== null || signal.aborted) return certificate;
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function lookAgain({ certificate, log }: ApiServerOptions, signal: AbortSignal): Promise<KeyPair | null> {
  try {
    const found = await certificate.current(signal);
    // Throws if it is none, or the key is another one's.
    createSecureContext(toContext(found));
    return found;
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, "the api has no new certificate");
    return null;
  }
}

function toContext({ certificate, key }: KeyPair) {
  return { cert: certificate, key };
}
