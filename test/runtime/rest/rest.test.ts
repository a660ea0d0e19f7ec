import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ConnectorStateInfo, type GroupInfo } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import { ConnectError } from "#runtime/errors.ts";
import { createCatalog } from "#runtime/herder/catalog.ts";
import { createClusterEvents } from "#runtime/herder/cluster-events.ts";
import { createCommands } from "#runtime/herder/commands.ts";
import { createGroupQueries } from "#runtime/herder/group-queries.ts";
import { createLeaderSteps } from "#runtime/herder/leader-steps.ts";
import { createOffsetCommands } from "#runtime/herder/offset-commands.ts";
import { createPluginQueries } from "#runtime/herder/plugin-queries.ts";
import { openScope } from "#runtime/herder/request-scope.ts";
import { signatureHeaders, verify } from "#runtime/herder/request-signature.ts";
import { createViews } from "#runtime/herder/views.ts";
import { createLoggers } from "#runtime/loggers.ts";
import { createPeerFetch, type PeerFetch } from "#runtime/peer-fetch.ts";
import { createRestServer } from "#runtime/rest/server.ts";
import type { NewSourceOffset, StoredSourceOffset } from "#runtime/store/source-offsets.ts";
import { FakeConfigStore, FakeMember, FakePool, FakeStatusStore, idle, silent, until } from "../herder/fakes.ts";

const SOURCE = {
  class: "org.apache.kafka.connect.file.FileStreamSourceConnector",
  type: "source",
  version: "1.0",
  aliases: ["file-source"],
} as const;
const SINK = { class: "file-sink", type: "sink", aliases: [] } as const;
const STRING = { class: "string", type: "converter", aliases: [] } as const;

/** A connector name that needs every kind of escaping. */
const AWKWARD = "a/b %?#+ü";

describe("REST", () => {
  let app: FastifyInstance;
  let configStore: FakeConfigStore;
  let statusStore: FakeStatusStore;
  let member: FakeMember;
  let pool: FakePool;
  let sourceOffsets: ReturnType<typeof memorySourceOffsets>;
  let fenced: string[];
  let owned: Set<string>;
  let restarted: string[];
  let restartError: Error | null;
  let forwarded: { url: string; method: string; headers: Headers; body: string }[];
  let answer: (attempt: number) => Response;
  let tracking: { enabled: boolean; resetAllowed: boolean };
  let timeoutMs: number;
  let started: Promise<void>;

  beforeEach(async () => {
    configStore = new FakeConfigStore();
    statusStore = new FakeStatusStore();
    member = new FakeMember();
    owned = new Set();
    restarted = [];
    restartError = null;
    forwarded = [];
    answer = () => new Response(null, { status: 204 });
    tracking = { enabled: true, resetAllowed: true };
    timeoutMs = 5_000;
    started = Promise.resolve();
    pool = new FakePool();
    fenced = [];
    sourceOffsets = memorySourceOffsets();
    const catalog = createCatalog([SOURCE, SINK, STRING]);
    const views = createViews({ config: () => configStore.config(), statuses: statusStore, catalog: () => catalog });
    const fetch: PeerFetch = async (url, init) => {
      forwarded.push({
        url: String(url),
        method: init?.method ?? "GET",
        headers: new Headers(init?.headers),
        body: String(init?.body ?? ""),
      });
      return answer(forwarded.length);
    };
    const herder = {
      owns: (connector: string, task: number | null) => owned.has(`${connector}/${task}`),
      restart: async (connector: string, task: number | null) => {
        if (restartError !== null) throw restartError;
        restarted.push(`${connector}/${task}`);
      },
    };
    const group = createGroupQueries({ member: () => member, fetch, drainTimeoutMs: 1_000, log: silent });
    const steps = createLeaderSteps(() => member);
    const offsets = createOffsetCommands({
      configStore,
      sourceOffsets,
      pool,
      catalog: () => catalog,
      steps,
      fence: async (connector) => void fenced.push(connector),
    });
    app = createRestServer(
      {
        commands: createCommands({
          configStore,
          statusStore,
          herder,
          pool,
          views,
          steps,
        }),
        offsets,
        views,
        plugins: createPluginQueries({ catalog: () => catalog, pool, packages: () => [] }),
        events: createClusterEvents({ configStore, statusStore, member: () => member, views, workerId: "self:8083" }),
        group,
        fencing: {
          async fence(connector) {
            fenced.push(connector);
            return { kind: "done", value: null };
          },
        },
        server: { version: "4.3.1", commit: "abc", clusterId: () => "kafka-1" },
        get topicTracking() {
          return tracking;
        },
        started: () => started,
        health: async () => ({ status: "starting", message: "Worker is still starting up. " }),
        self: () => ({ workerId: "self:8083", memberId: "self", podUid: "uid", draining: group.isDraining() }),
        verify: (request) => verify(request, configStore.config().sessionKey, ["HmacSHA256"]),
        openScope: () => openScope(timeoutMs, () => Date.now()),
        loggers: createLoggers(silent, () => Date.now()),
        fetch,
      },
      silent,
    );
    await app.ready();
  });

  afterEach(() => app.close());

  type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  const ask = async (method: Method, url: string, body?: unknown, headers: Record<string, string> = {}) => {
    const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const response = await app.inject({
      method,
      url,
      headers: { ...(payload === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    return {
      status: response.statusCode,
      body: response.body === "" ? undefined : (response.json() as unknown),
      headers: response.headers,
    };
  };
  const error = (error_code: number, message: string | RegExp, given: { status: number; body: unknown }) => {
    assert.equal(given.status, error_code);
    const { body } = given;
    assert.ok(typeof body === "object" && body !== null && "message" in body && "error_code" in body);
    assert.deepEqual(Object.keys(body).sort(), ["error_code", "message"]);
    assert.equal(body.error_code, error_code);
    if (typeof message === "string") assert.equal(body.message, message);
    else assert.match(String(body.message), message);
  };
  const config = { name: "c", "connector.class": "file-source", topic: "t" };
  const create = async (name = "c") => {
    await configStore.putConnector(name, { ...config, name }, null);
    await configStore.putTaskConfigs(name, [{ "task.class": "x" }]);
  };
  const entry = (state: "RUNNING" | "FAILED", trace: string | null = null) => ({
    state,
    workerId: "w:8083",
    generation: 1,
    trace,
    version: null,
  });
  const follow = () => member.change({ isLeader: false, leaderId: "boss", leaderUrl: "http://boss:8083/" });

  describe("/", () => {
    it("tells version and cluster", async () => {
      assert.deepEqual((await ask("GET", "/")).body, { version: "4.3.1", commit: "abc", kafka_cluster_id: "kafka-1" });
    });
    it("answers unknown paths with 404", async () => error(404, "HTTP 404 Not Found", await ask("GET", "/nope")));
    it("answers unknown methods with 405", async () =>
      error(405, "HTTP 405 Method Not Allowed", await ask("DELETE", "/connectors")));
    it("answers other media types with 415", async () =>
      error(
        415,
        "HTTP 415 Unsupported Media Type",
        await ask("POST", "/connectors", "<x/>", { "content-type": "application/xml" }),
      ));
    it("answers malformed JSON with 500", async () =>
      error(500, /Malformed JSON/, await ask("POST", "/connectors", "{")));
    it("answers a malformed path with 400", async () =>
      error(400, /not a valid url component/, await ask("GET", "/connectors/%/status")));
  });

  it("answers 503 to /health while it starts", async () => {
    assert.deepEqual(await ask("GET", "/health").then(({ status, body }) => [status, body]), [
      503,
      { status: "starting", message: "Worker is still starting up. " },
    ]);
  });

  describe("POST /connectors", () => {
    it("creates a connector", async () => {
      const created = await ask("POST", "/connectors", { name: " c ", config: { "connector.class": "file-source" } });
      assert.equal(created.status, 201);
      assert.equal(created.headers["location"], "/connectors/c");
      assert.deepEqual(created.body, {
        name: "c",
        config: { "connector.class": "file-source", name: "c" },
        tasks: [],
        type: "source",
      });
      assert.equal(member.confirms, 1);
    });
    it("takes numbers and booleans as Jackson does", async () => {
      const created = await ask(
        "POST",
        "/connectors",
        '{"name":"c","config":{"connector.class":"file-sink","n":1.50,"big":12345678901234567890,"b":true}}',
      );
      assert.equal(created.status, 201);
      assert.deepEqual(configStore.config().connectors.get("c")?.config, {
        "connector.class": "file-sink",
        n: "1.50",
        big: "12345678901234567890",
        b: "true",
        name: "c",
      });
    });
    for (const [given, target] of [
      ["RUNNING", "STARTED"],
      ["paused", "PAUSED"],
      ["Stopped", "STOPPED"],
    ] as const) {
      it(`takes initial_state ${given}`, async () => {
        await ask("POST", "/connectors", { name: "c", config, initial_state: given });
        assert.equal(configStore.config().connectors.get("c")?.targetState, target);
      });
    }
    it("refuses an unknown initial_state", async () =>
      error(500, /Invalid initial_state/, await ask("POST", "/connectors", { name: "c", config, initial_state: "X" })));
    it("refuses a name that exists", async () => {
      await create();
      error(409, "Connector c already exists", await ask("POST", "/connectors", { name: "c", config }));
    });
    it("refuses two different names", async () =>
      error(
        400,
        "Connector name configuration (c) doesn't match connector name in the URL (d)",
        await ask("POST", "/connectors", { name: "d", config }),
      ));
    it("refuses an invalid configuration", async () => {
      const refused = await ask("POST", "/connectors", { name: "c", config: { ...config, bad: "too bad" } });
      error(
        400,
        [
          "Connector configuration is invalid and contains the following 1 error(s):",
          "too bad",
          "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
        ].join("\n"),
        refused,
      );
    });
    it("refuses null values", async () =>
      error(
        400,
        /Null value can not be supplied/,
        await ask("POST", "/connectors", { name: "c", config: { ...config, x: null } }),
      ));
    it("refuses a configuration without a class, and shows it", async () => {
      const asked = await ask("POST", "/connectors", { name: "c", config: { x: null, "connector.class": null } });
      error(400, "Connector config {x=null, connector.class=null, name=c} contains no connector type", asked);
    });
    it("refuses a name in the configuration that is not in the body", async () =>
      error(
        400,
        "Connector name configuration (q) doesn't match connector name in the URL ()",
        await ask("POST", "/connectors", { config: { ...config, name: "q" } }),
      ));
    it("takes scalars as names, and nothing else", async () => {
      const { "connector.class": connectorClass } = config;
      const created = await ask("POST", "/connectors", { name: 5, config: { "connector.class": connectorClass } });
      assert.equal(created.headers["location"], "/connectors/5");
      error(500, /Cannot deserialize value/, await ask("POST", "/connectors", { name: {}, config }));
    });
    it("answers 500 to a body without config", async () =>
      error(500, /Cannot deserialize value/, await ask("POST", "/connectors", { name: "c" })));
    it("answers 500 to nested values", async () =>
      error(500, /Cannot deserialize value/, await ask("POST", "/connectors", { name: "c", config: { a: {} } })));
    it("answers 500 to unknown properties", async () =>
      error(500, /Unrecognized field "x"/, await ask("POST", "/connectors", { name: "c", config, x: 1 })));
    it("creates one connector of two at the same time", async () => {
      const both = await Promise.all([1, 2].map(() => ask("POST", "/connectors", { name: "c", config })));
      assert.deepEqual(both.map(({ status }) => status).sort(), [201, 409]);
    });
    it("deletes after a create that is still being written", async () => {
      const gate = Promise.withResolvers<void>();
      configStore.beforeWrite = () => gate.promise;
      const created = ask("POST", "/connectors", { name: "c", config });
      await until("confirmed", () => member.confirms === 1);
      const deleted = ask("DELETE", "/connectors/c");
      await idle();
      gate.resolve();
      assert.deepEqual([(await created).status, (await deleted).status], [201, 204]);
    });
  });

  describe("GET /connectors", () => {
    it("lists names", async () => {
      await create("a");
      await create("b");
      assert.deepEqual((await ask("GET", "/connectors")).body, ["a", "b"]);
    });
    it("expands info and status, and ignores what it does not know", async () => {
      await create();
      statusStore.putConnector("c", entry("RUNNING"));
      assert.deepEqual((await ask("GET", "/connectors?expand=info&expand=status&expand=x")).body, {
        c: {
          status: { name: "c", connector: { state: "RUNNING", worker_id: "w:8083" }, tasks: [], type: "source" },
          info: { name: "c", config, tasks: [{ connector: "c", task: 0 }], type: "source" },
        },
      });
    });
  });

  describe("/connectors/{c}", () => {
    it("shows, and decodes names", async () => {
      await create(AWKWARD);
      const shown = await ask("GET", `/connectors/${encodeURIComponent(AWKWARD)}`);
      assert.equal(shown.status, 200);
      assert.deepEqual((await ask("GET", `/connectors/${encodeURIComponent(AWKWARD)}/config`)).body, {
        ...config,
        name: AWKWARD,
      });
    });
    it("does not find", async () => error(404, "Connector x not found", await ask("GET", "/connectors/x")));
    it("does not find a config", async () =>
      error(404, "Connector x not found", await ask("GET", "/connectors/x/config")));
    it("deletes", async () => {
      await create();
      assert.equal((await ask("DELETE", "/connectors/c")).status, 204);
      error(404, "Connector c not found", await ask("DELETE", "/connectors/c"));
    });
  });

  describe("PATCH /connectors/{c}/config", () => {
    it("changes, adds and removes keys, and keeps the others", async () => {
      await create();
      const { status, body } = await ask("PATCH", "/connectors/c/config", {
        topic: "u",
        added: 3,
        name: "c",
        "x.y": null,
      });
      assert.equal(status, 200);
      const changed = { ...config, topic: "u", added: "3" };
      assert.deepEqual(configStore.config().connectors.get("c")?.config, changed);
      assert.deepEqual(body, { name: "c", config: changed, tasks: [{ connector: "c", task: 0 }], type: "source" });
      await ask("PATCH", "/connectors/c/config", { added: null });
      assert.deepEqual(configStore.config().connectors.get("c")?.config, { ...config, topic: "u" });
    });
    it("loses none of two patches at once", async () => {
      await create();
      await Promise.all([
        ask("PATCH", "/connectors/c/config", { one: "1" }),
        ask("PATCH", "/connectors/c/config", { two: "2" }),
      ]);
      assert.deepEqual(configStore.config().connectors.get("c")?.config, { ...config, one: "1", two: "2" });
    });
    it("refuses what makes the configuration invalid, and another name", async () => {
      await create();
      error(400, /is invalid and contains/, await ask("PATCH", "/connectors/c/config", { bad: "worse" }));
      error(400, /doesn't match connector name/, await ask("PATCH", "/connectors/c/config", { name: "d" }));
      error(500, /Cannot deserialize/, await ask("PATCH", "/connectors/c/config", []));
      assert.deepEqual(configStore.config().connectors.get("c")?.config, config);
    });
    it("does not find what is not there", async () =>
      error(404, "Connector x not found", await ask("PATCH", "/connectors/x/config", {})));
    it("goes to the leader, null values included", async () => {
      follow();
      answer = () => Response.json({ some: "info" });
      await ask("PATCH", "/connectors/c/config", { a: null, b: "1" });
      assert.deepEqual(
        forwarded.map(({ method, url, body }) => [method, url, body]),
        [["PATCH", "http://boss:8083/connectors/c/config?forward=true", '{"a":null,"b":"1"}']],
      );
    });
  });

  describe("PUT /connectors/{c}/config", () => {
    it("creates", async () => {
      const put = await ask("PUT", "/connectors/c/config", { "connector.class": "file-source" });
      assert.deepEqual([put.status, put.headers["location"]], [201, "/connectors/c"]);
    });
    it("replaces all of it", async () => {
      await create();
      const put = await ask("PUT", "/connectors/c/config", { "connector.class": "file-source" });
      assert.equal(put.status, 200);
      assert.deepEqual(configStore.config().connectors.get("c")?.config, {
        "connector.class": "file-source",
        name: "c",
      });
    });
    it("refuses another name", async () =>
      error(400, /doesn't match connector name in the URL \(d\)/, await ask("PUT", "/connectors/d/config", config)));
  });

  describe("status", () => {
    it("has tasks in order, and a trace only where there is one", async () => {
      await create();
      statusStore.putConnector("c", entry("RUNNING"));
      statusStore.putTask({ connector: "c", task: 1 }, entry("FAILED", "boom"));
      statusStore.putTask({ connector: "c", task: 0 }, entry("RUNNING"));
      assert.deepEqual((await ask("GET", "/connectors/c/status")).body, {
        name: "c",
        connector: { state: "RUNNING", worker_id: "w:8083" },
        tasks: [
          { id: 0, state: "RUNNING", worker_id: "w:8083" },
          { id: 1, state: "FAILED", worker_id: "w:8083", trace: "boom" },
        ],
        type: "source",
      });
      assert.deepEqual((await ask("GET", "/connectors/c/tasks/1/status")).body, {
        id: 1,
        state: "FAILED",
        worker_id: "w:8083",
        trace: "boom",
      });
    });
    it("is not found", async () =>
      error(404, "No status found for connector c", await ask("GET", "/connectors/c/status")));
    it("of a task is not found", async () =>
      error(404, "No status found for task c-3", await ask("GET", "/connectors/c/tasks/3/status")));
    it("of something that is no number is not found", async () =>
      error(404, "HTTP 404 Not Found", await ask("GET", "/connectors/c/tasks/x/status")));
  });

  describe("target states", () => {
    for (const [verb, state] of [
      ["pause", "PAUSED"],
      ["resume", "STARTED"],
    ] as const) {
      it(`${verb} is written by any worker`, async () => {
        await create();
        follow();
        assert.equal((await ask("PUT", `/connectors/c/${verb}`)).status, 202);
        assert.equal(configStore.config().connectors.get("c")?.targetState, state);
      });
      it(`${verb} finds what the leader has just made`, async () => {
        follow();
        configStore.onReadToEnd = () => create();
        assert.equal((await ask("PUT", `/connectors/c/${verb}`)).status, 202);
      });
      it(`${verb} does not find`, async () =>
        error(404, "Unknown connector x", await ask("PUT", `/connectors/x/${verb}`)));
    }
    it("stop gives up the tasks first, and is idempotent", async () => {
      await create();
      assert.equal((await ask("PUT", "/connectors/c/stop")).status, 204);
      assert.equal((await ask("PUT", "/connectors/c/stop")).status, 204);
      assert.equal(configStore.config().connectors.get("c")?.targetState, "STOPPED");
      assert.deepEqual((await ask("GET", "/connectors/c/tasks")).body, []);
    });
    it("stop does not find", async () => error(404, "Unknown connector x", await ask("PUT", "/connectors/x/stop")));
  });

  describe("restart", () => {
    it("of what is here", async () => {
      await create();
      owned.add("c/null").add("c/0");
      assert.equal((await ask("POST", "/connectors/c/restart")).status, 204);
      assert.equal((await ask("POST", "/connectors/c/tasks/0/restart")).status, 204);
      assert.deepEqual(restarted, ["c/null", "c/0"]);
    });
    it("goes to the owner if this is the leader", async () => {
      await create();
      const assignment = { connectors: [], tasks: [{ connector: "c", task: 0 }] };
      member.change({ members: [{ memberId: "m2", url: "http://two:8083/", draining: false, assignment }] });
      assert.equal((await ask("POST", "/connectors/c/tasks/0/restart")).status, 204);
      assert.equal(forwarded[0]?.url, "http://two:8083/connectors/c/tasks/0/restart?forward=true");
    });
    it("goes to the leader otherwise", async () => {
      await create();
      follow();
      await ask("POST", "/connectors/c/restart?forward=true");
      assert.equal(forwarded[0]?.url, "http://boss:8083/connectors/c/restart?forward=false");
    });
    it("is a conflict if nobody has it within the request's time", async () => {
      await create();
      timeoutMs = 100;
      error(409, /stale configuration/, await ask("POST", "/connectors/c/restart"));
    });
    it("waits for the owner of what is moving", async () => {
      await create();
      const answered = ask("POST", "/connectors/c/tasks/0/restart");
      await idle();
      owned.add("c/0");
      assert.equal((await answered).status, 204);
      assert.deepEqual(restarted, ["c/0"]);
    });
    it("goes on at the new owner of what has moved away while it was restarted here", async () => {
      await create();
      owned.add("c/0");
      restartError = new ConnectError("rebalance", "It was stopped instead");
      const answered = ask("POST", "/connectors/c/tasks/0/restart");
      await idle();
      owned.clear();
      follow();
      assert.equal((await answered).status, 204);
      assert.equal(forwarded[0]?.url, "http://boss:8083/connectors/c/tasks/0/restart?forward=true");
    });
    it("is repeated if it has moved away from the worker that it was sent to", async () => {
      await create();
      follow();
      answer = (attempt) =>
        attempt === 1
          ? Response.json({ error_code: 409, message: "rebalance" }, { status: 409 })
          : new Response(null, { status: 204 });
      assert.equal((await ask("POST", "/connectors/c/tasks/0/restart")).status, 204);
      assert.equal(forwarded.length, 2);
    });
    it("that fails to start is an error", async () => {
      await create();
      owned.add("c/0").add("c/null");
      restartError = new Error("no such table");
      error(500, "Failed to start task: c-0", await ask("POST", "/connectors/c/tasks/0/restart"));
      error(500, "Failed to start connector: c", await ask("POST", "/connectors/c/restart"));
    });

    const withStatus = async () => {
      await create();
      statusStore.putConnector("c", entry("RUNNING"));
      statusStore.putTask({ connector: "c", task: 0 }, entry("FAILED", "boom"));
      statusStore.putTask({ connector: "c", task: 1 }, entry("RUNNING"));
    };
    const states = (body: unknown) => {
      const { connector, tasks } = ConnectorStateInfo.parse(body);
      return [connector.state, ...tasks.map(({ state }) => state)].join(" ");
    };
    for (const [query, planned] of [
      ["includeTasks=true", "RESTARTING RESTARTING RESTARTING"],
      ["onlyFailed=true", "RUNNING FAILED RUNNING"],
      ["includeTasks=true&onlyFailed=true", "RUNNING RESTARTING RUNNING"],
      ["includeTasks=TRUE&onlyFailed=no", "RESTARTING RESTARTING RESTARTING"],
    ] as const) {
      it(`with ${query} answers with the plan, and writes the request`, async () => {
        await withStatus();
        const { status, body } = await ask("POST", `/connectors/c/restart?${query}`);
        assert.deepEqual([status, states(body)], [202, planned]);
        assert.equal(configStore.privilegedWrites.at(-1), "putRestart c");
        assert.equal(member.confirms, 1);
      });
    }
    it("of parts is forwarded with both parameters", async () => {
      await create(AWKWARD);
      follow();
      answer = () => Response.json({ some: "plan" }, { status: 202 });
      const relayed = await ask("POST", `/connectors/${encodeURIComponent(AWKWARD)}/restart?includeTasks=true`);
      assert.deepEqual([relayed.status, relayed.body], [202, { some: "plan" }]);
      assert.equal(
        forwarded[0]?.url,
        `http://boss:8083/connectors/${encodeURIComponent(AWKWARD)}/restart?includeTasks=true&onlyFailed=false&forward=true`,
      );
    });
    it("of parts does not find unknown connectors, nor those without a status", async () => {
      error(404, "Unknown connector: x", await ask("POST", "/connectors/x/restart?includeTasks=true"));
      await create();
      error(404, "Status for connector c not found", await ask("POST", "/connectors/c/restart?onlyFailed=true"));
    });
    it("does not find connectors and tasks", async () => {
      error(404, "Unknown connector: x", await ask("POST", "/connectors/x/restart"));
      await create();
      error(404, "Unknown task: c-7", await ask("POST", "/connectors/c/tasks/7/restart"));
      error(404, "Unknown task: c--1", await ask("POST", "/connectors/c/tasks/-1/restart"));
      error(404, "HTTP 404 Not Found", await ask("POST", "/connectors/c/tasks/x/restart"));
    });
  });

  describe("offsets of a source", () => {
    const stopped = async (name = "c") => {
      await configStore.putConnector(name, { ...config, name }, "STOPPED");
      await configStore.putTaskConfigs(name, []);
    };
    const file = { filename: "f" };
    const one = (partition: unknown, offset: unknown) => ({ offsets: [{ partition, offset }] });

    it("are shown in every state, without losing a digit", async () => {
      await create();
      sourceOffsets.stored = [{ partition: file, offset: { position: 2n ** 63n - 1n } }];
      const response = await app.inject({ method: "GET", url: "/connectors/c/offsets" });
      assert.match(String(response.headers["content-type"]), /^application\/json/);
      assert.equal(
        response.body,
        '{"offsets":[{"partition":{"filename":"f"},"offset":{"position":9223372036854775807}}]}',
      );
    });
    it("are those of a source, too, if a placeholder names its class", async () => {
      await configStore.putConnector("c", { ...config, "connector.class": `\${env:SOURCE}` }, "STOPPED");
      await configStore.putTaskConfigs("c", []);
      assert.deepEqual((await ask("GET", "/connectors/c/offsets")).body, { offsets: [] });
      assert.equal((await ask("DELETE", "/connectors/c/offsets")).status, 200);
      await configStore.putConnector("d", { ...config, "connector.class": `\${env:NOBODY}` }, "STOPPED");
      assert.equal((await ask("GET", "/connectors/d/offsets")).status, 500);
    });
    it("of unknown connectors are not found", async () => {
      error(404, "Connector x not found", await ask("GET", "/connectors/x/offsets"));
      error(404, "Connector x not found", await ask("DELETE", "/connectors/x/offsets"));
      error(404, "Connector x not found", await ask("PATCH", "/connectors/x/offsets", one(file, null)));
    });
    it("are changed after the connector was asked and its tasks were fenced, without losing a digit", async () => {
      await stopped();
      const sent = '{"offsets":[{"partition":{"filename":"f"},"offset":{"position":9007199254740993}}]}';
      const { status, body } = await ask("PATCH", "/connectors/c/offsets", sent);
      assert.deepEqual(
        [status, body],
        [200, { message: "The offsets for this connector have been altered successfully" }],
      );
      const altered = [{ partition: file, offset: { position: 9_007_199_254_740_993n } }];
      assert.deepEqual([pool.altered, sourceOffsets.written, fenced], [[altered], [altered], ["c"]]);
      assert.equal(member.confirms, 1);
    });
    it("are all forgotten by a reset", async () => {
      await stopped();
      sourceOffsets.stored = [{ partition: file, offset: { position: 1 } }];
      assert.deepEqual((await ask("DELETE", "/connectors/c/offsets")).body, {
        message: "The offsets for this connector have been reset successfully",
      });
      assert.deepEqual(sourceOffsets.written, [[{ partition: file, offset: null }]]);
      assert.deepEqual(pool.altered, sourceOffsets.written);
    });
    it("are changed with a hint if the connector may keep others", async () => {
      await stopped();
      pool.settles = false;
      const altered = await ask("PATCH", "/connectors/c/offsets", one(file, { position: 1 }));
      assert.deepEqual(altered.body, {
        message:
          "The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector " +
          "manages offsets externally, they will need to be manually altered in the system that the connector uses.",
      });
      assert.match(JSON.stringify((await ask("DELETE", "/connectors/c/offsets")).body), /been reset .* manually reset/);
    });
    it("are not changed if the connector refuses", async () => {
      await stopped();
      pool.refusal = new ConnectError("config-invalid", "no such file");
      error(500, "no such file", await ask("PATCH", "/connectors/c/offsets", one(file, { position: 1 })));
      assert.deepEqual(sourceOffsets.written, []);
    });
    it("are changed of stopped connectors only", async () => {
      await create();
      const hint =
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified " +
        "connector by issuing a 'PUT' request to the '/connectors/c/stop' endpoint";
      error(400, hint, await ask("PATCH", "/connectors/c/offsets", one(file, { position: 1 })));
      await configStore.putTargetState("c", "STOPPED");
      error(400, hint, await ask("DELETE", "/connectors/c/offsets"));
      await configStore.putTaskConfigs("c", []);
      await configStore.putTargetState("c", "PAUSED");
      error(400, hint, await ask("DELETE", "/connectors/c/offsets"));
    });
    it("are not changed if another worker has just resumed the connector", async () => {
      await create();
      await configStore.putTaskConfigs("c", []);
      await configStore.putTargetState("c", "STOPPED");
      configStore.onReadToEnd = () => configStore.putTargetState("c", "STARTED");
      error(400, /must be in the STOPPED state/, await ask("DELETE", "/connectors/c/offsets"));
      assert.deepEqual(sourceOffsets.written, []);
    });
    for (const body of ["{}", '{"offsets":null}', '{"offsets":[]}']) {
      it(`refuses ${body}`, async () =>
        error(
          400,
          "Partitions / offsets need to be provided for an alter offsets request",
          await ask("PATCH", "/connectors/c/offsets", body),
        ));
    }
    for (const [body, message] of [
      ["[]", /Cannot deserialize/],
      ['"x"', /Cannot deserialize/],
      ["null", /Cannot deserialize/],
      ['{"offsets":"x"}', /Cannot deserialize/],
      ['{"offsets":[3]}', /Cannot deserialize/],
      ['{"offsets":[{"partition":3,"offset":4}]}', /Cannot deserialize/],
      ['{"offsets":[{"partition":{},"offset":{}}],"more":1}', /Unrecognized field "more"/],
      ['{"offsets":[{"partition":{},"more":1}]}', /Unrecognized field "more"/],
      ['{"offsets":[{"partition":{"a":{}},"offset":null}]}', /field a contains MAP/],
      ['{"offsets":[{"partition":{},"offset":{"b":[]}}]}', /field b contains ARRAY/],
    ] as const) {
      it(`answers 500 to ${body}`, async () => {
        await stopped();
        error(500, message, await ask("PATCH", "/connectors/c/offsets", body));
        assert.deepEqual(sourceOffsets.written, []);
      });
    }
    it("without a partition are refused", async () => {
      await stopped();
      error(400, /cannot be null or missing/, await ask("PATCH", "/connectors/c/offsets", one(null, { position: 1 })));
    });
    it("are changed by the leader, which gets the very bytes", async () => {
      await stopped(AWKWARD);
      follow();
      answer = () => Response.json({ message: "done" });
      const sent = '{ "offsets": [ {"partition":{"a":9007199254740993},"offset":null} ] }';
      const path = `connectors/${encodeURIComponent(AWKWARD)}/offsets`;
      assert.deepEqual((await ask("PATCH", `/${path}`, sent)).body, { message: "done" });
      await ask("DELETE", `/${path}?forward=true`);
      assert.deepEqual(
        forwarded.map(({ method, url, body }) => [method, url, body]),
        [
          ["PATCH", `http://boss:8083/${path}?forward=true`, sent],
          ["DELETE", `http://boss:8083/${path}?forward=false`, ""],
        ],
      );
    });
  });

  describe("offsets of a sink", () => {
    const place = { kafka_topic: "t", kafka_partition: 0 };
    const alter = (partition: unknown, offset: unknown) =>
      ask("PATCH", "/connectors/s/offsets", { offsets: [{ partition, offset }] });
    beforeEach(async () => {
      await configStore.putConnector("s", { name: "s", "connector.class": "file-sink", topics: "t" }, "STOPPED");
    });

    it("are those of its group", async () => {
      pool.groupOffsets = [{ topic: "t", partition: 3, offset: 42n }];
      assert.deepEqual((await ask("GET", "/connectors/s/offsets")).body, {
        offsets: [{ partition: { kafka_topic: "t", kafka_partition: 3 }, offset: { kafka_offset: 42 } }],
      });
    });
    it("are told with the end of each partition under /headrace, for sinks alone", async () => {
      pool.groupOffsets = [{ topic: "t", partition: 3, offset: 2n ** 60n }];
      assert.deepEqual((await ask("GET", "/headrace/connectors/s/lag")).body, {
        group: "connect-c",
        partitions: [{ topic: "t", partition: 3, offset: String(2n ** 60n), end: String(2n ** 60n + 5n) }],
      });
      await configStore.putConnector("src", { name: "src", "connector.class": "file-source", topic: "t" }, "STOPPED");
      assert.equal((await ask("GET", "/headrace/connectors/src/lag")).status, 400);
      assert.equal((await ask("GET", "/headrace/connectors/none/lag")).status, 404);
    });
    for (const [partition, offset, wanted] of [
      [place, { kafka_offset: 5 }, 5n],
      [{ kafka_topic: "t", kafka_partition: "0", more: 1 }, { kafka_offset: "6", more: 1 }, 6n],
      [place, null, null],
    ] as const) {
      it(`are changed by ${JSON.stringify([partition, offset])}`, async () => {
        assert.equal((await alter(partition, offset)).status, 200);
        assert.deepEqual(pool.altered, [[{ topic: "t", partition: 0, offset: wanted }]]);
      });
    }
    it("are all removed by a reset", async () => {
      assert.equal((await ask("DELETE", "/connectors/s/offsets")).status, 200);
      assert.deepEqual(pool.altered, [null]);
    });
    for (const [partition, offset, message] of [
      [null, { kafka_offset: 5 }, "The partition for a sink connector offset cannot be null or missing"],
      [
        { kafka_topic: "t" },
        { kafka_offset: 5 },
        "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
      ],
      [
        { ...place, kafka_topic: null },
        { kafka_offset: 5 },
        "Kafka topic names must be valid strings and may not be null",
      ],
      [
        { ...place, kafka_partition: null },
        { kafka_offset: 5 },
        "Kafka partitions must be valid numbers and may not be null",
      ],
      [
        { ...place, kafka_partition: 1.5 },
        { kafka_offset: 5 },
        "Failed to parse the following Kafka partition value in the provided offsets: '1.5'. " +
          "Partition values for sink connectors need to be integers.",
      ],
      [
        { ...place, kafka_partition: 2 ** 31 },
        { kafka_offset: 5 },
        "Failed to parse the following Kafka partition value in the provided offsets: '2147483648'. " +
          "Partition values for sink connectors need to be integers.",
      ],
      [place, { offset: 5 }, "The offset for a sink connector should either be null or contain the key 'kafka_offset'"],
      [
        place,
        { kafka_offset: null },
        "Failed to parse the following Kafka offset value in the provided offsets: 'null'. " +
          "Offset values for sink connectors need to be integers.",
      ],
    ] as const) {
      it(`are refused: ${JSON.stringify([partition, offset])}`, async () => {
        error(400, message, await alter(partition, offset));
        assert.deepEqual(pool.altered, []);
      });
    }
    it("are refused below 0", async () => error(500, /negative/, await alter(place, { kafka_offset: -5 })));
    it("are not changed while the group has members", async () => {
      pool.refusal = new ConnectError("conflict", "Consumer group 'connect-s' has members: connector-consumer-s-0");
      error(500, /^Failed to alter consumer group offsets for connector s.*zombie sink task/, await alter(place, null));
      const reset = await ask("DELETE", "/connectors/s/offsets");
      error(500, /^Failed to reset consumer group offsets for connector s.*zombie sink task/, reset);
    });
    it("that Kafka refuses are an error that says why", async () => {
      pool.refusal = new ConnectError("kafka", "Topic 't' has no partition 9");
      const wanted = "Failed to alter consumer group offsets for connector s: Topic 't' has no partition 9";
      error(500, wanted, await alter({ ...place, kafka_partition: 9 }, { kafka_offset: 5 }));
    });
  });

  describe("topics", () => {
    it("are shown and reset", async () => {
      statusStore.putTopic("c", "t1");
      assert.deepEqual((await ask("GET", "/connectors/c/topics")).body, { c: { topics: ["t1"] } });
      assert.equal((await ask("PUT", "/connectors/c/topics/reset")).status, 202);
      assert.deepEqual((await ask("GET", "/connectors/c/topics")).body, { c: { topics: [] } });
    });
  });

  describe("plugins", () => {
    it("lists sinks, then sources, without aliases", async () => {
      assert.deepEqual((await ask("GET", "/connector-plugins")).body, [
        { class: "file-sink", type: "sink" },
        { class: SOURCE.class, type: "source", version: "1.0" },
      ]);
    });
    it("lists all kinds if asked to", async () => {
      const all = (await ask("GET", "/connector-plugins?connectorsOnly=false")).body;
      assert.ok(Array.isArray(all));
      assert.equal(all.length, 3);
    });
    it("shows the keys of a plugin by any of its names", async () => {
      for (const name of [SOURCE.class, "FileStreamSourceConnector", "FileStreamSource", "file-source"]) {
        assert.deepEqual(await ask("GET", `/connector-plugins/${name}/config`).then(({ body }) => body), []);
      }
    });
    it("does not find", async () => error(404, "Unknown plugin x.", await ask("GET", "/connector-plugins/x/config")));
    it("validates", async () => {
      const infos = await ask("PUT", "/connector-plugins/FileStreamSource/config/validate", { ...config, bad: "no" });
      assert.equal(infos.status, 200);
      assert.ok(typeof infos.body === "object" && infos.body !== null && "error_count" in infos.body);
      assert.equal(infos.body.error_count, 1);
    });
    it("refuses another class than that of the path", async () =>
      error(
        400,
        "Included connector type file-source does not match request type file-sink",
        await ask("PUT", "/connector-plugins/file-sink/config/validate", config),
      ));
    it("refuses a configuration without a class", async () =>
      error(400, /contains no connector type/, await ask("PUT", "/connector-plugins/file-sink/config/validate", {})));
  });

  describe("forwarding to the leader", () => {
    beforeEach(follow);

    it("relays the leader's answer and copies Authorization only", async () => {
      answer = () =>
        new Response('{"name":"c"}', { status: 201, headers: { location: "/connectors/c", "x-other": "1" } });
      const put = await ask(
        "PUT",
        `/connectors/${encodeURIComponent("a/b")}/config`,
        { "connector.class": "v" },
        {
          authorization: "Bearer t",
          "x-secret": "s",
        },
      );
      assert.deepEqual([put.status, put.body, put.headers["location"]], [201, { name: "c" }, "/connectors/c"]);
      const [sent] = forwarded;
      assert.equal(sent?.url, "http://boss:8083/connectors/a%2Fb/config?forward=true");
      assert.equal(sent?.headers.get("authorization"), "Bearer t");
      assert.equal(sent?.headers.get("x-secret"), null);
      assert.deepEqual(JSON.parse(sent?.body ?? ""), { "connector.class": "v", name: "a/b" });
    });
    it("relays errors", async () => {
      answer = () => new Response('{"error_code":409,"message":"no"}', { status: 409 });
      error(409, "no", await ask("DELETE", "/connectors/c"));
    });
    it("sends once more what was forwarded, and not again", async () => {
      await ask("DELETE", "/connectors/c?forward=true");
      assert.equal(forwarded[0]?.url, "http://boss:8083/connectors/c?forward=false");
      error(
        409,
        "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
        await ask("DELETE", "/connectors/c?forward=false"),
      );
    });
    it("asks anew who leads if the leader refuses the connection", async () => {
      answer = (attempt) => {
        if (attempt > 1) return new Response(null, { status: 204 });
        member.change({ leaderUrl: "http://next:8083/" });
        throw new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) });
      };
      assert.equal((await ask("DELETE", "/connectors/c")).status, 204);
      assert.equal(forwarded[1]?.url, "http://next:8083/connectors/c?forward=true");
    });
    for (const name of [".", "..", "a/b %?", "ü\u0000\n", "?forward=x"]) {
      it(`sends the name ${JSON.stringify(name)} as it is`, async () => {
        // Over a socket: inject would take ".." for a step upwards.
        const url = await app.listen({ port: 0, host: "127.0.0.1" });
        await createPeerFetch(() => ({}))(`${url}/connectors/${encodeURIComponent(name)}`, { method: "DELETE" });
        assert.equal(forwarded[0]?.url, `http://boss:8083/connectors/${encodeURIComponent(name)}?forward=true`);
      });
    }
    it("does not repeat what may have arrived", async () => {
      answer = () => {
        throw new TypeError("fetch failed", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) });
      };
      error(500, /IO Error trying to forward REST request/, await ask("DELETE", "/connectors/c"));
      assert.equal(forwarded.length, 1);
    });
  });

  describe("while the group rebalances", () => {
    it("a request waits for its end", async () => {
      member.change({ rebalancing: true });
      const created = ask("POST", "/connectors", { name: "c", config });
      await idle();
      member.change({ rebalancing: false });
      assert.equal((await created).status, 201);
    });
    it("a request that waits goes to the new leader", async () => {
      member.change({ rebalancing: true });
      const deleted = ask("DELETE", "/connectors/c");
      await idle();
      member.change({ rebalancing: false, isLeader: false, leaderUrl: "http://boss:8083/" });
      assert.equal((await deleted).status, 204);
      assert.equal(forwarded.length, 1);
    });
    it("is a conflict when its time is over", async () => {
      timeoutMs = 50;
      member.change({ rebalancing: true });
      error(409, /conflicting operation/, await ask("POST", "/connectors", { name: "c", config }));
    });
    it("says if no leader is known", async () => {
      timeoutMs = 50;
      member.change({ leaderUrl: null });
      error(409, /no known leader URL/, await ask("POST", "/connectors", { name: "c", config }));
    });
    it("a write whose leadership cannot be confirmed waits for the next round and is not made", async () => {
      member.onConfirm = async () => {
        member.onConfirm = async () => {};
        member.change({ rebalancing: true });
        throw new ConnectError("rebalance", "not now");
      };
      const created = ask("POST", "/connectors", { name: "c", config });
      await until("asked", () => member.confirms === 1);
      await idle();
      assert.deepEqual(configStore.privilegedWrites, []);
      member.change({ rebalancing: false, isLeader: false, leaderUrl: "http://boss:8083/" });
      assert.equal((await created).status, 204);
      assert.deepEqual(configStore.privilegedWrites, []);
    });
    it("reads are answered at once", async () => {
      await create();
      member.change({ rebalancing: true, leaderUrl: null });
      assert.equal((await ask("GET", "/connectors/c")).status, 200);
    });
  });

  it("answers nothing about the cluster before its topics were read", async () => {
    const start = Promise.withResolvers<void>();
    started = start.promise;
    await create();
    let answered = false;
    const listed = ask("GET", "/connectors").finally(() => {
      answered = true;
    });
    assert.equal((await ask("GET", "/health")).status, 503);
    assert.equal((await ask("GET", "/headrace/self")).status, 200);
    await idle();
    assert.equal(answered, false);
    start.resolve();
    assert.deepEqual((await listed).body, ["c"]);
  });

  it("says what a request that timed out was doing", async () => {
    timeoutMs = 50;
    configStore.beforeWrite = () => new Promise(() => {});
    error(
      500,
      /^Request timed out\. The worker is currently writing a config for connector c to the config topic, which began at \d{4}-.*Z\.$/,
      await ask("POST", "/connectors", { name: "c", config }),
    );
  });

  describe("POST /connectors/{c}/tasks", () => {
    const key = {
      key: Buffer.from(Array.from({ length: 32 }, (_, index) => index)),
      algorithm: "HmacSHA256",
      createdAtMs: 0,
    };
    const body = '[{"a":"b"}]';

    it("stores task sets of signed requests", async () => {
      await create();
      await configStore.putSessionKey(key);
      const headers = signatureHeaders(key, "HmacSHA256", Buffer.from(body));
      assert.equal(headers["x-connect-authorization"], "Eroe1tB3QaSe5EJ0n/U/3E2UQZRh4D5G73yb9AU1xkM=");
      assert.equal((await ask("POST", "/connectors/c/tasks", body, headers)).status, 204);
      assert.deepEqual((await ask("GET", "/connectors/c/tasks")).body, [
        { id: { connector: "c", task: 0 }, config: { a: "b" } },
      ]);
    });
    it("refuses unsigned requests", async () =>
      error(400, "Internal request missing required signature", await ask("POST", "/connectors/c/tasks", body)));
    it("refuses wrong signatures", async () => {
      await configStore.putSessionKey(key);
      const headers = signatureHeaders(key, "HmacSHA256", Buffer.from("[]"));
      error(
        403,
        "Internal request contained invalid signature.",
        await ask("POST", "/connectors/c/tasks", body, headers),
      );
    });
    it("refuses other algorithms and what is not base64", async () => {
      const headers = signatureHeaders(key, "HmacSHA256", Buffer.from(body));
      const other = { ...headers, "x-connect-request-signature-algorithm": "HmacMD5" };
      error(400, /does not support/, await ask("POST", "/connectors/c/tasks", body, other));
      const garbage = { ...headers, "x-connect-authorization": "!!" };
      error(400, "Illegal base64 character 21", await ask("POST", "/connectors/c/tasks", body, garbage));
    });
    it("is not available before there is a key", async () => {
      const headers = signatureHeaders(key, "HmacSHA256", Buffer.from(body));
      assert.equal((await ask("POST", "/connectors/c/tasks", body, headers)).status, 503);
    });
    it("refuses tasks of a stopped connector, but not an empty set", async () => {
      await create();
      await configStore.putSessionKey(key);
      await configStore.putTargetState("c", "STOPPED");
      const signed = (text: string) => signatureHeaders(key, "HmacSHA256", Buffer.from(text));
      assert.equal((await ask("POST", "/connectors/c/tasks", body, signed(body))).status, 400);
      assert.equal((await ask("POST", "/connectors/c/tasks", "[]", signed("[]"))).status, 204);
    });
    it("does not find tasks of unknown connectors", async () =>
      error(404, "Connector x not found", await ask("GET", "/connectors/x/tasks")));
  });

  describe("/headrace", () => {
    it("tells who this is, and that it drains", async () => {
      assert.deepEqual((await ask("GET", "/headrace/self")).body, {
        workerId: "self:8083",
        memberId: "self",
        podUid: "uid",
        draining: false,
      });
      assert.equal((await ask("POST", "/headrace/drain")).status, 202);
      const self = (await ask("GET", "/headrace/self")).body;
      assert.ok(typeof self === "object" && self !== null && "draining" in self && self.draining === true);
    });
    it("passes on pokes and ended members", async () => {
      assert.equal((await ask("POST", "/headrace/rejoin")).status, 202);
      assert.equal((await ask("POST", `/headrace/workers/${encodeURIComponent("m/1")}/gone`)).status, 204);
      assert.deepEqual([member.pokes, member.evicted], [1, ["m/1"]]);
    });
    it("asks the leader for the group, and says itself what it knows if the leader does not", async () => {
      follow();
      const group: GroupInfo = {
        generation: 7,
        leaderUrl: "x",
        rebalancing: false,
        balanced: true,
        delayMs: 0,
        members: [],
      };
      answer = () => Response.json(group);
      assert.deepEqual((await ask("GET", "/headrace/group")).body, group);
      answer = () => new Response("", { status: 404 });
      const own = (await ask("GET", "/headrace/group")).body;
      assert.ok(typeof own === "object" && own !== null && "leaderUrl" in own);
      assert.equal(own.leaderUrl, "http://boss:8083/");
    });
  });

  it("streams a snapshot, then changes", async () => {
    await create();
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    const response = await fetch(`${address}/headrace/events`);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    assert.ok(response.body !== null);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const more = async (wanted: number) => {
      while (text.split("\n\n").length <= wanted) text += (await reader.read()).value ?? "";
    };
    await more(2);
    statusStore.putTask({ connector: "c", task: 0 }, entry("FAILED", "boom"));
    await configStore.putTargetState("c", "PAUSED");
    statusStore.removeTask({ connector: "c", task: 0 });
    await configStore.removeConnector("c");
    member.change({ generation: 2 });
    await more(7);
    const events = text
      .split("\n\n")
      .filter((block) => block !== "")
      .map((block) => {
        const [event = "", data = ""] = block.split("\n");
        const parsed: { kind: string } = JSON.parse(data.slice("data: ".length));
        assert.equal(event, `event: ${parsed.kind}`);
        return parsed;
      });
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["snapshot", "group", "status", "config", "status", "config", "group"],
    );
    assert.deepEqual(events[2], {
      kind: "status",
      connector: "c",
      task: 0,
      state: "FAILED",
      workerId: "w:8083",
      generation: 1,
      trace: "boom",
    });
    assert.deepEqual(events[5], { kind: "config", connector: "c", snapshot: null });
    await reader.cancel();
  });

  describe("without topic tracking", () => {
    it("topics are forbidden", async () => {
      tracking = { enabled: false, resetAllowed: false };
      error(403, "Topic tracking is disabled.", await ask("GET", "/connectors/c/topics"));
      error(403, "Topic tracking is disabled.", await ask("PUT", "/connectors/c/topics/reset"));
    });
    it("reset alone may be forbidden", async () => {
      tracking = { enabled: true, resetAllowed: false };
      error(403, "Topic tracking reset is disabled.", await ask("PUT", "/connectors/c/topics/reset"));
    });
  });
});

/** Offsets of source connectors in memory: `stored` is what is listed, `written` what was written. */
function memorySourceOffsets() {
  const written: (readonly NewSourceOffset[])[] = [];
  const state = {
    stored: [] as readonly StoredSourceOffset[],
    written,
    list: async () => state.stored,
    write: async (_owner: unknown, offsets: readonly NewSourceOffset[]) => void written.push(offsets),
  };
  return state;
}
