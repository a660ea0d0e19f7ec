import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { type E2eContext, NAMESPACES } from "#dev/e2e/context.ts";
import { RecordedResource } from "#dev/gitops/recorded-state.ts";
import { type Helm, openHelm } from "#dev/helm.ts";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";
import { patiently } from "./patience.ts";

const List = z.object({ items: z.array(z.unknown()) });
const Ready = z.looseObject({
  metadata: z.object({ generation: z.number() }),
  status: RecordedResource.shape.status,
});
const Pod = z.looseObject({
  metadata: z.looseObject({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.looseObject({
    nodeName: z.string().optional(),
    containers: z.array(
      z.looseObject({
        image: z.string(),
        volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
      }),
    ),
    initContainers: z.array(z.unknown()).default([]),
    volumes: z
      .array(z.looseObject({ name: z.string(), image: z.looseObject({ reference: z.string() }).optional() }))
      .default([]),
  }),
  status: z.looseObject({
    podIP: z.string().optional(),
    conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
    containerStatuses: z
      .array(
        z.looseObject({
          restartCount: z.number(),
          lastState: z.looseObject({
            terminated: z.looseObject({ reason: z.string(), exitCode: z.number() }).optional(),
          }),
        }),
      )
      .optional(),
  }),
});
/** What is looked at of a pod. */
export type Pod = z.output<typeof Pod>;

/** A pod's hold of the lease by which one operator leads. */
export interface Leadership {
  readonly pod: string;
  /** When it took the lease, and when it last said that it still has it. */
  readonly acquiredAt: Date;
  readonly renewedAt: Date;
  /** How long nobody else takes the lease after that. */
  readonly durationMs: number;
}

/** The release `headrace` in a cluster, and what is asked of the cluster. */
export interface Installation {
  readonly kubectl: Kubectl;
  readonly helm: Helm;
  apply(...resources: readonly object[]): Promise<void>;
  /** Pods with the labels, ended ones left out. */
  pods(namespace: string, selector: string): Promise<readonly Pod[]>;
  /** Waits until the resource, as it is specified now, has `Ready` with a status and reason that match, such as `True Ready`. */
  untilReady(kind: "kc" | "kctr", namespace: string, name: string, wanted: RegExp): Promise<void>;
  /** Who leads the operators; null: nobody does, since the last one has released the lease. */
  leadership(namespace: string): Promise<Leadership | null>;
  /** Every object of the cluster that is not bookkeeping of its own, as `kind namespace/name`. */
  objects(): Promise<ReadonlySet<string>>;
  close(): void;
}

const PLURALS = { kc: "kafkaconnects", kctr: "kafkaconnectors" } as const;
const Lease = z.object({
  spec: z.object({
    holderIdentity: z.string(),
    acquireTime: z.coerce.date().optional(),
    renewTime: z.coerce.date(),
    leaseDurationSeconds: z.number(),
  }),
});

/** Pods that have not ended. */
const LIVING = "status.phase!=Succeeded,status.phase!=Failed";
/** Kinds that come and go without anybody's doing, or are read from the others. */
const BOOKKEEPING =
  /^(Event|CertificateSigningRequest|Lease|Node|APIService|ComponentStatus|CSINode|NodeMetrics|PodMetrics|IPAddress) /;
/** What controllers make in other namespaces, under names of their choice: it comes and goes when a node is drained. */
const OTHERS = new RegExp(
  `^(Pod|ReplicaSet|ControllerRevision|Job|Endpoints|EndpointSlice) (?!(${NAMESPACES.join("|")})/)`,
);

/** Opens the cluster of `make e2e`. */
export async function openInstallation({ kubeconfig, kubectl: binary, dir }: E2eContext): Promise<Installation> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: join(dir, "kubectl-cache") });
  mkdirSync(join(dir, "helm"), { recursive: true });
  const helm = await openHelm({ dir: join(dir, "helm"), kubeconfig });
  // What is asked again and again is asked without a process of its own.
  const api = openKubernetesApi(kubeconfig);
  const closing = new AbortController();
  const get = (path: string) => api.request<unknown>({ path }, closing.signal);
  const readyOf = async (kind: keyof typeof PLURALS, namespace: string, name: string) => {
    const path = `/apis/headrace.dev/v1/namespaces/${namespace}/${PLURALS[kind]}/${name}`;
    const { metadata, status } = Ready.parse(await get(path));
    const ready = status?.conditions?.find(({ type }) => type === "Ready");
    if (ready === undefined || status?.observedGeneration !== metadata.generation) return "not looked at yet";
    return `${ready.status} ${ready.reason} ${ready.message ?? ""}`;
  };
  return {
    kubectl,
    helm,
    async apply(...resources) {
      const input = resources.map((resource) => stringify(resource)).join("---\n");
      await kubectl(["apply", "--server-side", "-f", "-"], { input });
    },
    async pods(namespace, selector) {
      const query = new URLSearchParams({ labelSelector: selector, fieldSelector: LIVING });
      const list = List.parse(await get(`/api/v1/namespaces/${namespace}/pods?${query}`));
      return list.items.map((item) => Pod.parse(item));
    },
    async untilReady(kind, namespace, name, wanted) {
      let last = "";
      try {
        await patiently(`${kind} ${name} is ${wanted.source}`, async () => {
          last = await readyOf(kind, namespace, name);
          return wanted.test(last);
        });
      } catch (error) {
        throw new Error(`it is ${last}`, { cause: error });
      }
    },
    async leadership(namespace) {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/headrace`;
      const { holderIdentity, acquireTime, renewTime, leaseDurationSeconds } = Lease.parse(await get(path)).spec;
      const [pod = ""] = holderIdentity.split("_");
      if (pod === "") return null;
      const durationMs = leaseDurationSeconds * 1000;
      return { pod, acquiredAt: acquireTime ?? renewTime, renewedAt: renewTime, durationMs };
    },
    async objects() {
      const kinds = (await kubectl(["api-resources", "--verbs=list", "--output=name"])).trim().split("\n");
      const format = "{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{'\\n'}{end}";
      const wanted = kinds.filter((kind) => !/^(events|componentstatuses)/.test(kind)).join();
      const text = await kubectl(["get", wanted, "--all-namespaces", `-o=jsonpath=${format.replaceAll("'", '"')}`]);
      return new Set(
        text
          .trim()
          .split("\n")
          .filter((line) => !BOOKKEEPING.test(line) && !OTHERS.test(line)),
      );
    },
    close() {
      closing.abort();
      api.close();
    },
  };
}

/** The chart as it is shipped. */
export const CHART = join(repoRoot, "charts/headrace");

/** Whether all of a pod's containers are ready and nobody has asked it to end. */
export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status.conditions ?? []).some(({ type, status: value }) => type === "Ready" && value === "True");
