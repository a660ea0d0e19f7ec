import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { kafkaLibs } from "#dev/setup/kafka.ts";
import type { Case } from "./cases.ts";
import type { JsonValue } from "./random.ts";

/**
 * Runs cases through Apache's classes, and those in `jars`, in one JVM; the answers come in the order of the cases. Rejects if Java fails or
 * is aborted.
 */
export async function runJava(
  cases: readonly Case[],
  signal: AbortSignal,
  jars: readonly string[] = [],
): Promise<readonly (readonly JsonValue[])[]> {
  const args = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    // Messages of null pointer exceptions stay, however often they are thrown.
    "-XX:-OmitStackTraceInFastThrow",
    "-Duser.timezone=UTC",
    "-Duser.language=en",
    "-Duser.country=US",
    "-Dfile.encoding=UTF-8",
    // Standard output is for the answers.
    "-Dorg.apache.logging.log4j.level=OFF",
    "-cp",
    [...jars, `${await kafkaLibs()}/*`].join(":"),
    join(import.meta.dirname, "Harness.java"),
  ];
  const java = spawn("java", args, { signal, stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  java.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const exited = once(java, "exit");
  const write = async () => {
    for (const each of cases) if (!java.stdin.write(`${JSON.stringify(each)}\n`)) await once(java.stdin, "drain");
    java.stdin.end();
  };
  const writing = write();
  const answers: (readonly JsonValue[])[] = [];
  for await (const line of createInterface({ input: java.stdout })) answers.push(JSON.parse(line));
  const [code] = await exited;
  if (code !== 0) throw new Error(`java ended with ${code}: ${errors}`);
  await writing;
  return answers;
}
