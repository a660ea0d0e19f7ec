import { randomUUID } from "node:crypto";
import { API_GROUP, clusterKeyOf } from "@headrace/contract";
import type { Logger } from "pino";
import { createApi } from "./api/api.ts";
import { createClusterController } from "./cluster/controller.ts";
import { createNeighbours } from "./cluster/neighbours.ts";
import { createRackRights, maintainRackRights } from "./cluster/rack-rights.ts";
import type { ApiConfig, OperatorConfig } from "./config.ts";
import { createConnectorController } from "./connector/controller.ts";
import { withoutSlot, withoutSlotAfter } from "./controller/slot.ts";
import { createFirstLists } from "./first-lists.ts";
import { claimedConnects } from "./foreign/claimed-connects.ts";
import { openClaims, ownedBy } from "./foreign/claims.ts";
import { type ForeignObject, foreignClusterOf, isClaimed } from "./foreign/dialect.ts";
import { reviewedClaims } from "./foreign/reviewed.ts";
import { prunedPart } from "./foreign/status-memory.ts";
import { openHealthServer } from "./health.ts";
import { KafkaConnectors, KafkaConnects } from "./kinds.ts";
import { API_CALL_DEFAULTS, type ApiCaller, createApiCaller } from "./kube/api-call.ts";
import type { KubeObject, ResourceType } from "./kube/client.ts";
import type { Connection } from "./kube/config.ts";
import { createEventRecorder } from "./kube/events.ts";
import { createHttp } from "./kube/http.ts";
import { createLeaderElection, type LeaderElection } from "./kube/lease.ts";
import { createListWatch } from "./kube/list-watch.ts";
import { ConfigMaps, Namespaces, Pods, Secrets, StatefulSets } from "./kube/resources.ts";
import { createKubeClient } from "./kube/rest-client.ts";
import { createReviews } from "./kube/reviews.ts";
import { createStore, type RunningStore } from "./kube/store.ts";
import { WATCHER_DEFAULTS } from "./kube/watcher.ts";
import { selects } from "./label-selector.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { createReachability } from "./reachability.ts";
import { formerCluster, openShard, type ShardOptions, type ShardStores } from "./shard.ts";
import { createWebhookCertificates } from "./webhook/certificates.ts";
import { ownGroup } from "./webhook/reviewed-group.ts";
import { createWebhook } from "./webhook/webhook.ts";
import { createConnectClient } from "./worker/connect-client.ts";
import { createWorkerEndpoint } from "./worker/endpoint.ts";
import { createWorkerTrust } from "./worker/trust.ts";

/** What `main.ts` gives the operator. */
export interface OperatorInputs {
  readonly config: OperatorConfig;
  readonly connection: Connection;
  readonly log: Logger;
  readonly version: string;
  /** Name of the pod or host that this process runs in. */
  readonly host: string;
  /** Told once, when the port for probes and metrics is open. */
  readonly onListening?: (port: number) => void;
  /** Told once, when the webhook's port is open. */
  readonly onWebhookListening?: (port: number) => void;
  /** Likewise, of the API for people. */
  readonly onApiListening?: (port: number) => void;
}

const COMPONENT = "headrace-operator";
/** Everything that the operator makes for a KafkaConnect carries this label. */
const OWNED = "headrace.dev/kind=KafkaConnect";
const METADATA = { metadataOnly: true } as const;
/** Far more than a call of an API server that is up takes. */
const HANGING_CALL_MS = 2_000;
/** How long after its start the operator waits for lists that the API server fails to give; a call takes half of it. */
const FIRST_LISTS_MS = 30_000;

/**
 * Runs the operator until `signal` aborts. Stops in the reverse order: reconciles in flight, lease, events, caches, port.
 * Throws if it cannot go on: then the process must end.
 */
export async function runOperator(inputs: OperatorInputs, signal: AbortSignal): Promise<void> {
  const { config, connection, log, version } = inputs;
  const namespace = config.namespace ?? connection.namespace ?? "default";
  const identity = `${inputs.host}_${randomUUID()}`;
  const { leaseName, resourceSelector } = config;
  const metrics = createMetrics(resourceSelector?.text);
  const http = createHttp(connection, `${COMPONENT}/${version}`);
  const calls = { ...API_CALL_DEFAULTS, http, observe: metrics.calls, waiting: hardlyWaiting };
  const api = createApiCaller(calls);
  const unfenced = createKubeClient(api);
  const election = config.leaderElection
    ? createLeaderElection({ client: unfenced, lease: { namespace, name: leaseName }, identity, log })
    : ALONE;
  const client = createKubeClient(createApiCaller({ ...calls, fence: election.fence }));
  const recorder = createEventRecorder({ client: unfenced, component: COMPONENT, instance: identity, log });

  function following(cache: string) {
    const child = log.child({ cache });
    return { log: child, watcher: { ...WATCHER_DEFAULTS, log: child } };
  }

  function open<T extends KubeObject>(
    type: ResourceType<T>,
    labelSelector: string | null,
    options: { readonly metadataOnly?: boolean } = {},
  ): RunningStore<T> {
    const { watchNamespaces: watched } = config;
    const namespaces = watched === "*" ? [null] : watched === "own" ? [namespace] : watched;
    const sources = namespaces.map((name) => createListWatch(api, type, { namespace: name, labelSelector }, options));
    return createStore({ sources, ...following(type.plural) });
  }

  const stores = {
    connects: open(KafkaConnects, null),
    connectors: open(KafkaConnectors, null),
    statefulSets: open(StatefulSets, OWNED),
    pods: open(Pods, OWNED),
  };
  // Nobody waits for these: without the rights, rotated Secrets and labels of namespaces go unnoticed, and everything else works.
  const sources = { secrets: open(Secrets, null, METADATA), configMaps: open(ConfigMaps, null, METADATA) };
  const namespaces =
    config.watchNamespaces === "*" ? createStore({ ...following("namespaces"), sources: [allNamespaces(api)] }) : null;
  const isOurs = ({ metadata }: KubeObject) =>
    resourceSelector === undefined || selects(resourceSelector.selector, metadata.labels ?? {});

  const watches = (name: string) => isWatched(config, namespace, name);

  /** What of an API group this operator works on. */
  function ofShard<C extends KubeObject, K extends KubeObject>(
    group: Omit<ShardOptions<C, K>, "isOurs" | "isWatched">,
  ): ShardStores<C, K> {
    return resourceSelector === undefined ? group : openShard({ ...group, isOurs, isWatched: watches });
  }

  const shard = ofShard({
    connects: stores.connects,
    connectors: stores.connectors,
    namedBy: ({ metadata }) => clusterKeyOf(metadata),
    madeOn: formerCluster,
  });
  const trust = createWorkerTrust(unfenced, Date.now);
  const caches = Object.entries(stores);
  metrics.resources.follow("KafkaConnect", () => shard.connects.list());
  metrics.resources.follow("KafkaConnector", () => shard.connectors.list());
  const foreign = config.foreignApis.map((foreignApi) => {
    const [connects, connectors] = [open(foreignApi.connects, null), open(foreignApi.connectors, null)];
    const namedBy = (connector: ForeignObject) => {
      const cluster = foreignClusterOf(foreignApi, connector);
      return cluster === undefined ? undefined : { namespace: connector.metadata.namespace ?? "", name: cluster };
    };
    const madeOn = (connector: ForeignObject) =>
      formerCluster({ metadata: connector.metadata, status: { ...connector.status, ...prunedPart(connector) } });
    return { api: foreignApi, connects, connectors, shard: ofShard({ connects, connectors, namedBy, madeOn }) };
  });
  const endpoint = createWorkerEndpoint(stores.pods, trust);
  const own = ownedBy(API_GROUP, stores);
  const neighbours = createNeighbours(stores);
  neighbours.follow(stores.connects);
  // Also those that another operator works on.
  for (const { api: foreignApi, connects } of foreign) neighbours.follow(claimedConnects(foreignApi, connects));
  const rackRights =
    config.rackBinding === undefined
      ? undefined
      : createRackRights({ kube: client, binding: config.rackBinding, now: Date.now });
  rackRights?.follow({ connects: shard.connects, ...own });
  const deps = {
    kube: client,
    connect: createConnectClient({ endpoint, waiting: withoutSlot }),
    trust,
    stores: { ...shard, ...own },
    sources,
    neighbours,
    events: recorder,
    log,
    defaultImage: config.workerImage,
    readyLimitMs: config.rollTimeoutMs,
    mavenImage: config.mavenImage,
    ...(rackRights === undefined ? {} : { rackRights }),
    operator: { namespace },
    networkPolicies: config.networkPolicies,
    offsetsEveryMs: config.offsetsIntervalMs,
    now: Date.now,
  };

  /** An operator of some namespaces knows them by their names. */
  function namespaceLabels(name: string): Readonly<Record<string, string>> | null {
    if (namespaces?.synced() === false) return null;
    return { "kubernetes.io/metadata.name": name, ...namespaces?.get({ namespace: "", name })?.metadata.labels };
  }
  const webhook = config.webhook === null ? null : openWebhook(config.webhook);

  /** Every replica answers; only the leader changes certificates and the API server's configuration. */
  function openWebhook({ configuration, ...address }: NonNullable<OperatorConfig["webhook"]>) {
    const { onWebhookListening } = inputs;
    const claimed = foreign.map(({ api: foreignApi, shard: { connects } }) =>
      reviewedClaims(foreignApi, { connects, pods: ownedBy(foreignApi.dialect.group, stores).pods }),
    );
    return createWebhook({
      groups: [ownGroup({ connects: shard.connects, pods: own.pods, isOurs, all: stores.connects }), ...claimed],
      mayReadNodes: rackRights !== undefined,
      ...{ connect: deps.connect, namespaceLabels, isWatched: (name) => isWatched(config, namespace, name) },
      address,
      certificates: createWebhookCertificates({
        ...{ kube: unfenced, leaderKube: client, isLeader: election.isLeader, configuration, now: Date.now },
        secret: { namespace, name: `${leaseName}-webhook` },
      }),
      metrics: metrics.webhook,
      log: log.child({ part: "webhook" }),
      ...(onWebhookListening === undefined ? {} : { onListening: onWebhookListening }),
    });
  }

  const people = config.api === undefined ? [] : [peopleApi(config.api)];

  /** Every replica serves it, whoever leads. */
  function peopleApi(settings: ApiConfig) {
    const ours = { type: KafkaConnects, connects: shard.connects, isOurs: () => true, pods: own.pods };
    const claimed = foreign.map(({ api: { dialect, connects: type }, shard: { connects } }) => {
      return { type, connects, isOurs: isClaimed, pods: ownedBy(dialect.group, stores).pods };
    });
    return createApi({
      config: settings,
      namespace,
      kube: unfenced,
      // With calls of its own: however many people knock, the operator's work goes on.
      reviews: createReviews(createApiCaller(calls), settings.audiences),
      endpoint,
      groups: [ours, ...claimed],
      log: log.child({ part: "api" }),
      metrics: metrics.api,
      onListening: inputs.onApiListening,
    });
  }

  /**
   * All that can be known of what a first decision must not miss: labels of namespaces, or connectors that are let in by them would be
   * stopped; and claims of other groups, or a cluster would be made that an older one keeps from its group. What may not be listed, or is not
   * installed, is not waited for.
   */
  const firstLists = createFirstLists({
    lists: [
      ...(namespaces === null ? [] : [{ name: "namespaces", whenAnswered: namespaces.whenAnswered }]),
      ...foreign.map(({ api: { connects: type }, connects }) => {
        return { name: `${type.plural}.${type.group}`, whenAnswered: connects.whenAnswered };
      }),
    ],
    limitMs: FIRST_LISTS_MS,
    log,
  });

  const health = await openHealthServer(
    { host: config.healthHost, port: config.healthPort },
    {
      metrics,
      waitingFor: () => [
        ...caches.filter(([, store]) => !store.synced()).map(([name]) => name),
        ...firstLists.waitingFor(),
      ],
    },
  );
  inputs.onListening?.(health.port);
  log.info({ version, namespace, watchNamespaces: config.watchNamespaces, port: health.port }, "operator started");

  async function lead(leading: AbortSignal): Promise<void> {
    await firstLists.whenKnown(leading).catch((error: unknown) => {
      if (!leading.aborted) throw error;
    });
    if (leading.aborted) return;
    metrics.leading(true);
    log.info({ objects: shard.connects.list().length + shard.connectors.list().length }, "controllers started");
    const reachability = createReachability();
    try {
      const controllers = [
        createClusterController({ ...deps, reachability, metrics: metrics.controller("cluster", "KafkaConnect") }),
        createConnectorController({
          ...deps,
          reachability,
          namespaceLabels,
          ...(namespaces === null ? {} : { namespaces }),
          metrics: metrics.controller("connector", "KafkaConnector"),
          connectorMetrics: metrics.connectors,
        }),
        ...foreign.map((one) => ({ run: (signal: AbortSignal) => runForeign(one, signal) })),
        { run: maintainRacks },
      ];
      await together(controllers, leading);
    } finally {
      metrics.leading(false);
    }
  }

  async function maintainRacks(leading: AbortSignal): Promise<void> {
    if (rackRights === undefined) return;
    await maintainRackRights({ rights: rackRights, isComplete: foreign.length === 0, log }, leading);
  }

  /** The same controllers for what is claimed in another group. A group whose CRDs are not there is waited for. */
  async function runForeign(
    { api: foreignApi, connects, connectors, shard: part }: (typeof foreign)[number],
    leading: AbortSignal,
  ): Promise<void> {
    const { group, version: served } = foreignApi.connects;
    await Promise.all([connects, connectors].map((store) => store.whenSynced(leading))).catch((error: unknown) => {
      if (!leading.aborted) throw error;
    });
    if (leading.aborted) return;
    const { statefulSets, pods } = stores;
    const claims = openClaims({
      api: foreignApi,
      kube: client,
      ...part,
      everywhere: connects,
      statefulSets,
      pods,
      now: deps.now,
    });
    const { name } = foreignApi.dialect;
    const unfollow = [
      metrics.resources.follow("KafkaConnect", () => claims.stores.connects.list()),
      metrics.resources.follow("KafkaConnector", () => claims.stores.connectors.list()),
      rackRights?.follow(claims.stores) ?? (() => {}),
    ];
    const reachability = createReachability();
    const theirs = { ...deps, reachability, kube: claims.kube, stores: claims.stores, log: log.child({ group }) };
    log.info({ group, version: served, clusters: claims.stores.connects.list().length }, "foreign controllers started");
    try {
      await together(
        [
          createClusterController({ ...theirs, metrics: metrics.controller(`${name}-cluster`, "KafkaConnect") }),
          createConnectorController({
            ...theirs,
            metrics: metrics.controller(`${name}-connector`, "KafkaConnector"),
            connectorMetrics: metrics.connectors,
          }),
        ],
        leading,
      );
    } finally {
      claims.close();
      for (const end of unfollow) end();
    }
  }

  async function campaign(running: AbortSignal): Promise<void> {
    await Promise.all(caches.map(([, store]) => store.whenSynced(running))).catch((error: unknown) => {
      if (!running.aborted) throw error;
    });
    if (!running.aborted) await election.run(lead, running);
  }

  const background = new AbortController();
  const failed = new AbortController();
  const optional = [
    ...Object.values(sources),
    ...(namespaces === null ? [] : [namespaces]),
    ...foreign.flatMap(({ connects, connectors }) => [connects, connectors]),
  ];
  const parts = [
    ...Object.values(stores),
    ...optional,
    firstLists,
    ...(webhook === null ? [] : [webhook]),
    ...people,
    recorder,
  ];
  const serving = together(parts, background.signal).catch((error: unknown) => {
    failed.abort(error);
    throw error;
  });
  serving.catch(() => undefined);
  try {
    await campaign(AbortSignal.any([signal, failed.signal]));
  } finally {
    background.abort();
    await serving.finally(async () => {
      await health.close();
      http.close();
    });
    log.info("operator stopped");
  }
}

function isWatched({ watchNamespaces }: OperatorConfig, own: string, namespace: string): boolean {
  if (watchNamespaces === "*") return true;
  return watchNamespaces === "own" ? namespace === own : watchNamespaces.includes(namespace);
}

function allNamespaces(api: ApiCaller) {
  return createListWatch(api, Namespaces, { namespace: null, labelSelector: null }, METADATA);
}

/** Runs all until `signal` aborts. If one fails, the others are stopped too. */
async function together(
  parts: readonly { run(signal: AbortSignal): Promise<void> }[],
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const abort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const running = parts.map(async (part) => {
    try {
      await part.run(stop.signal);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const ends = await Promise.allSettled(running);
  signal.removeEventListener("abort", abort);
  const failure = ends.find((end) => end.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** The API server is waited for with the slot kept, or everybody would crowd there; a call that hangs holds nobody else up. */
function hardlyWaiting<R>(wait: () => Promise<R>): Promise<R> {
  return withoutSlotAfter(HANGING_CALL_MS, wait);
}

/** The election of an operator that is the only one by configuration. */
const ALONE: LeaderElection = {
  isLeader: () => true,
  fence: () => undefined,
  run: (work, signal) => work(signal),
};
