import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { markedProcesses } from "../process-table.ts";

/** The id of the worker process of a pod; its executors are other processes. Throws if there is not exactly one. */
export function workerProcess(podUid: string): number {
  const found = markedProcesses("POD_UID", (value) => value === podUid).filter((pid) => {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return command.includes("distributed") && basename(readlinkSync(`/proc/${pid}/exe`)) === "node";
  });
  const [pid] = found;
  if (pid === undefined || found.length !== 1) throw new Error(`pod ${podUid} has ${found.length} worker processes`);
  return pid;
}
