import { mkdtempSync, rmSync } from "node:fs";
import { isIPv4 } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalKafka, startKafka } from "../kafka.ts";
import { exitOnSignals, freePorts } from "../process.ts";

/** A Kafka that others reach. */
export interface ReachableKafka {
  readonly kafka: LocalKafka;
  /** `host:port`, the same for pods and for this machine. */
  readonly bootstrap: string;
}

/** Starts a Kafka that listens on all addresses of this machine and calls itself by the given one. `dir` is its own. */
export async function startReachableKafka(dir: string, address: string): Promise<ReachableKafka> {
  const [port = 0, controllerPort = 0] = await freePorts(2);
  const bootstrap = `${address}:${port}`;
  const kafka = await startKafka({
    dir,
    port,
    controllerPort,
    heap: "512m",
    properties: {
      listeners: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://${bootstrap}`,
    },
  });
  return { kafka, bootstrap };
}

// For a cluster that somebody else has made: `dev/e2e/kafka.ts ADDRESS`, until Ctrl-C.
if (import.meta.main) {
  const [address = ""] = process.argv.slice(2);
  if (!isIPv4(address)) {
    console.error("usage: kafka.ts ADDRESS   # an IPv4 address of this machine that pods reach");
    process.exit(2);
  }
  exitOnSignals();
  const dir = mkdtempSync(join(tmpdir(), "headrace-e2e-kafka-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const { bootstrap } = await startReachableKafka(dir, address);
  console.log(bootstrap);
  setInterval(() => {}, 60_000);
}
