import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** Programs of a node that Debian packages; unpacked, not installed. */
export interface NodePackages {
  /** For `PATH`: runc, nft, iptables, ipset. */
  readonly path: string;
  /** Where these find their libraries and extensions. */
  readonly env: Readonly<Record<string, string>>;
  /** Network plugins (CNI). */
  readonly networkPlugins: string;
}

const PACKAGES = [
  "runc",
  "containernetworking-plugins",
  "nftables",
  "iptables",
  "ipset",
  // What the programs are linked with.
  ...["libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libseccomp2", "libedit2", "libbsd0", "libmd0"],
  ...["libxtables12", "libip4tc2", "libip6tc2", "libnetfilter-conntrack3", "libnfnetlink0", "libipset13"],
];
/** Names that Debian's packages give when they are installed: iptables by way of nftables. */
const IPTABLES = ["iptables", "iptables-save", "iptables-restore"] as const;

/**
 * Downloads and unpacks the packages if the cache does not have them. Nothing is installed: no service is started, and a machine's own
 * container runtime stays as it is.
 */
export async function nodePackages(): Promise<NodePackages> {
  const key = createHash("sha256")
    .update([...PACKAGES, ...IPTABLES].join())
    .digest("hex")
    .slice(0, 12);
  const dir = join(cacheDir(), "node-packages", key);
  if (!existsSync(dir)) {
    mkdirSync(join(cacheDir(), "node-packages"), { recursive: true });
    await withLock(dir, async () => {
      if (!existsSync(dir)) await step("download runc, network plugins and filters", () => download(dir));
    });
  }
  const triplet = readdirSync(join(dir, "usr/lib")).find((name) => name.endsWith("-linux-gnu"));
  if (triplet === undefined) throw new Error(`${dir}/usr/lib has no libraries`);
  return {
    path: [join(dir, "usr/bin"), join(dir, "usr/sbin")].join(":"),
    env: {
      LD_LIBRARY_PATH: join(dir, "usr/lib", triplet),
      XTABLES_LIBDIR: join(dir, "usr/lib", triplet, "xtables"),
    },
    networkPlugins: join(dir, "usr/lib/cni"),
  };
}

async function download(dir: string): Promise<void> {
  const partial = `${dir}.partial`;
  const archives = `${dir}.archives`;
  for (const path of [partial, archives]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }
  const get = () => run("apt-get", ["-qq", "-o=APT::Sandbox::User=root", "download", ...PACKAGES], { cwd: archives });
  try {
    await get();
  } catch {
    // Lists of packages may be old, or not there yet.
    await run("apt-get", ["update", "-qq"], { maxBuffer: 1 << 26 });
    await get();
  }
  for (const name of readdirSync(archives)) await run("dpkg-deb", ["--extract", join(archives, name), partial]);
  for (const name of IPTABLES) symlinkSync("xtables-nft-multi", join(partial, "usr/sbin", name));
  rmSync(archives, { recursive: true });
  renameSync(partial, dir);
}
