import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { runHeadrace } from "#support/command-line.ts";

const STATUS = {
  name: "orders",
  connector: { state: "RUNNING", worker_id: "a:8083" },
  tasks: [
    { id: 0, state: "RUNNING", worker_id: "a:8083" },
    { id: 1, state: "FAILED", worker_id: "a:8083", trace: "Error: no disk\n  at somewhere" },
  ],
  type: "source",
};

describe("headrace connectors over REST", () => {
  let server: Server;
  let connect: readonly string[];
  let calls: string[] = [];

  before(async () => {
    server = createServer((request, response) => {
      calls.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
      response.setHeader("content-type", "application/json");
      if (request.url?.includes("missing") === true) {
        response.writeHead(404).end(JSON.stringify({ error_code: 404, message: "Connector missing not found" }));
        return;
      }
      const info = { name: "orders", config: { "connector.class": "datagen" }, tasks: [], type: "source" };
      if (request.url === "/base/connectors?expand=info&expand=status")
        response.end(JSON.stringify({ orders: { info, status: STATUS } }));
      else if (request.method === "GET") response.end(JSON.stringify(STATUS));
      else response.writeHead(202).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    connect = ["--connect", `http://127.0.0.1:${port}/base`];
  });
  beforeEach(() => {
    calls = [];
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  it("lists them in a table and as JSON", async () => {
    const { code, out } = await runHeadrace(["connectors", "list", ...connect]);
    assert.equal(code, 0);
    assert.equal(
      out,
      "NAME     CLASS     STATE     TASKS   MESSAGE\norders   datagen   RUNNING   1/2     Error: no disk\n",
    );
    const listed = await runHeadrace(["connectors", "list", "-o", "json", ...connect]);
    assert.equal(JSON.parse(listed.out)[0].tasks, "1/2");
  });

  it("looks at one", async () => {
    const { out } = await runHeadrace(["connectors", "status", "orders", ...connect]);
    assert.deepEqual(JSON.parse(out), STATUS);
  });

  it("restarts, pauses, resumes and stops, with credentials", async () => {
    const environment = { HEADRACE_CONNECT_USER: "me:secret" };
    const run = (...args: string[]) => runHeadrace(["connectors", ...args, ...connect], { environment });
    await run("restart", "or ders", "--tasks", "--only-failed");
    await run("pause", "a", "b");
    await run("resume", "a");
    await run("stop", "a");
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    assert.deepEqual(calls, [
      `POST /base/connectors/or%20ders/restart?includeTasks=true&onlyFailed=true ${basic}`,
      `PUT /base/connectors/a/pause ${basic}`,
      `PUT /base/connectors/b/pause ${basic}`,
      `PUT /base/connectors/a/resume ${basic}`,
      `PUT /base/connectors/a/stop ${basic}`,
    ]);
  });

  it("passes on what the worker says", async () => {
    const { code, err } = await runHeadrace(["connectors", "status", "missing", ...connect]);
    assert.equal(code, 1);
    assert.match(err, /Connector missing not found/);
    assert.equal((await runHeadrace(["connectors", "pause", ...connect])).code, 2);
    assert.equal((await runHeadrace(["connectors", "dance", "x", ...connect])).code, 2);
  });
});

describe("headrace connectors in Kubernetes", () => {
  let dir: string;
  let environment: Record<string, string>;
  const log = () => readFile(join(dir, "calls"), "utf8");

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-kubectl-"));
    const item = {
      metadata: { name: "orders", namespace: "kafka", labels: { "headrace.dev/cluster": "my-connect" } },
      spec: { class: "datagen" },
      status: {
        tasks: "1/2",
        connectorStatus: STATUS,
        conditions: [{ type: "Ready", status: "False", message: "1 of 2 tasks failed; task 1: no disk." }],
      },
    };
    const answer = { list: { items: [item] }, one: item };
    await writeFile(join(dir, "list.json"), JSON.stringify(answer.list));
    await writeFile(join(dir, "one.json"), JSON.stringify(answer.one));
    const kubectl = join(dir, "kubectl");
    await writeFile(
      kubectl,
      `#!/bin/sh
echo "$*" >> ${dir}/calls
case "$*" in
  *missing*) echo 'Error from server (NotFound): kafkaconnectors "missing" not found' >&2; exit 1 ;;
  *"get kafkaconnectors.headrace.dev -o json"*) cat ${dir}/list.json ;;
  *get*) cat ${dir}/one.json ;;
esac
`,
    );
    await chmod(kubectl, 0o755);
    environment = { KUBECTL: kubectl, PATH: process.env["PATH"] ?? "" };
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("lists resources with their clusters", async () => {
    const { out } = await runHeadrace(["connectors", "list", "-n", "kafka"], { environment });
    assert.match(
      out,
      /^NAME +CLUSTER +CLASS +STATE +TASKS +MESSAGE\norders +my-connect +datagen +RUNNING +1\/2 +1 of 2 tasks failed/,
    );
    assert.match(await log(), /--namespace kafka get kafkaconnectors\.headrace\.dev -o json/);
    const all = await runHeadrace(["connectors", "list", "-A"], { environment });
    assert.match(all.out, /kafka\/orders/);
  });

  it("asks the operator for changes through the resource", async () => {
    const run = (...args: string[]) => runHeadrace(["connectors", ...args], { environment });
    assert.equal((await run("restart", "orders", "--tasks")).code, 0);
    assert.equal((await run("pause", "orders", "--context", "test")).code, 0);
    const status = await run("status", "orders");
    assert.equal(JSON.parse(status.out).tasks, "1/2");
    const calls = await log();
    assert.match(
      calls,
      /annotate kafkaconnectors\.headrace\.dev orders --overwrite headrace\.dev\/restart=includeTasks/,
    );
    assert.match(
      calls,
      /--context test patch kafkaconnectors\.headrace\.dev orders --type=merge -p \{"spec":\{"state":"paused"\}\}/,
    );
  });

  it("passes on what kubectl says", async () => {
    const { code, err } = await runHeadrace(["connectors", "status", "missing"], { environment });
    assert.equal(code, 1);
    assert.match(err, /"missing" not found/);
    const nowhere = await runHeadrace(["connectors", "list"], { environment: { KUBECTL: "/nowhere/kubectl" } });
    assert.match(nowhere.err, /\/nowhere\/kubectl cannot be run/);
  });
});
