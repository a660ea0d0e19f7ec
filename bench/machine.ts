import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { z } from "zod";

/** Where figures were measured. */
export const Machine = z.object({
  cpus: z.number(),
  cpuModel: z.string(),
  memoryGib: z.number(),
  system: z.string(),
  node: z.string(),
  java: z.string(),
  /** Load average of the last minute before the first scenario: what else was running. */
  load: z.number(),
});
export type Machine = z.output<typeof Machine>;

/** Describes this machine; `load` as os.loadavg tells before anything was started. */
export function describeMachine(load: number): Machine {
  // `java -version` writes to its error output, `--version` does not.
  const [java = ""] = execFileSync("java", ["--version"], { encoding: "utf8" }).split("\n");
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? "unknown",
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().replace(/-.*/, "")}`,
    node: process.version,
    java,
    load,
  };
}

/** In one line. */
export function machineText({ cpus: count, cpuModel, memoryGib, system, node, java, load }: Machine): string {
  return `${count} × ${cpuModel}, ${memoryGib} GiB, ${system}; Node ${node}, ${java}; load ${load.toFixed(1)} before the run`;
}
