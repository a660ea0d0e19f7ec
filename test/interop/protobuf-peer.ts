import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { apicurioRegistry } from "#dev/setup/apicurio.ts";

/** A message in one of its forms, with the text of its schema. */
export interface PeerMessage {
  readonly schema: string;
  /** Full name. */
  readonly message: string;
  /** Base64. */
  readonly bytes?: string;
  readonly json?: unknown;
}

const ANSWER = z.union([
  z.object({ error: z.string() }),
  z.object({ json: z.string(), bytes: z.string(), unknown: z.number() }),
]);
export type PeerAnswer = z.output<typeof ANSWER>;

/** What Java makes of the messages, in their order (ProtobufPeer.java). Rejects if Java fails or is aborted. */
export async function askProtobufPeer(
  messages: readonly PeerMessage[],
  signal: AbortSignal,
): Promise<readonly PeerAnswer[]> {
  const libraries = join(dirname(await apicurioRegistry()), "lib", "*");
  const args = ["-Xmx512m", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-cp", libraries];
  const java = spawn("java", [...args, join(import.meta.dirname, "ProtobufPeer.java")], {
    signal,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let errors = "";
  java.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  const exited = once(java, "exit");
  const write = async () => {
    for (const each of messages) if (!java.stdin.write(`${JSON.stringify(each)}\n`)) await once(java.stdin, "drain");
    java.stdin.end();
  };
  const writing = write();
  const answers: PeerAnswer[] = [];
  for await (const line of createInterface({ input: java.stdout })) answers.push(ANSWER.parse(JSON.parse(line)));
  const [code] = await exited;
  if (code !== 0) throw new Error(`java ended with ${code}: ${errors}`);
  await writing;
  return answers;
}
