import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { kafkaLibs } from "#dev/setup/kafka.ts";
import type { Assignment } from "#runtime/group/group.ts";

const run = promisify(execFile);
const Work = z.array(z.tuple([z.string(), z.int()]));
const Answer = z.object({
  delayMs: z.int(),
  shares: z.record(z.string(), z.object({ assigned: Work, revoked: Work })),
});

/** What a leader knows when a round begins. */
export interface JavaRound {
  readonly nowMs: number;
  readonly lastGeneration: number;
  readonly generation: number;
  readonly configured: Assignment;
  readonly members: ReadonlyMap<string, Assignment>;
}

export interface JavaAnswer {
  readonly delayMs: number;
  readonly shares: ReadonlyMap<string, { readonly assigned: Assignment; readonly revoked: Assignment }>;
}

/** Apache's IncrementalCooperativeAssignor in a JVM (AssignorHarness.java). */
export interface JavaAssignor {
  /** From now on a new leader with this `scheduled.rebalance.max.delay.ms` answers. */
  reset(maxDelayMs: number): void;
  assign(round: JavaRound): Promise<JavaAnswer>;
  stop(): Promise<void>;
}

/** Compiles the harness into `dir` and starts it. */
export async function startJavaAssignor(dir: string): Promise<JavaAssignor> {
  const libs = `${await kafkaLibs()}/*`;
  await run("javac", ["-nowarn", "-d", dir, "-cp", libs, join(repoRoot, "test/interop/AssignorHarness.java")]);
  const main = "org.apache.kafka.connect.runtime.distributed.AssignorHarness";
  const logging = `-Dlog4j2.configurationFile=${join(repoRoot, "dev/kafka/log4j2.properties")}`;
  const jvm = spawn("java", ["-XX:+UseSerialGC", logging, "-cp", `${dir}:${libs}`, main], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => jvm.once("exit", () => resolve()));
  const lines = createInterface({ input: jvm.stdout })[Symbol.asyncIterator]();
  const send = (command: object) => jvm.stdin.write(`${JSON.stringify(command)}\n`);

  return {
    reset: (maxDelayMs) => void send({ reset: maxDelayMs }),
    async assign({ configured, members, ...numbers }) {
      const counts = new Map(configured.connectors.map((connector) => [connector, 0]));
      for (const { connector } of configured.tasks) counts.set(connector, (counts.get(connector) ?? 0) + 1);
      const work = Object.fromEntries([...members].map(([memberId, holds]) => [memberId, toItems(holds)]));
      send({ ...numbers, configured: Object.fromEntries(counts), members: work });
      const line = await lines.next();
      if (line.done === true) throw new Error("the Java assignor has ended");
      const { delayMs, shares } = Answer.parse(JSON.parse(line.value));
      const toShare = ({ assigned, revoked }: (typeof shares)[string]) => ({
        assigned: fromItems(assigned),
        revoked: fromItems(revoked),
      });
      return { delayMs, shares: new Map(Object.entries(shares).map(([id, share]) => [id, toShare(share)])) };
    },
    async stop() {
      jvm.stdin.end();
      await exited;
    },
  };
}

function toItems({ connectors, tasks }: Assignment): [string, number][] {
  return [
    ...connectors.map((connector): [string, number] => [connector, -1]),
    ...tasks.map(({ connector, task }): [string, number] => [connector, task]),
  ];
}

function fromItems(items: readonly (readonly [string, number])[]): Assignment {
  return {
    connectors: items.filter(([, task]) => task < 0).map(([connector]) => connector),
    tasks: items.filter(([, task]) => task >= 0).map(([connector, task]) => ({ connector, task })),
  };
}
