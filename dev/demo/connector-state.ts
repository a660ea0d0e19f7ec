import type { KafkaConnector } from "@headrace/contract";

/** Whether it is Ready, and that is said of its present generation. */
export function isReady(connector: KafkaConnector): boolean {
  const ready = connector.status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && connector.status?.observedGeneration === generationOf(connector);
}

function generationOf({ metadata }: KafkaConnector): unknown {
  return metadata["generation"];
}

/** Its tasks as its status has them: `<connector>-<id>`, state and worker; none before it has any. */
export function tasksOf(connector: KafkaConnector | undefined) {
  return (connector?.status?.connectorStatus?.tasks ?? []).map(({ id, state, worker_id }) => ({
    name: `${connector?.metadata.name}-${id}`,
    state,
    worker: worker_id,
  }));
}

/** Its readiness and its tasks' states, for messages. */
export function describe(connector: KafkaConnector | undefined): string {
  const ready = connector?.status?.conditions?.find(({ type }) => type === "Ready");
  const tasks = tasksOf(connector).map(({ state }) => state);
  return `${connector?.metadata.name}: Ready=${ready?.status ?? "not told"} ${ready?.message ?? ""} [${tasks.join(", ")}]`;
}
