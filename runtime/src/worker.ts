import { hostname } from "node:os";
import type { LoadedConfig } from "./config.ts";
import { createOwnOffsets } from "./connector-offsets.ts";
import type { ExecutorNotice } from "./executor/channel.ts";
import { createWorkerExecutors, createWorkerInventory } from "./executors.ts";
import type { GroupMember } from "./group/group.ts";
import { createMember } from "./group/member.ts";
import { createPeerTransport } from "./group/peer-transport.ts";
import { checkHealth } from "./health.ts";
import { type Catalog, createCatalog } from "./herder/catalog.ts";
import { createClusterEvents } from "./herder/cluster-events.ts";
import { createCommands } from "./herder/commands.ts";
import { createFenceZombies } from "./herder/fence-client.ts";
import { createFencing } from "./herder/fencing.ts";
import { createGroupQueries } from "./herder/group-queries.ts";
import { createHerder } from "./herder/herder.ts";
import { createCommitPlan } from "./herder/leader-client.ts";
import { runLeaderDuties } from "./herder/leader-duties.ts";
import { createLeaderSteps } from "./herder/leader-steps.ts";
import { createOffsetCommands } from "./herder/offset-commands.ts";
import { createPluginQueries } from "./herder/plugin-queries.ts";
import { createReloads } from "./herder/reloads.ts";
import { openScope } from "./herder/request-scope.ts";
import { type SessionKeyPolicy, verify } from "./herder/request-signature.ts";
import { stableView } from "./herder/stable-view.ts";
import { createStartCounters } from "./herder/start-counters.ts";
import { createStatusWriter } from "./herder/status-writer.ts";
import { createTaskPlanner } from "./herder/task-planner.ts";
import { createViews } from "./herder/views.ts";
import { openHttpServers } from "./http-servers.ts";
import { internalTopics } from "./internal-topics.ts";
import { groupClientConfig, workerClientConfig } from "./kafka/client-config.ts";
import { createGroupClient } from "./kafka/group-client.ts";
import { createTopicAdmin } from "./kafka/topic-admin.ts";
import { createTopicLog } from "./kafka/topic-log.ts";
import { createLeaderWrites } from "./leader-writes.ts";
import { metricsListener } from "./listeners.ts";
import type { Logger } from "./log.ts";
import { createLoggers, parseLevel } from "./loggers.ts";
import { createGroupMetrics } from "./metrics/group-metrics.ts";
import type { Metrics, MetricsSource } from "./metrics/metrics.ts";
import { createTaskBook } from "./metrics/task-book.ts";
import { isExactlyOnce } from "./offsets-place.ts";
import type { Inventory } from "./plugins/inventory.ts";
import { namesOf, pluginNames } from "./plugins/plugin-names.ts";
import { createProbeServer, type OpenMetrics } from "./probes.ts";
import { reachKafka } from "./reach-kafka.ts";
import { openRestService } from "./rest-service.ts";
import { stagedHost } from "./staged-host.ts";
import { createStages } from "./stages.ts";
import { createGiven, withAwaitedStart } from "./standalone/awaited-start.ts";
import { createStandalone, type StandaloneOptions } from "./standalone/standalone.ts";
import { createConfigStore } from "./store/config-store.ts";
import { createOffsetStore } from "./store/offset-store.ts";
import { createSourceOffsets } from "./store/source-offsets.ts";
import { createStatusStore } from "./store/status-store.ts";
import type { ClusterConfig } from "./store/stores.ts";

/** What a worker is told besides its configuration. */
export interface WorkerOptions extends LoadedConfig {
  readonly log: Logger;
  /** Node's options for executors, so that they find the same modules. */
  readonly execArgv: readonly string[];
  readonly podUid: string | null;
  readonly version: string;
  readonly commit: string;
  /** Aborts when there is no time left for handing work over. */
  readonly hurry: AbortSignal;
  /** Given: standalone mode. */
  readonly standalone?: StandaloneOptions;
}

const FLUSH_TIMEOUT_MS = 2_000;
const DRAIN_REQUEST_TIMEOUT_MS = 600_000;
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Runs a worker until `signal` aborts; then it drains, stops its work, leaves the group and only then closes REST.
 * Rejects if it cannot start for a reason that waiting does not cure.
 */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const { config, properties, log } = options;
  const wallClock = () => Date.now();
  const now = () => performance.now();
  const startedAtMs = wallClock();
  // Under the names that tools of Connect know, so that their levels are set by the same requests.
  const loggers = createLoggers(log, wallClock);
  const groupLog = loggers.logger("org.apache.kafka.connect.runtime.distributed");
  const storeLog = loggers.logger("org.apache.kafka.connect.storage");
  const workLog = loggers.logger("org.apache.kafka.connect.runtime.Worker");
  const stages = createStages(wallClock);
  const ending = new AbortController();
  await using cleanup = new AsyncDisposableStack();
  const awaiting = Promise.withResolvers<void>();
  cleanup.defer(() => awaiting.resolve());
  void stages.during("awaiting startup", () => awaiting.promise);
  cleanup.defer(() => ending.abort());

  // REST listens first: its port is part of the worker's name, and /health tells how the start goes on.
  const service = await openRestService({ config, properties, hostname: hostname() });
  cleanup.defer(() => service.close());
  const { workerId, url, fetch } = service;
  log.info({ workerId, url, version: options.version }, "worker starting");

  const kafka = (purpose: "configs" | "offsets" | "statuses" | "shared-admin") => {
    const client = workerClientConfig(properties, purpose);
    for (const warning of client.warnings) log.warn({ client: purpose }, warning);
    return client.settings;
  };
  const topics = internalTopics(config, properties);
  const solo = options.standalone === undefined ? null : createStandalone(options.standalone, wallClock);
  const topicLog = (purpose: "configs" | "offsets" | "statuses", topic: keyof typeof topics) =>
    solo?.log(purpose) ??
    createTopicLog({
      settings: kafka(purpose),
      topic: topics[topic],
      readCommitted: isExactlyOnce(properties),
      startsStable: purpose === "offsets",
      log,
    });

  // The member needs the herder and the herder's commands need the member: they are tied by this reference.
  let joined: GroupMember | null = null;
  const member = (): GroupMember => {
    if (joined === null) throw new Error("the member is not there yet");
    return joined;
  };
  const confirmLeader = (limit: AbortSignal) => member().confirm(limit);
  const privileged = createLeaderWrites(options, confirmLeader);
  const configStore = createConfigStore(topicLog("configs", "config"), { log, confirmLeader, privileged });
  const statusStore = createStatusStore(topicLog("statuses", "status"), { log: storeLog });
  const offsetStore = createOffsetStore(topicLog("offsets", "offset"), { log: storeLog });

  let clusterId = "";
  const reached = Promise.withResolvers<string>();
  const taskMetrics = createTaskBook(now);
  const lostExecutors = { count: 0 };
  const hear = (notice: ExecutorNotice) => {
    switch (notice.kind) {
      case "expiry":
        reloads.schedule(notice);
        break;
      case "log":
        workLog[notice.level](notice.fields, notice.message);
        break;
      case "metrics":
        taskMetrics.hear(notice);
        break;
      case "status":
        taskMetrics.hear(notice);
        herder.hear(notice);
        break;
      case "taskReconfiguration":
      case "activeTopic":
        herder.hear(notice);
        break;
      default:
        throw new Error(`unreachable: ${notice satisfies never}`);
    }
  };
  const inventory = createWorkerInventory({
    ...options,
    onChange: ({ added, replaced }) => {
      pool.usePackages(inventory.packages(), replaced);
      const found = new Set(added.flatMap(({ plugins }) => plugins.flatMap((plugin) => [...namesOf(plugin)])));
      herder.pluginsFound((connector) => [...pluginNames(connector, properties)].some((name) => found.has(name)));
      if (catalog.plugins.length > 0) void recatalog(ending.signal);
    },
  });
  const pool = createWorkerExecutors({
    config,
    properties,
    workerId,
    clusterId: () => reached.promise,
    packages: () => inventory.packages(),
    execArgv: options.execArgv,
    handlers: {
      readOffsets: ({ connector, partitions }, limit) => offsetStore.read(connector, partitions, limit),
      writeOffsets: async ({ connector, offsets }, limit) => {
        await offsetStore.write(connector, offsets, limit);
        return null;
      },
      offsetKeys: ({ connector, partitions }) =>
        partitions.map((partition) => keyOf(offsetStore.encode(connector, [{ partition, offset: {} }]))),
      fenceZombies: async ({ connector }, limit) => {
        await fenceZombies(connector, limit);
        return null;
      },
      isCurrentTask: async ({ key, taskGeneration }, limit) => {
        await configStore.readToEnd(limit);
        const entry = configStore.config().connectors.get(key.connector);
        return entry?.taskGeneration === taskGeneration && herder.owns(key.connector, key.task);
      },
    },
    onNotice: hear,
    onLost: (lost) => {
      lostExecutors.count += 1;
      herder.executorLost(lost);
    },
    log,
  });
  cleanup.defer(() => pool.close());
  // Its process starts while this one prepares; it waits in it for what is known later.
  void pool.warm(1, signal);

  let catalog: Catalog = createCatalog([]);
  const recatalog = async (limit: AbortSignal): Promise<void> => {
    try {
      catalog = createCatalog(await pool.plugins(limit));
      log.info({ plugins: catalog.plugins.length }, "plugins found");
    } catch (error) {
      if (!limit.aborted) log.error({ error }, "plugins could not be listed; the former list stays");
    }
  };
  const views = createViews({ config: () => configStore.config(), statuses: statusStore, catalog: () => catalog });
  const scope = () => openScope(config["headrace.request.timeout.ms"], wallClock, () => stages.describe());
  const starts = createStartCounters();
  const planner = createTaskPlanner({
    pool,
    config: () => configStore.config(),
    commit: (connector, tasks, limit) => commitPlan(connector, tasks, limit),
    stages,
    log,
  });
  const herder = createHerder({
    configStore,
    statusStore,
    statuses: createStatusWriter({
      store: statusStore,
      workerId,
      generation: () => solo?.generation ?? member().view().generation,
      versionOf: (connector) => catalog.versionOf(configStore.config().connectors.get(connector)?.config ?? {}),
    }),
    pool,
    member,
    workerId,
    planner,
    starts,
    ended: ({ connector, task }) => taskMetrics.delete(`${connector}-${task}`),
    topicTracking: config["topic.tracking.enable"],
    gracefulTimeoutMs: config["task.shutdown.graceful.timeout.ms"],
    now,
    stages,
    log,
  });
  const reloads = createReloads({
    owns: (connector, task) => herder.owns(connector, task),
    restart: (connector, task) => herder.restart(connector, task),
    setTimer(action, ms) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
    log,
  });
  cleanup.defer(() => reloads.close());
  const steps = createLeaderSteps(member);
  const plainCommands = createCommands({ configStore, statusStore, herder, pool, views, steps });
  const commands = solo === null ? plainCommands : withAwaitedStart(plainCommands, statusStore);
  const fencing = createFencing({ configStore, pool, catalog: () => catalog, steps, openScope: scope, log });
  const offsets = createOffsetCommands({
    configStore,
    sourceOffsets: createSourceOffsets({
      store: offsetStore,
      own: createOwnOffsets({ worker: properties, pool, store: offsetStore }),
      log,
    }),
    pool,
    catalog: () => catalog,
    steps,
    fence: async (connector, request) => {
      if (isExactlyOnce(properties)) await fencing.fenceInStep(connector, request);
    },
  });
  const keys: SessionKeyPolicy = {
    ttlMs: config["inter.worker.key.ttl.ms"],
    generationAlgorithm: config["inter.worker.key.generation.algorithm"],
    keyBits: config["inter.worker.key.size"],
    signatureAlgorithm: config["inter.worker.signature.algorithm"],
    verificationAlgorithms: config["inter.worker.verification.algorithms"],
  };
  const commitPlan = createCommitPlan({
    member,
    configStore,
    commands,
    signatureAlgorithm: keys.signatureAlgorithm,
    openScope: scope,
    fetch,
    stages,
  });
  const fenceZombies = createFenceZombies({
    member,
    configStore,
    fencing,
    signatureAlgorithm: keys.signatureAlgorithm,
    openScope: scope,
    fetch,
    log,
  });
  const group = createGroupQueries({ member, fetch, drainTimeoutMs: DRAIN_REQUEST_TIMEOUT_MS, log });

  const groupMetrics = createGroupMetrics({
    samples: config["metrics.num.samples"],
    sampleWindowMs: config["metrics.sample.window.ms"],
    now,
  });
  const groupSettings = groupClientConfig(properties, workerId).settings;
  const groupClient =
    solo?.group ??
    createGroupClient({
      settings: groupSettings,
      groupId: config["group.id"],
      sessionTimeoutMs: config["session.timeout.ms"],
      rebalanceTimeoutMs: config["rebalance.timeout.ms"],
      answerTimeoutMs: Math.min(config["request.timeout.ms"], ANSWER_TIMEOUT_MS),
      log,
    });
  cleanup.defer(() => groupClient.close());
  joined = createMember({
    groupId: config["group.id"],
    url,
    client: groupMetrics.measure(groupClient),
    host: stagedHost(herder, stages),
    transport: createPeerTransport(service.peerTls),
    protocol: config["connect.protocol"],
    sessionTimeoutMs: config["session.timeout.ms"],
    heartbeatIntervalMs: config["heartbeat.interval.ms"],
    maxDelayMs: config["scheduled.rebalance.max.delay.ms"],
    rebalanceTimeoutMs: config["rebalance.timeout.ms"],
    syncTimeoutMs: config["worker.sync.timeout.ms"],
    unsyncBackoffMs: config["worker.unsync.backoff.ms"],
    stages,
    log: groupLog,
  });
  const isMember = () => member().view().generation >= 0 && member().view().leaderUrl !== null;

  let ensuring = false;
  const ensureMembership = () => {
    const { rebalancing, leaderUrl } = member().view();
    if (ensuring || (!rebalancing && leaderUrl !== null)) return;
    ensuring = true;
    stages
      .during("ensuring membership in the cluster", () => stableView(member(), ending.signal))
      .catch(() => undefined) // The worker ends.
      .finally(() => {
        ensuring = false;
      });
  };
  // A worker was healthy once it has taken part in a first round.
  let hasJoined = false;
  let hasGiven = options.standalone === undefined;
  let generation = -1;
  member().onView((view) => {
    groupMetrics.saw(view);
    ensureMembership();
    if (view.rebalancing || view.leaderUrl === null || view.generation === generation) return;
    generation = view.generation;
    hasJoined = true;
  });
  const started = Promise.withResolvers<void>();

  await service.serve(
    {
      commands,
      offsets,
      views,
      plugins: createPluginQueries({
        catalog: () => catalog,
        pool,
        packages: () => [
          ...inventory.packages().map(({ directory, name, version, plugins }) => ({
            directory,
            name,
            version,
            plugins: plugins.map((plugin) => plugin.name),
            problem: null,
          })),
          ...inventory.broken().map((broken) => ({ ...broken, plugins: [] })),
        ],
      }),
      events: createClusterEvents({ configStore, statusStore, member, views, workerId }),
      group,
      fencing,
      server: { version: options.version, commit: options.commit, clusterId: () => clusterId },
      topicTracking: {
        enabled: config["topic.tracking.enable"],
        resetAllowed: config["topic.tracking.allow.reset"],
      },
      health: () =>
        checkHealth({ member: member(), isStarted: () => hasJoined && hasGiven && catalog.plugins.length > 0, stages }),
      started: async () => {
        await scope().run(() => started.promise);
      },
      self: () => ({
        workerId,
        memberId: member().view().memberId,
        podUid: options.podUid,
        draining: group.isDraining(),
        ...(service.fingerprints().trusted.length === 0 ? {} : { tls: service.fingerprints() }),
      }),
      verify: (request) => {
        if (member().view().protocolVersion < 2) return;
        verify(request, configStore.config().sessionKey, keys.verificationAlgorithms);
      },
      openScope: scope,
      loggers,
      fetch,
    },
    loggers.logger("org.apache.kafka.connect.runtime.rest"),
  );

  const metricsSource: MetricsSource = {
    workerId,
    version: options.version,
    commit: options.commit,
    clientId: groupSettings.clientId,
    startedAtMs,
    view: () => member().view(),
    running: () => herder.running(),
    starts,
    tasks: taskMetrics,
    group: groupMetrics,
    plugin: (connector) => pluginOf(catalog, configStore.config().connectors.get(connector)?.config["connector.class"]),
    executors: () => pool.executors(),
    lostExecutors: () => lostExecutors.count,
  };
  // Imported by the first request: a worker is ready before somebody wants its metrics.
  let metrics: Promise<Metrics> | null = null;
  const openMetrics: OpenMetrics = () => {
    metrics ??= import("./metrics/metrics.ts").then((module) => new module.Metrics(metricsSource));
    return metrics;
  };
  await serveProbes(options, { metrics: openMetrics, isReady: () => hasJoined && hasGiven && isMember() }, cleanup);

  // From here on Kafka is needed; while it is away each step is repeated until the worker is told to stop.
  const admin = createTopicAdmin(kafka("shared-admin"), log);
  cleanup.defer(() => admin.close());
  const initializing = Promise.withResolvers<void>();
  cleanup.defer(() => initializing.resolve());
  awaiting.resolve();
  void stages.during("initializing and reading to the end of internal topics", () => initializing.promise);
  clusterId = await reachKafka(admin, log, signal);
  reached.resolve(clusterId);
  log.info({ clusterId }, "connected to Kafka");
  const stores = [configStore, statusStore, offsetStore];
  for (const store of stores) cleanup.defer(() => store.stop());
  const scanned = firstScan(inventory, log, signal);
  const cataloged = scanned
    .then(() => pool.plugins(signal))
    .then((plugins) => {
      catalog = createCatalog(plugins);
      log.info({ plugins: plugins.length }, "plugins found");
    });
  cataloged.catch(() => undefined); // Told below, or pointless because the start has failed otherwise.
  await Promise.all(stores.map((store) => store.start(signal)));
  cataloged.then(started.resolve, () => undefined);
  initializing.resolve();
  // Levels that were set before this worker's start are not for it (KIP-976).
  const unsubscribe = configStore.onChange((change) => {
    if (change.kind !== "loggerLevelChanged") return;
    if (parseLevel(change.level) === null)
      log.warn({ ...change }, "the config topic has a log level that does not exist");
    else loggers.set(change.namespace, change.level);
  });
  cleanup.defer(unsubscribe);

  const membership = new AbortController();
  const running = [
    inventory.watch(ending.signal),
    herder.run(ending.signal),
    runLeaderDuties({ configStore, statusStore, member, keys, wallClock, log }, ending.signal),
  ];
  // Work that moves here stands still until an executor has started, so they start first; what is of a package that is not known yet fails.
  const executors = expectedExecutors(configStore.config());
  await Promise.all([scanned, pool.warm(executors, AbortSignal.any([signal, AbortSignal.timeout(WARM_UP_MS)]))]);
  const left = member().run(membership.signal);
  ensureMembership();
  log.info({ workerId, startMs: wallClock() - startedAtMs }, "worker started");
  // The list of plugins is needed to answer requests, not to join.
  const ready = cataloged.then(async () => {
    await createGiven(options.standalone?.connectors ?? [], commands, scope);
    hasGiven = true;
  });
  await Promise.race([aborted(signal), ready.then(() => Promise.race([left, ...running]))]);

  log.info({}, "worker stopping");
  const graceMs = config["headrace.shutdown.grace.ms"];
  const drainLimit = AbortSignal.any([options.hurry, AbortSignal.timeout(graceMs / 2)]);
  await group.drain(drainLimit).catch((error: unknown) => log.info({ error }, "not drained, stopping work here"));
  await planner.stop();
  await herder.stopAll();
  await stages
    .during("flushing updates to the status topic", () => statusStore.flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS)))
    .catch(() => undefined);
  membership.abort();
  await left;
  ending.abort();
  await Promise.all(running);
  log.info({}, "worker stopped");
}

function pluginOf(catalog: Catalog, name: string | undefined) {
  const found = name === undefined ? null : catalog.find(name);
  if (found === null) return null;
  // The name that Connect's tools know: the Java class that it stands for, if there is one.
  const javaClass = found.aliases.find((alias) => alias.includes("."));
  return { type: found.type, class: javaClass ?? found.class, version: found.version ?? "undefined" };
}

async function serveProbes(
  options: WorkerOptions,
  probes: Parameters<typeof createProbeServer>[0],
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const listener = metricsListener(options.config);
  if (listener === null) return;
  const app = createProbeServer(probes);
  await app.ready();
  try {
    const servers = await openHttpServers([listener]);
    servers.serve(app);
    cleanup.defer(() => servers.close());
  } catch (error) {
    if (listener.explicit) throw error;
    options.log.warn({ error, ...listener }, "metrics and health checks are off: their address is in use");
  }
}

/** The second task of a worker is put into an executor of its own; with how many others the work is shared is not known yet. */
function expectedExecutors({ connectors }: ClusterConfig): number {
  const tasks = [...connectors.values()].reduce((sum, connector) => sum + (connector.tasks?.length ?? 0), 0);
  return tasks > 1 ? 2 : 1;
}

/**
 * A busy machine may take many seconds to start an executor, and whoever has the work meanwhile does it better than a worker without one.
 * One that cannot start at all must not keep the worker from joining for ever.
 */
const WARM_UP_MS = 30_000;

/** Packages that hang while they are loaded, each until its own time-out, must not keep the worker from joining for ever. */
const FIRST_SCAN_MS = 60_000;

/** Connectors of packages are started as soon as the worker has joined, so the packages are known before, if that is possible in time. */
async function firstScan(inventory: Inventory, log: Logger, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(FIRST_SCAN_MS);
  const scanned = inventory.scan(signal);
  scanned.catch((error: unknown) => {
    if (!signal.aborted) log.error({ error }, "plugin.path could not be looked at");
  });
  await Promise.race([scanned.catch(() => undefined), aborted(late)]);
}

/** The key of the one record of a partition. */
function keyOf([record]: readonly { readonly key: Buffer }[]): Buffer {
  if (record === undefined) throw new Error("an offset is one record");
  return record.key;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
