import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { buildJudge } from "#dev/setup/judges.ts";

const Answer = z.object({ result: z.unknown().optional(), error: z.string().optional() });

/** A program around the code by which another project judges resources. */
export interface Judge {
  /** Throws with the program's error. One question at a time. */
  ask(question: object): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Starts the program. `lua`, Argo CD's engine, is asked with a `script` and an `object`, which the script sees as `obj`, and answers what it
 * returns. `flux`, Flux's health checks, is asked with `expressions` and an `object`, and answers the status that Flux gives it.
 */
export async function openJudge(name: "lua" | "flux"): Promise<Judge> {
  const child: ChildProcess = spawn(await buildJudge(name), [], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the program has no pipes");
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    ask: async (question) => {
      stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await answers.next();
      if (done === true) throw new Error(`the program ${name} ended with ${await ended}`);
      const { result, error } = Answer.parse(JSON.parse(value));
      if (error !== undefined) throw new Error(error);
      return result;
    },
    close: async () => {
      stdin.end();
      await ended;
    },
  };
}
