import { readFileSync } from "node:fs";
import { KAFKA_REFUSED_CODE } from "@headrace/contract";
import { InvalidConfigError, type LoadedConfig, loadConfig, readProperties } from "./config.ts";
import { FetchError } from "./download.ts";
import { ConnectError } from "./errors.ts";
import type { Finding } from "./finding.ts";
import { createLog } from "./log.ts";
import type { StandaloneOptions } from "./standalone/standalone.ts";
import { runWorker } from "./worker.ts";

// What only other commands than `distributed` need is imported by them: each import is time until a worker is ready.

/** The Kafka Connect release whose REST API and formats this worker keeps to. */
const CONNECT_VERSION = "4.3.1";

const USAGE = `Usage: headrace-worker distributed FILE
       headrace-worker standalone FILE [CONNECTOR-FILE]...
       headrace-worker standalone CLUSTER.yaml
       headrace-worker check FILE
       headrace-worker check-kafka FILE [DIRECTORY]...
       headrace-worker fetch DIRECTORY URL INTEGRITY...
       headrace-worker fetch-artifacts JSON...
       headrace-worker rack LABEL FILE

distributed   runs a Kafka Connect worker in distributed mode
standalone    runs one worker with its connectors, without a group and without topics of its own
check         tries configuration, plugins, Kafka and the worker's topics, and exits
check-kafka   tries Kafka and the worker's topics with the properties of Apache Kafka Connect's worker, for the operator, and exits;
              what only Java, or only its image, may have is not tried; files of DIRECTORIES have to be there
fetch         fetches archives of plugins (npm pack) into directories, if their hashes (sha512-...) are right, and exits;
              NPM_TOKEN is sent to https addresses
fetch-artifacts   fetches files of Java plugins, for the operator: {"directory", "type": jar|tgz|zip|other, "url", "sha512", "fileName"}
rack          writes a label of the pod's node (NODE_NAME) into a file, and exits; needs the right to get nodes

FILE is a worker's .properties file. Standalone mode needs offset.storage.file.filename in it, where source offsets are kept
as Apache Kafka Connect does.
CONNECTOR-FILE is a connector's configuration: .properties, a JSON object of keys and values with name among them, or JSON as
for POST /connectors: {"name", "config", "initial_state"}.
CLUSTER.yaml has one KafkaConnect and its KafkaConnectors, as for kubectl apply; offsets are kept in CLUSTER.yaml.offsets.

Standalone mode ends with 3 if it or one of its connectors cannot start, with 2 if the worker's configuration cannot be used.
A wrong command line ends with 1; check-kafka with 20 if it has found something wrong.

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
  const { checkWorker } = await import("./check.ts");
  const loaded = await loadConfig(file, environment(), stop.signal);
  const log = createLog({ level: "error", destination: process.stderr });
  const findings = await checkWorker({ ...loaded, execArgv: EXEC_ARGV, log }, stop.signal);
  process.stdout.write("ok      configuration\n");
  return tell(findings);
}

/** Tries what Headrace can try for Java's workers. */
async function checkKafka(file: string, mounts: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const { checkJavaKafka } = await import("./check-kafka.ts");
  const log = createLog({ level: "error", destination: process.stderr });
  const checked = await checkJavaKafka(file, { env: environment(), mounts, log }, stop.signal);
  if (checked.kind === "tried") return tell(checked.findings) === 0 ? 0 : KAFKA_REFUSED_CODE;
  process.stdout.write(`ok      Kafka is not tried: ${checked.why}\n`);
  return 0;
}

/** One line for each; answers the exit code. */
function tell(findings: readonly Finding[]): number {
  for (const { what, problem } of findings) {
    process.stdout.write(problem === null ? `ok      ${what}\n` : `failed  ${what}: ${problem}\n`);
  }
  return findings.every(({ problem }) => problem === null) ? 0 : 1;
}

/** Fetches plugins: DIRECTORY URL INTEGRITY, any number of times. */
async function fetchPlugins(words: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const token = process.env["NPM_TOKEN"] || null;
  const { fetchPlugin } = await import("./fetch-plugins.ts");
  for (let at = 0; at < words.length; at += 3) {
    const [directory = "", url = "", integrity = ""] = words.slice(at, at + 3);
    try {
      await fetchPlugin({ directory, url, integrity }, token, stop.signal);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    process.stdout.write(`${url} is in ${directory}\n`);
  }
  return 0;
}

/** Fetches files of Java plugins: one JSON object per word. */
async function fetchArtifacts(words: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const { Artifact, fetchArtifact } = await import("./fetch-artifact.ts");
  for (const word of words) {
    try {
      const artifact = Artifact.parse(JSON.parse(word));
      await fetchArtifact(artifact, stop.signal);
      process.stdout.write(`${artifact.url} is in ${artifact.directory}\n`);
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
  }
  return 0;
}

/** Writes a label of this pod's node to where the worker reads it. */
async function rack(label: string, file: string): Promise<number> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const env = environment();
  const node = env["NODE_NAME"] ?? "";
  if (node === "") {
    process.stderr.write("NODE_NAME is not set: it names the node whose label is to be read\n");
    return 1;
  }
  const { ConfigError } = await import("@headrace/sdk");
  const { connectKubernetes } = await import("./config-providers/kubernetes-reader.ts");
  const { writeRack } = await import("./rack.ts");
  try {
    const request = { node, label, file, messageFile: "/dev/termination-log" };
    const value = await writeRack(await connectKubernetes(env), request, stop.signal);
    process.stdout.write(value === "" ? `no rack by the label ${label} of ${node}\n` : `${node} is in ${value}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function distributed(file: string): Promise<number> {
  return await run(file, await loadConfig(file, environment(), new AbortController().signal), null);
}

/** Exit codes are Java's: 2 for a configuration that cannot be used, 3 if the worker or one of its connectors cannot start. */
async function standalone(file: string, connectorFiles: readonly string[]): Promise<number> {
  const { readClusterFile } = await import("./standalone/cluster-file.ts");
  const { readConnectorFile } = await import("./standalone/connector-files.ts");
  const { checkStandaloneConfig } = await import("./standalone/standalone-config.ts");
  try {
    const cluster = isClusterFile(file) ? readClusterFile(file) : null;
    const source = cluster?.worker ?? { file, properties: readProperties(file) };
    const { offsetFile, ...loaded } = await checkStandaloneConfig(source, environment(), new AbortController().signal);
    const connectors = cluster?.connectors ?? connectorFiles.map(readConnectorFile);
    const warnings = [...loaded.warnings, ...(cluster?.warnings ?? [])];
    const code = await run(file, { ...loaded, warnings }, { offsetFile, connectors });
    return code === 0 ? 0 : START_FAILED;
  } catch (error) {
    if (!(error instanceof InvalidConfigError || error instanceof ConnectError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof InvalidConfigError ? CONFIG_INVALID : START_FAILED;
  }
}

const CONFIG_INVALID = 2;
const START_FAILED = 3;

function isClusterFile(file: string): boolean {
  return /\.ya?ml$/i.test(file);
}

async function run(file: string, loaded: LoadedConfig, solo: StandaloneOptions | null): Promise<number> {
  const env = environment();
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
        ...(solo === null ? {} : { standalone: solo }),
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
  if (command === "--help" || command === "-h" || file === "--help") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command === "--version") {
    process.stdout.write(`${ownVersion()}\n`);
    return 0;
  }
  if (command === "standalone" && file !== undefined && !(isClusterFile(file) && rest.length > 0)) {
    return await standalone(file, rest);
  }
  if (command === "check-kafka" && file !== undefined) return await checkKafka(file, rest);
  if (command === "rack" && file !== undefined && rest[0] !== undefined && rest.length === 1)
    return await rack(file, rest[0]);
  if (command === "fetch-artifacts" && args.length > 1) return await fetchArtifacts(args.slice(1));
  if (command === "fetch" && args.length > 1 && (args.length - 1) % 3 === 0) return await fetchPlugins(args.slice(1));
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
