import { createCatalog } from "#runtime/herder/catalog.ts";
import { createClusterEvents } from "#runtime/herder/cluster-events.ts";
import { createCommands } from "#runtime/herder/commands.ts";
import { createGroupQueries } from "#runtime/herder/group-queries.ts";
import { createLeaderSteps } from "#runtime/herder/leader-steps.ts";
import { createOffsetCommands } from "#runtime/herder/offset-commands.ts";
import { createPluginQueries } from "#runtime/herder/plugin-queries.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { verify } from "#runtime/herder/request-signature.ts";
import { createViews } from "#runtime/herder/views.ts";
import { createLoggers } from "#runtime/loggers.ts";
import type { RestApi } from "#runtime/rest/api.ts";
import { FakeConfigStore, FakeMember, FakePool, FakeStatusStore, silent } from "../herder/fakes.ts";

/** What REST works with, over stores and a pool in memory; this worker leads. `nowMs` is the clock of the loggers. */
export function createFakeApi(nowMs: () => number = () => 0): RestApi & { readonly configStore: FakeConfigStore } {
  const configStore = new FakeConfigStore();
  const statusStore = new FakeStatusStore();
  const fake = new FakeMember();
  const member = () => fake;
  const pool = new FakePool();
  const catalog = createCatalog([{ class: "file-source", type: "source", aliases: ["FileStreamSource"] }]);
  const views = createViews({ config: () => configStore.config(), statuses: statusStore, catalog: () => catalog });
  const fetch = () => Promise.reject(new Error("there is nobody else"));
  const group = createGroupQueries({ member, fetch, drainTimeoutMs: 1_000, log: silent });
  const steps = createLeaderSteps(member);
  const herder = { owns: () => true, restart: async () => {} };
  return {
    configStore,
    commands: createCommands({ configStore, statusStore, herder, pool, views, steps }),
    offsets: createOffsetCommands({
      configStore,
      sourceOffsets: { list: async () => [], write: async () => {} },
      pool,
      catalog: () => catalog,
      steps,
      fence: async () => {},
    }),
    views,
    plugins: createPluginQueries({ catalog: () => catalog, pool, packages: () => [] }),
    events: createClusterEvents({ configStore, statusStore, member, views, workerId: "self:8083" }),
    group,
    fencing: { fence: async () => ({ kind: "done", value: null }) },
    server: { version: "4.3.1", commit: "abc", clusterId: () => "kafka-1" },
    topicTracking: { enabled: true, resetAllowed: true },
    started: async () => {},
    health: async () => ({ status: "healthy", message: "well" }),
    self: () => ({ workerId: "self:8083", memberId: "self", podUid: null, draining: false }),
    verify: (request) => verify(request, configStore.config().sessionKey, ["HmacSHA256"]),
    openScope: () => openScope(5_000, () => Date.now()),
    loggers: createLoggers(silent, nowMs),
    fetch,
  };
}
