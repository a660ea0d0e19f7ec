import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { apicurioRegistry } from "#dev/setup/apicurio.ts";

/** A real Apicurio Registry of the test's own, in memory, on a free loopback port. */
export interface ApicurioServer {
  readonly url: string;
  /** Its API in Confluent's form: a value of `schema.registry.url`. */
  readonly compatibleUrl: string;
  stop(): Promise<void>;
}

const START_MS = 240_000;

export async function startApicurio(): Promise<ApicurioServer> {
  const jar = await apicurioRegistry();
  const args = [
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dquarkus.http.host=127.0.0.1",
    "-Dquarkus.http.port=0",
  ];
  const server = spawn("java", [...args, "-jar", jar], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(server, "exit");
  let log = "";
  const listening = Promise.withResolvers<string>();
  const failed = (why: string) => listening.reject(new Error(`Apicurio Registry ${why}:\n${log.slice(-4000)}`));
  server.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  createInterface({ input: server.stdout }).on("line", (line) => {
    log = `${log}${line}\n`.slice(-20_000);
    const [, url] = /Listening on: (http:\S+)/.exec(line) ?? [];
    if (url !== undefined) listening.resolve(url);
  });
  exited.then(([code]) => failed(`ended with ${code}`), failed);
  const timer = setTimeout(() => failed(`did not start within ${START_MS} ms`), START_MS);
  const stop = async () => {
    server.kill("SIGKILL");
    if (server.exitCode === null && server.signalCode === null) await exited;
  };
  try {
    const url = await listening.promise;
    return { url, compatibleUrl: `${url}/apis/ccompat/v7`, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
