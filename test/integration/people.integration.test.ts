import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { ApiError } from "#dev/kubernetes-api.ts";
import { type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { parseConfig } from "#operator/config.ts";
import type { KafkaConnect } from "#operator/kinds.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { createLog } from "#operator/log.ts";
import { runOperator } from "#operator/operator.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const ACCOUNTS = { reader: ["get"], writer: ["get", "update"], stranger: [] } as const;
type Account = keyof typeof ACCOUNTS;

interface Pods {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string } }[];
}

/**
 * People with tokens of a real API server, the operator, and a real worker behind it. There is no node: the worker is a process of
 * this machine, with the properties and certificates that the operator made.
 */
describe("the API for people", () => {
  const signal = AbortSignal.timeout(280_000);
  const ip = `127.${randomInt(30, 90)}.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  const tokens = new Map<string, string>();
  const lines: string[] = [];
  const stop = new AbortController();
  let kubernetes: TestKubernetes;
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let namespace: string;
  let dir: string;
  let worker: LocalProcess;
  let running: Promise<void>;
  let port: number;
  let ca: string;

  before(async () => {
    [kubernetes, kafka] = await Promise.all([testKubernetes(), sharedKafka()]);
    dir = await mkdtemp(join(tmpdir(), "headrace-people-"));
    await installCustomResources(kubernetes);
    namespace = await kubernetes.createNamespace();
    for (const [account, verbs] of Object.entries(ACCOUNTS)) await createAccount(account, verbs);
    const listening = Promise.withResolvers<number>();
    running = startOperator(listening.resolve);
    running.catch(listening.reject);
    port = await listening.promise;
    const map = await get<{ data: Record<string, string> }>("configmaps/headrace-operator-ca-cert");
    ca = map.data["ca.crt"] ?? "";
    await startWorker();
  });

  after(async () => {
    stop.abort();
    await running;
    await worker?.stop(20_000);
    await kafka?.stop();
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const get = <T>(path: string) =>
    kubernetes.api.request<T>({ path: `/api/v1/namespaces/${namespace}/${path}` }, signal);

  async function createAccount(account: string, verbs: readonly string[]): Promise<void> {
    const { kubectl } = kubernetes;
    await kubectl(["-n", namespace, "create", "serviceaccount", account]);
    if (verbs.length > 0) {
      const rule = [
        "--resource=kafkaconnects.headrace.dev",
        "--resource-name=a",
        ...verbs.map((verb) => `--verb=${verb}`),
      ];
      await kubectl(["-n", namespace, "create", "role", account, ...rule]);
      const subject = `--serviceaccount=${namespace}:${account}`;
      await kubectl(["-n", namespace, "create", "rolebinding", account, `--role=${account}`, subject]);
    }
    tokens.set(account, (await kubectl(["-n", namespace, "create", "token", account])).trim());
  }

  function startOperator(onApiListening: (port: number) => void): Promise<void> {
    const config = parseConfig({
      HEADRACE_KUBECONFIG: kubernetes.kubeconfig,
      HEADRACE_NAMESPACE: namespace,
      HEADRACE_HEALTH_HOST: "127.0.0.1",
      HEADRACE_HEALTH_PORT: "0",
      HEADRACE_API_HOST: "127.0.0.1",
      HEADRACE_API_PORT: "0",
    });
    const connection = loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} });
    const log = createLog("info", { write: (line) => void lines.push(line) });
    return runOperator({ config, connection, log, version: "test", host: "test", onApiListening }, stop.signal);
  }

  /** Stands for the kubelet: starts a worker for the pod that the operator has made. */
  async function startWorker(): Promise<void> {
    const group = uniqueName("people");
    const config = {
      "config.storage.replication.factor": 1,
      "offset.storage.replication.factor": 1,
      "status.storage.replication.factor": 1,
    };
    const spec = {
      replicas: 1,
      bootstrapServers: kafka.bootstrap,
      groupId: group,
      configStorageTopic: `${group}-configs`,
      offsetStorageTopic: `${group}-offsets`,
      statusStorageTopic: `${group}-status`,
      config,
    };
    const body = { apiVersion: "headrace.dev/v1", kind: "KafkaConnect", metadata: { name: "a" }, spec };
    const path = `/apis/headrace.dev/v1/namespaces/${namespace}/kafkaconnects`;
    const connect = await kubernetes.api.request<KafkaConnect>({ method: "POST", path, body }, signal);
    const pod = await eventually("the operator has made a pod", async () => {
      const { items } = await get<Pods>("pods");
      for (const { metadata } of items.filter(({ metadata: { name } }) => name.includes("-preflight-"))) {
        // It may be gone by now.
        await setStatus(metadata.name, { phase: "Succeeded" }).catch((error: unknown) => {
          if (!(error instanceof ApiError && error.status === 404)) throw error;
        });
      }
      return items.find(({ metadata }) => metadata.name === "a-connect-0");
    });
    const { data } = await get<{ data: Record<string, string> }>("secrets/a-connect-tls");
    await mkdir(join(dir, "certificates"));
    for (const key of ["keystore.pem", "ca.crt"]) {
      await writeFile(join(dir, "certificates", key), Buffer.from(data[key] ?? "", "base64"));
    }
    const properties = join(dir, "worker.properties");
    await writeFile(properties, renderWorkerProperties(connect).text.replaceAll("/opt/headrace/rest", dir));
    worker = await startProcess({
      name: "worker",
      command: process.execPath,
      args: ["--conditions=source", join(repoRoot, "runtime/src/main.ts"), "distributed", properties],
      logFile: join(dir, "worker.log"),
      env: { POD_IP: ip, POD_UID: pod.metadata.uid, POD_NAME: pod.metadata.name },
    });
    await eventually("the worker is ready at its probe's address", async () => {
      if (!worker.running()) throw new Error(`the worker ended:\n${logTail(worker.logFile, 60)}`);
      return await fetch(`http://${ip}:9404/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    const conditions = [{ type: "Ready", status: "True" }];
    await setStatus("a-connect-0", { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions });
  }

  async function setStatus(pod: string, status: object): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/status`;
    const contentType = "application/merge-patch+json";
    await kubernetes.api.request({ method: "PATCH", path, body: { status }, contentType }, signal);
  }

  interface Answer {
    readonly status: number;
    readonly body: { readonly error_code?: number; readonly message?: string; readonly [key: string]: unknown };
    readonly location: string | undefined;
  }

  async function call(who: Account | null, method: string, path: string, body?: object): Promise<Answer> {
    return callAs(who === null ? undefined : tokens.get(who), method, path, body);
  }

  function callAs(token: string | undefined, method: string, path: string, body?: object): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request({
      host: "127.0.0.1",
      port,
      ca,
      servername: `headrace-operator-api.${namespace}.svc`,
      agent: false,
      method,
      path: `/api/v1/namespaces/${namespace}/kafkaconnects${path}`,
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      signal,
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const { statusCode: status = 0, headers } = incoming;
      text(incoming)
        .then((all) => resolve({ status, location: headers.location, body: all === "" ? {} : JSON.parse(all) }))
        .catch(reject);
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  /** Once the operator has seen that the pod is ready. */
  const reading = () =>
    eventually("the reader reads", async () => {
      const answer = await call("reader", "GET", "/a/");
      return answer.status === 503 ? undefined : answer;
    });

  it("lets in whom the API server knows, and nobody else", async () => {
    const { status, body } = await reading();
    assert.equal(status, 200);
    assert.equal(typeof body["kafka_cluster_id"], "string");
    for (const answer of [await call(null, "GET", "/a/"), await callAs("stolen", "GET", "/a/")]) {
      assert.deepEqual([answer.status, answer.body.error_code], [401, 401]);
    }
    const other = await kubernetes.kubectl(["-n", namespace, "create", "token", "writer", "--audience=another"]);
    assert.equal((await callAs(other.trim(), "GET", "/a/")).status, 401);
  });

  it("lets those read who may get the KafkaConnect, and those write who may update it", async () => {
    await reading();
    const config = {
      "connector.class": "datagen",
      "tasks.max": "1",
      topic: uniqueName("people"),
      "rate.per.second": "1",
    };
    const refused = await call("reader", "PUT", "/a/connectors/ticks/config", config);
    assert.deepEqual([refused.status, refused.body.error_code], [403, 403]);
    const account = `system:serviceaccount:${namespace}:reader`;
    const right = `update kafkaconnects.headrace.dev "a" in the namespace "${namespace}"`;
    assert.equal(refused.body.message, `${account} needs the right to ${right} for this.`);
    const created = await call("writer", "POST", "/a/connectors", { name: "ticks", config });
    const location = `/api/v1/namespaces/${namespace}/kafkaconnects/a/connectors/ticks`;
    assert.deepEqual([created.status, created.location], [201, location]);
    await eventually("the reader sees it run", async () => {
      const { body } = await call("reader", "GET", "/a/connectors/ticks/status");
      return /"RUNNING".*"RUNNING"/.test(JSON.stringify(body));
    });
    assert.equal((await call("writer", "POST", "/a/connectors/ticks/restart")).status, 204);
    assert.equal((await call("writer", "PUT", "/a/connectors/ticks/stop")).status, 204);
    assert.equal((await call("reader", "GET", "/a/connectors/ticks/offsets")).status, 200);
    const offsets = await eventually("the connector has stopped", async () => {
      const answer = await call("writer", "DELETE", "/a/connectors/ticks/offsets");
      return answer.status === 200 ? answer : undefined;
    });
    assert.match(offsets.body.message ?? "", /reset/);
    assert.equal((await call("writer", "DELETE", "/a/connectors/ticks")).status, 204);
    const gone = await call("writer", "PUT", "/a/connectors/ticks/pause");
    assert.deepEqual([gone.status, gone.body.error_code], [404, 404]);
  });

  it("tells strangers nothing, not even what there is", async () => {
    const there = await call("stranger", "GET", "/a/connectors");
    const nowhere = await call("stranger", "GET", "/b/connectors");
    assert.deepEqual([there.status, nowhere.status], [403, 403]);
    assert.equal((await call("reader", "GET", "/b/connectors")).status, 403);
  });

  it("leaves the steering of the group to the operator", async () => {
    assert.equal((await call("writer", "POST", "/a/headrace/drain")).status, 403);
    const { status, body } = await call("reader", "GET", "/a/headrace/self");
    assert.deepEqual([status, body["draining"]], [200, false]);
  });

  it("is narrowed by spec.rest.people", async () => {
    await reading();
    const patch = ["-n", namespace, "patch", "kc", "a", "--type=merge", "-p"];
    const pauseOf = async () => (await call("writer", "PUT", "/a/connectors/nothing/pause")).status;
    assert.equal(await pauseOf(), 404);
    await kubernetes.kubectl([...patch, '{"spec":{"rest":{"people":"ReadOnly"}}}']);
    await eventually("nobody writes", async () => (await pauseOf()) === 403);
    assert.equal((await call("writer", "GET", "/a/connectors")).status, 200);
    await kubernetes.kubectl([...patch, '{"spec":{"rest":{"people":null}}}']);
    await eventually("the writer writes", async () => (await pauseOf()) === 404);
  });

  it("forgets within seconds who may not any more", async () => {
    await kubernetes.kubectl(["-n", namespace, "delete", "rolebinding", "reader"]);
    await eventually("the reader is out", async () => (await call("reader", "GET", "/a/")).status === 403);
  });

  it("logs each change with the person's name, and no token", () => {
    const logged = lines
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg === "change through the api")
      .map(({ user, method, path, status }) => `${user.split(":").at(-1)} ${method} ${path} ${status}`);
    assert.ok(logged.includes("reader PUT /connectors/ticks/config 403"));
    assert.ok(logged.includes("writer POST /connectors 201"));
    assert.ok(logged.includes("writer POST /headrace/drain 403") === false, "what no one may do is not a change");
    const all = lines.join("") + logTail(worker.logFile, 10_000);
    for (const token of tokens.values()) assert.ok(!all.includes(token));
  });
});
