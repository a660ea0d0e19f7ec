import type { StringMap } from "@headrace/contract";

/** Where the offsets of a source connector are kept. */
export type OffsetsPlace =
  /** In the worker's topic only. */
  | { readonly kind: "worker"; readonly topic: string }
  /** In a topic for itself, besides the worker's. */
  | { readonly kind: "own"; readonly topic: string };

/** Whether this worker delivers source records exactly once. */
export function isExactlyOnce(worker: StringMap): boolean {
  return worker["exactly.once.source.support"]?.trim().toLowerCase() === "enabled";
}

/**
 * Finds the place (contract §3, §7.2). With exactly-once delivery the offsets are written by the producers of the tasks, so they lie in the
 * Kafka cluster that these write to; if that is another than the worker's, so is the topic, though it may have the same name.
 */
export function offsetsPlace(worker: StringMap, connector: StringMap): OffsetsPlace {
  const workerTopic = worker["offset.storage.topic"]?.trim() ?? "";
  // Standalone mode has its file and nothing else (contract §13).
  if (workerTopic === "") return { kind: "worker", topic: workerTopic };
  const wanted = connector["offsets.storage.topic"]?.trim() ?? "";
  if (wanted === "" && !isExactlyOnce(worker)) return { kind: "worker", topic: workerTopic };
  const topic = wanted === "" ? workerTopic : wanted;
  const workerCluster = servers(worker["bootstrap.servers"]);
  const producerCluster = servers(
    connector["producer.override.bootstrap.servers"] ??
      worker["producer.bootstrap.servers"] ??
      worker["bootstrap.servers"],
  );
  return { kind: topic === workerTopic && producerCluster === workerCluster ? "worker" : "own", topic };
}

function servers(list: string | undefined): string {
  return (list ?? "")
    .split(",")
    .map((server) => server.trim())
    .join(",");
}
