import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";
import { sharedKafka } from "#support/kafka.ts";

const exec = promisify(execFile);
const STEP_MS = 240_000;

/** A fenced block of the page: a command to run, or a file to write. */
type Step =
  | { readonly kind: "run"; readonly script: string }
  | { readonly kind: "write"; readonly file: string; readonly text: string };

function stepsOf(page: string): readonly Step[] {
  const steps: Step[] = [];
  for (const [, info = "", text = ""] of page.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)) {
    const [language, file] = info.split(" ");
    if (language === "sh") steps.push({ kind: "run", script: text });
    if (language === "ts" && file !== undefined) steps.push({ kind: "write", file, text });
  }
  return steps;
}

describe("docs/writing-a-connector.md", () => {
  let dir: string;
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-writing-"));
    kafka = await sharedKafka();
  });
  after(async () => {
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("works to the letter, from the template to a connector in a real worker", { timeout: 2 * STEP_MS }, async () => {
    const steps = stepsOf(await readFile(join(repoRoot, "docs/writing-a-connector.md"), "utf8"));
    assert.ok(steps.length >= 8, `the page has ${steps.length} steps`);
    const env = {
      ...process.env,
      HEADRACE: repoRoot,
      KAFKA: kafka.bootstrap,
      npm_config_prefer_offline: "true",
      PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
    };
    // Tests within tests would report to this one's runner.
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...clean } = env as NodeJS.ProcessEnv;
    let folder = dir;
    for (const step of steps) {
      if (step.kind === "write") {
        await writeFile(join(folder, step.file), step.text);
        continue;
      }
      const script = `set -eu\n${step.script}\npwd > ${join(dir, ".folder")}`;
      try {
        await exec("bash", ["-c", script], { cwd: folder, env: clean, timeout: STEP_MS, maxBuffer: 1 << 24 });
      } catch (error) {
        const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
        assert.fail(`this step failed:\n${step.script}\n${stdout.slice(-6_000)}\n${stderr.slice(-6_000)}`);
      }
      folder = (await readFile(join(dir, ".folder"), "utf8")).trim();
    }
  });
});
