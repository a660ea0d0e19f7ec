import type { ObjectKey } from "../kube/client.ts";
import type { OperationStatus } from "./operation.ts";

/** What the connector controller counts, by resource. */
export interface ConnectorMetrics {
  /** `instances` of a connector were restarted without anybody asking. */
  autoRestarted(resource: ObjectKey, instances: number): void;
  /** Something has failed and is not restarted any more. */
  restartsExhausted(resource: ObjectKey): void;
  /** A request that is made once has ended. */
  operationEnded(type: OperationStatus["type"], result: OperationStatus["result"]): void;
}

export const NO_METRICS: ConnectorMetrics = {
  autoRestarted: () => undefined,
  restartsExhausted: () => undefined,
  operationEnded: () => undefined,
};
