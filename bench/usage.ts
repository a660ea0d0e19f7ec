import { readdirSync, readFileSync } from "node:fs";

/** CPU time and memory of a process and all its descendants, from proc(5). */
export interface Usage {
  /** User and system time, seconds; of ended children too, as far as they were waited for. */
  readonly cpuSeconds: number;
  /** Resident memory now, bytes: the sum over the processes, of pages that n of them share an n-th part each (PSS). */
  readonly residentBytes: number;
}

/** Follows a tree of processes for its peak memory. */
export interface UsageWatch {
  /** CPU seconds since the start of the watch and the greatest resident memory seen, bytes. Ends the watch. */
  stop(): { readonly cpuSeconds: number; readonly peakBytes: number };
}

/** Linux counts time in hundredths of a second (sysconf _SC_CLK_TCK). */
const TICKS_PER_SECOND = 100;
/** The kernel adds the pages up at each sample: not too often. */
const SAMPLE_MS = 250;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

function readStat(pid: number): Stat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const number = (index: number) => Number(fields[index]);
    // utime, stime, cutime, cstime
    const ticks = number(11) + number(12) + number(13) + number(14);
    return { pid, parent: number(1), ticks };
  } catch {
    return null; // It has just ended.
  }
}

function residentBytesOf(pid: number): number {
  try {
    const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0; // It has just ended.
  }
}

/** What the tree below `root` uses now. */
export function usageOf(root: number): Usage {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
  const tree = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (!tree.has(parent) || tree.has(pid)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  const members = all.filter(({ pid }) => tree.has(pid));
  return {
    cpuSeconds: members.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND,
    residentBytes: members.reduce((sum, { pid }) => sum + residentBytesOf(pid), 0),
  };
}

/** Starts watching the tree below `root`. */
export function watchUsage(root: number): UsageWatch {
  const first = usageOf(root);
  let peakBytes = first.residentBytes;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, usageOf(root).residentBytes);
  }, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      const last = usageOf(root);
      return {
        cpuSeconds: last.cpuSeconds - first.cpuSeconds,
        peakBytes: Math.max(peakBytes, last.residentBytes),
      };
    },
  };
}
