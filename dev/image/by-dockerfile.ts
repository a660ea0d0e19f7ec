import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repoRoot } from "../cache.ts";
import { differences, readContents } from "./image-contents.ts";
import { RECIPES } from "./recipes.ts";

/**
 * Executes the Dockerfile without a Docker daemon and compares what comes out with `build/images`, file by file: `make images`, then as root
 * `node --conditions=source dev/image/by-dockerfile.ts`. It needs Debian's buildah and debootstrap, which makes the base image; `--authorities FILE` adds
 * certificate authorities to that, where npm's registry is reached through a proxy. What stems from the packages of the machine that builds (libraries,
 * certificates, parts list, addon) differs if that machine is no Debian 12 of today; everything else ends the program with 1. Takes ten minutes on two cores.
 */
const BASE = "docker.io/library/debian:12";
/** Files that are the system's, tell of it, or have archives of it linked in: the addon. */
const SYSTEM = /^(usr\/)?lib(64)?\/|^etc\/ssl\/certs\/|^usr\/share\/sbom\/|^opt\/headrace\/app\/native\/build\//;

const { values } = parseArgs({ options: { authorities: { type: "string" } } });
const dir = mkdtempSync(join(tmpdir(), "headrace-dockerfile-"));
/** Runs a program whose messages, of which there are many, go to standard error. */
function run(command: string, args: readonly string[]): void {
  execFileSync(command, [...args], { cwd: repoRoot, stdio: ["ignore", 2, 2] });
}
const storage = ["--storage-driver=vfs", `--root=${join(dir, "storage")}`, `--runroot=${join(dir, "run")}`];
const buildah = (command: string, ...args: readonly string[]): void => run("buildah", [...storage, command, ...args]);

function makeBase(): void {
  const root = join(dir, "debian");
  run("debootstrap", ["--variant=minbase", "bookworm", root, "http://deb.debian.org/debian"]);
  rmSync(join(root, "var/cache/apt/archives"), { recursive: true, force: true });
  const from = [...storage, "from", "scratch"];
  const container = execFileSync("buildah", from, { encoding: "utf8", stdio: ["ignore", "pipe", 2] }).trim();
  buildah("add", container, root, "/");
  if (values.authorities !== undefined) {
    const file = "/usr/local/share/authorities.pem";
    buildah("add", container, values.authorities, file);
    buildah("config", `--env=NODE_EXTRA_CA_CERTS=${file}`, `--env=NPM_CONFIG_CAFILE=${file}`, container);
  }
  buildah("commit", "--rm", container, BASE);
  rmSync(root, { recursive: true, force: true });
}

try {
  const missing = RECIPES.filter(({ name }) => !existsSync(join(repoRoot, "build/images", name)));
  if (missing.length > 0) throw new Error("build/images is missing: run `make images`");
  makeBase();
  let unexplained = 0;
  for (const { name } of RECIPES) {
    const image = `localhost/headrace-${name}`;
    // With layers both targets share the stage that builds.
    buildah("bud", "--isolation=chroot", "--pull-never", "--layers", `--target=${name}`, `--tag=${image}`, ".");
    const layout = join(dir, name);
    buildah("push", image, `oci:${layout}:latest`);
    const [ours, theirs] = [await readContents(join(repoRoot, "build/images", name)), await readContents(layout)];
    const found = differences(ours, theirs);
    const others = found.filter((line) => !SYSTEM.test(line));
    const same = [...ours.files].filter(([path, text]) => theirs.files.get(path) === text).length;
    console.log(
      `${name}: ${same} of ${ours.files.size} files and directories are the same in path, mode, owner, size and hash`,
    );
    for (const line of found) console.log(`  ${others.includes(line) ? "✗" : "·"} ${line}`);
    unexplained += others.length;
  }
  console.log(unexplained === 0 ? "nothing differs but what is the system's" : `${unexplained} differences`);
  process.exitCode = unexplained === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
