import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { type KubernetesApi, openKubernetesApi } from "#dev/kubernetes-api.ts";
import { down, type Stack, up, WORKER_IMAGE } from "#dev/stack.ts";
import { eventually } from "#support/eventually.ts";

/** Three steps of two minutes each, and what the kubelet and the workers need to take up new files. */
const ROLLOVER_MS = 900_000;
const DEADLINE_MS = 240_000;
const ANSWER_MS = 30_000;
const ASK_EVERY_MS = 200;
const TOKEN = "a-token-for-the-test";
const SERVER_NAME = "moved-connect-api.default.svc";

interface Worker {
  readonly name: string;
  readonly ip: string;
  readonly scheme: "http" | "https";
}

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
    readonly status?: {
      readonly podIP?: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  }[];
}

interface CertificateSecret {
  readonly data: { readonly "ca.crt": string };
}

/** The security of the workers' REST API is changed while requests, forwarded ones among them, go on. */
describe("REST security in motion", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rest-in-motion-"));
  let stack: Stack;
  let admin: Kubectl;
  /** For what is asked over and over: a process for each question would take longer than all the answers. */
  let api: KubernetesApi;
  /** Of the present test, ms. */
  let longestAnswerMs = 0;

  before(async () => {
    delete process.env["HEADRACE_KUBECONFIG"];
    stack = await up({ dir: join(dir, "stack"), restartBackOffMs: 500 });
    const { kubectlPath: binary, adminKubeconfig: kubeconfig } = stack;
    api = openKubernetesApi(kubeconfig);
    admin = createKubectl({ binary, kubeconfig, cacheDir: join(dir, "kubectl") });
    await apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "tokens" }, stringData: { test: TOKEN } });
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnect",
      metadata: { name: "moved" },
      spec: {
        replicas: 2,
        image: WORKER_IMAGE,
        bootstrapServers: stack.bootstrap,
        groupId: "moved",
        configStorageTopic: "moved-configs",
        offsetStorageTopic: "moved-offsets",
        statusStorageTopic: "moved-status",
        config: {
          "config.storage.replication.factor": 1,
          "offset.storage.replication.factor": 1,
          "status.storage.replication.factor": 1,
        },
        rest: { tokens: [{ name: "test", role: "admin", secretKeyRef: { name: "tokens", key: "test" } }] },
      },
    });
    await untilReady("kc", "Ready");
    await apply({
      apiVersion: "headrace.dev/v1",
      kind: "KafkaConnector",
      metadata: { name: "moved", labels: { "headrace.dev/cluster": "moved" } },
      spec: { class: "datagen", tasksMax: 2, config: { topic: "moved", "rate.per.second": "5" } },
    });
    await untilReady("kctr", "Running");
  });

  beforeEach(() => {
    longestAnswerMs = 0;
  });

  after(async () => {
    api?.close();
    await down({ dir: join(dir, "stack") });
    rmSync(dir, { recursive: true, force: true });
  });

  const apply = (resource: object) => admin(["apply", "-f", "-"], { input: JSON.stringify(resource) });

  async function untilReady(kind: "kc" | "kctr", reason: string): Promise<void> {
    const path = `jsonpath={.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].reason}`;
    let last = "";
    await eventually(
      `${kind} is ${reason}`,
      async () => {
        last = await admin(["get", kind, "moved", "-o", path]);
        const [generation, observed, found] = last.split(" ");
        return generation === observed && found === reason;
      },
      DEADLINE_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  async function readyWorkers(): Promise<readonly Worker[]> {
    const path = "/api/v1/namespaces/default/pods?labelSelector=headrace.dev%2Fname%3Dmoved-connect";
    const { items } = await api.request<Listed>({ path }, AbortSignal.timeout(ANSWER_MS));
    return items.flatMap(({ metadata, status }) => {
      const ready = status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true;
      const scheme = metadata.annotations?.["headrace.dev/rest-scheme"] === "https" ? "https" : "http";
      return ready && status?.podIP !== undefined ? [{ name: metadata.name, ip: status.podIP, scheme } as const] : [];
    });
  }

  /** What those who call the API trust. */
  async function authorities(): Promise<string> {
    const path = "/api/v1/namespaces/default/secrets/moved-connect-ca-cert";
    const { data } = await api.request<CertificateSecret>({ path }, AbortSignal.timeout(ANSWER_MS));
    return Buffer.from(data["ca.crt"], "base64").toString();
  }

  /** Asks the leader, through this worker, for something that changes nothing; answers the status. */
  async function resume({ ip, scheme }: Worker): Promise<number> {
    const tls = scheme === "https" ? { ca: await authorities(), servername: SERVER_NAME } : {};
    const send = scheme === "https" ? httpsRequest : httpRequest;
    const sentAtMs = performance.now();
    return await new Promise((resolve, reject) => {
      const outgoing = send(`${scheme}://${ip}:8083/connectors/moved/resume`, {
        agent: false,
        ...tls,
        method: "PUT",
        headers: { authorization: `Bearer ${TOKEN}` },
        timeout: ANSWER_MS,
      });
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        incoming.resume();
        longestAnswerMs = Math.max(longestAnswerMs, Math.round(performance.now() - sentAtMs));
        resolve(incoming.statusCode ?? 0);
      });
      outgoing.end();
    });
  }

  /** Repeats `ask` until `work` has ended; answers how often. */
  async function meanwhile(ask: () => Promise<void>, work: () => Promise<void>): Promise<number> {
    const stop = new AbortController();
    let count = 0;
    const asking = (async () => {
      while (!stop.signal.aborted) {
        await ask();
        count += 1;
        await sleep(ASK_EVERY_MS);
      }
    })();
    try {
      await Promise.race([work(), asking]);
    } finally {
      stop.abort();
    }
    await asking;
    return count;
  }

  it("a new authority: every worker answers every request", { timeout: ROLLOVER_MS + 60_000 }, async (test) => {
    const before = await authorities();
    const workers = await readyWorkers();
    assert.deepEqual(
      workers.map(({ scheme }) => scheme),
      ["https", "https"],
    );
    const asked = await meanwhile(
      async () => {
        for (const worker of workers) assert.equal(await resume(worker), 202, worker.name);
      },
      async () => {
        await admin(["annotate", "secret", "moved-connect-ca", "headrace.dev/renew=true"]);
        await eventually("both are trusted", async () => (await authorities()).length > before.length, ROLLOVER_MS);
        await eventually(
          "only the new one is trusted",
          async () => {
            const now = await authorities();
            return !now.includes(before.trim()) && now.match(/BEGIN CERTIFICATE/g)?.length === 1;
          },
          ROLLOVER_MS,
        );
      },
    );
    assert.ok(asked > 10);
    test.diagnostic(
      `table | requests while the authority was replaced | ${asked * workers.length}, none failed, longest ${longestAnswerMs} ms`,
    );
    assert.deepEqual(await readyWorkers(), workers, "no worker was replaced");
  });

  for (const security of ["Open", "Closed"] as const) {
    it(`${security}: there is always a worker that answers, and the connector runs`, {
      timeout: 600_000,
    }, async (test) => {
      const asked = await meanwhile(
        async () => {
          const failures: string[] = [];
          for (const worker of await readyWorkers()) {
            const answer = await resume(worker).catch((error: unknown) => String(error));
            if (answer === 202) return;
            failures.push(`${worker.name} (${worker.scheme}): ${answer}`);
          }
          assert.fail(`nobody answered: ${failures.join("; ")}`);
        },
        async () => {
          await admin(["patch", "kc", "moved", "--type=merge", "-p", JSON.stringify({ spec: { rest: { security } } })]);
          await untilReady("kc", "Ready");
        },
      );
      test.diagnostic(
        `table | requests while REST became ${security} | ${asked}, none failed, longest ${longestAnswerMs} ms`,
      );
      const scheme = security === "Open" ? "http" : "https";
      const workers = await readyWorkers();
      assert.deepEqual(
        workers.map((worker) => worker.scheme),
        [scheme, scheme],
      );
      for (const worker of workers) assert.equal(await resume(worker), 202, worker.name);
      await untilReady("kctr", "Running");
    });
  }
});
