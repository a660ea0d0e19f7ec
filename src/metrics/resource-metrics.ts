import { Gauge, type Registry } from "prom-client";
import type { KubeObject } from "../kube/client.ts";

interface Measured extends KubeObject {
  readonly status?: {
    readonly conditions?:
      | readonly { readonly type: string; readonly status: string; readonly reason?: string | undefined }[]
      | undefined;
  };
}

/** Gauges of the resources that there are, read when somebody scrapes. */
export interface ResourceMetrics {
  /** Counts the resources of a kind from now on. Answers what ends it. */
  follow(kind: string, list: () => readonly Measured[]): () => void;
}

/** Strimzi's names for the counts, with its labels; `headrace_resource_ready` tells of each resource. */
export function createResourceMetrics(register: Registry, selector: string): ResourceMetrics {
  const followed = new Set<{ readonly kind: string; readonly list: () => readonly Measured[] }>();
  const registers = [register];
  const labelNames = ["kind", "namespace", "selector"] as const;
  function each(visit: (kind: string, resource: Measured) => void): void {
    for (const { kind, list } of followed) for (const resource of list()) visit(kind, resource);
  }

  new Gauge({
    name: "strimzi_resources",
    help: "Resources that the operator knows.",
    labelNames,
    registers,
    collect() {
      this.reset();
      each((kind, { metadata }) => this.inc({ kind, namespace: metadata.namespace ?? "", selector }));
    },
  });
  new Gauge({
    name: "strimzi_resources_paused",
    help: "Resources whose reconciliation is paused.",
    labelNames,
    registers,
    collect() {
      this.reset();
      each((kind, resource) => {
        const paused = conditionOf(resource, "ReconciliationPaused")?.status === "True";
        this.inc({ kind, namespace: resource.metadata.namespace ?? "", selector }, paused ? 1 : 0);
      });
    },
  });
  new Gauge({
    name: "headrace_resource_ready",
    help: "1 if the resource is ready, else 0, with the reason.",
    labelNames: ["kind", "namespace", "name", "reason"],
    registers,
    collect() {
      this.reset();
      each((kind, resource) => {
        const { namespace = "", name } = resource.metadata;
        const { status, reason = "" } = conditionOf(resource, "Ready") ?? {};
        this.set({ kind, namespace, name, reason }, status === "True" ? 1 : 0);
      });
    },
  });
  return {
    follow(kind, list) {
      const entry = { kind, list };
      followed.add(entry);
      return () => followed.delete(entry);
    },
  };
}

function conditionOf({ status }: Measured, wanted: string) {
  return status?.conditions?.find(({ type }) => type === wanted);
}
