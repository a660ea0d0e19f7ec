import { readFileSync } from "node:fs";
import { checkWorker } from "./check.ts";
import { InvalidConfigError, loadConfig } from "./config.ts";
import { createLog } from "./log.ts";
import { runWorker } from "./worker.ts";

/** The Kafka Connect release whose REST API and formats this worker keeps to. */
const CONNECT_VERSION = "4.3.1";

const USAGE = `Usage: headrace-worker distributed FILE
       headrace-worker check FILE

distributed   runs a Kafka Connect worker in distributed mode
check         tries configuration, plugins, Kafka and the worker's topics, and exits

FILE is a worker's .properties file.

  --help      prints this
  --version   prints the version
`;

interface PackageFile {
  readonly version: string;
}

function ownVersion(): string {
  const file: PackageFile = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return file.version;
}

/** Node's own options that executors need as well. */
const EXEC_ARGV = process.execArgv.filter((arg) => /^(--conditions|-C|--import|--enable-source-maps)/.test(arg));

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

async function check(file: string): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const loaded = await loadConfig(file, environment(), stop.signal);
  const log = createLog({ level: "error", destination: process.stderr });
  const findings = await checkWorker({ ...loaded, execArgv: EXEC_ARGV, log }, stop.signal);
  process.stdout.write("ok      configuration\n");
  for (const { what, problem } of findings) {
    process.stdout.write(problem === null ? `ok      ${what}\n` : `failed  ${what}: ${problem}\n`);
  }
  return findings.every(({ problem }) => problem === null) ? 0 : 1;
}

async function distributed(file: string): Promise<number> {
  const env = environment();
  const loaded = await loadConfig(file, env, new AbortController().signal);
  const log = createLog({ level: loaded.config["headrace.log.level"] });
  for (const warning of loaded.warnings) log.warn({ file }, warning);

  const stop = new AbortController();
  const hurry = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      log.info({ signal: name, again: stop.signal.aborted }, "signal received");
      if (stop.signal.aborted) hurry.abort();
      stop.abort();
    });
  }
  // kafkajs computes negative delays; nothing is wrong with them.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "TimeoutNegativeWarning") log.warn({ err: warning }, "warning of the runtime");
  });

  try {
    await runWorker(
      {
        ...loaded,
        log,
        execArgv: EXEC_ARGV,
        podUid: env["POD_UID"] ?? null,
        version: `${CONNECT_VERSION}-headrace-${ownVersion()}`,
        commit: env["HEADRACE_COMMIT"] ?? "unknown",
        hurry: hurry.signal,
      },
      stop.signal,
    );
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    log.error({ err: error }, "worker failed");
    return 1;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [command, file, ...rest] = args;
  if (command === "--help" || command === "-h") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command === "--version") {
    process.stdout.write(`${ownVersion()}\n`);
    return 0;
  }
  if ((command !== "distributed" && command !== "check") || file === undefined || rest.length > 0) {
    process.stderr.write(USAGE);
    return 1;
  }
  try {
    return await (command === "check" ? check(file) : distributed(file));
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

process.exit(await main(process.argv.slice(2)));
