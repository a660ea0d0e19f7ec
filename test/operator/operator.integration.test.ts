import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, afterEach, before, describe, it } from "node:test";
import { parse, parseAllDocuments, stringify } from "yaml";
import { freePorts } from "#dev/process.ts";
import { loadConnection } from "#operator/kube/config.ts";
import { Leases, StatefulSets } from "#operator/kube/resources.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const ROOT = join(import.meta.dirname, "../..");
/** bin.js asks for `node`: the one that runs this test. */
const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`;
/** The rules of the roles that Headrace ships, for one namespace. */
const RIGHTS = parseAllDocuments(readFileSync(join(ROOT, "dev/manifests/operator-rbac.yaml"), "utf8"))
  .map((document) => document.toJS())
  .flatMap(({ kind, rules }) => (kind === "ClusterRole" || kind === "Role" ? rules : []));

interface Operator {
  readonly process: ChildProcess;
  readonly url: string;
}

describe("operator process", () => {
  let kubernetes: TestKubernetes;
  let admin: TestClient;
  let dir: string;
  let namespace: string;
  let kubeconfig: string;
  const started: ChildProcess[] = [];
  const signal = new AbortController().signal;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    admin = openTestClient(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    dir = await mkdtemp(join(tmpdir(), "headrace-operator-"));
    namespace = await kubernetes.createNamespace();
    kubeconfig = await kubeconfigOfServiceAccount();
  });

  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  after(async () => {
    admin?.close();
    await kubernetes?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** A service account without any rights, its token in a file of its own. */
  async function kubeconfigOfServiceAccount(): Promise<string> {
    await kubernetes.kubectl(["create", "serviceaccount", "operator", "-n", namespace]);
    const token = await kubernetes.kubectl(["create", "token", "operator", "-n", namespace]);
    await writeFile(join(dir, "token"), token);
    const file = parse(await readFile(kubernetes.kubeconfig, "utf8"));
    const path = join(dir, "kubeconfig");
    const users = file.users.map(({ name }: { name: string }) => ({ name, user: { tokenFile: "token" } }));
    await writeFile(path, stringify({ ...file, users }));
    return path;
  }

  async function grantRights(): Promise<void> {
    const metadata = { name: "operator", namespace };
    const apiVersion = "rbac.authorization.k8s.io/v1";
    const subjects = [{ kind: "ServiceAccount", ...metadata }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "operator" };
    const role = stringify({ apiVersion, kind: "Role", metadata, rules: RIGHTS });
    const binding = stringify({ apiVersion, kind: "RoleBinding", metadata, subjects, roleRef });
    await kubernetes.kubectl(["apply", "-f", "-"], { input: `${role}---\n${binding}` });
  }

  async function start(env: Record<string, string> = {}): Promise<Operator> {
    const [port] = await freePorts(1, "127.0.0.1");
    const child = spawn(join(ROOT, "src/bin.js"), [], {
      env: {
        PATH,
        KUBECONFIG: "/nowhere",
        HEADRACE_KUBECONFIG: kubeconfig,
        HEADRACE_NAMESPACE: namespace,
        HEADRACE_HEALTH_HOST: "127.0.0.1",
        HEADRACE_HEALTH_PORT: String(port),
        HEADRACE_LOG_LEVEL: "error",
        ...env,
      },
      stdio: ["ignore", "inherit", "inherit"],
    });
    started.push(child);
    return { process: child, url: `http://127.0.0.1:${port}` };
  }

  async function status(url: string): Promise<number | undefined> {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status;
  }

  it("waits for its rights, becomes ready, leads, makes a cluster, and goes without a trace", async () => {
    const operator = await start();
    await eventually("it is alive", async () => (await status(`${operator.url}/healthz`)) === 200);
    await eventually("it says what it waits for", async () => {
      const waiting = await fetch(`${operator.url}/readyz`);
      assert.equal(waiting.status, 503);
      return /waiting for connects, connectors, statefulSets, pods/.test(await waiting.text());
    });

    await grantRights();
    await eventually("it is ready", async () => (await status(`${operator.url}/readyz`)) === 200);
    await kubernetes.kubectl(["apply", "-n", namespace, "-f", "-"], { input: CLUSTER });
    const key = { namespace, name: "small-connect" };
    await eventually(
      "the StatefulSet is there",
      async () => (await admin.client.get(StatefulSets, key, signal)) !== null,
    );
    const metrics = await eventually("a reconcile was counted", async () => {
      const text = await (await fetch(`${operator.url}/metrics`)).text();
      return /controller_runtime_reconcile_total\{controller="cluster",result="\w+"\} \d+/.test(text) && text;
    });
    assert.match(metrics, /leader_election_master_status\{name="headrace-operator"\} 1/);
    assert.match(metrics, /rest_client_requests_total\{method="PATCH",code="201"\} \d+/);

    operator.process.kill("SIGTERM");
    assert.deepEqual(await once(operator.process, "exit"), [0, null]);
    const lease = await admin.client.get(Leases, { namespace, name: "headrace-operator" }, signal);
    assert.equal(lease?.spec?.holderIdentity, "");
  });

  it("takes over from another that was asked to stop", async () => {
    await grantRights();
    const holder = async () =>
      (await admin.client.get(Leases, { namespace, name: "headrace-operator" }, signal))?.spec?.holderIdentity ||
      undefined;
    const first = await start();
    const before = await eventually("the first leads", holder);
    const second = await start();
    await eventually("the second is ready", async () => (await status(`${second.url}/readyz`)) === 200);
    assert.equal(await holder(), before);
    first.process.kill("SIGTERM");
    assert.deepEqual(await once(first.process, "exit"), [0, null]);
    await eventually("the second leads", async () => {
      const now = await holder();
      return now !== undefined && now !== before;
    });
  });

  it("says what is wrong with its configuration, and ends with 2", async () => {
    const child = spawn(join(ROOT, "src/bin.js"), [], {
      env: { PATH, HEADRACE_HEALTH_PORT: "x", HEADRACE_LOG_LEVEL: "y" },
    });
    started.push(child);
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    assert.equal(code, 2);
    assert.match(stderr, /HEADRACE_HEALTH_PORT: .*\n.*HEADRACE_LOG_LEVEL: /);
  });
});

const CLUSTER = `
apiVersion: headrace.dev/v1
kind: KafkaConnect
metadata:
  name: small
spec:
  replicas: 1
  bootstrapServers: 127.0.0.1:9092
  groupId: small
  configStorageTopic: small-configs
  offsetStorageTopic: small-offsets
  statusStorageTopic: small-status
`;
