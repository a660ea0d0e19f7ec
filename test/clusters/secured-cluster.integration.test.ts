import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { create } from "tar";
import { repoRoot } from "#dev/cache.ts";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { createKubectl } from "#dev/kubectl.ts";
import { down, type Stack, up, WORKER_IMAGE } from "#dev/stack.ts";
import { createCanaries } from "#support/canaries.ts";
import { eventually } from "#support/eventually.ts";
import { ownGroup } from "#support/own-group.ts";

const canaries = createCanaries();
const PASSWORDS = [canaries.plant("first-password"), canaries.plant("second-password")] as const;
const TOKENS = { read: canaries.plant("read-token"), admin: canaries.plant("admin-token") } as const;
const DEADLINE_MS = 180_000;

interface Resource {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

/** Operator, node, workers and a Kafka that lets nobody in without credentials. */
describe("a cluster of a secured Kafka", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-secured-cluster-"));
  let secured: SecuredKafka;
  let stack: Stack;
  let registry: Server;
  let tokenEndpoint: Server;
  let archive: { readonly url: string; readonly integrity: string };

  before(async () => {
    secured = await startSecuredKafka({ dir, plainUsers: {} });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = secured.kafka.bootstrap;
    delete process.env["HEADRACE_KUBECONFIG"];
    [stack] = await Promise.all([
      up({ dir: join(dir, "stack"), restartBackOffMs: 500 }),
      secured.setScramPassword("SCRAM-SHA-512", "my.user", PASSWORDS[0]),
      serveArchive(),
      serveTokens(),
    ]);
  });

  after(async () => {
    await down({ dir: join(dir, "stack") });
    for (const server of [registry, tokenEndpoint]) await new Promise((resolve) => server.close(resolve));
    await secured.kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A registry with one package. */
  async function serveArchive(): Promise<void> {
    mkdirSync(join(dir, "archive"));
    cpSync(join(repoRoot, "test/fixtures/plugins/side-by-side/ticker-1.0.0"), join(dir, "archive/package"), {
      recursive: true,
    });
    const file = join(dir, "ticker.tgz");
    await create({ file, cwd: join(dir, "archive"), gzip: true }, ["package"]);
    const bytes = readFileSync(file);
    registry = createServer((_request, response) => response.end(bytes));
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    const address = registry.address();
    const port = typeof address === "object" ? address?.port : "";
    const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    archive = { url: `http://127.0.0.1:${port}/ticker.tgz`, integrity };
  }

  /** An OAuth server of the worst kind: refuses everybody and says why, secrets included. */
  async function serveTokens(): Promise<void> {
    tokenEndpoint = createServer(async (incoming, response) => {
      const sent = `${incoming.headers.authorization} ${await text(incoming)}`;
      const description = `${sent} ${Buffer.from(sent.replace(/^Basic /, "").split(" ")[0] ?? "", "base64")}`;
      response.writeHead(401, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: "invalid_client", error_description: description }));
    });
    await new Promise<void>((resolve) => tokenEndpoint.listen(0, "127.0.0.1", resolve));
  }

  const admin = (args: readonly string[]) =>
    createKubectl({
      binary: stack.kubectlPath,
      kubeconfig: stack.adminKubeconfig,
      cacheDir: join(dir, "admin-cache"),
    })(args);

  /** What is told right now: later on it may be told no more. */
  async function assertNothingShown(): Promise<void> {
    const objects = await stack.kubectl(["get", "kc,kctr,event,pod", "-A", "-o", "json"]);
    assert.deepEqual(canaries.findIn("an object", objects), []);
  }

  const apply = (...items: readonly object[]) =>
    stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });

  const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    stringData,
  });

  const connect = (spec: object, name = "secured") => ({
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name },
    spec: {
      replicas: 1,
      image: WORKER_IMAGE,
      bootstrapServers: secured.saslSsl,
      ...ownGroup(name),
      config: {
        "config.storage.replication.factor": 1,
        "offset.storage.replication.factor": 1,
        "status.storage.replication.factor": 1,
        "value.converter.schemas.enable": false,
        "headrace.plugin.load.timeout.ms": 60_000,
      },
      tls: { trustedCertificates: [{ secretName: "kafka-ca", pattern: "*.crt" }] },
      plugins: [{ name: "ticker", artifacts: [{ type: "npm", ...archive }] }],
      rest: {
        tokens: (["read", "admin"] as const).map((role) => {
          return { name: `${role}er-tool`, role, secretKeyRef: { name: "rest-tokens", key: role } };
        }),
      },
      ...spec,
    },
  });

  const scram = {
    authentication: {
      type: "scram-sha-512",
      username: "my.user",
      passwordSecret: { secretName: "my-user", password: "password" },
    },
  };

  async function get(kind: string, name: string): Promise<Resource> {
    return JSON.parse(await stack.kubectl(["get", kind, name, "-o", "json"]));
  }

  /** Waits for a condition of the present generation; answers its message. */
  async function until(kind: string, name: string, type: string, wanted: RegExp): Promise<void> {
    let last = "nothing";
    await eventually(
      `${kind} ${name}: ${type} ${wanted}`,
      async () => {
        const { metadata, status } = await get(kind, name);
        const found = status?.conditions?.find((condition) => condition.type === type);
        last = JSON.stringify(status?.conditions);
        return status?.observedGeneration === metadata.generation && wanted.test(`${found?.status} ${found?.message}`);
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; last: ${last}`);
    });
  }

  const podUid = () => stack.kubectl(["get", "pod", "secured-connect-0", "-o", "jsonpath={.metadata.uid}"]);

  async function untilReplaced(uid: string): Promise<void> {
    await eventually("the worker is another one", async () => (await podUid().catch(() => uid)) !== uid, DEADLINE_MS);
    await until("kc", "secured", "Ready", /^True/);
    await until("kctr", "ticks", "Ready", /^True/);
  }

  it("waits for its Secrets and says which", async () => {
    await apply(secret("rest-tokens", TOKENS), connect(scram));
    await until("kc", "secured", "Ready", /False Secret kafka-ca does not exist; Secret my-user does not exist/);
    await apply(secret("kafka-ca", { "ca.crt": readFileSync(secured.certificates.ca, "utf8"), "ca.key": "no" }));
    await until("kc", "secured", "Ready", /False Secret my-user does not exist/);
  });

  it("comes up over TLS with SCRAM, runs a plugin that was fetched, and reads the Secret that its connector names", async () => {
    await apply(secret("my-user", { password: PASSWORDS[0] }));
    await until("kc", "secured", "Ready", /^True/);
    const ticks = {
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "ticks", labels: { "headrace.dev/cluster": "secured" } },
      spec: { class: "ticker", tasksMax: 1, autoRestart: {}, config: { topic: `\${secrets:names:topic}` } },
    };
    await apply(secret("names", { topic: "ticks-canary" }), ticks);
    await until("kctr", "ticks", "Ready", /^True/);
  });

  it("rolls when the password is another one", async () => {
    const uid = await podUid();
    await secured.setScramPassword("SCRAM-SHA-512", "my.user", PASSWORDS[1]);
    await apply(secret("my-user", { password: PASSWORDS[1] }));
    await untilReplaced(uid);
  });

  it("says that a password is wrong, and goes on with the right one", async () => {
    await apply(secret("my-user", { password: canaries.plant("wrong-password") }));
    await eventually(
      "the preflight check has failed",
      async () => /authenticat/i.test(JSON.stringify((await get("kc", "secured")).status?.conditions)),
      DEADLINE_MS,
    );
    await assertNothingShown();
    await apply(secret("my-user", { password: PASSWORDS[1] }));
    await until("kc", "secured", "Ready", /^True/);
    await until("kctr", "ticks", "Ready", /^True/);
  });

  it("tells what fails of a secret value, and not the value", async () => {
    const field = `\${secrets:values:field}`;
    const connector = (name: string, spec: object) => ({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name, labels: { "headrace.dev/cluster": "secured" } },
      spec: { tasksMax: 1, ...spec },
    });
    await apply(
      secret("values", {
        file: `/no/such/${canaries.plant("file-name")}/file`,
        rate: canaries.plant("rate"),
        field: canaries.plant("field"),
      }),
      connector("lines", { class: "datagen", config: { topic: "lines", "rate.per.second": 20 } }),
      connector("broken", { class: "file-sink", config: { topics: "lines", file: `\${secrets:values:file}` } }),
      connector("refused", {
        class: "datagen",
        config: { topic: "refused", "rate.per.second": `\${secrets:values:rate}` },
      }),
      connector("picky", {
        class: "blackhole",
        config: {
          topics: "lines",
          "value.converter": "org.apache.kafka.connect.storage.StringConverter",
          transforms: "hoist,pick",
          "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
          "transforms.hoist.field": "line",
          "transforms.pick.type": "org.apache.kafka.connect.transforms.ExtractField$Value",
          "transforms.pick.field": field,
          "errors.tolerance": "all",
          "errors.log.enable": true,
          "errors.log.include.messages": true,
          "errors.deadletterqueue.topic.name": "dead-letters",
          "errors.deadletterqueue.topic.replication.factor": 1,
          "errors.deadletterqueue.context.headers.enable": true,
        },
      }),
      connector("strict", {
        class: "blackhole",
        config: {
          topics: "lines",
          "value.converter": "org.apache.kafka.connect.storage.StringConverter",
          transforms: "hoist,pick",
          "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
          "transforms.hoist.field": "line",
          "transforms.pick.type": "org.apache.kafka.connect.transforms.ExtractField$Value",
          "transforms.pick.field": field,
        },
      }),
    );
    await until("kctr", "broken", "Ready", /False.*ENOENT/);
    await until("kctr", "refused", "Ready", /False.*rate\.per\.second/);
    await until("kctr", "strict", "Ready", /False.*Tolerance exceeded/);
    await until("kctr", "picky", "Ready", /^True/);
    await eventually(
      "there are dead letters",
      async () => (await rest(TOKENS.admin, "GET", "/connectors/picky/offsets")).includes('"kafka_offset"'),
      DEADLINE_MS,
    );
  });

  it("says that an OAuth server refuses it, and nothing else that it says", async () => {
    const address = tokenEndpoint.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/token`;
    const module_ = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
    const placeholder = `\${directory:/mnt/oauth:secret}`;
    const config = {
      "sasl.mechanism": "OAUTHBEARER",
      "sasl.oauthbearer.token.endpoint.url": url,
      "sasl.login.callback.handler.class":
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
      "sasl.jaas.config": `${module_} required clientId="connect" clientSecret="${placeholder}";`,
    };
    const volume = { name: "oauth", secret: { secretName: "my-oauth" } };
    const template = {
      pod: { volumes: [volume] },
      connectContainer: { volumeMounts: [{ name: "oauth", mountPath: "/mnt/oauth" }] },
    };
    const authentication = { type: "custom", sasl: true, config };
    await apply(
      secret("my-oauth", { secret: canaries.plant("client-secret") }),
      connect({ authentication, template }, "oauth"),
    );
    await until("kc", "oauth", "Ready", /False.*(401|invalid_client|token)/);
    await assertNothingShown();
    await stack.kubectl(["delete", "kc", "oauth"]);
  });

  it("changes to a client certificate", async () => {
    const uid = await podUid();
    const { clientKey, clientCertificate } = secured.certificates;
    await apply(
      secret("my-cert", {
        "user.key": readFileSync(clientKey, "utf8"),
        "user.crt": readFileSync(clientCertificate, "utf8"),
      }),
    );
    const certificateAndKey = { secretName: "my-cert", certificate: "user.crt", key: "user.key" };
    await apply(connect({ bootstrapServers: secured.ssl, authentication: { type: "tls", certificateAndKey } }));
    await untilReplaced(uid);
  });

  /** Asks the worker as a tool would; `token` null: without one. */
  async function rest(token: string | null, method: string, path: string, body?: object): Promise<string> {
    const [host, ca] = await Promise.all([
      stack.kubectl(["get", "pod", "secured-connect-0", "-o", "jsonpath={.status.podIP}"]),
      stack.kubectl(["get", "secret", "secured-connect-ca-cert", "-o", "jsonpath={.data.ca\\.crt}"]),
    ]);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const outgoing = request({
      ...{ host, port: 8083, path, method, ca: Buffer.from(ca, "base64"), agent: false },
      servername: "secured-connect-api.default.svc",
      headers: { "content-type": "application/json", ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      signal: AbortSignal.timeout(30_000),
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      text(incoming).then((answer) => resolve(`${incoming.statusCode} ${answer}`), reject);
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  it("asks for a token at REST, and shows no secret in any answer", async () => {
    const stolen = canaries.plant("stolen-token");
    assert.match(await rest(stolen, "GET", "/"), /^401/);
    assert.match(await rest(TOKENS.read, "PUT", "/connectors/ticks/pause"), /^403/);
    const names = ["ticks", "broken", "refused", "picky", "strict"];
    const paths = [
      ...["/", "/connectors?expand=info&expand=status", "/connector-plugins", "/admin/loggers", "/health"],
      ...["/headrace/self", "/headrace/group", "/headrace/plugins"],
      ...names.flatMap((name) =>
        ["", "/config", "/status", "/tasks", "/tasks-config", "/topics", "/offsets"].map(
          (one) => `/connectors/${name}${one}`,
        ),
      ),
    ];
    const answers = await Promise.all(paths.map(async (path) => [path, await rest(TOKENS.read, "GET", path)] as const));
    assert.match(answers[1]?.[1] ?? "", /^200 .*\$\{secrets:values:file\}/);
    const config = {
      name: "x",
      "connector.class": "datagen",
      topic: "x",
      "rate.per.second": `\${secrets:values:rate}`,
    };
    const put = "/connector-plugins/datagen/config/validate";
    const validated = await rest(TOKENS.admin, "PUT", put, config);
    assert.match(validated, /^200/);
    assert.deepEqual(
      [...answers, [put, validated] as const].flatMap(([path, answer]) => canaries.findIn(path, answer)),
      [],
    );
  });

  it("shows no secret anywhere but in Secrets", async () => {
    const key = readFileSync(secured.certificates.clientKey, "utf8").split("\n")[1] ?? "";
    assert.ok(key.length > 20);
    canaries.add("private key", key);
    const kinds = "kc,kctr,statefulset,configmap,pod,event,service,networkpolicy,role,rolebinding,lease";
    const objects = await admin(["get", kinds, "-A", "-o", "json"]);
    const uses = objects.match(/\$\{headrace:[^}]*\}/g) ?? [];
    assert.ok(uses.length > 0, "placeholders stand in for them");
    assert.equal(objects.includes("ticks-canary"), false, "an object has a secret");

    const ip = await stack.kubectl(["get", "pod", "secured-connect-0", "-o", "jsonpath={.status.podIP}"]);
    const read = async (url: string) => await (await fetch(url, { signal: AbortSignal.timeout(30_000) })).text();
    const metrics = {
      worker: await read(`http://${ip}:9404/metrics`),
      operator: await read(`${stack.operatorUrl}/metrics`),
    };
    assert.match(metrics.worker, /kafka_connect_/);

    const broker = canaries.findBelow(secured.kafka.dir);
    const operatorLog = readFileSync(join(stack.dir, "operator.log"));
    assert.ok(operatorLog.length > 0);
    const leaks = [
      ...canaries.findIn("an object", objects),
      ...canaries.findIn("the worker's metrics", metrics.worker),
      ...canaries.findIn("the operator's metrics", metrics.operator),
      ...canaries.findIn("the operator's log", operatorLog),
      ...canaries.findBelow(stack.podLogDir),
      ...broker,
    ];
    assert.deepEqual(leaks, []);
  });

  it("would have found them: dead letters and logs are there to be searched", async () => {
    const data = join(secured.kafka.dir, "data");
    const topics = readdirSync(data);
    for (const topic of ["dead-letters-0", "secured-status-0"]) assert.ok(topics.includes(topic), topic);
    const logs = createCanaries();
    logs.add("a known line", "Unknown field");
    assert.ok(logs.findBelow(join(data, "dead-letters-0")).length > 0);
    assert.ok(logs.findBelow(stack.podLogDir).length > 0);
  });
});
