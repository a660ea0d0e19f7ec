import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "tar";
import { repoRoot } from "#dev/cache.ts";
import { type SecuredKafka, startSecuredKafka } from "#dev/kafka/secured.ts";
import { down, type Stack, up, WORKER_IMAGE } from "#dev/stack.ts";
import { eventually } from "#support/eventually.ts";

const PASSWORDS = ["first-canary", "second-canary"] as const;
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
  let archive: { readonly url: string; readonly integrity: string };

  before(async () => {
    secured = await startSecuredKafka({ dir, plainUsers: {} });
    process.env["HEADRACE_KAFKA_BOOTSTRAP"] = secured.kafka.bootstrap;
    delete process.env["HEADRACE_KUBECONFIG"];
    [stack] = await Promise.all([
      up({ dir: join(dir, "stack"), restartBackOffMs: 500 }),
      secured.setScramPassword("SCRAM-SHA-512", "my.user", PASSWORDS[0]),
      serveArchive(),
    ]);
  });

  after(async () => {
    await down({ dir: join(dir, "stack") });
    await new Promise((resolve) => registry.close(resolve));
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

  const apply = (...items: readonly object[]) =>
    stack.kubectl(["apply", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });

  const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    stringData,
  });

  const connect = (spec: object) => ({
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnect",
    metadata: { name: "secured" },
    spec: {
      replicas: 1,
      image: WORKER_IMAGE,
      bootstrapServers: secured.saslSsl,
      groupId: "secured",
      configStorageTopic: "secured-configs",
      offsetStorageTopic: "secured-offsets",
      statusStorageTopic: "secured-status",
      config: {
        "config.storage.replication.factor": 1,
        "offset.storage.replication.factor": 1,
        "status.storage.replication.factor": 1,
        "value.converter.schemas.enable": false,
        "headrace.plugin.load.timeout.ms": 60_000,
      },
      tls: { trustedCertificates: [{ secretName: "kafka-ca", pattern: "*.crt" }] },
      plugins: [{ name: "ticker", artifacts: [{ type: "npm", ...archive }] }],
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
    await apply(connect(scram));
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
    await stack.kubectl(["annotate", "kc", "secured", "look=again"]);
    await untilReplaced(uid);
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

  it("shows no secret anywhere but in Secrets", async () => {
    const kinds = "kc,kctr,statefulset,configmap,pod,event,service,networkpolicy";
    const objects = await stack.kubectl(["get", kinds, "-A", "-o", "json"]);
    const key = readFileSync(secured.certificates.clientKey, "utf8").split("\n")[1] ?? "";
    assert.ok(key.length > 20);
    for (const canary of [...PASSWORDS, key, "ticks-canary"])
      assert.equal(objects.includes(canary), false, "an object has a secret");
    const uses = objects.match(/\$\{headrace:[^}]*\}/g) ?? [];
    assert.ok(uses.length > 0, "placeholders stand in for them");
  });
});
