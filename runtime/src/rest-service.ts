import type { ConnectionOptions } from "node:tls";
import type { ConfigProblem, StringMap, WorkerConfig } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import { openHttpServers } from "./http-servers.ts";
import { adminListeners, advertised, advertisedListener, parseListener, requireListener } from "./listeners.ts";
import type { Logger } from "./log.ts";
import { createPeerFetch, type PeerFetch } from "./peer-fetch.ts";
import type { RestApi } from "./rest/api.ts";
import { parseOrigins } from "./rest/cors.ts";
import { type HeaderRule, parseHeaderRules } from "./rest/response-headers.ts";
import { createAdminServer, createRestServer } from "./rest/server.ts";
import { BASIC_AUTH_EXTENSIONS, readCredentials } from "./rest-credentials.ts";
import { openRestFiles, type RestFiles } from "./rest-files.ts";
import { type Fingerprints, hasIdentity } from "./rest-tls.ts";

/** The REST API's sockets, and how this worker reaches the others. */
export interface RestService {
  /** `host:port` under which this worker is known. */
  readonly workerId: string;
  readonly url: string;
  /** What the worker's truststore and keystore say now, for requests to other workers. */
  readonly peerTls: () => ConnectionOptions;
  /** What it shows and whom it trusts now. */
  readonly fingerprints: () => Fingerprints;
  readonly fetch: PeerFetch;
  /** Answers from now on; requests before that wait. */
  serve(api: RestApi, log: Logger): Promise<void>;
  /** Ends connections; requests that are being answered are cut off. */
  close(): Promise<void>;
}

/** What of the configuration decides how REST is served, read from its files. */
interface RestSettings {
  readonly files: RestFiles;
  readonly headers: readonly HeaderRule[];
  readonly credentials: ReadonlyMap<string, string> | null;
}

/** Binds the listeners. Rejects if one cannot be bound, with nothing left behind. */
export async function openRestService(options: {
  readonly config: WorkerConfig;
  readonly properties: StringMap;
  readonly hostname: string;
}): Promise<RestService> {
  const { config, properties } = options;
  const { files, headers, credentials } = readSettings(config, properties);
  const peerTls = () => files.tls().client;
  const bearer = config["headrace.rest.authentication"] === "required" ? files.bearer : null;
  const listeners = config.listeners.map(requireListener);
  const admin = adminListeners(config);
  await using opened = new AsyncDisposableStack();
  const { server } = files.tls();
  const servers = await openHttpServers(listeners, server);
  opened.defer(() => servers.close());
  const adminServers = admin === "same" ? null : await openHttpServers(admin.map(requireListener), server);
  if (adminServers !== null) opened.defer(() => adminServers.close());
  const index = advertisedListener(config);
  const bound = { host: listeners[index]?.host ?? null, port: servers.ports[index] ?? 0 };
  const apps: FastifyInstance[] = [];
  opened.defer(() => files.close());
  const cleanup = opened.move();
  return {
    ...advertised(config, bound, options.hostname),
    peerTls,
    fingerprints: () => files.tls().fingerprints,
    fetch: createPeerFetch(peerTls),
    async serve(api, log) {
      files.follow({
        log,
        onTls(renewed) {
          servers.renew(renewed.server);
          adminServers?.renew(renewed.server);
        },
      });
      const accessControl = {
        origins: config["access.control.allow.origin"],
        methods: config["access.control.allow.methods"],
      };
      const app = createRestServer(api, log, {
        accessControl,
        headers,
        credentials,
        bearer,
        admin: admin === "same",
      });
      apps.push(app);
      await app.ready();
      servers.serve(app);
      if (adminServers === null || adminServers.ports.length === 0) return;
      const adminApp = createAdminServer(api, log, bearer);
      apps.push(adminApp);
      await adminApp.ready();
      adminServers.serve(adminApp);
    },
    async close() {
      await Promise.all(apps.map((app) => app.close()));
      await cleanup.disposeAsync();
    },
  };
}

/** Everything that is wrong with the keys of REST; the same reading as when it is opened. */
export function restProblems(config: WorkerConfig, properties: StringMap): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add = (key: string, expected: string) => problems.push({ key, value: properties[key] ?? null, expected });
  const attempt = (key: string, read: () => unknown) => {
    try {
      read();
    } catch (error) {
      add(key, error instanceof Error ? error.message : String(error));
    }
  };
  const admin = adminListeners(config);
  const parsed = [
    ...config.listeners.map((text) => ["listeners", text] as const),
    ...(admin === "same" ? [] : admin.map((text) => ["admin.listeners", text] as const)),
  ].map(([key, text]) => ({ key, result: parseListener(text) }));
  for (const { key, result } of parsed) if (result.kind === "invalid") add(key, result.expected);
  const advertisedScheme = config["rest.advertised.listener"]?.toLowerCase() ?? "";
  const schemes = parsed.flatMap(({ key, result }) =>
    key === "listeners" && result.kind === "valid" ? [result.listener.scheme as string] : [],
  );
  if (advertisedScheme !== "" && !schemes.includes(advertisedScheme)) {
    add("rest.advertised.listener", "must be http or https, and a listener must have that scheme");
  }
  attempt("listeners.https.ssl.keystore", () => {
    const tls = openRestFiles(config, properties).tls();
    const https = parsed.some(({ result }) => result.kind === "valid" && result.listener.scheme === "https");
    if (https && !hasIdentity(tls)) {
      throw new Error("must be there for an https listener: set listeners.https.ssl.keystore.* or ssl.keystore.*");
    }
  });
  attempt("headrace.rest.authentication", () => {
    const plain = parsed.some(({ result }) => result.kind === "valid" && result.listener.scheme === "http");
    if (config["headrace.rest.authentication"] === "required" && plain) {
      throw new Error("needs listeners of scheme https only: tokens must not be sent in the clear");
    }
  });
  attempt("access.control.allow.origin", () => parseOrigins(config["access.control.allow.origin"]));
  attempt("response.http.headers.config", () => parseHeaderRules(config["response.http.headers.config"]));
  attempt("rest.extension.classes", () => readExtensions(config));
  return problems;
}

function readSettings(config: WorkerConfig, properties: StringMap): RestSettings {
  return {
    files: openRestFiles(config, properties),
    headers: parseHeaderRules(config["response.http.headers.config"]),
    credentials: readExtensions(config),
  };
}

/** The one extension that can be had: basic authentication. */
function readExtensions(config: WorkerConfig): ReadonlyMap<string, string> | null {
  const classes = config["rest.extension.classes"]
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  if (classes.length === 0) return null;
  const unknown = classes.filter((entry) => !BASIC_AUTH_EXTENSIONS.includes(entry));
  if (unknown.length > 0) {
    throw new Error(
      `cannot have Java classes; only BasicAuthSecurityRestExtension is known here, not ${unknown.join(", ")}`,
    );
  }
  const file = config["headrace.rest.jaas.file"];
  if (file === null || file === "")
    throw new Error("needs headrace.rest.jaas.file, a JAAS file with an entry KafkaConnect");
  return readCredentials(file);
}
