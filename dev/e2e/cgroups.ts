import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = "/sys/fs/cgroup";
/** What a kubelet limits and counts pods with. */
const CONTROLLERS = ["cpu", "cpuset", "memory", "pids"] as const;
/**
 * Weight of our group beside what is in no group: there each thread that wants to run counts as much as a whole group has by default, so that
 * on a busy machine all pods together would have less than one of its programs.
 */
const WEIGHTS = { "cpu.shares": "16384", "cpu.weight": "1600" } as const;

/** Whether the machine has the unified hierarchy (version 2). */
export const isUnified = (root = ROOT): boolean => existsSync(join(root, "cgroup.controllers"));

/** The controllers that pods need and the machine lacks. */
export function missingControllers(root = ROOT): readonly string[] {
  if (!isUnified(root)) return CONTROLLERS.filter((name) => !existsSync(join(root, name, "cgroup.procs")));
  const present = readFileSync(join(root, "cgroup.controllers"), "utf8").trim().split(" ");
  return CONTROLLERS.filter((name) => !present.includes(name));
}

/** Makes the group `name` in each hierarchy, with one for each of `children` in it. */
export function makeCgroups(name: string, children: readonly string[], root = ROOT): void {
  for (const hierarchy of hierarchies(root)) {
    for (const path of ["", ...children].map((child) => join(hierarchy, name, child))) {
      mkdirSync(path, { recursive: true });
      if (isUnified(root)) enableControllers(path);
      else copyCpuset(path);
    }
    for (const [file, weight] of Object.entries(WEIGHTS)) {
      const own = join(hierarchy, name, file);
      if (existsSync(own)) writeFileSync(own, weight);
    }
  }
}

/** Makes and removes groups as {@link makeCgroups} makes them; answers what keeps them from being used, or null. */
export async function tryCgroups(name: string, root = ROOT): Promise<string | null> {
  try {
    makeCgroups(name, ["trial"], root);
    if (!isUnified(root)) return null;
    const lacking = missingControllers(join(root, name, "trial"));
    return lacking.length === 0 ? null : `below ${root} there is no ${lacking.join(", ")}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await removeCgroups(name, root);
  }
}

/** Ends what is left in the group `name` of each hierarchy, and removes the group with all below it. Idempotent. */
export async function removeCgroups(name: string, root = ROOT): Promise<void> {
  for (const hierarchy of hierarchies(root)) {
    const top = join(hierarchy, name);
    const deadline = performance.now() + 30_000;
    while (existsSync(top)) {
      for (const path of [...descendants(top), top]) {
        for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean))
          end(Number(pid));
        try {
          rmdirSync(path);
        } catch (error) {
          if (performance.now() > deadline) throw new Error(`cannot remove the cgroup ${path}`, { cause: error });
        }
      }
      if (existsSync(top)) await sleep(100);
    }
  }
}

/** Groups that earlier runs, which were killed, left in any hierarchy: those that `isOurs` by name. */
export function leftCgroups(isOurs: (name: string) => boolean, root = ROOT): readonly string[] {
  const names = hierarchies(root).flatMap((hierarchy) => readdirSync(hierarchy).filter(isOurs));
  return [...new Set(names)];
}

function hierarchies(root: string): readonly string[] {
  if (isUnified(root)) return [root];
  return readdirSync(root)
    .map((name) => join(root, name))
    .filter((path) => statSync(path).isDirectory() && existsSync(join(path, "cgroup.procs")));
}

/** Those that are deepest first. */
function descendants(top: string): readonly string[] {
  return readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [...descendants(join(top, name)), join(top, name)]);
}

function enableControllers(path: string): void {
  const file = join(path, "cgroup.subtree_control");
  const available = readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(" ");
  writeFileSync(file, available.map((name) => `+${name}`).join(" "));
}

/** A new group of the first version has no processors until it is given some. */
function copyCpuset(path: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = join(path, file);
    if (existsSync(own)) writeFileSync(own, readFileSync(join(path, "..", file)));
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
