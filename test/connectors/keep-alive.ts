import { readFileSync } from "node:fs";

/** A timer of the kernel's counts in these, per second. Source: proc(5), USER_HZ. */
const TICKS = 100;

/**
 * Seconds until the kernel asks the other side of this machine's connection to a port whether it is there; infinite: it does not, or there is no
 * such connection. Source: Linux, Documentation/networking/proc_net_tcp.rst.
 */
export function keepAliveSeconds(port: number): number {
  const to = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const [, , remote = "", , , timer = ""] = line.trim().split(/\s+/);
    const [kind, left = "0"] = timer.split(":");
    if (remote.endsWith(to) && kind === "02") return Number.parseInt(left, 16) / TICKS;
  }
  return Number.POSITIVE_INFINITY;
}
