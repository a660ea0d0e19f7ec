import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { missingControllers, tryCgroups } from "./cgroups.ts";

/** What is known of a machine that is to have nodes. */
export interface MachineFacts {
  readonly platform: string;
  readonly isRoot: boolean;
  /** Controllers of cgroups that are missing. */
  readonly missingControllers: readonly string[];
  /** What the kernel said when groups for containers were made; null: they were. */
  readonly cgroupRefusal: string | null;
  /** Programs that are not on the path. */
  readonly missingPrograms: readonly string[];
  /** What the kernel said when namespaces with an overlay, a virtual network and a translated address were made in it; null: they were. */
  readonly kernelRefusal: string | null;
}

const PROGRAMS = [
  "unshare",
  "nsenter",
  "setpriv",
  "mount",
  "ip",
  "apt-get",
  "dpkg-deb",
  "go",
  "java",
  "openssl",
] as const;

/** What keeps `make e2e` from making nodes on the machine, one sentence each; none: it can. */
export function obstacles(facts: MachineFacts): readonly string[] {
  if (facts.platform !== "linux") return [`nodes run on Linux only, this is ${facts.platform}`];
  return [
    ...(facts.isRoot ? [] : ["nodes need root: containers, mounts and network namespaces are made"]),
    ...facts.missingPrograms.map((name) => `the program ${name} is missing`),
    ...facts.missingControllers.map((name) => `the cgroup controller ${name} is missing: containers cannot be limited`),
    ...(facts.cgroupRefusal === null ? [] : [`cgroups cannot be made as containers need them: ${facts.cgroupRefusal}`]),
    ...(facts.kernelRefusal === null ? [] : [`namespaces cannot be made as nodes need them: ${facts.kernelRefusal}`]),
  ];
}

/** Looks at this machine; makes cgroups and namespaces that are gone at once. `prefix` begins the names of what it makes. */
export async function lookAtMachine(prefix: string): Promise<MachineFacts> {
  const platform = process.platform;
  const isRoot = process.getuid?.() === 0;
  const isUsable = platform === "linux" && isRoot;
  const lacking = platform === "linux" ? missingControllers() : [];
  const dir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  try {
    return {
      platform,
      isRoot,
      missingControllers: lacking,
      cgroupRefusal: isUsable && lacking.length === 0 ? await tryCgroups(basename(dir)) : null,
      missingPrograms: platform === "linux" ? PROGRAMS.filter((name) => !isThere(name)) : [],
      kernelRefusal: isUsable ? tryNamespaces(dir) : null,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const isThere = (name: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** A bridge, a pair of virtual devices, and an overlay where nodes will have theirs, in namespaces that end with the script. */
const TRIAL = `set -e
ip link add trial type bridge
ip link add trial0 type veth peer name trial1
cd "$1"
mkdir lower upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged`;

function tryNamespaces(dir: string): string | null {
  try {
    execFileSync("unshare", ["--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", TRIAL, "sh", dir], {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: 30_000,
    });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}
