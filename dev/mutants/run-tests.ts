import { spawn } from "node:child_process";

/** Of one test; a mutant may make it wait for ever. */
const TEST_TIMEOUT_MS = 60_000;
/** Of all files of one mutant together. */
const RUN_TIMEOUT_MS = 150_000;

/** How the named files went: `failed` are the titles of the tests that failed, without those of suites and files. */
export interface TestRun {
  readonly green: boolean;
  readonly failed: readonly string[];
  /** What was printed, for the one who has to find out. */
  readonly output: string;
}

/** Runs test files in the tree at `root` with this Node. Resolves when the process has ended. Throws if it cannot be started. */
export async function runTests(root: string, files: readonly string[]): Promise<TestRun> {
  const flags = ["--conditions=source", "--test", "--test-reporter=tap", `--test-timeout=${TEST_TIMEOUT_MS}`];
  const child = spawn(process.execPath, [...flags, ...files], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
    // A run inside of a test would otherwise take itself for a part of that test.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "NODE_TEST_CONTEXT")),
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const output = Buffer.concat(chunks).toString("utf8");
  return { green: code === 0, failed: failedTitles(output, files), output };
}

/** TAP prints a test before the suite that holds it, deeper ones further to the right. */
export function failedTitles(tap: string, files: readonly string[]): readonly string[] {
  const titles: string[] = [];
  let deepest = -1;
  for (const line of tap.split("\n")) {
    const [, indent, title] = /^( *)not ok \d+ - (.*)$/.exec(line) ?? [];
    if (indent === undefined || title === undefined) continue;
    if (files.some((file) => title.endsWith(file))) continue;
    if (indent.length < deepest) {
      deepest = indent.length;
      continue;
    }
    deepest = indent.length;
    titles.push(title.replaceAll("\\#", "#"));
  }
  return titles;
}
