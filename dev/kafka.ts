import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "./cache.ts";
import { accepts, freePorts, type LocalProcess, startProcess, waitUntilReady } from "./process.ts";
import { classArchive, formattedData, kafkaLibs } from "./setup/kafka.ts";

const run = promisify(execFile);

/** A one-node Kafka (KRaft, combined broker and controller) on loopback. */
export interface LocalKafka {
  /** `host:port` */
  readonly bootstrap: string;
  readonly process: LocalProcess;
  readonly dir: string;
  /** Stops the broker cleanly; its data stay. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. The returned handle replaces this one. */
  restart(): Promise<LocalKafka>;
}

export interface KafkaOptions {
  /** Where configuration, data and log go; must be this broker's own. */
  readonly dir: string;
  /** Default: a free one. */
  readonly port?: number;
  readonly controllerPort?: number;
  /** Heap, for instance `512m`. */
  readonly heap?: string;
  /** Broker properties on top of the defaults. */
  readonly properties?: Readonly<Record<string, string>>;
  /** true: outlives this process. Otherwise it ends with it, however that ends. */
  readonly detached?: boolean;
  /** Options of the JVM on top of those for a quick start. */
  readonly jvmOptions?: readonly string[];
  /** false: with the JVM's own defaults, for benchmarks. Default: true, half the CPU time at start and less speed afterwards. */
  readonly quickStart?: boolean;
}

const toProperties = (entries: Readonly<Record<string, string>>) =>
  `${Object.entries(entries)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n")}\n`;

/** For a quick start: half the CPU time of the JVM's defaults. */
const QUICK_START = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

async function javaArgs(
  heap: string,
  main: string,
  args: readonly string[],
  quickStart = true,
): Promise<readonly string[]> {
  const libs = await kafkaLibs();
  const archive = classArchive(libs);
  return [
    `-Xmx${heap}`,
    ...(quickStart ? QUICK_START : []),
    ...(existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []),
    `-Dlog4j2.configurationFile=${join(repoRoot, "dev/kafka/log4j2.properties")}`,
    "-cp",
    `${libs}/*`,
    main,
    ...args,
  ];
}

/** Starts Kafka and resolves when it accepts requests. The data directory is formatted on first use. */
export async function startKafka(options: KafkaOptions): Promise<LocalKafka> {
  const ports = await freePorts(2);
  const port = options.port ?? ports[0];
  const controllerPort = options.controllerPort ?? ports[1];
  if (port === undefined || controllerPort === undefined) throw new Error("no free ports");
  const config = join(options.dir, "server.properties");
  mkdirSync(options.dir, { recursive: true });
  writeFileSync(
    config,
    toProperties({
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names": "CONTROLLER",
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "log.dirs": join(options.dir, "data"),
      "offsets.topic.replication.factor": "1",
      "offsets.topic.num.partitions": "5",
      "transaction.state.log.replication.factor": "1",
      "transaction.state.log.num.partitions": "5",
      "transaction.state.log.min.isr": "1",
      "share.coordinator.state.topic.replication.factor": "1",
      "share.coordinator.state.topic.min.isr": "1",
      "default.replication.factor": "1",
      "group.initial.rebalance.delay.ms": "0",
      "num.io.threads": "4",
      "num.network.threads": "2",
      "log.cleaner.dedupe.buffer.size": "16777216",
      "controlled.shutdown.enable": "false",
      ...options.properties,
    }),
  );
  const heap = options.heap ?? "768m";
  if (!existsSync(join(options.dir, "data", "meta.properties"))) await formatData(options.dir, config);
  const logFile = join(options.dir, "kafka.log");
  const broker = await startProcess({
    name: "Kafka",
    command: "java",
    args: [...(options.jvmOptions ?? []), ...(await javaArgs(heap, "kafka.Kafka", [config], options.quickStart))],
    logFile,
    ...(options.detached === true ? { detached: true } : { signalAtParentsEnd: "SIGKILL" as const }),
  });
  await waitUntilReady(broker, () => accepts("127.0.0.1", port), { timeoutMs: 180_000 });
  return {
    bootstrap: `127.0.0.1:${port}`,
    process: broker,
    dir: options.dir,
    stop: async () => void (await broker.stop(30_000)),
    kill: async () => void (await broker.kill()),
    restart: async () => {
      await broker.stop(30_000);
      return await startKafka({ ...options, port, controllerPort });
    },
  };
}

/** As `kafka-storage format`: by a copy of what set-up has formatted, with ids of its own, or else by the tool itself. */
async function formatData(dir: string, config: string): Promise<void> {
  const clusterId = randomBytes(16).toString("base64url");
  const template = formattedData(await kafkaLibs());
  if (!existsSync(template)) {
    const format = ["format", `--cluster-id=${clusterId}`, "-c", config, "--ignore-formatted"];
    await run("java", [...(await javaArgs("128m", "kafka.tools.StorageTool", format))]);
    return;
  }
  const data = join(dir, "data");
  cpSync(template, data, { recursive: true });
  const meta = join(data, "meta.properties");
  const text = readFileSync(meta, "utf8")
    .replace(/^cluster\.id=.*$/m, `cluster.id=${clusterId}`)
    .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString("base64url")}`);
  writeFileSync(meta, text);
}

/** A worker of Apache Kafka Connect, the peer that judges compatibility. */
export interface JvmWorker {
  /** Base URL of its REST API, without a slash at the end. */
  readonly url: string;
  readonly process: LocalProcess;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/**
 * Starts Apache Kafka Connect's distributed worker, or with `connectorFiles` its standalone worker, with the given properties and resolves when its REST API answers.
 * `listeners` and the advertised address are set here; converters default to StringConverter.
 */
export async function startJvmWorker(options: {
  readonly dir: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly heap?: string;
  readonly connectorFiles?: readonly string[];
  /** As in {@link KafkaOptions.quickStart}. */
  readonly quickStart?: boolean;
  /** Of its REST API; default: a free one. */
  readonly port?: number;
}): Promise<JvmWorker> {
  const port = options.port ?? (await freePorts(1))[0];
  if (port === undefined) throw new Error("no free port");
  mkdirSync(options.dir, { recursive: true });
  const config = join(options.dir, `connect-${port}.properties`);
  const string = "org.apache.kafka.connect.storage.StringConverter";
  writeFileSync(
    config,
    toProperties({
      "key.converter": string,
      "value.converter": string,
      "config.storage.replication.factor": "1",
      "offset.storage.replication.factor": "1",
      "status.storage.replication.factor": "1",
      listeners: `http://127.0.0.1:${port}`,
      "rest.advertised.host.name": "127.0.0.1",
      "rest.advertised.port": String(port),
      ...options.properties,
    }),
  );
  const worker = await startProcess({
    name: "Kafka Connect (JVM)",
    command: "java",
    args: await javaArgs(
      options.heap ?? "768m",
      `org.apache.kafka.connect.cli.Connect${options.connectorFiles === undefined ? "Distributed" : "Standalone"}`,
      [config, ...(options.connectorFiles ?? [])],
      options.quickStart,
    ),
    logFile: join(options.dir, `connect-${port}.log`),
  });
  const url = `http://127.0.0.1:${port}`;
  const healthy = async () => {
    try {
      return (await fetch(`${url}/connectors`, { signal: AbortSignal.timeout(2000) })).ok;
    } catch {
      return false; // Not listening yet.
    }
  };
  await waitUntilReady(worker, healthy, { timeoutMs: 240_000, intervalMs: 250 });
  return {
    url,
    process: worker,
    stop: async () => void (await worker.stop(30_000)),
    kill: async () => void (await worker.kill()),
  };
}

/**
 * Runs one of Kafka's own command line tools and resolves with its standard output, for instance
 * `kafkaTool("org.apache.kafka.tools.consumer.ConsoleConsumer", ["--bootstrap-server", …])`.
 */
export async function kafkaTool(main: string, args: readonly string[], timeoutMs = 120_000): Promise<string> {
  const { stdout } = await run("java", [...(await javaArgs("256m", main, args))], {
    timeout: timeoutMs,
    maxBuffer: 1 << 28,
  });
  return stdout;
}

/** How many records topics hold by their offsets: exact for topics without compaction, deletion and transactions. */
async function countRecords(bootstrap: string, pattern: string): Promise<number> {
  const offsets = async (time: string) => {
    const args = ["--bootstrap-server", bootstrap, "--topic-partitions", pattern, "--time", time];
    const out = await kafkaTool("org.apache.kafka.tools.GetOffsetShell", args).catch((error: unknown) => {
      if (String(error).includes("Could not match any topic-partitions")) return "";
      throw error;
    });
    const positions = out.split("\n").filter((line) => /:\d+:\d+$/.test(line));
    return positions.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(":") + 1)), 0);
  };
  const [end, start] = await Promise.all([offsets("-1"), offsets("-2")]);
  return end - start;
}

/**
 * Reads with Kafka's console consumer what the topics that match a Java pattern hold now; one string per record value, in order per
 * partition, none if there is no such topic. For topics without compaction and transactions whose values have no line ends. Throws if the
 * records do not come within two minutes.
 */
export async function consumeAll(bootstrap: string, pattern: string): Promise<readonly string[]> {
  const count = await countRecords(bootstrap, pattern);
  if (count === 0) return [];
  const limits = ["--max-messages", String(count), "--timeout-ms", "120000"];
  const args = ["--bootstrap-server", bootstrap, "--include", pattern, "--from-beginning", ...limits];
  const out = await kafkaTool("org.apache.kafka.tools.consumer.ConsoleConsumer", args, 180_000);
  const values = out.replace(/\n$/, "").split("\n");
  if (values.length !== count) throw new Error(`${pattern}: ${count} records, but ${values.length} lines were read`);
  return values;
}
