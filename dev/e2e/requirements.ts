import { execFileSync } from "node:child_process";
import { missingControllers } from "./cgroups.ts";

/** What is known of a machine that is to have nodes. */
export interface MachineFacts {
  readonly platform: string;
  readonly isRoot: boolean;
  /** Controllers of cgroups that are missing. */
  readonly missingControllers: readonly string[];
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
    ...(facts.kernelRefusal === null ? [] : [`namespaces cannot be made as nodes need them: ${facts.kernelRefusal}`]),
  ];
}

/** Looks at this machine; makes namespaces that are gone at once. */
export function lookAtMachine(): MachineFacts {
  const platform = process.platform;
  const isRoot = process.getuid?.() === 0;
  const isUsable = platform === "linux" && isRoot;
  return {
    platform,
    isRoot,
    missingControllers: platform === "linux" ? missingControllers() : [],
    missingPrograms: platform === "linux" ? PROGRAMS.filter((name) => !isThere(name)) : [],
    kernelRefusal: isUsable ? tryNamespaces() : null,
  };
}

const isThere = (name: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** A mount of an overlay, a bridge and a pair of virtual devices, in namespaces that end with the script. */
const TRIAL = `set -e
ip link add trial type bridge
ip link add trial0 type veth peer name trial1
mount -t tmpfs tmpfs /mnt
mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged
mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/merged`;

function tryNamespaces(): string | null {
  try {
    execFileSync("unshare", ["--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", TRIAL], {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
    });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}
