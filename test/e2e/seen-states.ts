import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";

const Resource = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ deletionTimestamp: z.string().optional(), generation: z.number() }),
  spec: z.unknown(),
  status: z
    .looseObject({
      observedGeneration: z.number().optional(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string().optional() }))
        .optional(),
    })
    .optional(),
});
type Resource = z.output<typeof Resource>;

/** Watches resources and keeps the first of each kind in each state. */
export interface SeenStates {
  /** Names such as `kafkaconnect/ready-true-ready`; grows. */
  names(): readonly string[];
  close(): Promise<void>;
}

const KINDS = ["kafkaconnect", "kafkaconnector"] as const;

/**
 * Begins to watch the whole cluster, whose CRDs may come later. With `dir` each state is written to `<dir>/<name>.yaml` as soon as it is seen; what
 * was there is removed.
 */
export function watchStates(kubeconfig: string, dir?: string): SeenStates {
  if (dir !== undefined) for (const kind of KINDS) rmSync(join(dir, kind), { recursive: true, force: true });
  const api = openKubernetesApi(kubeconfig);
  const closing = new AbortController();
  const seen = new Set<string>();

  async function watch(kind: string): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const path = `/apis/headrace.dev/v1/${kind}s?watch=1&timeoutSeconds=300`;
        for await (const { type, object } of api.watch<unknown>(path, closing.signal)) {
          if (type !== "ADDED" && type !== "MODIFIED") continue;
          const resource = Resource.parse(object);
          const name = nameOfState(resource);
          if (seen.has(name)) continue;
          seen.add(name);
          if (dir !== undefined) write(join(dir, `${name}.yaml`), resource);
        }
      } catch (error) {
        // What is not understood, and files that cannot be written, fail the run.
        if (error instanceof z.ZodError || (error instanceof Error && "path" in error)) throw error;
        // Otherwise the CRDs are not there yet, or no longer.
      }
      await sleep(200, undefined, { signal: closing.signal }).catch(() => {});
    }
  }
  const watching = Promise.all(KINDS.map(watch));
  return {
    names: () => [...seen].toSorted(),
    async close() {
      closing.abort();
      await watching;
      api.close();
    },
  };
}

/**
 * The state as a file's name: the kind, and of `Ready` its status and reason. `-stalled` and `-suspended` say what else there is, `-stale` that the
 * present spec has not been looked at, `-deleting` that the resource is on its way out.
 */
export function nameOfState({ kind, metadata, status }: Resource): string {
  const conditions = status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === "Ready");
  const state = ready === undefined ? "new" : `ready-${ready.status}-${ready.reason ?? "none"}`.toLowerCase();
  const isTrue = (wanted: string) => conditions.some(({ type, status: value }) => type === wanted && value === "True");
  const suffixes = [
    isTrue("Stalled") && "-stalled",
    isTrue("ReconciliationPaused") && "-suspended",
    status !== undefined && status.observedGeneration !== metadata.generation && "-stale",
    metadata.deletionTimestamp !== undefined && "-deleting",
  ];
  return `${kind.toLowerCase()}/${state}${suffixes.filter((suffix) => suffix !== false).join("")}`;
}

function write(file: string, { apiVersion, kind, metadata, spec, status }: Resource): void {
  const { managedFields: _, ...shown } = metadata;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stringify({ apiVersion, kind, metadata: shown, spec, status }));
}
