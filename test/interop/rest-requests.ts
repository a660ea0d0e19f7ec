/** One step of the comparison. `{c}` in paths and bodies is a connector name of the worker's own. */
export type Step =
  | {
      readonly kind: "request";
      readonly method: string;
      readonly path: string;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Until the status of `{c}` and its tasks is this, or the connector is gone (null). */
  | { readonly kind: "await"; readonly states: string | null };

type Body = string | object | null | undefined;

const ask = (method: string, path: string, body?: Body, headers?: Readonly<Record<string, string>>): Step => ({
  kind: "request",
  method,
  path,
  ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  ...(headers === undefined ? {} : { headers }),
});
const get = (path: string) => ask("GET", path);
const until = (states: string | null): Step => ({ kind: "await", states });

/** Every path there is, with the methods that it has. */
const RESOURCES: Readonly<Record<string, readonly string[]>> = {
  "/": ["GET"],
  "/health": ["GET"],
  "/connectors": ["GET", "POST"],
  "/connectors/x": ["GET", "DELETE"],
  "/connectors/x/config": ["GET", "PUT", "PATCH"],
  "/connectors/x/status": ["GET"],
  "/connectors/x/pause": ["PUT"],
  "/connectors/x/resume": ["PUT"],
  "/connectors/x/stop": ["PUT"],
  "/connectors/x/restart": ["POST"],
  "/connectors/x/topics": ["GET"],
  "/connectors/x/topics/reset": ["PUT"],
  "/connectors/x/offsets": ["GET", "PATCH", "DELETE"],
  "/connectors/x/tasks": ["GET", "POST"],
  "/connectors/x/tasks/0/status": ["GET"],
  "/connectors/x/tasks/0/restart": ["POST"],
  "/connectors/x/fence": ["PUT"],
  "/connector-plugins": ["GET"],
  "/connector-plugins/x/config": ["GET"],
  "/connector-plugins/x/config/validate": ["PUT"],
  "/admin/loggers": ["GET"],
  "/admin/loggers/nobody": ["GET", "PUT"],
};
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"];

/** What takes a body, with one that is right. */
const BODIES: readonly (readonly [string, string, object])[] = [
  ["POST", "/connectors", { name: "x", config: {} }],
  ["PUT", "/connectors/x/config", {}],
  ["PATCH", "/connectors/x/config", {}],
  ["PATCH", "/connectors/x/offsets", { offsets: [] }],
  ["PUT", "/connector-plugins/FileStreamSource/config/validate", {}],
  ["PUT", "/admin/loggers/nobody", { level: "x" }],
];
const NAMES = ["x", "a%20b", "a+b", "a%3Fb", "a%23b", "a:b", "a%40b", "%7B%7D", "x".repeat(300), "%3Cb%3E", "..."];
/** Names that Jetty does not let through. */
const HOSTILE = ["a%2Fb", "%25", "%2E", "%2E%2E", "a%5Cb", "a%7Fb", "%00", "%", "%zz", "%FF", "a;b=c"];

const methodsOfPaths = Object.entries(RESOURCES).flatMap(([path, methods]) =>
  METHODS.filter((method) => !methods.includes(method)).map((method) => ask(method, path)),
);
const mediaTypes = BODIES.flatMap(([method, path, body]) => [
  ...["text/plain", "application/xml", "application/*", "application/vnd.api+json"].map((type) =>
    ask(method, path, body, { "content-type": type }),
  ),
  ask(method, path, body, { "content-type": "application/json; charset=utf-8" }),
  ask(method, path, body, { "content-type": "" }),
]);
/** What takes no body, given one that does not say what it is, and one of the wrong kind. */
const unwantedBodies = [
  ["PUT", "/connectors/x/pause"],
  ["PUT", "/connectors/x/stop"],
  ["POST", "/connectors/x/restart"],
  ["POST", "/connectors/x/tasks/0/restart"],
  ["PUT", "/connectors/x/topics/reset"],
  ["DELETE", "/connectors/x"],
  ["DELETE", "/connectors/x/offsets"],
].flatMap(([method = "", path = ""]) =>
  ["", "text/plain", "application/json"].map((type) => ask(method, path, "{}", { "content-type": type })),
);
const accepts = Object.entries(RESOURCES)
  .filter(([, methods]) => methods.includes("GET"))
  .flatMap(([path]) => [
    ask("GET", path, undefined, { accept: "text/plain" }),
    ask("GET", path, undefined, { accept: "text/html, application/*;q=0.5" }),
  ]);
const wrongBodies = BODIES.flatMap(([method, path]) =>
  ["{", "nope", "[]", "null", "5", '"s"', "true", '{"a":{}}', '{"a":[1]}', '{"a":1}x', "", '{"x":"y","x":"z"}'].map(
    (body) => ask(method, path, body),
  ),
);
const paths = [
  "/nope",
  "/Connectors",
  "/connectors/",
  "/connectors/x/",
  "/connectors/x/nope",
  "/connectors/x/tasks/0",
  "/connectors/x/tasks-config",
  "/connectors/x/tasks/z/status",
  "/connectors/x/tasks/-1/status",
  "/connectors/x/tasks/+1/status",
  "/connectors/x/tasks/2147483647/status",
  "/connectors/x/tasks/2147483648/status",
  "/connectors/x/tasks/1.0/status",
  "/connector-plugins/x",
  "/connector-plugins/",
  "/admin",
  "/connectors?expand=",
  "/connectors?expand=nope",
  "/connectors?expand=INFO",
  "/connectors?x=%zz",
  "/connector-plugins/x/config?version=",
].map(get);
const unknownNames = NAMES.flatMap((name) => [
  get(`/connectors/${name}`),
  get(`/connectors/${name}/config`),
  get(`/connectors/${name}/status`),
  get(`/connectors/${name}/topics`),
  get(`/connectors/${name}/offsets`),
  ask("DELETE", `/connectors/${name}`),
  ask("PUT", `/connectors/${name}/pause`),
  ask("PUT", `/connectors/${name}/stop`),
  ask("POST", `/connectors/${name}/restart`),
  get(`/connector-plugins/${name}/config`),
]);
const hostileNames = HOSTILE.flatMap((name) => [get(`/connectors/${name}`), ask("PUT", `/connectors/${name}/pause`)]);

const unknown = [
  ask("PUT", "/connectors/x/resume"),
  ask("POST", "/connectors/x/restart?includeTasks=true"),
  ask("POST", "/connectors/x/restart?onlyFailed=true"),
  ask("POST", "/connectors/x/restart?includeTasks=maybe&onlyFailed=1"),
  ask("POST", "/connectors/x/tasks/0/restart"),
  ask("POST", "/connectors/x/tasks/-1/restart"),
  ask("POST", "/connectors/x/tasks/z/restart"),
  ask("PUT", "/connectors/x/topics/reset"),
  get("/connectors/x/tasks"),
  get("/connectors/x/tasks/0/status"),
  ask("DELETE", "/connectors/x/offsets"),
  ask("PATCH", "/connectors/x/offsets", { offsets: [{ partition: {}, offset: {} }] }),
  ask("PATCH", "/connectors/x/offsets", { offsets: {} }),
  ask("PATCH", "/connectors/x/offsets", { offsets: [1] }),
  ask("PATCH", "/connectors/x/offsets", { offsets: [null] }),
  ask("PATCH", "/connectors/x/offsets", { offsets: [{ x: 1 }] }),
  ask("DELETE", "/connectors/x?forward=false"),
  ask("DELETE", "/connectors/x?forward="),
];

const source = (more: object = {}) => ({ "connector.class": "FileStreamSource", topic: "t", ...more });
const create = [
  ask("POST", "/connectors", {}),
  ask("POST", "/connectors", { name: "c" }),
  ask("POST", "/connectors", { name: "c", config: null }),
  ask("POST", "/connectors", { config: {} }),
  ask("POST", "/connectors", { name: null, config: {} }),
  ask("POST", "/connectors", { name: 5, config: {} }),
  ask("POST", "/connectors", { name: {}, config: {} }),
  ask("POST", "/connectors", { name: "c", config: "x" }),
  ask("POST", "/connectors", { name: "c", config: {}, x: 1 }),
  ask("POST", "/connectors", { name: "c", config: { name: "d" } }),
  ask("POST", "/connectors", { name: " c ", config: { name: " c " } }),
  ask("POST", "/connectors", { config: { name: "q" } }),
  ask("POST", "/connectors", { config: { ...source(), name: "q" } }),
  ask("POST", "/connectors", { config: source() }),
  ask("POST", "/connectors", { name: "c", config: { a: null } }),
  ask("POST", "/connectors", { name: "c", config: { "connector.class": null } }),
  ask("POST", "/connectors", { name: "c", config: source({ a: null }) }),
  ask("POST", "/connectors", { name: "c", config: { "connector.class": "nope" } }),
  ask("POST", "/connectors", { name: "c", config: { "connector.class": "" } }),
  ask("POST", "/connectors", { name: "c", config: source(), initial_state: "X" }),
  ask("POST", "/connectors", { name: "c", config: source(), initial_state: 1 }),
  ask("POST", "/connectors", { name: "c", config: source(), initial_state: {} }),
  ask("POST", "/connectors", { name: "a\u0001b", config: source() }),
  ask("PUT", "/connectors/c/config", source({ name: "d" })),
  ask("PUT", "/connectors/c/config", source({ name: null, topic: "" })),
  ask("PUT", "/connectors/c/config", { "connector.class": "FileStreamSource" }),
  ask("PUT", "/connectors/c/config", source({ "tasks.max": "-1", "key.converter": "no" })),
  ask("PUT", "/connectors/c/config", source({ "tasks.max": 0.5 })),
  ask("PUT", "/connectors/c/config", source({ "errors.tolerance": "some", "batch.size": "x" })),
  ask("PUT", "/connectors/c/config", source({ transforms: "a,a" })),
  ask("PUT", "/connectors/c/config", source({ transforms: "a" })),
  ask("PUT", "/connectors/c/config", { "connector.class": "FileStreamSink" }),
  ask("PUT", "/connectors/c/config", { "connector.class": "FileStreamSink", topics: "a", "topics.regex": "b" }),
  ask("PUT", "/connectors/c/config", {
    "connector.class": "FileStreamSink",
    topics: "a",
    "errors.deadletterqueue.topic.name": "a",
  }),
];

const VALIDATED: readonly object[] = [
  {},
  { "connector.class": null },
  { "connector.class": "FileStreamSource" },
  { "connector.class": "FileStreamSource", name: "c", topic: "t", file: "f" },
  {
    "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
    name: "c",
    topic: "t",
    "tasks.max": "x",
  },
  { "connector.class": "FileStreamSource", name: "", topic: "" },
  { "connector.class": "FileStreamSource", name: "c", topic: "t", x: null },
  { "connector.class": "FileStreamSink" },
  { "connector.class": "nope" },
];
/** What each key of two connectors, and of what belongs to them, is asked with. */
const VALUES = [null, "", " ", "x", "-1", " true ", "a,a", "a,,b", "2147483648", "StringConverter"];
const FRAMEWORK_KEYS = [
  ...["name", "tasks.max", "tasks.max.enforce", "config.action.reload"],
  ...["key.converter", "value.converter", "header.converter"].flatMap((name) => [name, `${name}.plugin.version`]),
  ...["transforms", "predicates", "errors.retry.timeout", "errors.retry.delay.max.ms", "errors.tolerance"],
  ...["errors.log.enable", "errors.log.include.messages", "value.converter.nobody", "nobody"],
  ...["type", "plugin.version", "predicate", "negate", "regex"].map((name) => `transforms.a.${name}`),
  ...["type", "plugin.version", "name"].map((name) => `predicates.p.${name}`),
  ...["producer.override.linger.ms", "consumer.override.group.id", "admin.override.nobody"],
];
const SOURCE_KEYS = [
  ...["file", "topic", "batch.size", "topic.creation.groups", "topic.creation.default.partitions"],
  ...["exactly.once.support", "transaction.boundary", "transaction.boundary.interval.ms", "offsets.storage.topic"],
];
const SINK_KEYS = [
  ...["file", "topics", "topics.regex", "errors.deadletterqueue.topic.name"],
  "errors.deadletterqueue.topic.replication.factor",
  "errors.deadletterqueue.context.headers.enable",
];
const PIPELINE: readonly (readonly [string, object])[] = [
  [
    "transforms.a.",
    { transforms: "a", "transforms.a.type": "RegexRouter", "transforms.a.regex": "a", "transforms.a.replacement": "b" },
  ],
  ["predicates.p.", { predicates: "p", "predicates.p.type": "HasHeaderKey", "predicates.p.name": "b" }],
];

const values = (
  [
    ["FileStreamSource", { topic: "t", file: "f" }, SOURCE_KEYS],
    ["FileStreamSink", { topics: "t" }, SINK_KEYS],
  ] as const
).flatMap(([plugin, base, keys]) =>
  [...FRAMEWORK_KEYS, ...keys].flatMap((key) =>
    VALUES.map((value) =>
      ask("PUT", `/connector-plugins/${plugin}/config/validate`, {
        "connector.class": plugin,
        name: "c",
        ...base,
        ...PIPELINE.find(([prefix]) => key.startsWith(prefix))?.[1],
        [key]: value,
      }),
    ),
  ),
);

const plugins = [
  get("/connector-plugins/FileStreamSource/config"),
  get("/connector-plugins/FileStreamSourceConnector/config"),
  get("/connector-plugins/org.apache.kafka.connect.file.FileStreamSinkConnector/config"),
  ...["String", "Json", "ByteArray", "Boolean", "Long", "Double", "SimpleHeader"].map((name) =>
    get(`/connector-plugins/${name}Converter/config`),
  ),
  get("/connector-plugins/org.apache.kafka.connect.transforms.RegexRouter/config"),
  get("/connector-plugins/org.apache.kafka.connect.transforms.predicates.TopicNameMatches/config"),
  get("/connector-plugins/FileStreamSource/config?version=9.9"),
  ...["%5B", "(1)", "%5B2,1%5D", "%5B1%5D,3", "a%20b", "%5B,%5D", ",", "-1", "latest"].map((version) =>
    get(`/connector-plugins/FileStreamSource/config?version=${version}`),
  ),
  ...["FileStreamSource", "FileStreamSinkConnector", "x"].flatMap((plugin) =>
    VALIDATED.map((body) => ask("PUT", `/connector-plugins/${plugin}/config/validate`, body)),
  ),
];

const signed = (signature: string, algorithm: string) => ({
  "x-connect-authorization": signature,
  "x-connect-request-signature-algorithm": algorithm,
});
const internal = [
  ask("POST", "/connectors/x/tasks", "[]"),
  ask("POST", "/connectors/x/tasks", "[]", { "x-connect-authorization": "AAAA" }),
  ask("POST", "/connectors/x/tasks", "[]", signed("!!", "HmacSHA256")),
  ask("POST", "/connectors/x/tasks", "[]", signed("AAAA", "HmacSHA256")),
  ask("POST", "/connectors/x/tasks", "[]", signed("AAAA", "HmacMD5")),
  ask("POST", "/connectors/x/tasks", "[]", signed("AAAA", "nope")),
  ask("PUT", "/connectors/x/fence"),
  ask("PUT", "/connectors/x/fence", undefined, signed("AAAA", "HmacSHA256")),
];

const logger = (name: string, body: object) => ask("PUT", `/admin/loggers/${name}`, body);
const loggers = [
  get("/admin/loggers/nobody"),
  logger("l.x", { level: "debug" }),
  get("/admin/loggers/l.x"),
  get("/admin/loggers/l"),
  logger("l", { level: "Error" }),
  get("/admin/loggers/l.x"),
  logger("l?scope=worker", { level: "TRACE" }),
  logger("l?scope=WORKER", { level: "TRACE" }),
  logger("l?scope=zzz", { level: "OFF" }),
  logger("m?scope=cluster", { level: "TRACE" }),
  logger("m?scope=CLUSTER", { level: "bad" }),
  ...[{}, { level: null }, { level: "" }, { level: "bad" }, { level: 5 }, { level: "INFO", x: "y" }].map((body) =>
    logger("l", body),
  ),
];

/** One connector through its life; it reads a file of three lines. */
const life = (file: string): readonly Step[] => [
  ask("POST", "/connectors", {
    name: " {c} ",
    config: { ...source({ file, topic: "{c}-t", "tasks.max": 1, on: true }) },
  }),
  until("RUNNING RUNNING"),
  ask("POST", "/connectors", { name: "{c}", config: source() }),
  get("/connectors"),
  ...["info", "status", "info&expand=status", "nope", ""].map((expand) => get(`/connectors?expand=${expand}`)),
  get("/connectors/{c}"),
  get("/connectors/{c}/config"),
  get("/connectors/{c}/status"),
  get("/connectors/{c}/tasks"),
  get("/connectors/{c}/tasks/0/status"),
  get("/connectors/{c}/tasks/1/status"),
  ask("HEAD", "/connectors/{c}"),
  ask("PUT", "/connectors/{c}/topics/reset"),
  ask("DELETE", "/connectors/{c}/offsets"),
  ask("PATCH", "/connectors/{c}/offsets", { offsets: [{ partition: { filename: file }, offset: { position: 1 } }] }),
  ask("PUT", "/connectors/{c}/pause"),
  ask("PUT", "/connectors/{c}/pause"),
  until("PAUSED PAUSED"),
  get("/connectors/{c}/status"),
  ask("PUT", "/connectors/{c}/resume"),
  until("RUNNING RUNNING"),
  ask("POST", "/connectors/{c}/restart"),
  until("RUNNING RUNNING"),
  ask("POST", "/connectors/{c}/tasks/0/restart"),
  until("RUNNING RUNNING"),
  ask("POST", "/connectors/{c}/tasks/7/restart"),
  ask("POST", "/connectors/{c}/restart?onlyFailed=true"),
  ask("POST", "/connectors/{c}/restart?includeTasks=true&onlyFailed=true"),
  ask("POST", "/connectors/{c}/restart?includeTasks=TRUE"),
  until("RUNNING RUNNING"),
  ask("PATCH", "/connectors/{c}/config", { on: null, more: 1.5 }),
  until("RUNNING RUNNING"),
  get("/connectors/{c}/config"),
  ask("PATCH", "/connectors/{c}/config", { name: "other" }),
  ask("PATCH", "/connectors/{c}/config", { topic: null }),
  ask("PUT", "/connectors/{c}/config", source({ file, topic: "{c}-t" })),
  ask("PUT", "/connectors/{c}/config", source({ file, topic: "{c}-t", name: "other" })),
  ask("PUT", "/connectors/{c}/config", source({ file, topic: "" })),
  until("RUNNING RUNNING"),
  ask("PUT", "/connectors/{c}/stop"),
  until("STOPPED"),
  ask("PUT", "/connectors/{c}/stop"),
  get("/connectors/{c}/status"),
  get("/connectors/{c}/tasks"),
  ask("PATCH", "/connectors/{c}/offsets", { offsets: [{ partition: { filename: file }, offset: { position: 6 } }] }),
  get("/connectors/{c}/offsets"),
  ask("PATCH", "/connectors/{c}/offsets", { offsets: [{ partition: { filename: file }, offset: { position: "x" } }] }),
  ask("PATCH", "/connectors/{c}/offsets", { offsets: [{ partition: { a: 1 }, offset: { position: 6 } }] }),
  ask("PATCH", "/connectors/{c}/offsets", { offsets: [{ partition: null, offset: null }] }),
  ask("DELETE", "/connectors/{c}/offsets"),
  get("/connectors/{c}/offsets"),
  ask("POST", "/connectors/{c}/restart"),
  ask("PUT", "/connectors/{c}/resume"),
  until("RUNNING RUNNING"),
  ask("DELETE", "/connectors/{c}"),
  until(null),
  ask("DELETE", "/connectors/{c}"),
  get("/connectors/{c}"),
  get("/connectors"),
  ask("POST", "/connectors", { name: "{c}", config: source({ file, topic: "{c}-t" }), initial_state: "stopped" }),
  until("STOPPED"),
  get("/connectors/{c}/status"),
  ask("DELETE", "/connectors/{c}"),
  until(null),
];

/** All requests, the ones that change nothing first. `file` is what the connector reads. */
export function comparedSteps(file: string): readonly Step[] {
  return [
    ...methodsOfPaths,
    ...mediaTypes,
    ...unwantedBodies,
    ...accepts,
    ...wrongBodies,
    ...paths,
    ...unknownNames,
    ...hostileNames,
    ...unknown,
    ...create,
    ...plugins,
    ...values,
    ...internal,
    ...loggers,
    get("/"),
    get("/health"),
    ...life(file),
  ];
}
