import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubernetesApi } from "#dev/kubernetes-api.ts";
import { createFakeConnect, type FakeConnect } from "./fake-connect.ts";

/** Stands for the nodes of a namespace: each worker pod gets an address with a fake worker of its cluster behind it. */
export interface PlayedNodes {
  /** The workers of the cluster with this name, which there is from its first pod on. */
  cluster(name: string): FakeConnect;
  clusters(): readonly FakeConnect[];
  stop(): Promise<void>;
}

interface Listed {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly uid: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
  }[];
}

const CLUSTER = "headrace.dev/cluster";

/** Starts them. Every `intervalMs` they look for new pods. */
export function playNodes(api: KubernetesApi, namespace: string, { intervalMs = 100 } = {}): PlayedNodes {
  const stop = new AbortController();
  const clusters = new Map<string, FakeConnect>();
  const known = new Map<string, { readonly ip: string; readonly cluster: string }>();
  const placed = new Set<string>();
  const subnet = `127.${randomInt(100, 250)}`;
  let next = randomInt(256, 20_000);
  const pods = `/api/v1/namespaces/${namespace}/pods`;

  function cluster(name: string): FakeConnect {
    const workers = clusters.get(name) ?? createFakeConnect({ atPodAddress: true });
    clusters.set(name, workers);
    return workers;
  }

  async function setStatus(pod: string, status: object): Promise<void> {
    const request = { method: "PATCH", path: `${pods}/${pod}/status`, body: { status } } as const;
    await api
      .request({ ...request, contentType: "application/merge-patch+json" }, stop.signal)
      .catch((error: unknown) => {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      });
  }

  /** What the kubelet would mount: workers ask the operator for its certificate. */
  async function tlsOf(name: string) {
    const path = `/api/v1/namespaces/${namespace}/secrets/${name}-connect-tls`;
    const { data } = await api.request<{ readonly data: Readonly<Record<string, string>> }>({ path }, stop.signal);
    const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    return { cert: text("tls.crt"), key: text("tls.key"), ca: text("ca.crt"), requestCert: true };
  }

  async function place({ name, uid, annotations }: Listed["items"][number]["metadata"], of: string): Promise<void> {
    const ip = known.get(uid)?.ip ?? `${subnet}.${next >> 8}.${next & 255}`;
    if (!known.has(uid)) {
      const secure = annotations?.["headrace.dev/rest-scheme"] === "https";
      const tls = secure ? await tlsOf(of) : undefined;
      next += (next & 255) === 254 ? 3 : 1;
      await cluster(of).addWorker(ip, tls);
      known.set(uid, { ip, cluster: of });
    }
    const conditions = [{ type: "Ready", status: "True" }];
    await setStatus(name, { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions });
    placed.add(uid);
  }

  async function look(): Promise<void> {
    const { items } = await api.request<Listed>({ path: pods }, stop.signal);
    const present = new Set(items.map(({ metadata }) => metadata.uid));
    for (const [uid, { ip, cluster: of }] of known) {
      if (present.has(uid)) continue;
      known.delete(uid);
      await cluster(of).killWorker(ip);
    }
    for (const { metadata } of items) {
      const of = metadata.labels?.[CLUSTER];
      if (of === undefined || placed.has(metadata.uid)) continue;
      if (metadata.name.includes("-preflight-")) {
        await setStatus(metadata.name, { phase: "Succeeded" });
        continue;
      }
      await place(metadata, of);
    }
    for (const [name, workers] of clusters) {
      const members = [...known.values()]
        .filter((pod) => pod.cluster === name)
        .map(({ ip }) => ({
          memberId: `member-${ip}`,
          url: `http://${ip}:8083/`,
          draining: workers.calls.some((call) => call.ip === ip && call.path === "/headrace/drain"),
          assignment: { connectors: [], tasks: [] },
        }));
      workers.group = { ...workers.group, members };
    }
  }

  async function play(): Promise<void> {
    while (!stop.signal.aborted) {
      // A busy API server is asked again; what else goes wrong ends it, and is told at the stop.
      await look().catch((error: unknown) => {
        if (!stop.signal.aborted && !(error instanceof Error && error.name === "AbortError")) throw error;
      });
      await sleep(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }

  const playing = play();
  playing.catch(() => undefined);
  return {
    cluster,
    clusters: () => [...clusters.values()],
    async stop() {
      stop.abort();
      await playing;
      await Promise.all([...clusters.values()].map((workers) => workers.close()));
    },
  };
}
