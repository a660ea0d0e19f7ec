import { type KafkaConnector, KafkaConnectors } from "../kinds.ts";
import type { EventRecorder, KubeClient } from "../kube/client.ts";
import { isOlder } from "../status-writer.ts";
import type { ConnectRestError } from "../worker/connect-client.ts";
import { isConnectError } from "../worker/connect-client.ts";
import type { Memory } from "./memory.ts";
import type { ConnectorMetrics } from "./metrics.ts";
import type { OffsetsStore } from "./offsets-store.ts";
import { type OperationResult, objection, refuse, toOperationStatus } from "./operation.ts";
import type { Request } from "./requests.ts";

export interface RequestDeskDeps {
  readonly kube: KubeClient;
  readonly offsets: OffsetsStore;
  readonly events: EventRecorder;
  readonly metrics: ConnectorMetrics;
  readonly now: () => number;
}

/** Takes what annotations ask for in, and answers it: once each, in `status.operations` and as an Event. */
export interface RequestDesk {
  /** The request to carry out; null if there is none. One that cannot be carried out is concluded at once. */
  pending(
    resource: KafkaConnector,
    request: Request | null,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<Request | null>;
  /** Tells how an operation has ended, and removes the annotation that asked for it. */
  conclude(resource: KafkaConnector, operation: OperationResult, memory: Memory, signal: AbortSignal): Promise<void>;
  /** An attempt failed; after a minute of them the request is given up, since the connector may stand still for it. */
  noteFailure(
    resource: KafkaConnector,
    request: Request,
    error: ConnectRestError,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void>;
}

const TRYING_MS = 60_000;
/** A worker that fails does so again mostly. */
const FAILING_MS = 10_000;

/**
 * Assumptions: resource versions grow (KEP-5504), which tells an annotation that is still in the cache from one that was set again.
 * An operator that dies between a request and the removal of its annotation carries it out again; all of them can be.
 */
export function createRequestDesk({ kube, offsets, events, metrics, now }: RequestDeskDeps): RequestDesk {
  async function removeAnnotation(
    { metadata }: KafkaConnector,
    request: Request,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    memory.obeyed = { request, version: null };
    const { name, namespace = "", uid } = metadata;
    const patch = { metadata: { uid, annotations: { [request.annotation]: null } } };
    const after = await kube.patch(KafkaConnectors, { namespace, name }, patch, signal);
    memory.obeyed = { request, version: after.metadata.resourceVersion ?? "" };
  }

  async function conclude(
    resource: KafkaConnector,
    operation: OperationResult,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const entry = toOperationStatus(operation, now());
    memory.operations = [...memory.operations.filter(({ type }) => type !== entry.type), entry];
    memory.trying = null;
    metrics.operationEnded(entry.type, entry.result);
    const { type, succeeded, message, request } = operation;
    const severity = succeeded ? "Normal" : "Warning";
    events.record(resource, { type: severity, reason: `${type}${entry.result}`, message });
    if (request !== null) await removeAnnotation(resource, request, memory, signal);
  }

  return {
    conclude,
    async pending(resource, request, memory, signal) {
      if (request === null) return null;
      const { obeyed } = memory;
      if (obeyed !== null && isSame(obeyed.request, request)) {
        if (obeyed.version === null) await removeAnnotation(resource, request, memory, signal);
        if (obeyed.version === null || isOlder(resource.metadata.resourceVersion, obeyed.version)) return null;
      }
      const problem = await objection(request, { resource, offsets }, signal);
      if (problem === null) return request;
      await conclude(resource, refuse(request, problem), memory, signal);
      return null;
    },
    async noteFailure(resource, request, error, memory, signal) {
      const sinceMs = memory.trying !== null && isSame(memory.trying.request, request) ? memory.trying.sinceMs : now();
      memory.trying = { request, sinceMs };
      const limitMs = isConnectError(error, "failed") ? FAILING_MS : TRYING_MS;
      if (now() - sinceMs >= limitMs) await conclude(resource, refuse(request, error.message), memory, signal);
    },
  };
}

function isSame(a: Request, b: Request): boolean {
  return a.annotation === b.annotation && a.value === b.value && a.id === b.id;
}
