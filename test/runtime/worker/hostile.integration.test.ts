import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ConnectorStateInfo, ErrorMessage } from "@headrace/contract";
import fc from "fast-check";
import { Kafka, logLevel, type Producer } from "kafkajs";
import { z } from "zod";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, startWorker, type TestWorker } from "#support/worker.ts";
import { hostileRequest, urlOf } from "../rest/hostile-requests.ts";
import { garbage, type RawRecord, type StateTopic } from "../store/garbage.ts";

/** A fixed seed: a run that fails can be repeated. */
const SEED = 20_261_127;
const PATIENCE_MS = 60_000;
const STATE_TOPICS: readonly StateTopic[] = ["config", "status", "offsets"];
const NAMES = ["a/b %?", ".", "..", "%2e%2e", "ünïcode 名 😀", "{}", "__proto__", "a;b=c&d#e", "\\"];

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe("a worker that is sent bad input of every kind", { timeout: 560_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-hostile-"));
  const group = uniqueName("hostile");
  const [input, output] = [join(dir, "in.txt"), join(dir, "out.txt")];
  /** The sink's consumer group is named after it, and Kafka is shared with other tests. */
  const [source, sink] = ["source", `${group}-sink`];
  const topics: Readonly<Record<StateTopic, string>> = {
    config: `${group}-configs`,
    status: `${group}-status`,
    offsets: `${group}-offsets`,
  };
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let producer: Producer | undefined;
  let worker: TestWorker;
  let second: TestWorker | undefined;
  let lines = 0;

  const start = () =>
    startWorker({
      dir,
      properties: {
        ...groupProperties(kafka.bootstrap, group),
        "config.providers": "file,env",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
      },
    });

  before(async () => {
    kafka = await sharedKafka();
    worker = await start();
    producer = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    writeFileSync(input, "");
    const ends = {
      [source]: { "connector.class": "FileStreamSource", file: input, topic: `${group}-lines` },
      [sink]: { "connector.class": "FileStreamSink", file: output, topics: `${group}-lines` },
    };
    for (const [name, config] of Object.entries(ends)) {
      assert.equal((await ask("POST", "/connectors", { name, config })).status, 201);
    }
    await goesOn();
  });
  after(async () => {
    await producer?.disconnect();
    await Promise.all([second?.process.kill(), worker?.process.kill()]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Sends a path as it is: `fetch` would resolve the dots in it. */
  const send = (method: string, path: string, body?: Buffer, headers: Record<string, string> = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const { hostname, port } = new URL(worker.url);
      const call = httpRequest(
        { hostname, port, method, path, headers: framed(headers, body), timeout: PATIENCE_MS, agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
          answer.on("error", reject);
        },
      );
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer`)));
      call.on("error", reject);
      call.end(body);
    });
  const ask = (method: string, path: string, body?: unknown) =>
    body === undefined
      ? send(method, path)
      : send(method, path, Buffer.from(JSON.stringify(body)), { "content-type": "application/json" });
  const statusOf = async (name: string) =>
    ConnectorStateInfo.parse(JSON.parse((await ask("GET", `/connectors/${encodeURIComponent(name)}/status`)).text));
  /** Connectors but for those that garbage happened to spell. */
  const own = async () =>
    z
      .array(z.string())
      .parse(JSON.parse((await ask("GET", "/connectors")).text))
      .filter((name) => !name.startsWith("x"))
      .sort();
  const refused = async (answer: Promise<Answer>, status: number, message: RegExp) => {
    const { status: given, text } = await answer;
    assert.equal(given, status, text);
    assert.match(String(ErrorMessage.parse(JSON.parse(text)).message), message);
  };

  /** Lines still go through, each once and in order, and everything tells so. */
  async function goesOn(): Promise<void> {
    const from = lines;
    lines += 10;
    for (let line = from; line < lines; line++) appendFileSync(input, `line ${line}\n`);
    const found = () => (existsSync(output) ? readFileSync(output, "utf8").split("\n").slice(0, -1) : []);
    await eventually("the lines arrive", () => found().length >= lines, PATIENCE_MS);
    assert.deepEqual(
      found(),
      Array.from({ length: lines }, (_, line) => `line ${line}`),
    );
    assert.equal((await ask("GET", "/health")).status, 200);
    for (const name of [source, sink]) {
      await eventually(`${name} runs`, async () => {
        const { connector, tasks } = await statusOf(name);
        return [connector, ...tasks].map(({ state }) => state).join() === "RUNNING,RUNNING";
      });
    }
  }

  /** Kafka takes no records without a key into a compacted topic. */
  async function spoil(topic: StateTopic, records: readonly RawRecord[]): Promise<void> {
    const messages = records.filter(({ key }) => key !== null).map(({ key, value }) => ({ key, value }));
    await producer?.send({ topic: topics[topic], messages });
  }
  const raw = (key: string, value: string | Buffer): RawRecord => ({
    key: Buffer.from(key),
    value: Buffer.from(value),
  });

  it("reads over corrupt records of each state topic, of its own connectors as well", async () => {
    const wrong = ["{", "7", "[]", '"text"', "", Buffer.from([0xff, 0xfe, 0])];
    const keys: Readonly<Record<StateTopic, readonly string[]>> = {
      config: [
        ...["connector-source", "task-source-0", "task-source-x", "commit-source", "target-state-source"],
        ...["tasks-fencing-source", "restart-connector-source", "session-key", "logger-cluster-root", "no-such-key"],
      ],
      status: [
        "status-connector-source",
        `status-task-${sink}-0`,
        `status-task-${sink}-x`,
        "status-topic-x",
        "no-such-key",
      ],
      offsets: [`["source",{"filename":"${input}"}]`, '["source"]', '["source",7]', "{", '["source",{"filename":{}}]'],
    };
    const shaped: Readonly<Record<StateTopic, readonly RawRecord[]>> = {
      config: [
        raw("connector-source", '{"properties":7}'),
        raw("connector-source", '{"properties":{"connector.class":{"a":1}}}'),
        raw("task-source-0", '{"properties":[1]}'),
        raw("commit-source", '{"tasks":-1}'),
        raw("commit-source", '{"tasks":"1"}'),
        raw("commit-nobody", '{"tasks":2147483647}'),
        raw("tasks-fencing-source", '{"task-count":1e99}'),
        raw("target-state-source", '{"state":"SLEEPING"}'),
        raw("session-key", '{"key":"?","algorithm":7,"creation-timestamp":"now"}'),
        raw("logger-cluster-root", '{"level":"LOUD"}'),
        raw("restart-connector-nobody", '{"include-tasks":true,"only-failed":false}'),
      ],
      status: [
        raw(`status-task-${sink}-0`, '{"state":"DANCING","worker_id":"w","generation":1,"trace":null}'),
        raw(`status-task-${sink}-0`, '{"state":"FAILED"}'),
        raw("status-connector-source", '{"state":"FAILED","worker_id":7,"generation":"1"}'),
      ],
      offsets: [raw(`["source",{"filename":"${input}"}]`, '{"position":{"a":1}}')],
    };
    for (const topic of STATE_TOPICS) {
      const fixed = keys[topic].flatMap((key) => wrong.map((value) => raw(key, value)));
      const random = fc.sample(garbage(topic), { numRuns: 150, seed: SEED });
      await spoil(topic, [...fixed, ...(shaped[topic] ?? []), ...random]);
      await goesOn();
    }
    const log = readFileSync(worker.process.logFile, "utf8");
    assert.match(log, /the tasks commit of connector 'source' has no number of tasks/);
    assert.ok(log.includes(`the status of task '${sink}-0' lacks one of its fields`));
    assert.doesNotMatch(log, /unreachable|is not a function|uncaught/i);
  });

  it("shows a connector that somebody wrote into the topic with a class that is not there", async () => {
    await spoil("config", [raw("connector-ghost", '{"properties":{"connector.class":"no.such.Connector","n":null}}')]);
    await eventually("the ghost has failed", async () => (await statusOf("ghost")).connector.state === "FAILED");
    assert.match(String((await statusOf("ghost")).connector.trace), /no\.such\.Connector/);
    assert.equal((await ask("DELETE", "/connectors/ghost")).status, 204);
  });

  it("takes any name, and finds the connector under it", async () => {
    for (const name of NAMES) {
      const path = `/connectors/${encodeURIComponent(name)}`;
      const config = { "connector.class": "blackhole", topics: "nothing" };
      const made = await ask("POST", "/connectors", { name, config, initial_state: "STOPPED" });
      assert.equal(made.status, 201, `${name}: ${made.text}`);
      assert.equal((await ask("PUT", `${path}/config`, { ...config, name, "tasks.max": "2" })).status, 200, name);
      assert.equal(JSON.parse((await ask("GET", `${path}/config`)).text)["tasks.max"], "2");
      await eventually(`${name} is stopped`, async () => (await statusOf(name)).connector.state === "STOPPED");
      assert.equal((await ask("DELETE", path)).status, 204, name);
      await eventually(`${name} is gone`, async () => (await ask("GET", `${path}/status`)).status === 404);
    }
    assert.deepEqual(await own(), [sink, source]);
  });

  it("says what is wrong with plugins and secrets that are not there", async () => {
    const config = { "connector.class": "FileStreamSink", topics: "t" };
    const create = (more: Record<string, string>) =>
      ask("POST", "/connectors", { name: "bad", config: { ...config, ...more } });
    await refused(create({ "connector.class": "no.such.Plugin" }), 400, /no\.such\.Plugin/);
    await refused(create({ "value.converter": "no.such.Converter" }), 400, /no\.such\.Converter/);
    await refused(create({ transforms: "t", "transforms.t.type": "no.such.Transform" }), 400, /no\.such\.Transform/);
    await refused(create({ file: `\${file:${dir}/nothing.properties:user}` }), 400, /nothing\.properties/);
    await refused(create({ file: `\${env:a/path:USER}` }), 400, /Path is not supported/);
    await refused(create({ "connector.class": `\${env:HEADRACE_NOT_SET}` }), 400, /HEADRACE_NOT_SET/);
    assert.equal((await ask("GET", "/connectors/bad")).status, 404);
  });

  it("shows no secret in the status, the log and the answers when it is what an error speaks of", async () => {
    const secrets = join(dir, "secrets.properties");
    writeFileSync(secrets, `url=${dir}/canary-7f3a/out\n`);
    const config = { "connector.class": "FileStreamSink", topics: `${group}-lines`, file: `\${file:${secrets}:url}` };
    assert.equal((await ask("POST", "/connectors", { name: "leaky", config })).status, 201);
    await eventually("its task has failed", async () => (await statusOf("leaky")).tasks[0]?.state === "FAILED");
    const { text } = await ask("GET", "/connectors/leaky/status");
    assert.ok(text.includes(`\${file:${secrets}:url}`), text);
    assert.equal((await ask("DELETE", "/connectors/leaky")).status, 204);
    for (const shown of [text, readFileSync(worker.process.logFile, "utf8")]) assert.doesNotMatch(shown, /canary-7f3a/);
  });

  it("refuses bodies that are broken, deep or huge, and what is not HTTP", async () => {
    const post = (body: string | Buffer) =>
      send("POST", "/connectors", Buffer.from(body), { "content-type": "application/json" });
    await refused(post("{"), 500, /JSON|Unexpected/i);
    await refused(post(Buffer.from([0xff, 0xfe])), 500, /./);
    await refused(post("[".repeat(500_000)), 500, /./);
    await refused(post(`{"name":"c","config":${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}}`), 500, /./);
    const huge = `POST /connectors HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${33 << 20}\r\n\r\n`;
    assert.match(await sendRaw(worker.url, huge), /^HTTP\/1\.1 413 .*"error_code":413/s);
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, "v"]));
    await refused(ask("POST", "/connectors", { name: "c", config: many }), 400, /connector\.class|no connector type/);
    const large = { "connector.class": "FileStreamSink", topics: "t", note: "x".repeat(3 << 20) };
    await refused(ask("POST", "/connectors", { name: "large", config: large }), 500, /large|too large/i);
    assert.match(await sendRaw(worker.url, "NONSENSE\r\n\r\n"), /^HTTP\/1\.1 400/);
    assert.match(await sendRaw(worker.url, `GET / HTTP/1.1\r\nx: ${"y".repeat(100_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
    await goesOn();
  });

  it("answers random requests with errors in the contract's shape", async () => {
    const statuses = new Set<number>();
    const requests = fc.sample(hostileRequest, { numRuns: 400, seed: SEED });
    const answer = async (request: (typeof requests)[number]) => {
      const { method, body, type, accept } = request;
      const path = urlOf(request);
      if (/[^\x21-\x7e]/.test(path)) return; // Not to be sent by Node's client.
      const headers = { accept, ...(body === undefined || type === "" ? {} : { "content-type": type }) };
      const { status, text } = await send(method, path, body, headers);
      statuses.add(status);
      assert.ok(status >= 200 && status < 600);
      if (status < 400 || method === "HEAD") return;
      assert.notEqual(text, "", `${method} ${path} ${status}`);
      const { message } = ErrorMessage.parse(JSON.parse(text));
      assert.doesNotMatch(String(message), /is not a function|of undefined|of null|unreachable/, path);
    };
    for (let at = 0; at < requests.length; at += 20) await Promise.all(requests.slice(at, at + 20).map(answer));
    assert.ok(
      [200, 400, 404, 405, 415, 500].every((status) => statuses.has(status)),
      `${[...statuses]}`,
    );
    await goesOn();
  });

  it("has lost nothing: another worker reads the same topics, and takes all of it over", async () => {
    second = await start();
    await worker.process.stop(90_000);
    worker = second;
    assert.deepEqual(await own(), [sink, source]);
    await goesOn();
    const { text } = await ask("GET", "/connectors/source/offsets");
    assert.match(text, new RegExp(`"filename":"${input}"`));
  });
});

/** Node's client gives a DELETE no length of its own. */
function framed(headers: Readonly<Record<string, string>>, body: Buffer | undefined): Record<string, string> {
  return { ...headers, ...(body === undefined ? {} : { "content-length": String(body.length) }) };
}

/** What a server says to these bytes. */
function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("no answer")));
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", (error) => (text === "" ? reject(error) : resolve(text)));
  });
}
