import { z } from "zod";
import { openCommittedReader } from "./committed-reader.ts";

/** What the workers of a group have told of their connectors and tasks, from the topic of states. */
export interface ToldStates {
  /** States of a connector, or of one of its tasks, in the order in which they were told. */
  of(connector: string, task?: number): readonly string[];
  /** How often it has begun to run. */
  starts(connector: string, task?: number): number;
  close(): Promise<void>;
}

const Told = z.looseObject({ state: z.string() });

/** Follows the topic of states of a group, Headrace's or Apache's. */
export function openToldStates(bootstrap: string, topic: string): ToldStates {
  const reader = openCommittedReader(bootstrap, topic);
  const of = (connector: string, task?: number) => {
    const key = task === undefined ? `status-connector-${connector}` : `status-task-${connector}-${task}`;
    const values = reader.records.flatMap((record) => (record.key === key ? (record.value ?? []) : []));
    return values.map((value) => Told.parse(JSON.parse(value)).state);
  };
  return {
    of,
    starts: (connector, task) => of(connector, task).filter((state) => state === "RUNNING").length,
    close: () => reader.close(),
  };
}
