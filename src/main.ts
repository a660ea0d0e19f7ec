import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { ConfigError, describeConfig, type OperatorConfig, parseConfig } from "./config.ts";
import { type Connection, loadConnection } from "./kube/config.ts";
import { createLog } from "./log.ts";
import { runOperator } from "./operator.ts";

const HELP = `headrace-operator: turns KafkaConnect and KafkaConnector resources into running Connect clusters.

Usage: headrace-operator [--help | --version]

Environment:
${describeConfig()}

It ends with 0 after SIGTERM or SIGINT, 1 after a failure, 2 if it is not configured properly.
`;

/** Exit codes of the process. */
const EXIT = { stopped: 0, failed: 1, misconfigured: 2 } as const;

function versionOfPackage(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version }: { version?: unknown } = JSON.parse(text);
  return typeof version === "string" ? version : "unknown";
}

/** Starts the operator from the environment; answers the exit code when it has ended. */
async function main(args: readonly string[]): Promise<number> {
  const version = versionOfPackage();
  const [option] = args;
  if (option === "--help" || option === "-h") {
    process.stdout.write(HELP);
    return EXIT.stopped;
  }
  if (option === "--version") {
    process.stdout.write(`${version}\n`);
    return EXIT.stopped;
  }
  if (option !== undefined) {
    process.stderr.write(`Unknown argument ${option}; see headrace-operator --help\n`);
    return EXIT.misconfigured;
  }
  let config: OperatorConfig;
  let connection: Connection;
  try {
    config = parseConfig(process.env);
    connection = loadConnection({ kubeconfig: config.kubeconfig, env: process.env });
  } catch (error) {
    const intro = error instanceof ConfigError ? "The configuration is not valid:\n" : "";
    process.stderr.write(`${intro}${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.misconfigured;
  }
  const log = createLog(config.logLevel);
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => {
      log.info({ signal: name }, "stopping");
      stop.abort();
    });
  }
  try {
    await runOperator({ config, connection, log, version, host: hostname() }, stop.signal);
    return EXIT.stopped;
  } catch (error) {
    log.error({ err: error }, "operator failed");
    return EXIT.failed;
  }
}

process.exit(await main(process.argv.slice(2)));
