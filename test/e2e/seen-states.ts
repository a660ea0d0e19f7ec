import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { toYaml } from "#dev/gitops/argocd-tests.ts";
import { nameOfState, RecordedResource } from "#dev/gitops/recorded-state.ts";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";

/** Watches resources and keeps the first of each kind in each state. */
export interface SeenStates {
  /** Names such as `KafkaConnect/healthy_ready`; grows. */
  names(): readonly string[];
  /** Writes them as `<kind>/testdata/<state>.yaml` below `dir`, in the place of those that were there. */
  write(dir: string): void;
  close(): Promise<void>;
}

const KINDS = ["KafkaConnect", "KafkaConnector"] as const;

/** Begins to watch the whole cluster, whose CRDs may come later. */
export function watchStates(kubeconfig: string): SeenStates {
  const api = openKubernetesApi(kubeconfig);
  const closing = new AbortController();
  const seen = new Map<string, RecordedResource>();

  async function watch(kind: string): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const path = `/apis/headrace.dev/v1/${kind.toLowerCase()}s?watch=1&timeoutSeconds=300`;
        for await (const { type, object } of api.watch<unknown>(path, closing.signal)) {
          if (type !== "ADDED" && type !== "MODIFIED") continue;
          const resource = RecordedResource.parse(object);
          const name = nameOfState(resource);
          if (!seen.has(name)) seen.set(name, resource);
        }
      } catch (error) {
        // What is not understood fails the run; otherwise the CRDs are not there yet, or no longer.
        if (error instanceof z.ZodError) throw error;
      }
      await sleep(200, undefined, { signal: closing.signal }).catch(() => {});
    }
  }
  const watching = Promise.all(KINDS.map(watch));
  return {
    names: () => [...seen.keys()].toSorted(),
    write(dir) {
      for (const kind of KINDS) rmSync(join(dir, kind, "testdata"), { recursive: true, force: true });
      for (const [name, { apiVersion, kind, metadata, spec, status }] of seen) {
        const { managedFields: _, ...shown } = metadata;
        const file = join(dir, `${name.replace("/", "/testdata/")}.yaml`);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, toYaml({ apiVersion, kind, metadata: shown, spec, status }));
      }
    },
    async close() {
      closing.abort();
      await watching;
      api.close();
    },
  };
}
