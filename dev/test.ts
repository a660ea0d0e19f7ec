import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repoRoot } from "./cache.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type LocalKafka, startKafka } from "./kafka.ts";
import { step } from "./progress.ts";

/**
 * `npm test`: all tests, or those whose path contains one of the given words. Starts one Kafka and one Kubernetes API for the files that
 * share them (`HEADRACE_KAFKA_BOOTSTRAP`, `HEADRACE_KUBECONFIG`), runs node:test and ends with its closing lines.
 * Fails if either cannot be started, or if no test was found.
 */
const HELP = `usage: npm test [-- [--unit] [WORD…]]
  WORD    run only test files whose path contains it
  --unit  leave out *.integration.test.ts: no Kafka, no Kubernetes`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { unit: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const all = globSync("test/**/*.test.ts", { cwd: repoRoot }).sort();
  const wanted = all
    .filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)))
    .filter((file) => values.unit !== true || !file.endsWith(".integration.test.ts"));
  if (wanted.length === 0) {
    console.error(`no test file matches ${positionals.join(" ")}`);
    return 1;
  }
  const needsServers = wanted.some((file) => file.endsWith(".integration.test.ts"));
  const dir = mkdtempSync(join(tmpdir(), "headrace-test-"));
  let kafka: LocalKafka | undefined;
  let controlPlane: ControlPlane | undefined;
  try {
    const env: Record<string, string> = {};
    if (needsServers) {
      await step("start Kafka and the Kubernetes API for the tests", async () => {
        const starting = [
          startKafka({ dir: join(dir, "kafka") }),
          startControlPlane({ dir: join(dir, "kubernetes") }),
        ] as const;
        await Promise.allSettled(starting);
        kafka = await starting[0];
        controlPlane = await starting[1];
        env["HEADRACE_KAFKA_BOOTSTRAP"] = kafka.bootstrap;
        env["HEADRACE_KUBECONFIG"] = controlPlane.adminKubeconfig;
      });
    }
    return await runNodeTest(wanted, env);
  } finally {
    await kafka?.kill();
    await controlPlane?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function runNodeTest(files: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const args = [
    "--conditions=source",
    "--test",
    "--test-reporter=./dev/test-reporter.ts",
    "--test-timeout=600000",
    ...files,
  ];
  const child = spawn(process.execPath, args, { cwd: repoRoot, env: { ...process.env, ...env }, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
