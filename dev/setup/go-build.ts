import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** Set whole, so that a developer's own flags or workspace cannot change what is built. */
export const GO_ENV = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };

/**
 * The beginning of all builds: without optimisation, which would cost a third of the time; tools are fast enough without it. All are built alike, so
 * that what several programs have in common is compiled once.
 */
export const QUICK_BUILD = ["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-N -l"] as const;

/** A Go program of a module in this repository. */
export interface GoProgram {
  /** For people, while it is built. */
  readonly title: string;
  /** Folder of the module. */
  readonly source: string;
  /** Arguments of `go build`, without `-o`. */
  readonly args: readonly string[];
  /** Name of the executable. */
  readonly name: string;
}

/**
 * The directory that has the program, built if it is not there; complete from the moment it exists. Callers at the same time, in any
 * process, wait for one build. `finish` may add files to the directory before it gets its name.
 */
export async function goBuild(
  program: GoProgram,
  dir: string,
  finish: (partial: string) => void = () => {},
): Promise<string> {
  if (existsSync(dir)) return dir;
  mkdirSync(dirname(dir), { recursive: true });
  await withLock(
    dir,
    async () => {
      if (existsSync(dir)) return;
      await step(program.title, async () => {
        const partial = `${dir}.partial`;
        rmSync(partial, { recursive: true, force: true });
        mkdirSync(partial);
        const [verb = "build", ...rest] = program.args;
        await go(program.source, [verb, "-o", join(partial, program.name), ...rest]);
        finish(partial);
        renameSync(partial, dir);
      });
    },
    () => process.stderr.write(`  … waiting for another process: ${program.title}\n`),
  );
  return dir;
}

/** Twelve characters that change with the compiler, the named files of the module, and `inputs`. */
export async function goBuildKey(
  source: string,
  files: readonly string[],
  inputs: readonly unknown[],
): Promise<string> {
  const { stdout: goVersion } = await run("go", ["version"], { cwd: source }).catch((error: unknown) => {
    throw new Error("Go is needed: `go version` failed", { cause: error });
  });
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(join(source, file)));
  hash.update(JSON.stringify([goVersion, ...inputs]));
  return hash.digest("hex").slice(0, 12);
}

/** Runs Go in the source directory; its messages (downloads) go to standard error and into the error if it fails. */
function go(source: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, {
      cwd: source,
      env: { ...process.env, ...GO_ENV },
      stdio: ["ignore", "inherit", "pipe"],
    });
    let tail = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      process.stderr.write(text.replace(/^/gm, "  ").trimEnd().concat("\n"));
      tail = (tail + text).slice(-4000);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`go ${args[0]} ended with ${code}:\n${tail}`));
    });
  });
}
