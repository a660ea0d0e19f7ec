import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AddressPool } from "./addresses.ts";
import type { Pod } from "./pod.ts";
import { type ContainerRecord, createContainerRecord, type PodRecord, toTime } from "./status.ts";

const FILE = "record.json";

/** The record of a pod of which nothing has been started. */
export function createRecord({ metadata, spec }: Pod, addresses: AddressPool): PodRecord {
  const inits = spec.initContainers ?? [];
  const reason = inits.length > 0 ? "PodInitializing" : "ContainerCreating";
  const entries: (readonly [string, ContainerRecord])[] = [
    ...inits.map((container) => [container.name, createContainerRecord("PodInitializing")] as const),
    ...spec.containers.map((container) => [container.name, createContainerRecord(reason)] as const),
  ];
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    addresses: { podIP: addresses.take(), hostIP: addresses.node },
    startTime: toTime(new Date()),
    containers: Object.fromEntries(entries),
  };
}

/** Keeps a record in the pod's directory, in one step. */
export function writeRecord(podDir: string, record: PodRecord): void {
  mkdirSync(podDir, { recursive: true });
  const file = join(podDir, FILE);
  writeFileSync(`${file}.new`, JSON.stringify(record));
  renameSync(`${file}.new`, file);
}

/** The records that former agents left in the pods' directories below `podsDir`, by the pods' uids. */
export function readRecords(podsDir: string, uids: readonly string[]): ReadonlyMap<string, PodRecord> {
  const records = new Map<string, PodRecord>();
  for (const uid of uids) {
    try {
      records.set(uid, JSON.parse(readFileSync(join(podsDir, uid, FILE), "utf8")) as PodRecord);
    } catch {
      // No record: the agent ended before it started anything of that pod.
    }
  }
  return records;
}
