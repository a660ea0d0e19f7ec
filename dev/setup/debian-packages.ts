import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** Installs Debian packages, as root with apt-get. Rejects with a sentence that says what to install where that may not be done. */
export async function installDebian(system: string, packages: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error(`${system} is not here: install it (apt-get install ${packages.join(" ")})`);
  await aptInstall(system, packages);
}

/** Installs Debian packages with apt-get, whoever this is; `title` is what the person watching is told. Rejects with what apt-get does. */
export async function aptInstall(title: string, packages: readonly string[]): Promise<void> {
  await step(`install ${title}`, async () => {
    const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, maxBuffer: 1 << 26 };
    await run("apt-get", ["update", "-qq"], options);
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], options);
  });
}
