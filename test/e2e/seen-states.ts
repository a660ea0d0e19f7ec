import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";

const Resource = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ deletionTimestamp: z.string().optional(), generation: z.number() }),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string().optional() })),
    })
    .optional(),
});
type Resource = z.output<typeof Resource>;

/** Watches resources and keeps the first of each kind in each state. */
export interface SeenStates {
  /** Names such as `kafkaconnect/ready-true-ready`; grows. */
  names(): readonly string[];
  /** Writes each as `<dir>/<name>.yaml`; what is there is replaced. */
  write(dir: string): void;
  close(): Promise<void>;
}

const RESOURCES = ["kafkaconnects", "kafkaconnectors"] as const;

/** Begins to watch the whole cluster, whose CRDs may come later. */
export function watchStates(kubeconfig: string): SeenStates {
  const api = openKubernetesApi(kubeconfig);
  const closing = new AbortController();
  const seen = new Map<string, object>();

  async function watch(resources: string): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const path = `/apis/headrace.dev/v1/${resources}?watch=1&timeoutSeconds=300`;
        for await (const { type, object } of api.watch<unknown>(path, closing.signal)) {
          if (type !== "ADDED" && type !== "MODIFIED") continue;
          const resource = Resource.parse(object);
          const name = nameOfState(resource);
          if (!seen.has(name)) seen.set(name, withoutManagers(resource));
        }
      } catch (error) {
        if (error instanceof z.ZodError) throw error;
        // The CRDs are not there yet, or no longer; or the API server was away.
      }
      await sleep(200, undefined, { signal: closing.signal }).catch(() => {});
    }
  }
  const watching = Promise.all(RESOURCES.map(watch));
  return {
    names: () => [...seen.keys()].toSorted(),
    write(dir) {
      rmSync(dir, { recursive: true, force: true });
      for (const [name, resource] of seen) {
        const file = join(dir, `${name}.yaml`);
        mkdirSync(join(file, ".."), { recursive: true });
        writeFileSync(file, stringify(resource));
      }
    },
    async close() {
      closing.abort();
      await watching;
      api.close();
    },
  };
}

/** The state as a file's name: the kind, and of `Ready` its status and reason. */
export function nameOfState({ kind, metadata, status }: Resource): string {
  const ready = status?.conditions.find(({ type }) => type === "Ready");
  const state = ready === undefined ? "new" : `ready-${ready.status}-${ready.reason ?? "none"}`.toLowerCase();
  const isStale = status !== undefined && status.observedGeneration !== metadata.generation;
  const suffix = metadata.deletionTimestamp === undefined ? (isStale ? "-stale" : "") : "-deleting";
  return `${kind.toLowerCase()}/${state}${suffix}`;
}

function withoutManagers(resource: Resource): object {
  const { managedFields: _, ...metadata } = resource.metadata;
  return { ...resource, metadata };
}
