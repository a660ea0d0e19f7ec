import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import type { E2eContext } from "#dev/e2e/context.ts";
import { type Helm, openHelm } from "#dev/helm.ts";
import { createKubectl, type Kubectl } from "#dev/kubectl.ts";
import { eventually } from "#support/eventually.ts";

/** Longest wait for anything: pods start on a machine that is busy. */
export const DEADLINE_MS = 600_000;

const List = z.object({ items: z.array(z.unknown()) });
const Ready = z.looseObject({
  metadata: z.object({ generation: z.number() }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(
          z.looseObject({ type: z.string(), status: z.string(), reason: z.string(), message: z.string().optional() }),
        )
        .optional(),
    })
    .optional(),
});
const Pod = z.looseObject({
  metadata: z.looseObject({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
  spec: z.looseObject({ nodeName: z.string().optional(), containers: z.array(z.looseObject({ image: z.string() })) }),
  status: z.looseObject({
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

/** The release `headrace` in a cluster, and what is asked of the cluster. */
export interface Installation {
  readonly kubectl: Kubectl;
  readonly helm: Helm;
  apply(...resources: readonly object[]): Promise<void>;
  /** Pods with the labels, ended ones left out. */
  pods(namespace: string, selector: string): Promise<readonly Pod[]>;
  /** Waits until the resource, as it is specified now, has `Ready` with a status and reason that match, such as `True Ready`. */
  untilReady(kind: "kc" | "kctr", namespace: string, name: string, wanted: RegExp): Promise<void>;
  /** Every object of the cluster that is not bookkeeping of its own, as `kind namespace/name`. */
  objects(): Promise<ReadonlySet<string>>;
}

/** Kinds that come and go without anybody's doing, or are read from the others. */
const BOOKKEEPING = /^(Event|Lease|Node|APIService|ComponentStatus|CSINode|NodeMetrics|PodMetrics|IPAddress) /;

/** Opens the cluster of `make e2e`. */
export async function openInstallation({ kubeconfig, kubectl: binary, dir }: E2eContext): Promise<Installation> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: join(dir, "kubectl-cache") });
  mkdirSync(join(dir, "helm"), { recursive: true });
  const helm = await openHelm({ dir: join(dir, "helm"), kubeconfig });
  const readyOf = async (kind: string, namespace: string, name: string) => {
    const { metadata, status } = Ready.parse(
      JSON.parse(await kubectl(["--namespace", namespace, "get", kind, name, "-o=json"])),
    );
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
      const text = await kubectl(["--namespace", namespace, "get", "pods", `--selector=${selector}`, "-o=json"]);
      return List.parse(JSON.parse(text)).items.map((item) => Pod.parse(item));
    },
    async untilReady(kind, namespace, name, wanted) {
      let last = "";
      try {
        await eventually(
          `${kind} ${name} is ${wanted.source}`,
          async () => {
            last = await readyOf(kind, namespace, name);
            return wanted.test(last);
          },
          DEADLINE_MS,
        );
      } catch (error) {
        throw new Error(`it is ${last}`, { cause: error });
      }
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
          .filter((line) => !BOOKKEEPING.test(line)),
      );
    },
  };
}

/** The chart as it is shipped. */
export const CHART = join(repoRoot, "charts/headrace");

/** Whether all of a pod's containers are ready and nobody has asked it to end. */
export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status.conditions ?? []).some(({ type, status: value }) => type === "Ready" && value === "True");
