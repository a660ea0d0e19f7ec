import { z } from "zod";
import {
  ActiveTopics,
  ConfigInfos,
  ConfigKeyInfo,
  ConnectorInfo,
  ConnectorStateInfo,
  CreateConnectorRequest,
  ExpandedConnectors,
  PluginInfo,
  ServerInfo,
  StringMap,
  TaskInfo,
  TaskState,
  WorkerHealth,
} from "./connect.ts";
import { GroupInfo, SelfInfo, SinkLag, StreamEvent } from "./headrace.ts";

/** One request that the worker's REST API answers. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** With `{name}` for each parameter. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** Successful answers; null: without a body. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** Default: application/json. */
  readonly mediaType?: string;
}

const NullableMap = z.record(z.string(), z.string().nullable());
const OffsetMap = z.record(z.string(), z.unknown());
const Offsets = z.object({
  offsets: z.array(z.object({ partition: OffsetMap.nullable(), offset: OffsetMap.nullable() })),
});
const Message = z.object({ message: z.string() });
const LoggerLevel = z.object({ level: z.string().nullable(), last_modified: z.int().nullable() });
const PluginPackage = z.object({
  directory: z.string(),
  name: z.string().nullable(),
  version: z.string().nullable(),
  plugins: z.array(z.string()),
  problem: z.string().nullable(),
});

const FORWARD = { forward: "Whether another worker may be asked: not given, true, or false." };
const get = (path: string, summary: string, body: z.ZodType, query?: Readonly<Record<string, string>>): Operation => ({
  method: "get",
  path,
  summary,
  answers: { 200: body },
  ...(query === undefined ? {} : { query }),
});
const act = (
  method: "post" | "put" | "delete",
  path: string,
  summary: string,
  status: number,
  query: Readonly<Record<string, string>> = FORWARD,
): Operation => ({ method, path, summary, query, answers: { [status]: null } });

const C = "/connectors/{connector}";
const PLUGIN = "/connector-plugins/{plugin}/config";

/** Every operation of the REST API, `/headrace/openapi.json` included. */
export const OPERATIONS: readonly Operation[] = [
  get("/", "Version, commit and Kafka cluster.", ServerInfo),
  {
    ...get("/health", "Whether the worker is well: healthy, starting or unhealthy.", WorkerHealth),
    answers: { 200: WorkerHealth, 500: WorkerHealth, 503: WorkerHealth },
  },
  get("/connectors", "Names of the connectors, or more of each.", z.union([z.array(z.string()), ExpandedConnectors]), {
    expand: "status or info, repeatable.",
  }),
  {
    method: "post",
    path: "/connectors",
    summary: "Creates a connector.",
    query: FORWARD,
    body: CreateConnectorRequest,
    answers: { 201: ConnectorInfo },
  },
  get(C, "A connector with its configuration and tasks.", ConnectorInfo),
  act("delete", C, "Deletes a connector.", 204),
  get(`${C}/config`, "A connector's configuration; placeholders are not resolved.", StringMap),
  {
    method: "put",
    path: `${C}/config`,
    summary: "Creates a connector, or replaces its configuration.",
    query: FORWARD,
    body: NullableMap,
    answers: { 200: ConnectorInfo, 201: ConnectorInfo },
  },
  {
    method: "patch",
    path: `${C}/config`,
    summary: "Changes single keys of a configuration; null removes one (KIP-477).",
    query: FORWARD,
    body: NullableMap,
    answers: { 200: ConnectorInfo },
  },
  get(`${C}/status`, "States of a connector and its tasks.", ConnectorStateInfo),
  act("put", `${C}/pause`, "Pauses a connector.", 202, {}),
  act("put", `${C}/resume`, "Resumes a connector that was paused or stopped.", 202, {}),
  act("put", `${C}/stop`, "Stops a connector and gives up its tasks (KIP-875).", 204),
  {
    method: "post",
    path: `${C}/restart`,
    summary: "Restarts a connector's instance, or parts of it (KIP-745).",
    query: {
      ...FORWARD,
      includeTasks: "true: the tasks as well.",
      onlyFailed: "true: only what has failed.",
    },
    answers: { 202: ConnectorStateInfo, 204: null },
  },
  get(`${C}/topics`, "Topics that a connector uses or has used.", ActiveTopics),
  act("put", `${C}/topics/reset`, "Forgets the topics that a connector has used.", 202, {}),
  get(`${C}/offsets`, "A connector's offsets (KIP-875).", Offsets),
  {
    method: "patch",
    path: `${C}/offsets`,
    summary: "Alters offsets of a stopped connector; null removes one.",
    query: FORWARD,
    body: Offsets,
    answers: { 200: Message },
  },
  {
    method: "delete",
    path: `${C}/offsets`,
    summary: "Resets the offsets of a stopped connector.",
    query: FORWARD,
    answers: { 200: Message },
  },
  get(`${C}/tasks`, "A connector's tasks with their configurations.", z.array(TaskInfo)),
  {
    method: "post",
    path: `${C}/tasks`,
    summary: "Stores a connector's task configurations; signed, from other workers only.",
    query: FORWARD,
    body: z.array(StringMap),
    answers: { 204: null },
  },
  act("put", `${C}/fence`, "Fences former tasks of a source connector; signed, from other workers only.", 204),
  get(`${C}/tasks/{task}/status`, "State of a task.", TaskState),
  act("post", `${C}/tasks/{task}/restart`, "Restarts a task.", 204),
  get("/connector-plugins", "Plugins of this worker.", z.array(PluginInfo), {
    connectorsOnly: "false: also transformations, predicates and converters.",
  }),
  get(PLUGIN, "Configuration keys of a plugin.", z.array(ConfigKeyInfo), { version: "Exact, or a range (KIP-891)." }),
  {
    method: "put",
    path: `${PLUGIN}/validate`,
    summary: "Checks a connector's configuration without storing it.",
    body: NullableMap,
    answers: { 200: ConfigInfos },
  },
  get("/admin/loggers", "Levels of all loggers.", z.record(z.string(), LoggerLevel)),
  get("/admin/loggers/{logger}", "Level of a logger.", LoggerLevel),
  {
    method: "put",
    path: "/admin/loggers/{logger}",
    summary: "Sets the level of a logger and those under it.",
    query: { scope: "worker, or cluster for all workers until they end (KIP-976)." },
    body: z.object({ level: z.string() }),
    answers: { 200: z.array(z.string()), 204: null },
  },
  get("/headrace/self", "Who answers at this address.", SelfInfo),
  get("/headrace/group", "The group as its leader sees it.", GroupInfo, { forward: "false: as this worker sees it." }),
  get("/headrace/plugins", "Packages of plugin.path, with what is wrong with them.", z.array(PluginPackage)),
  {
    ...get("/headrace/events", "The cluster as server-sent events: a snapshot, then changes.", StreamEvent),
    mediaType: "text/event-stream",
  },
  get("/headrace/connectors/{connector}/lag", "How far a sink is behind.", SinkLag),
  act("post", "/headrace/drain", "Gives this worker's work to the others.", 202, {}),
  act("post", "/headrace/rejoin", "Makes this worker join the next round at once.", 202, {}),
  act("post", "/headrace/workers/{member}/gone", "Says that a member's process has ended.", 204, {}),
  get("/headrace/openapi.json", "This description.", z.record(z.string(), z.unknown())),
];
